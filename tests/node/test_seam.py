"""Where a run continues an answer: the request, the events, stop strings, counts."""

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.cases import all_cases
from tests.node.test_stream_run import DONE, chat, text, usage

from entraide.types import Outcome
from entraide.wire.messages import Resume
from entraide_node.engines.base import (
    BAD_REQUEST,
    CHAT,
    COMPLETIONS,
    ENGINE_REJECTED,
    EngineChunk,
    EngineEnd,
    EngineFailure,
    EngineRequest,
)
from entraide_node.engines.seam import (
    EARLIER_TEXT,
    ChatContinuation,
    Seam,
    extended_template,
    make_seam,
)
from entraide_node.engines.shown_tokens import ShownTokens, held_chars_of
from entraide_node.engines.stream_run import StreamRun

ASKED = {"role": "user", "content": "Compte."}
TEMPLATE = "{{ messages }}\n"
RESUME = Resume(tokens=2, created=17, characters=4)


def resumed(
    earlier: str, payloads: list[bytes], *, path: str = CHAT, shown: ShownTokens | None = None,
    **fields: Any,
) -> tuple[list[EngineChunk], EngineEnd]:  # fmt: skip
    """What a run gives that continues this text, each payload read alone."""
    resume = Resume(tokens=4, created=17, characters=len(earlier))
    request = EngineRequest("job-1", path, b"{}", True, "public", None, resume)
    seam = Seam(resume, stop=fields.get("stop"), path=path, earlier=earlier)
    run = StreamRun(request, fields, started=0.0, shown=shown, seam=seam)
    chunks = [run.add_events([payload], now=1.0) for payload in payloads if not run.is_over]
    return [chunk for chunk in chunks if chunk is not None], run.complete(now=1.0, created=99)


def events(chunks: list[EngineChunk]) -> list[dict[str, Any]]:
    """The events that were sent."""
    sent = b"".join(chunk.data for chunk in chunks).split(b"\n\n")
    return [msgspec.json.decode(event.removeprefix(b"data: ")) for event in sent if event]


def said(chunks: list[EngineChunk], end: EngineEnd) -> str:
    """The text that the client gets, the last event's included."""
    choices = [e["choices"][0] for e in (*events(chunks), msgspec.json.decode(end.final_chunk))]
    return "".join(c.get("text") or c.get("delta", {}).get("content") or "" for c in choices)


def test_events_of_a_continuation() -> None:
    """A resumed chat has no second role, no empty event, and the ``created`` of its answer."""
    chunks, end = resumed(
        "Un,", [chat({"role": "assistant", "content": None}), chat({"role": "assistant",
        "content": " deux"}), chat({}, "stop"), usage(9, 2), DONE],
    )  # fmt: skip

    assert [{"content": " deux"}] == [e["choices"][0]["delta"] for e in events(chunks)]
    assert {17} == {e["created"] for e in (*events(chunks), msgspec.json.decode(end.final_chunk))}
    assert (9, 2) == (end.usage.prompt_tokens, end.usage.completion_tokens)


def test_offsets_of_a_completion_continue() -> None:
    """The offsets of a completion's tokens count from the begin of the answer."""
    logprobs = {"tokens": [" d", "eux"], "text_offset": [0, 2]}
    chunks, _ = resumed(
        "Un,", [text(" deux", logprobs=logprobs), text("", "stop"), DONE], path=COMPLETIONS
    )

    assert [3, 5] == events(chunks)[0]["choices"][0]["logprobs"]["text_offset"]


MORE_THAN_TEXT: dict[str, dict[str, Any]] = {
    "a thought": {"reasoning_content": "hum"},
    "a thought by its newer name": {"reasoning": "hum"},
    "a call": {"tool_calls": [{"index": 0}]},
}


@pytest.mark.parametrize("name", MORE_THAN_TEXT)
def test_a_text_goes_on_as_text(name: str) -> None:
    """A continuation that is no text ends its run, and nothing of it is sent."""
    request = EngineRequest("job-1", CHAT, b"{}", True, "public", None, RESUME)
    seam = Seam(RESUME, stop=None, path=CHAT, earlier="Un, ")
    run = StreamRun(request, {}, started=0.0, seam=seam)
    sent = run.add_events(
        [chat({"content": "deux"}), chat(MORE_THAN_TEXT[name]), chat({"content": "!"})], now=1.0
    )

    assert sent is not None
    assert "deux" == "".join(e["choices"][0]["delta"]["content"] for e in events([sent]))
    assert run.failure is not None
    assert (ENGINE_REJECTED, True) == (run.failure.code, run.failure.retryable)


STOPS = {
    "a stop string that begins before the seam": ("Un\n", ["\n3", "."], "\n\n", ""),
    "one that begins there and comes in parts": ("a E", ["N", "D"], "END", ""),
    "one that is complete in the last event": ("a E", ["N"], "EN", ""),
    "one that only seemed to begin": ("a E", ["N", "E"], "END", "NE"),
    "one that the end cuts off": ("a E", ["N"], "END", "N"),
    "the longer of two": ("xa", ["b", "c!"], ["abd", "abc"], ""),
    "none that is complete before the seam": ("END a", ["b"], "END", "b"),
    "none that is complete before, beside a longer": ("END a", ["b"], ["END", "a234567"], "b"),
    "none of one character": ("a.", ["b"], ".", "b"),
}


@all_cases("path", [CHAT, COMPLETIONS])
@all_cases("name", STOPS)
def test_stop_strings(name: str, path: str) -> None:
    """A stop string that begins in the earlier text ends the answer, and no more text is sent."""
    earlier, parts, stop, expected = STOPS[name]
    make = (lambda t: chat({"content": t})) if path == CHAT else text
    last = chat({}, "length") if path == CHAT else text("", "length")

    chunks, end = resumed(earlier, [*map(make, parts), last, DONE], path=path, stop=stop)

    assert (Outcome.COMPLETED, expected) == (end.outcome, said(chunks, end))
    assert end.finish_reason == ("length" if expected else "stop")


