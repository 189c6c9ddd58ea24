"""A model that thinks first: turned on and off, bounded, and cut off by the loss of its machine.

The pool continues texts only, so an answer without a thought goes on. Put into the request as text,
a part of a thought would come after an empty thought; a whole one would end with other white space
than the model wrote. So the client has a stable error after what it has, never half an answer that
goes on wrongly.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec import UNSET, UnsetType
from tests.core.builders import entry
from tests.engines.resuming import cuts_after, post, resumed
from tests.engines.stories import COOP, kill, node_of, received, stream
from tests.engines.support import events, llamacpp, ran, request
from tests.engines.thinking_model import ALIAS, CLOSING_TOKENS, QUESTION, thinking_model
from tests.integration.local_pool import RunningPool, up

from entraide.catalogue.chat_template import check_template
from entraide.catalogue.pin_fault import PinFault
from entraide.models import MESSAGE_TOKENS, TEMPLATE_TOKENS
from entraide.resuming import RESUME
from entraide.thinking import Thinking
from entraide.types import Effort, ThinkingTerms
from entraide_node.engines.base import CHAT
from entraide_node.engines.supervised_engine import SupervisedEngine
from entraide_node.models.model_files import ModelFile, find_model
from entraide_scheduler.gateway.chat.thinking import engine_fields

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

FIELDS = {"model": ALIAS, "messages": QUESTION, "max_tokens": 400}
EFFORT = {"reasoning_effort": "low"}
NEVER_ENDS = {"2": -100}
NEVER_CLOSES = NEVER_ENDS | {"9617": -100, "22577": -100}  # "</", " </"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool of two machines with the weights of a model that thinks first."""
    folder = tmp_path_factory.mktemp("pool") / "pool"
    started = up(folder, "--nodes", "2", "--model", str(thinking_model()))
    try:
        yield started
    finally:
        started.entraide("down")


def parts(event: dict[str, Any]) -> tuple[str, str]:
    """The thought and the answer in an event."""
    (choice,) = event.get("choices") or [{}]
    delta = choice.get("delta") or {}
    return delta.get("reasoning_content") or "", delta.get("content") or ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[SupervisedEngine]:
    """One engine for the tests that need no pool."""
    model = find_model(str(thinking_model()))
    assert isinstance(model, ModelFile)
    async with llamacpp(model=model) as started:
        yield started


def told(how: ThinkingTerms | UnsetType) -> dict[str, Any]:
    """A greedy chat, as the gateway makes it."""
    return {"messages": QUESTION, "max_tokens": 120, "temperature": 0, **engine_fields(how)}


@pytest.mark.asyncio(loop_scope="module")
async def test_llama_cpp_continues_neither_exactly(engine: SupervisedEngine) -> None:
    """It closes an empty thought before a text, and ends a thought with other white space."""

    async def prompt_of(*more: dict[str, str]) -> str:
        body = {"messages": [*QUESTION, *more]}
        return str((await post(engine, "/apply-template", body))["prompt"])

    prompt = await prompt_of()
    body = {"prompt": prompt, "n_predict": 40, "temperature": 0}
    written = (await post(engine, "/completion", body))["content"]
    thought, answer = written.split("</think>\n\n")
    as_text = await prompt_of({"role": "assistant", "content": thought})
    whole = {"role": "assistant", "content": answer, "reasoning_content": thought}
    after = await prompt_of(whole)

    assert prompt.endswith("<think>\n")
    assert as_text.endswith("<think>\n\n</think>\n\n" + thought)
    assert after.endswith(thought + "\n</think>\n\n" + answer)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_thought_is_a_choice_and_is_counted(engine: SupervisedEngine) -> None:
    """Without one asked for there is no token of a thought; a budget holds; the rest is counted."""
    thoughts, counts, outputs = [], [], []
    for how in (UNSET, ThinkingTerms(Effort.LOW), ThinkingTerms(Effort.LOW, 3)):
        chunks, end = await ran(engine, request(**told(how)))
        pairs = [parts(event) for event in events(chunks)]
        thoughts.append("".join(thought for thought, _ in pairs))
        counts.append(end.usage.reasoning_tokens)
        outputs.append(end.usage.completion_tokens)
    none, free, bounded = counts
    cut = ThinkingTerms(Effort.LOW)
    _, end = await ran(engine, request(**told(cut) | {"max_tokens": 2}))

    assert ("", 0) == (thoughts[0], none)
    assert thoughts[1].startswith(thoughts[2])
    assert 3 + CLOSING_TOKENS < free < outputs[1]
    assert 3 <= bounded <= 3 + CLOSING_TOKENS < outputs[2]
    assert (2, 2) == (end.usage.reasoning_tokens, end.usage.completion_tokens)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_pin_measures_what_the_template_shows(engine: SupervisedEngine) -> None:
    """The engine reads more than a usual template adds, and no more than the pin measured."""
    _, end = await ran(engine, request(**told(UNSET) | {"max_tokens": 1}))
    measured = check_template(entry(ALIAS, thinking=Thinking.ARGUMENT), [thinking_model()])
    assert not isinstance(measured, PinFault)
    text_bytes = len(QUESTION[0]["content"].encode())
    usual = text_bytes + TEMPLATE_TOKENS + MESSAGE_TOKENS

    assert usual < end.usage.prompt_tokens <= usual + measured.extra_template_tokens


