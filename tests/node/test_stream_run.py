"""An engine's stream: the chunks to send, the complete answer, the counts, and the end."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entraide.types import Basis, Outcome
from entraide_node.engines.base import (
    BAD_REQUEST,
    CHAT,
    COMPLETIONS,
    ENGINE_REJECTED,
    EngineChunk,
    EngineEnd,
    EngineRequest,
)
from entraide_node.engines.sse import EventReader
from entraide_node.engines.stream_run import ANSWER_BYTES_MAX, StreamRun

STREAMS = Path(__file__).parent / "streams"
ENCODE = msgspec.json.encode


def recorded(name: str) -> list[bytes]:
    """The payloads of a stream that llama.cpp once sent."""
    return EventReader().feed((STREAMS / f"{name}.sse").read_bytes())


def chat(delta: dict[str, Any], finish: str | None = None, *, index: int = 0, **more: Any) -> bytes:
    """A chat event, as OpenAI writes it."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    top = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    return ENCODE({**top, "choices": [choice], **more})


def text(said: str, finish: str | None = None, **more: Any) -> bytes:
    """A completion's event, as OpenAI writes it."""
    choice = {"index": 0, "text": said, "logprobs": more.pop("logprobs", None)}
    top = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "m"}
    return ENCODE({**top, "choices": [{**choice, "finish_reason": finish}], **more})


def usage(prompt: int, completion: int, cached: int | None = None) -> bytes:
    """The usage-only event at the end."""
    details = {} if cached is None else {"prompt_tokens_details": {"cached_tokens": cached}}
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, **details}
    return ENCODE({"id": "chatcmpl-1", "choices": [], "usage": counts})


DONE = b"[DONE]"


def run_of(payloads: list[bytes], *, stream: bool = False, path: str = CHAT,
           body: dict[str, Any] | None = None) -> tuple[list[EngineChunk], EngineEnd]:  # fmt: skip
    """What a run gives for these payloads, each read alone and one second apart."""
    request = EngineRequest("job-1", path, b"{}", stream, "public")
    run = StreamRun(request, body or {}, started=0.0)
    chunks = [run.add_events([payload], now=float(n)) for n, payload in enumerate(payloads, 1)]
    now = float(len(payloads))
    end = (
        run.abort(Outcome.FAILED, now=now, failure=run.failure)
        if run.failure is not None
        else run.complete(now=now, created=99)
    )
    return [chunk for chunk in chunks if chunk is not None], end


def answer(payloads: list[bytes], **options: Any) -> dict[str, Any]:
    """The whole answer of a run that is not streamed."""
    return msgspec.json.decode(run_of(payloads, **options)[1].body)


def message(payloads: list[bytes]) -> dict[str, Any]:
    """The message of the first choice of a chat's answer."""
    return answer(payloads)["choices"][0]["message"]