def test_a_stop_string_in_the_last_event() -> None:
    """An engine that ends with its last text is ended by the stop string, whatever it says."""
    chunks, end = resumed("a E", [chat({"content": "ND"}, "length"), DONE], stop="END")

    assert ("", "stop") == (said(chunks, end), end.finish_reason)
    assert "stop" == msgspec.json.decode(end.final_chunk)["choices"][0]["finish_reason"]


def test_held_text_is_sent_when_the_stream_ends_without_a_reason() -> None:
    """Text that waits for a stop string is not lost when the stream is over."""
    chunks, end = resumed("a E", [chat({"content": "N"}), DONE], stop="END")

    assert "N" == said(chunks, end)


@given(
    whole=st.text("abc", min_size=1, max_size=14),
    cut=st.integers(0, 13),
    stop=st.sampled_from(["b", "ab", "abc", "aab", "abbc", "ccb"]),  # none overlaps itself
    size=st.integers(1, 4),
)
def test_a_seam_changes_no_text(whole: str, cut: int, stop: str, size: int) -> None:
    """An answer with a seam is cut by its stop string where the unbroken answer is cut."""
    earlier, rest = whole[:cut], whole[cut:]
    assume(stop not in earlier)
    by_engine = rest.partition(stop)[0]
    parts = [by_engine[at : at + size] for at in range(0, len(by_engine), size)]

    chunks, end = resumed(
        earlier, [*(chat({"content": part}) for part in parts), chat({}, "stop"), DONE], stop=stop
    )

    unbroken = whole.partition(stop)[0]
    assert (unbroken if len(unbroken) > cut else earlier) == earlier + said(chunks, end)


BODIES = {
    "a chat": (CHAT, {"messages": [ASKED, {"role": "assistant", "content": "Un, "}]}),
    "a completion": (COMPLETIONS, {"prompt": "Compte. Un, "}),
    "a completion in a list": (COMPLETIONS, {"prompt": ["Compte. Un, "]}),
}


@pytest.mark.parametrize("name", BODIES)
def test_an_engine_that_prefills_gets_the_request_as_it_is(name: str) -> None:
    """llama.cpp continues the last message itself; a completion is continued by any engine."""
    path, body = BODIES[name]
    for template in ("", TEMPLATE if path == COMPLETIONS else ""):
        seam = make_seam(RESUME, body=body, path=path, how=ChatContinuation(template))

        assert isinstance(seam, Seam)
        assert {} == seam.fields


@pytest.mark.parametrize("own", ["", "Voici : "])
def test_the_template_writes_the_earlier_text(own: str) -> None:
    """An engine that closes each message gets the text by its template, as it is."""
    body = {"messages": [ASKED, {"role": "assistant", "content": own + "Un, "}], "n": 1}

    seam = make_seam(RESUME, body=body, path=CHAT, how=ChatContinuation(TEMPLATE))

    assert isinstance(seam, Seam)
    theirs = [{"role": "assistant", "content": own}] if own else []
    assert [ASKED, *theirs] == seam.fields["messages"]
    assert "Un, " == seam.fields["chat_template_kwargs"][EARLIER_TEXT]
    assert "{{ messages }}{{ entraide_earlier_text }}" == seam.fields["chat_template"]


WRONG = {
    "no message": (CHAT, {"messages": []}),
    "no list": (CHAT, {"messages": "Un, "}),
    "a person's message": (CHAT, {"messages": [ASKED]}),
    "parts": (CHAT, {"messages": [{"role": "assistant", "content": [{"type": "text"}]}]}),
    "shorter than the text": (CHAT, {"messages": [{"role": "assistant", "content": "Un"}]}),
    "tokens": (COMPLETIONS, {"prompt": [1, 2, 3, 4, 5]}),
    "two prompts": (COMPLETIONS, {"prompt": ["Compte", "Compte"]}),
    "no prompt": (COMPLETIONS, {}),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_request_without_the_earlier_text_fails(name: str) -> None:
    """A request that does not contain the earlier text is not continued, and not answered anew."""
    path, body = WRONG[name]

    failure = make_seam(RESUME, body=body, path=path, how=ChatContinuation())

    assert isinstance(failure, EngineFailure)
    assert BAD_REQUEST == failure.code


@pytest.mark.parametrize(
    ("template", "start"), [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("", "")]
)
def test_a_template_loses_the_line_end_that_jinja_would_remove(template: str, start: str) -> None:
    """The template's last line end was no text, and is none before the earlier text."""
    assert start + "{{ entraide_earlier_text }}" == extended_template(template)


def test_tokens_are_counted_when_their_text_is_sent() -> None:
    """vLLM counts tokens of which it still holds the text back; these are not shown."""
    shown = ShownTokens(held_chars=held_chars_of(["fin", "!"]))
    counts = []
    # Tokens of two characters; the text follows two characters later.
    for tokens, part in enumerate(["", "ab", "cd", "ef"], 1):
        shown.add([{"delta": {"content": part}}], tokens)
        counts.append(shown.count)

    assert [0, 1, 2, 3] == counts


@pytest.mark.parametrize("stop", [None, "x", ["y", "x"], 3, [3]])
def test_nothing_is_held_back_without_a_longer_stop_string(stop: Any) -> None:
    """Every token counts at once where no text waits."""
    shown = ShownTokens(held_chars=held_chars_of(stop))
    shown.add([{"text": "a"}], 3)

    assert 3 == shown.count
