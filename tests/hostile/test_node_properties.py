"""Whatever bytes a node sends, the scheduler reads or refuses them, and its core can be written.

Short in ``make test``; ``make fuzz`` repeats these tests for ten minutes with new examples.
"""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from tests.core.builders import Pool, card, facts
from tests.hostile.strategies import (
    FUZZ,
    any_answer,
    any_control,
    valid,
    valid_control,
)

from entraide.types import Usage
from entraide.wire import codec
from entraide.wire import messages as m
from entraide_scheduler.core import events
from entraide_scheduler.core.machine import Core
from entraide_scheduler.node_validation import check, clocks
from entraide_scheduler.node_validation.bounds import ANSWER_BYTES
from entraide_scheduler.node_validation.message_reader import MessageReader, RejectedMessage
from entraide_scheduler.store.rows import NodeRow

NOW = 1_700_000_000.0
ROW = NodeRow("n1", "beta", "home", "CA-QC", "U", "approved")

# A tag of a node's message, then anything that MessagePack can hold.
plain = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
trees = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
tags = st.sampled_from(["hello", "beat", "usage", "decline", "tokens", "end", "accept"])
shapes = st.builds(lambda tag, rest: [tag, *rest], tags, st.lists(trees, max_size=10))


def read(data: bytes) -> m.NodeUp | RejectedMessage:
    return MessageReader(lambda *_: True).read_message("n1", data, NOW)


@pytest.mark.fuzz
@FUZZ
@given(st.binary(max_size=300) | shapes.map(msgspec.msgpack.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No bytes make the reading of a control message or of an answer raise."""
    read(data)
    if not check.find_size_fault(data, ANSWER_BYTES):
        with contextlib.suppress(msgspec.DecodeError):
            check.find_fault(codec.node_out.decode(data))


@pytest.mark.fuzz
@FUZZ
@given(any_control)
def test_any_message_is_read_or_refused(message: Any) -> None:
    """What is read is within the bounds, and can be written again."""
    accepted = read(codec.encode(message))

    assert isinstance(accepted, RejectedMessage) or "" == check.find_fault(accepted)


@pytest.mark.fuzz
@FUZZ
@given(any_answer)
def test_any_answer_is_judged(message: Any) -> None:
    """An answer's fields are judged without raising, its usage clipped first."""
    if isinstance(message, m.RunEnded):
        message = check.clip_message_usage(message)

        assert not check.find_fault(message).startswith("usage")
    check.find_fault(message)


@pytest.mark.fuzz
@FUZZ
@given(valid(Usage))
def test_usage_within_bounds_is_not_touched(usage: Usage) -> None:
    """Clipping changes nothing that is within the bounds, but for cached tokens beyond input."""
    clipped = check.clip_usage(usage)

    assert clipped is usage or usage.cached_tokens > usage.input_tokens


def whole(pool: Pool) -> None:
    """Asks that the core can be written and read again."""
    assert Core.restore(pool.core.snapshot()).snapshot() == pool.core.snapshot()


@pytest.mark.fuzz
@FUZZ
@given(valid_control)
def test_core_survives_what_is_accepted(message: Any) -> None:
    """A message within the bounds leaves a core that works and that can be written."""
    accepted = read(codec.encode(message))
    event("refused" if isinstance(accepted, RejectedMessage) else type(accepted).__name__)
    if isinstance(accepted, RejectedMessage):
        return
    pool = Pool("alpha", "beta")
    pool.join(card("n1", "beta"))
    (place,) = pool.ask("j1", "alpha")
    pool.accept(place)
    feed(pool, accepted, place)
    pool.ask("j2", "alpha")
    pool.wait(3.0, seen=("n1",))
    whole(pool)


def feed(pool: Pool, message: Any, place: Any) -> None:
    run = (place.job, place.epoch, place.node)
    match message:
        case m.Hello():
            behind_s = pool.now - message.sent_at
            own = clocks.apply_pool_record(message.card, ROW, behind_s=behind_s, now=pool.now)
            pool.tell(events.NodeJoined, own, message.accepting, message.reason, message.lending)
            for number, replica in enumerate(own.replicas):
                live_through(pool, f"on-it-{number}", replica.model)
        case m.Heartbeat():
            behind_s = pool.now - message.sent_at
            energy = clocks.convert_energy_times(message.energy, behind_s=behind_s, now=pool.now)
            pool.tell(events.NodeChanged, "n1", message.accepting, message.reason, energy)
            runs = tuple((beat.job, beat.epoch, beat.output_tokens) for beat in message.runs)
            pool.tell(events.NodeBeat, "n1", runs)
            pool.tell(events.NodeBeat, "n1", ((*run[:2], 3),))
        case m.Decline():
            pool.tell(events.RunDeclined, *run, message.code, message.values)
        case m.Progress():
            pool.tell(events.RunProgressed, *run, message.output_tokens)
        case m.UsageReport():
            report = message.outcome, message.code, message.delivered, message.usage
            pool.tell(events.RunReported, *run, *report)
        case m.LoadFailed():
            pool.tell(events.LoadFailed, "n1", message.model, message.code)


def live_through(pool: Pool, job: str, model: str) -> None:
    """Runs one job on a model, if the node may have it."""
    placed = pool.tell(events.JobRequested, facts(job, "alpha", model=model))
    for place in [command for command in placed if type(command).__name__ == "Place"]:
        pool.accept(place)
        pool.progress(place, 10)
        pool.now += 1.0
        pool.report(place)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e20])
def test_clipping_keeps_the_kind_of_a_number(value: float) -> None:
    """A count stays an integer and a time stays a float."""
    usage = Usage(2**60, 5, -1, "measured", 2**60, 0, "measured", value, 1.0)  # type: ignore[arg-type]
    clipped = check.clip_usage(usage)

    assert (int, int, float) == tuple(
        map(type, (clipped.input_tokens, clipped.output_tokens, clipped.ttft_s))
    )
