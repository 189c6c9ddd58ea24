"""A model that thinks first, whose machine is killed during its thought or after it.

The pool continues texts only. Put into the request as text, a part of a thought would come after an
empty thought; a whole one would end with other white space than the model wrote. So the client has
a stable error after what it has, never half an answer that goes on wrongly.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.engines.resuming import post
from tests.engines.stories import COOP, kill, node_of, received, stream
from tests.engines.support import llamacpp
from tests.engines.thinking_model import ALIAS, QUESTION, thinking_model
from tests.integration.local_pool import RunningPool, up

from entraide.resuming import RESUME
from entraide_node.models.model_files import ModelFile, find_model

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

FIELDS = {"model": ALIAS, "messages": QUESTION, "max_tokens": 400}
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


async def test_llama_cpp_continues_neither_exactly() -> None:
    """It closes an empty thought before a text, and ends a thought with other white space."""
    model = find_model(str(thinking_model()))
    assert isinstance(model, ModelFile)
    async with llamacpp(model=model) as engine:

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
        features = engine.facts.features

    assert prompt.endswith("<think>\n")
    assert as_text.endswith("<think>\n\n</think>\n\n" + thought)
    assert after.endswith(thought + "\n</think>\n\n" + answer)
    assert RESUME not in features


@pytest.mark.parametrize("when", ["during its thought", "after its thought"])
def test_an_answer_with_a_thought_ends_with_an_error(pool: RunningPool, when: str) -> None:
    """The client has what was written and one error; no machine continues, and nobody is billed."""
    pool.until(lambda: len(pool.live()) == 2, "both machines are live", within_s=180.0)
    before = received(pool)
    is_after = when.startswith("after")
    thought, answer, events, is_killed = "", "", [], False
    fields = FIELDS | {"logit_bias": NEVER_ENDS if is_after else NEVER_CLOSES}
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
