"""Answers resumed at a real llama.cpp: exactly what it says to the raw text, or a stable error."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec import UNSET
from tests.engines.hub_folder import with_template
from tests.engines.own_environments import cache_folder
from tests.engines.resuming import ANSWERS, Cut, cuts_of, post, resumed, spread, streamed
from tests.engines.support import demo_model, llamacpp

from entraide.resuming import RESUME
from entraide_node.engines.base import CHAT, COMPLETIONS
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.models.model_files import ModelFile, find_model
from entraide_scheduler.gateway.chat.thinking import engine_fields

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
]

LENGTH = 32
MORE = 10
CUTS = 4


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[SupervisedEngine]:
    """The engine that begins the answers."""
    async with llamacpp() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def other() -> AsyncIterator[SupervisedEngine]:
    """The engine that continues them, and has seen none of them."""
    async with llamacpp() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def begun(engine: SupervisedEngine) -> dict[str, list[Cut]]:
    """Each answer after each of its events, by its name; asked for once."""
    return {
        name: await cuts_of(engine, path, question, max_tokens=LENGTH)
        for name, (path, question) in ANSWERS.items()
    }


async def raw(
    engine: SupervisedEngine, path: str, question: str, earlier: Cut, *, max_tokens: int,
    **fields: Any,
) -> dict[str, Any]:  # fmt: skip
    """llama.cpp's own completion of the prompt, which it templates itself, and the earlier text.

    It is streamed: in one piece it would show half of a character that the limit cuts.
    """
    prompt = question
    if path == CHAT:
        messages = [{"role": "user", "content": question}]
        prompt = (await post(engine, "/apply-template", {"messages": messages}))["prompt"]
    body = {"prompt": prompt + earlier.text, "n_predict": max_tokens, "temperature": 0}
    body |= {"cache_prompt": False, "stream": True}
    parts = await streamed(engine, "/completion", body | fields)
    probabilities = [entry for part in parts for entry in part.get("completion_probabilities", ())]
    content = "".join(part["content"] for part in parts)
    return parts[-1] | {"content": content, "completion_probabilities": probabilities}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_resumed_answer(
    other: SupervisedEngine, begun: dict[str, list[Cut]], name: str
) -> None:
    """After any cut, the text goes on as the engine continues the raw text, for what is left."""
    path, question = ANSWERS[name]
    cuts = spread(begun[name], CUTS)
    assert len(cuts) > 1

    for cut in cuts:
        left = min(MORE, LENGTH - cut.tokens)
        expected = await raw(other, path, question, cut, max_tokens=left)
        given = await resumed(other, path, question, cut, max_tokens=left)

        assert expected["content"] == given.text, cut
        assert expected["tokens_predicted"] == given.end.usage.completion_tokens
        assert expected["tokens_evaluated"] == given.end.usage.prompt_tokens


WHITE = ["Voici ", "Voici\n", "Voici :\n\n  ", " \n", "\n\nVoici", "   1. Chat\n   "]


@pytest.mark.parametrize("text", WHITE, ids=repr)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_white_space_at_the_seam(other: SupervisedEngine, text: str, path: str) -> None:
    """White space around the earlier text is neither lost nor doubled."""
    question, cut = "Fais une liste de trois animaux.", Cut(3, text)

    expected = await raw(other, path, question, cut, max_tokens=4)
    given = await resumed(other, path, question, cut, max_tokens=4)

    assert expected["content"] == given.text
    assert expected["tokens_evaluated"] == given.end.usage.prompt_tokens


async def test_the_clients_own_beginning(engine: SupervisedEngine, other: SupervisedEngine) -> None:
    """Where the client began the answer itself, its words and the earlier text are one."""
    begun = {"messages": [
        {"role": "user", "content": "Compte."}, {"role": "assistant", "content": "Un, deux, "}
    ]}  # fmt: skip
    cuts = await cuts_of(engine, CHAT, "", max_tokens=8, **begun)
    cut = cuts[2]
    begun["messages"][-1]["content"] += cut.text

    given = await resumed(other, CHAT, "", cut, max_tokens=5, **begun)

    own = Cut(0, "Un, deux, " + cut.text)
    assert (await raw(other, CHAT, "Compte.", own, max_tokens=5))["content"] == given.text


PENALTIES = {"presence_penalty": 1.5, "frequency_penalty": 1.0}


async def test_penalties_see_the_earlier_text(
    engine: SupervisedEngine, other: SupervisedEngine
) -> None:
    """Penalties count the tokens of the earlier text, as they did before the cut."""
    path, question = COMPLETIONS, "le chat le chat le chat le chat"
    cuts = await cuts_of(engine, path, question, max_tokens=LENGTH, **PENALTIES)
    differs = []

    for cut in spread(cuts, CUTS):
        expected = await raw(other, path, question, cut, max_tokens=MORE, **PENALTIES)
        given = await resumed(other, path, question, cut, max_tokens=MORE, **PENALTIES)
        without = await raw(other, path, question, cut, max_tokens=MORE)
        differs.append(without["content"] != given.text)

        assert expected["content"] == given.text, cut
    assert any(differs)


async def test_logprobs(other: SupervisedEngine, begun: dict[str, list[Cut]]) -> None:
    """The probabilities after the seam are those of the raw text."""
    path, question = ANSWERS["french"]
    cut = spread(begun["french"], 3)[1]

    expected = await raw(other, path, question, cut, max_tokens=5, n_probs=1)
    given = await resumed(other, path, question, cut, max_tokens=5, logprobs=True)

    entries = [
        entry
        for choice in given.choices
        for entry in (choice.get("logprobs") or {}).get("content", ())
    ]
    probabilities = expected["completion_probabilities"]
    assert [entry["token"] for entry in probabilities] == [entry["token"] for entry in entries]
    assert [entry["logprob"] for entry in probabilities] == pytest.approx(
        [entry["logprob"] for entry in entries], abs=1e-4
    )  # the two runs are in different slots, and round differently


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_the_engine_holds_back_what_may_be_a_stop_string(
    engine: SupervisedEngine, path: str
) -> None:
    """No part of a stop string is sent before it is clear whether it is one."""
    question = "Make a numbered list of five animals, one a line."
    whole = (await cuts_of(engine, path, question, max_tokens=LENGTH))[-1].text
    stop = whole[12:20]
    never = whole[4:9] + "§"

    cuts = await cuts_of(engine, path, question, max_tokens=LENGTH, stop=[stop, never])

    for cut in cuts:
        assert not any(
            cut.text.endswith(text[:size]) for text in (stop,) for size in range(3, len(text))
        )


@pytest.mark.parametrize("name", ["french", "list", "code in a completion"])
async def test_a_stop_string_over_the_seam(
    other: SupervisedEngine, begun: dict[str, list[Cut]], name: str
) -> None:
    """A stop string that begins before the seam ends the answer there; a later one, where it is."""
    path, question = ANSWERS[name]

    for cut in spread(begun[name], CUTS):
        after = (await raw(other, path, question, cut, max_tokens=8))["content"]
        over = cut.text[-2:] + after[:3]
        ended = await resumed(other, path, question, cut, max_tokens=8, stop=[over])
        stop = after[3:6]
        later = await resumed(other, path, question, cut, max_tokens=8, stop=stop)

        assert ("", "stop") == (ended.text, ended.end.finish_reason), cut
        expected = await raw(other, path, question, cut, max_tokens=8, stop=[stop])
        assert expected["content"] == later.text
        assert "stop" == later.end.finish_reason


THINKING = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.role == 'assistant' and message.reasoning_content %}"
    "{{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}{%- endif %}"
    "{{- message.content + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}"
    "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)

OFF = engine_fields(UNSET)


async def test_a_model_that_thinks_first() -> None:
    """Where thinking is off, a model whose template opens a thought goes on after the text."""
    copy = with_template(
        demo_model().path, cache_folder() / "smollm2-thinking-3.gguf", chat_template=THINKING
    )
    model = find_model(str(copy))
    assert isinstance(model, ModelFile)
    async with llamacpp(model=model) as thinking:
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
        prompt = (await post(thinking, "/apply-template", {"messages": messages}))["prompt"]
        went_on = await resumed(thinking, CHAT, "Compte.", Cut(2, "Un, "), max_tokens=4, **OFF)
        asked = {"messages": [{"role": "user", "content": "Compte."}], **OFF}
        begun = (await post(thinking, "/apply-template", asked))["prompt"] + "Un, "
        body = {"prompt": begun, "n_predict": 4, "temperature": 0}
        raw = (await post(thinking, "/completion", body))["content"]
        offered = thinking.facts.features

    assert prompt.endswith("<think>\n\n</think>\n\n!")
    assert begun.endswith("<think>\n\n</think>\n\nUn, ")
    assert RESUME in offered
    assert raw == went_on.text