@pytest.mark.asyncio(loop_scope="module")
async def test_an_answer_without_a_thought_is_continued(engine: SupervisedEngine) -> None:
    """Where the thought is off, the engine continues the answer as its raw text."""
    question, off = QUESTION[0]["content"], engine_fields(UNSET)
    (cut,) = await cuts_after(engine, CHAT, question, [9], **off)
    went_on = await resumed(engine, CHAT, question, cut, max_tokens=8, **off)
    prompt = (await post(engine, "/apply-template", {"messages": QUESTION, **off}))["prompt"]
    body = {"prompt": prompt + cut.text, "n_predict": 8, "temperature": 0}
    raw = (await post(engine, "/completion", body))["content"]

    assert RESUME in engine.facts.features
    assert raw == went_on.text


@pytest.mark.parametrize("when", ["during its thought", "after its thought"])
def test_an_answer_with_a_thought_ends_with_an_error(pool: RunningPool, when: str) -> None:
    """The client has what was written and one error; no machine continues, and nobody is billed."""
    pool.until(lambda: len(pool.live()) == 2, "both machines are live", within_s=180.0)
    before = received(pool)
    is_after = when.startswith("after")
    thought, answer, events, is_killed = "", "", [], False
    fields = FIELDS | EFFORT | {"logit_bias": NEVER_ENDS if is_after else NEVER_CLOSES}
    for name, event in stream(pool, fields):
        events.append((name, event))
        more_thought, more_answer = parts(event)
        assert not (answer and more_thought), events
        thought, answer = thought + more_thought, answer + more_answer
        if not is_killed and (answer if is_after else thought):
            is_killed = True
            kill(pool, node_of(pool, event["id"]))
    assert {""} == {name for name, _ in events[:-1]}, events
    (job,) = {event["id"] for _, event in events[:-1]}
    _, last = events[-1]
    _, _, ended = pool.http(f"/v1/jobs/{job}", coop=COOP)
    pool.until(lambda: len(pool.live()) == 2, "both machines are live again", within_s=180.0)

    assert "stream_broken" == last["error"]["code"]
    assert (True, is_after) == (bool(thought), bool(answer))
    assert not any(choice["finish_reason"] for _, e in events[:-1] for choice in e["choices"])
    assert "failed" == ended["state"]
    assert before == received(pool)


def test_an_answer_without_a_thought_goes_on(pool: RunningPool) -> None:
    """Nobody asked for a thought, so there is none, and another machine continues the answer."""
    pool.until(lambda: len(pool.live()) == 2, "both machines are live", within_s=180.0)
    text, names, is_killed = "", set(), False
    for name, event in stream(pool, FIELDS | {"max_tokens": 60, "logit_bias": NEVER_ENDS}):
        names.add(name)
        thought, more = parts(event)
        assert not thought, event
        text += more
        if more and not is_killed:
            is_killed = True
            kill(pool, node_of(pool, event["id"]))
    receipt = event["entraide"]

    assert "entraide.resumed" in names
    assert (60, 0, 2) == (
        receipt["output_tokens"], receipt["reasoning_tokens"], len(receipt["runs"]),
    )  # fmt: skip


def test_a_thought_is_on_the_receipt(pool: RunningPool) -> None:
    """Client and receipt have the thought's tokens; the receipt has their part of the energy."""
    pool.until(lambda: bool(pool.live()), "a machine is live", within_s=180.0)
    # The template shows more than the bound of a prompt so short allows.
    rules = {"role": "system", "content": "Answer in a few words, as the examples before this do."}
    bounded = {"thinking_budget_tokens": 8, "temperature": 0, "logit_bias": NEVER_ENDS}
    asked = FIELDS | EFFORT | bounded | {"messages": [rules, *QUESTION], "max_tokens": 40}
    _, _, answer = pool.http("/v1/chat/completions", asked, coop=COOP)
    receipt, usage = answer["entraide"], answer["usage"]
    thought = usage["completion_tokens_details"]["reasoning_tokens"]

    assert answer["choices"][0]["message"]["reasoning_content"]
    assert 8 <= thought == receipt["reasoning_tokens"] <= 8 + CLOSING_TOKENS
    assert thought < receipt["output_tokens"]
    assert 0.0 < receipt["reasoning_wh"] < receipt["energy_wh"]
