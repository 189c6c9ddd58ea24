"""Answers resumed at a real vLLM: exactly what it says to the raw text, or a stable error."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.engines.hub_folder import hub_folder
from tests.engines.own_environments import cache_folder, running
from tests.engines.resuming import (
    ANSWERS,
    Cut,
    cuts_after,
    cuts_of,
    resumed,
    streamed,
    text_of,
)
from tests.engines.support import demo_model

from entraide_node.engines.base import CHAT, COMPLETIONS
from entraide_node.engines.supervised_engine import SupervisedEngine

pytestmark = [
    pytest.mark.engines,
    pytest.mark.timeout(900),
    pytest.mark.asyncio(loop_scope="module"),
]

LENGTH = 24
MORE = 6
CUTS = (1, 9, 17)

# A template that removes white space around a message: transformers' way of continuing a message
# would remove it from the earlier text too.
TRIMMING = (
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content | trim }}"
    "<|im_end|>\n{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}\n"
)
PROMPT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["vllm"])
async def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SupervisedEngine]:
    """One engine for all tests, which keeps nothing of one run for the next.

    It has no sandbox, in which its start takes twice as long (``test_vllm`` has one).
    """
    weights = cache_folder() / "smollm2-trimming-1"
    hub_folder(demo_model().path, weights, chat_template=TRIMMING)
    chosen = {"weights": weights, "sandbox": False}
    async with running(request.param, tmp_path_factory.mktemp("vllm"), **chosen) as started:
        yield started


async def raw(
    engine: SupervisedEngine, path: str, question: str, earlier: Cut, *, max_tokens: int,
    **fields: Any,
) -> tuple[str, list[dict[str, Any]], dict[str, int]]:  # fmt: skip
    """Text, choices and usage of vLLM's own completion of the prompt and the earlier text."""
    prompt = PROMPT.format(question) if path == CHAT else question
    body = {"prompt": prompt + earlier.text, "max_tokens": max_tokens, "temperature": 0}
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    parts = await streamed(engine, COMPLETIONS, body | fields)
    choices = [choice for part in parts for choice in part["choices"]]
    return "".join(map(text_of, choices)), choices, parts[-1]["usage"]


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_resumed_answer(engine: SupervisedEngine, name: str) -> None:
    """After any cut, the text goes on as the engine continues the raw text, for what is left."""
    path, question = ANSWERS[name]
    cuts = await cuts_after(engine, path, question, CUTS)
    assert len(cuts) > 1

    for cut in cuts:
        left = min(MORE, LENGTH - cut.tokens)
        text, _, usage = await raw(engine, path, question, cut, max_tokens=left)
        given = await resumed(engine, path, question, cut, max_tokens=left)

        assert text == given.text, cut
        assert (usage["prompt_tokens"], usage["completion_tokens"]) == (
            given.end.usage.prompt_tokens,
            given.end.usage.completion_tokens,
        )


@pytest.mark.parametrize("text", ["Voici ", "Voici :\n\n  ", " \n", "\n\nVoici"], ids=repr)
@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_white_space_at_the_seam(engine: SupervisedEngine, text: str, path: str) -> None:
    """White space around the earlier text is kept, though the template removes it."""
    question, cut = "Fais une liste de trois animaux.", Cut(3, text)

    expected, _, usage = await raw(engine, path, question, cut, max_tokens=3)
    given = await resumed(engine, path, question, cut, max_tokens=3)

    assert expected == given.text
    assert usage["prompt_tokens"] == given.end.usage.prompt_tokens


async def test_the_clients_own_beginning(engine: SupervisedEngine) -> None:
    """vLLM closes the client's own beginning; the earlier text is an answer after it."""
    own = {"role": "assistant", "content": "Un, deux, "}
    messages = [{"role": "user", "content": "Compte."}, own]
    (cut,) = await cuts_after(engine, CHAT, "", [3], messages=messages)
    begun = [messages[0], own | {"content": own["content"] + cut.text}]

    given = await resumed(engine, CHAT, "", cut, max_tokens=4, messages=begun)

    prompt = PROMPT.format("Compte.") + "Un, deux,<|im_end|>\n<|im_start|>assistant\n"
    assert (await raw(engine, COMPLETIONS, prompt, cut, max_tokens=4))[0] == given.text


async def test_logprobs(engine: SupervisedEngine) -> None:
    """The probabilities after the seam are those of the raw text, and its offsets go on."""
    path, question = ANSWERS["code in a completion"]
    (cut,) = await cuts_after(engine, path, question, [4])

    _, choices, _ = await raw(engine, path, question, cut, max_tokens=4, logprobs=1)
    given = await resumed(engine, path, question, cut, max_tokens=4, logprobs=1)

    expected = [choice["logprobs"] for choice in choices if choice["logprobs"]]
    entries = [choice["logprobs"] for choice in given.choices if choice["logprobs"]]
    assert joined(expected, "tokens") == joined(entries, "tokens")
    assert joined(expected, "token_logprobs") == pytest.approx(
        joined(entries, "token_logprobs"), abs=1e-3
    )
    offsets = [len(cut.text) + offset for offset in joined(expected, "text_offset")]
    assert offsets == joined(entries, "text_offset")


def joined(entries: list[dict[str, Any]], name: str) -> list[Any]:
    """One field of all tokens, however many of them an event has."""
    return [value for entry in entries for value in entry[name]]


@pytest.mark.parametrize("path", [CHAT, COMPLETIONS])
async def test_tokens_are_counted_with_their_text(engine: SupervisedEngine, path: str) -> None:
    """vLLM holds back what may be a stop string: a token counts as sent when its text is."""
    question = "Write the numbers from one to ten."
    plain = await cuts_of(engine, path, question, max_tokens=LENGTH)
    stop = "§" * 9

    cuts = await cuts_of(engine, path, question, max_tokens=LENGTH, stop=stop)

    for cut in cuts[:-1]:
        if len(cut.text) > len(stop):
            # A busy engine joins tokens: then the text lies within one part of the plain run.
            least = max(part.tokens for part in plain if len(part.text) <= len(cut.text))
            longer = [part.tokens for part in plain if len(part.text) > len(cut.text)]
            assert least <= cut.tokens < min(longer, default=LENGTH + 1), cut


async def test_a_stop_string_over_the_seam(engine: SupervisedEngine) -> None:
    """A stop string that begins before the seam ends the answer there; a later one, where it is."""
    path, question = ANSWERS["list"]
    cuts = await cuts_after(engine, path, question, CUTS)

    for cut in cuts:
        after, _, _ = await raw(engine, path, question, cut, max_tokens=8)
        over = cut.text[-2:] + after[:3]
        ended = await resumed(engine, path, question, cut, max_tokens=8, stop=[over])
        expected, _, _ = await raw(engine, path, question, cut, max_tokens=8, stop=after[3:6])
        later = await resumed(engine, path, question, cut, max_tokens=8, stop=after[3:6])

        assert ("", "stop") == (ended.text, ended.end.finish_reason), cut
        assert (expected, "stop") == (later.text, later.end.finish_reason)


async def test_penalties_see_no_earlier_text(engine: SupervisedEngine) -> None:
    """Why an answer with penalties is not resumed at vLLM: they count its own output only."""
    question, penalty = "le chat le chat le chat", {"presence_penalty": 2.0}
    in_prompt, _, _ = await raw(
        engine, COMPLETIONS, question, Cut(2, " le chat"), max_tokens=1, **penalty
    )
    free, _, _ = await raw(engine, COMPLETIONS, question, Cut(2, " le chat"), max_tokens=1)

    assert free == in_prompt