def test_whole_chat_answer() -> None:
    """A chat that is not streamed gets one answer, of exactly the shape that OpenAI gives it."""
    payloads = [
        chat({"role": "assistant", "content": ""}),
        chat({"content": "Bon"}), chat({"content": "jour"}), chat({}, "stop"),
        usage(5, 3, cached=2), DONE,
    ]  # fmt: skip

    assert answer(payloads) == {
        "id": "job-1",
        "object": "chat.completion",
        "created": 7,
        "model": "public",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Bonjour", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 3,
            "total_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def test_whole_text_answer() -> None:
    """A completion that is not streamed gets one answer, of exactly the shape OpenAI gives it."""
    payloads = [text("un "), text("deux"), text("", "length"), usage(1, 2), DONE]

    assert answer(payloads, path=COMPLETIONS) == {
        "id": "job-1",
        "object": "text_completion",
        "created": 7,
        "model": "public",
        "choices": [{"index": 0, "text": "un deux", "logprobs": None, "finish_reason": "length"}],
        "usage": {
            "prompt_tokens": 1,
            "completion_tokens": 2,
            "total_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


CALL = [
    chat({"role": "assistant", "content": None, "tool_calls": [
        {"index": 0, "id": "call-a", "type": "function",
         "function": {"name": "meteo", "arguments": ""}}]}),
    chat({"tool_calls": [{"index": 0, "function": {"arguments": '{"ville":'}}]}),
    chat({"tool_calls": [{"index": 0, "function": {"arguments": '"Gaspé"}'}}]}),
    chat({"tool_calls": [{"index": 1, "id": "call-b", "type": "function",
                          "function": {"name": "heure", "arguments": "{}"}}]}),
    chat({}, "tool_calls"), DONE,
]  # fmt: skip
CALLED = [
    {"id": "call-a", "type": "function",
     "function": {"name": "meteo", "arguments": '{"ville":"Gaspé"}'}},
    {"id": "call-b", "type": "function", "function": {"name": "heure", "arguments": "{}"}},
]  # fmt: skip


def test_tool_calls_are_put_together() -> None:
    """Fragments of tool calls are joined by their index, and the content stays null."""
    whole = answer(CALL)["choices"][0]

    assert CALLED == whole["message"]["tool_calls"]
    assert whole["message"]["content"] is None
    assert "tool_calls" == whole["finish_reason"]


def test_tool_names_that_are_repeated() -> None:
    """An engine that repeats name and id on each fragment does not double them."""
    first = {"index": 0, "id": "a", "type": "function",
             "function": {"name": "meteo", "arguments": "{"}}  # fmt: skip
    again = {**first, "function": {"name": "meteo", "arguments": "}"}}

    calls = message([chat({"tool_calls": [first]}), chat({"tool_calls": [again]}), DONE])

    assert calls["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "meteo", "arguments": "{}"}}
    ]


def test_tool_calls_without_an_index() -> None:
    """Whole tool calls without an index are calls of their own."""
    calls = [
        {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for name in ("a", "b")
    ]

    whole = message([chat({"tool_calls": [call]}) for call in calls] + [DONE])

    assert calls == whole["tool_calls"]


def test_reasoning_refusal_and_unknown_fields() -> None:
    """Reasoning, refusals and fields that we do not know are joined like the content."""
    payloads = [
        chat({"reasoning_content": "je "}), chat({"reasoning_content": "pense"}),
        chat({"refusal": "non "}), chat({"refusal": "merci"}), chat({"humeur": "b"}),
        chat({"humeur": "onne"}), chat({}, "stop"), DONE,
    ]  # fmt: skip

    assert message(payloads) == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "je pense",
        "refusal": "non merci",
        "humeur": "bonne",
    }


def test_log_probabilities_are_joined() -> None:
    """The log-probabilities of all events stand in one list, in chat and in completions."""
    parts = [{"content": [{"token": t, "logprob": -1.0}], "refusal": None} for t in "ab"]
    payloads = [
        ENCODE({"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": part}]})
        for part in parts
    ]
    legacy = [
        text(t, logprobs={"tokens": [t], "token_logprobs": [-1.0], "text_offset": [n]})
        for n, t in enumerate("ab")
    ]

    probabilities = answer(payloads)["choices"][0]["logprobs"]
    in_text = answer(legacy, path=COMPLETIONS)["choices"][0]["logprobs"]

    assert ["a", "b"] == [entry["token"] for entry in probabilities["content"]]
    assert {"tokens": ["a", "b"], "token_logprobs": [-1.0, -1.0], "text_offset": [0, 1]} == in_text


def test_recorded_choices() -> None:
    """Two choices that llama.cpp sends interleaved come apart, and their prompt counts once."""
    end = run_of(recorded("llamacpp_chat_two_choices"), body={"n": 2})[1]
    whole = msgspec.json.decode(end.body)

    said = [choice["message"]["content"] for choice in whole["choices"]]
    assert ["Spreade", "Bonjour!"] == said
    assert (34, 6, 32) == (
        end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.cached_tokens
    )  # fmt: skip


def test_recorded_prompts() -> None:
    """Two prompts of one completion both count."""
    end = run_of(recorded("llamacpp_two_prompts"), path=COMPLETIONS)[1]

    texts = [choice["text"] for choice in msgspec.json.decode(end.body)["choices"]]
    assert [",\n\n", " éléments"] == texts
    assert (7, 6) == (end.usage.prompt_tokens, end.usage.completion_tokens)
    assert Basis.MEASURED is end.usage.counted


def test_recorded_stream() -> None:
    """A streamed chat is sent on event by event, under our names, its last event held back."""
    chunks, end = run_of(recorded("llamacpp_chat"), stream=True)
    payloads = [p for chunk in chunks for p in EventReader().feed(chunk.data)]
    events = [msgspec.json.decode(payload) for payload in payloads]
    last = msgspec.json.decode(end.final_chunk)

    assert {("job-1", "public")} == {(event["id"], event["model"]) for event in [*events, last]}
    said = "".join(e["choices"][0]["delta"].get("content") or "" for e in events)
    assert "Spreade the wide" == said
    assert [None] * len(events) == [event["choices"][0]["finish_reason"] for event in events]
    assert "length" == last["choices"][0]["finish_reason"] == end.finish_reason
    assert not {"usage", "timings", "prompt_progress"} & set().union(*events, last)
    assert b"" == end.body


def test_recorded_progress() -> None:
    """The first chunk reports the prefill's progress; then the counts grow token by token."""
    chunks, end = run_of(recorded("llamacpp_chat"), stream=True)

    assert [(34, 0, b"")] == [(c.n_prompt_tokens, c.n_output_tokens, c.data) for c in chunks[:1]]
    assert [1, 2, 3, 4, 5] == sorted({c.n_output_tokens for c in chunks} - {0})
    assert (34, 5, 0, Basis.MEASURED) == (
        end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.cached_tokens,
        end.usage.counted,
    )  # fmt: skip


def test_recorded_timings() -> None:
    """The engine's own timings are taken, and the first token is when it was read."""
    payloads = recorded("llamacpp_chat")
    end = run_of(payloads, stream=True)[1]

    assert Basis.MEASURED is end.timings.timed
    assert 0.25 == pytest.approx(end.timings.prefill_s, abs=0.01)
    assert 4.0 == end.timings.ttft_s  # the fourth event is the first with output
    assert len(payloads) == end.timings.run_s


@given(st.integers(1, 11))
def test_a_run_cut_short_is_counted(events: int) -> None:
    """A run of llama.cpp that is cut short anywhere is counted by the engine, prompt and all."""
    request = EngineRequest("job-1", CHAT, b"{}", True, "public")
    run = StreamRun(request, {}, started=0.0)
    run.add_events(recorded("llamacpp_chat")[:events], now=1.0)

    end = run.abort(Outcome.CANCELLED, now=2.0)

    assert 34 == end.usage.prompt_tokens
    assert min(5, max(0, events - 3)) == end.usage.completion_tokens
    assert Basis.MEASURED is end.usage.counted


def test_two_choices_cut_short_are_both_counted() -> None:
    """When one of two choices has ended and the other is cut off, both count."""
    payloads = recorded("llamacpp_chat_two_choices")
    run = StreamRun(EngineRequest("j", CHAT, b"{}", True, "p"), {"n": 2}, started=0.0)
    run.add_events(payloads[:12], now=1.0)

    end = run.abort(Outcome.CANCELLED, now=2.0)

    assert 5 == end.usage.completion_tokens
    assert 34 == end.usage.prompt_tokens


def test_no_event_no_tokens() -> None:
    """A run that got no event is charged no tokens."""
    run = StreamRun(
        EngineRequest("j", CHAT, b"{}", True, "p"),
        {"messages": [{"content": "x" * 400}]},
        started=0.0,
    )

    end = run.abort(Outcome.FAILED, now=1.0)

    assert (0, 0, Basis.ESTIMATED) == (
        end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.counted
    )  # fmt: skip


def test_an_engine_without_counts_is_estimated() -> None:
    """If the engine reports no counts, events are counted, and the usage is marked as estimated."""
    payloads = [chat({"content": "a"}), chat({"content": "b"}), chat({}, "stop"), DONE]

    end = run_of(payloads, body={"messages": [{"role": "user", "content": "x" * 400}]})[1]

    assert 2 == end.usage.completion_tokens
    assert 100 <= end.usage.prompt_tokens <= 110
    assert Basis.ESTIMATED is end.usage.counted


def test_several_tokens_in_one_event() -> None:
    """The usage holds at the end, when an engine put several tokens into one event."""
    chunks, end = run_of([chat({"content": "un deux trois"}), chat({}, "stop"), usage(4, 9), DONE])

    assert 1 == chunks[-1].n_output_tokens
    assert 9 == end.usage.completion_tokens


def test_usage_repeated() -> None:
    """A usage that is sent twice counts once."""
    payloads = [chat({"content": "a"}), chat({}, "stop", usage={"prompt_tokens": 3,
                "completion_tokens": 1}), usage(3, 1), DONE]  # fmt: skip

    end = run_of(payloads)[1]

    assert (3, 1) == (end.usage.prompt_tokens, end.usage.completion_tokens)


def test_text_in_the_last_event() -> None:
    """The last event may bear text (vLLM): it is held back with it, and counted."""
    chunks, end = run_of(
        [chat({"content": "a"}), chat({"content": "b"}, "stop"), DONE], stream=True
    )

    assert 1 == sum(chunk.data.count(b"data: ") for chunk in chunks)
    assert "b" == msgspec.json.decode(end.final_chunk)["choices"][0]["delta"]["content"]
    assert 2 == end.usage.completion_tokens


def test_only_the_last_finish_is_held() -> None:
    """Of several choices, the finish of one leaves as soon as another one's comes."""
    payloads = [chat({"content": "a"}, index=0), chat({"content": "b"}, index=1),
                chat({}, "stop", index=1), chat({}, "length", index=0), DONE]  # fmt: skip

    chunks, end = run_of(payloads, stream=True, body={"n": 2})

    sent = [msgspec.json.decode(p) for c in chunks for p in EventReader().feed(c.data)]
    assert ["stop"] == [e["choices"][0]["finish_reason"] for e in sent[2:]]
    assert "length" == msgspec.json.decode(end.final_chunk)["choices"][0]["finish_reason"]


def test_what_arrives_together_leaves_together() -> None:
    """Events that were read together are one chunk, each an event of its own."""
    run = StreamRun(EngineRequest("j", CHAT, b"{}", True, "p"), {}, started=0.0)

    chunk = run.add_events([chat({"content": t}) for t in "abc"], now=1.0)

    assert chunk is not None
    assert 3 == len(EventReader().feed(chunk.data)) == chunk.n_output_tokens


def test_null_and_strange_events_are_skipped() -> None:
    """Events that are not objects (llama.cpp sends null) are skipped."""
    chunks, end = run_of(
        [b"null", b"3", b"[]", chat({"content": "a"}), chat({}, "stop"), DONE], stream=True
    )

    assert 1 == len(chunks)
    assert Outcome.COMPLETED is end.outcome


FAILURES = {
    "an error object": (b'{"error":{"code":500,"message":"boum"}}', ENGINE_REJECTED, True),
    "an error in the request": (b'{"error":{"code":400,"message":"non"}}', BAD_REQUEST, False),
    "an error as text": (b'{"error":"boum"}', ENGINE_REJECTED, True),
    "not JSON": (b"<html>", ENGINE_REJECTED, True),
}


@pytest.mark.parametrize(("payload", "code", "retryable"), FAILURES.values(), ids=FAILURES)
def test_errors_in_the_stream(payload: bytes, code: str, retryable: bool) -> None:
    """An error inside the stream fails the run, with the counts so far, and nothing after it."""
    end = run_of([chat({"content": "a"}), payload, chat({"content": "b"})])[1]

    assert end.failure is not None
    assert (code, retryable) == (end.failure.code, end.failure.retryable)
    assert 1 == end.usage.completion_tokens


def test_an_engine_that_ends_without_a_finish() -> None:
    """A stream that ends without a finish reason still gets a last event."""
    end = run_of([chat({"content": "a"}), DONE], stream=True)[1]

    last = msgspec.json.decode(end.final_chunk)
    assert ("stop", "job-1", 99) == (
        last["choices"][0]["finish_reason"], last["id"], last["created"]
    )  # fmt: skip


def test_an_answer_beyond_the_limit() -> None:
    """An answer too long for a message of the bus fails the run instead of the bus."""
    long = chat({"content": "x" * (ANSWER_BYTES_MAX // 4)})

    end = run_of([long] * 5 + [chat({}, "stop"), DONE])[1]

    assert end.failure is not None
    assert (ENGINE_REJECTED, False) == (end.failure.code, end.failure.retryable)


def counted(
    prompt: int, completion: int, *, said: str, index: int = 0, finish: str | None = None
) -> bytes:
    """An event of vLLM that was asked for its usage on every event."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return chat({"content": said}, finish, index=index, usage=counts)


def vllm_run(payloads: list[bytes], *, n: int = 1) -> tuple[StreamRun, list[EngineChunk | None]]:
    """A run of vLLM that has got these payloads."""
    request = EngineRequest("j", CHAT, b"{}", True, "p")
    run = StreamRun(request, {"n": n}, started=0.0, counted_each_event=True)
    return run, [run.add_events([payload], now=1.0) for payload in payloads]


def test_usage_on_every_event() -> None:
    """An engine that counts on every event is believed on the way: several tokens in one event."""
    run, chunks = vllm_run([counted(31, 0, said=""), counted(31, 3, said="un deux trois")])

    end = run.abort(Outcome.CANCELLED, now=2.0)

    assert [0, 3] == [chunk.n_output_tokens for chunk in chunks if chunk is not None]
    assert (31, 3, Basis.MEASURED) == (
        end.usage.prompt_tokens, end.usage.completion_tokens, end.usage.counted
    )  # fmt: skip


def test_usage_on_every_event_of_two_choices() -> None:
    """Beside a choice the usage is that choice's; alone it is the whole run's, and counts once."""
    two = [counted(31, 1, said="a", finish="length"),
           counted(31, 1, said="b", index=1, finish="length")]  # fmt: skip
    cut, _ = vllm_run(two, n=2)
    whole, _ = vllm_run([*two, usage(31, 2), DONE], n=2)

    ends = [cut.abort(Outcome.FAILED, now=2.0), whole.complete(now=2.0, created=1)]

    assert [(31, 2), (31, 2)] == [
        (end.usage.prompt_tokens, end.usage.completion_tokens) for end in ends
    ]


def test_times_of_vllm() -> None:
    """vLLM's own prefill and decode times are used; waiting is in neither."""
    metrics = {"time_to_first_token_ms": 250.0, "generation_time_ms": 500.0, "queue_time_ms": 9e3}
    last = ENCODE(
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}, "metrics": metrics}
    )
    chunks, end = run_of([chat({"content": "a"}), chat({}, "stop"), last, DONE], stream=True)

    assert (0.25, 0.5, Basis.MEASURED) == (
        end.timings.prefill_s, end.timings.decode_s, end.timings.timed
    )  # fmt: skip
    assert b"metrics" not in b"".join(chunk.data for chunk in chunks) + end.final_chunk
