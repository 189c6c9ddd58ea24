"""Silence watch: what counts as an engine's silence, over all its runs."""

import pytest

from entraide_node.engines.base import CHAT, EMBEDDINGS_PATH, EngineRequest
from entraide_node.engines.silence_watch import SilenceWatch


def request(job: str = "a", *, path: str = CHAT, body: bytes = b"{}") -> EngineRequest:
    return EngineRequest(job=job, path=path, body=body, stream=True, model="m")


def watch(*, reports_steps: bool = True) -> SilenceWatch:
    """A watch of an engine whose steps take a second, so that 3 s of silence are a hang."""
    made = SilenceWatch(reports_steps=reports_steps)
    made.times.expect(512.0, 1.0)
    return made


def started(silence: SilenceWatch, *jobs: str, at: float = 0.0) -> SilenceWatch:
    """Begins runs; the process has produced an event before."""
    silence.begin(request("first"), {})
    silence.wait("first", at)
    silence.add_event("first", at, has_output=True)
    silence.end("first")
    for job in jobs:
        silence.begin(request(job), {})
        silence.wait(job, at)
    return silence


def test_three_steps_of_silence_are_a_hang() -> None:
    """Two are not."""
    silence = started(watch(), "a")

    assert [silence.is_hung(at) for at in (2.9, 3.0)] == [False, True]


def test_an_event_of_any_run_is_the_engines() -> None:
    """A run that waits for its turn is silent for longer than the engine."""
    silence = started(watch(), "a", "b")
    silence.add_event("b", 2.5, has_output=True)
    silence.wait("b", 2.5)

    assert not silence.is_hung(2.5 + 7.4)
    assert silence.is_hung(2.5 + 7.5)


def test_without_a_run_there_is_no_silence() -> None:
    """An idle engine says nothing, and a run that ended waits no more."""
    silence = started(watch(), "a")
    silence.end("a")

    assert not silence.is_hung(1e6)


def test_a_run_that_does_not_wait_for_the_engine_shows_nothing() -> None:
    """While the bus takes an event, the engine's next ones may lie in the socket."""
    silence = started(watch(), "a")
    silence.add_event("a", 1.0, has_output=True)

    assert not silence.is_hung(60.0)
    silence.wait("a", 60.0)
    assert not silence.is_hung(62.9)
    assert silence.is_hung(63.0)


def test_waiting_on_without_an_event_goes_on_counting() -> None:
    """Bytes that are no event, as an HTTP thread sends them, are no sign of life."""
    silence = started(watch(), "a")
    for at in (1.0, 2.0, 3.0):
        silence.wait("a", at)

    assert silence.is_hung(3.0)


def test_a_process_that_has_computed_nothing_yet_may_read_its_weights() -> None:
    """Before its first event there is no limit."""
    silence = watch()
    silence.begin(request(), {})
    silence.wait("a", 0.0)

    assert not silence.is_hung(1e6)


@pytest.mark.parametrize(
    ("reports_steps", "body", "hung_at"),
    [(True, b"x" * 5_120, 3.0), (False, b"x" * 5_120, 33.0), (False, b"x", 3.0)],
    ids=["steps reported", "a long prompt", "a short prompt"],
)
def test_a_prompt_has_as_many_steps_as_it_may_have_tokens(
    reports_steps: bool, body: bytes, hung_at: float
) -> None:
    """Unless the engine reports each step, the whole prompt may pass in silence, a byte a token."""
    silence = started(watch(reports_steps=reports_steps))
    silence.begin(request(body=body), {})
    silence.wait("a", 0.0)

    assert [silence.is_hung(hung_at - 0.1), silence.is_hung(hung_at)] == [False, True]


UNBOUNDED = {
    "a schema": (b"{}", {"response_format": {"type": "json_schema"}}),
    "a tool": (b"{}", {"tools": [{"type": "function"}]}),
    "an image": (b'{"messages":[{"content":[{"image_url":{"url":"data:"}}]}]}', {}),
}


@pytest.mark.parametrize(("body", "fields"), UNBOUNDED.values(), ids=UNBOUNDED)
def test_a_run_with_a_preparation_has_no_limit_before_its_output(
    body: bytes, fields: dict[str, object]
) -> None:
    """Images and grammars are prepared in no step; tokens come in steps again."""
    silence = started(watch())
    silence.begin(request(body=body), fields)
    silence.wait("a", 0.0)
    before = silence.is_hung(1e6)
    silence.add_event("a", 10.0, has_output=True)
    silence.wait("a", 10.0)

    assert not before
    assert [silence.is_hung(at) for at in (12.9, 13.0)] == [False, True]


def test_a_part_of_embeddings_may_be_long() -> None:
    """A part of 32 KiB has 64 steps at most."""
    silence = started(watch())
    silence.begin(request(path=EMBEDDINGS_PATH), {})
    silence.wait("a", 0.0)

    assert [silence.is_hung(at) for at in (191.0, 192.0)] == [False, True]


def test_a_step_goes_on_when_its_run_is_cancelled() -> None:
    """An engine that reads a long prompt learns of the end after the step; others wait for it."""
    silence = SilenceWatch(reports_steps=True)
    silence.times.expect(51.2, 1.0)
    started(silence, "a")
    silence.add_event("a", 0.0, has_output=True)
    silence.wait("a", 0.0)
    silence.begin(request("b"), {})
    silence.wait("b", 0.0)
    silence.end("b")
    during = [silence.is_hung(at) for at in (29.9, 30.0)]
    silence.add_event("a", 1.0, has_output=True)
    silence.wait("a", 1.0)

    assert during == [False, True]
    assert [silence.is_hung(1.0 + at) for at in (2.9, 3.0)] == [False, True]


def test_a_pause_of_the_agent_is_not_the_engines_silence() -> None:
    """A laptop that slept wakes with both."""
    silence = started(watch(), "a")
    silence.skip(3_600.0, 3_600.0)

    assert [silence.is_hung(3_600.0 + at) for at in (2.9, 3.0)] == [False, True]


def test_what_was_noted_after_a_pause_is_not_moved_into_the_future() -> None:
    """An engine that hangs right after a pause is noticed as soon as any other."""
    silence = started(watch(), "a")
    silence.add_event("a", 3_600.0, has_output=True)
    silence.wait("a", 3_600.0)
    silence.skip(3_600.0, 3_600.2)

    assert [silence.is_hung(3_600.2 + at) for at in (2.9, 3.0)] == [False, True]


def test_slower_steps_are_learned() -> None:
    """An engine that took two seconds for a step is given six."""
    silence = started(watch(), "a")
    for at in (0.0, 2.0):
        silence.add_event("a", at, has_output=True)
        silence.wait("a", at)

    assert [silence.is_hung(2.0 + at) for at in (5.9, 6.0)] == [False, True]
