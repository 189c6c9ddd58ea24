"""Recorded engines: predictions are compared with what was recorded, not with a simulation."""

from pathlib import Path

import msgspec
import pytest
from benchmarks.support import recorded_engines, twin_fit
from benchmarks.support.recorded_engines import (
    Recording,
    group_by_load,
    predict_recording,
    scale_card_speed,
)
from benchmarks.support.twin_fit import BatchBounds, FittedModel, MeasuredRequest
from benchmarks.support.twin_store import LoadRepeat, MeasurementStore, TwinSettings

from entraide.types import Basis, NodeCard, Rates

BOUNDS = BatchBounds(slots=2, context_tokens=2_048, chunk_tokens=512)
FITTED = FittedModel(
    Rates(1_000.0, 0.02, 0.0, Basis.MEASURED),
    steps_s=(0.02, 0.02),
    mixed_s=0.0,
    settle_s=0.0,
    start_s=0.03,
    tail_s=0.0,
    requests=1,
)


def card() -> NodeCard:
    """A node of two slots that reads 1,000 tokens and writes 50 a second."""
    return twin_fit.make_node(FITTED, BOUNDS).card


def alone(number: int, *, slower: float = 1.0) -> MeasuredRequest:
    """A request long after the one before, which took so many times what the card says."""
    ttft_s = 0.03 + 0.2 * slower
    return MeasuredRequest(
        200, 11, 10.0 * number, ttft_s, ttft_s + 0.2 * slower, ttft_s + 0.21 * slower
    )


def recording(sent: list[MeasuredRequest]) -> Recording:
    """One load."""
    return Recording("box", card(), [("half", sent)], 0.0)


def test_what_is_compared_was_recorded() -> None:
    """Times are those that the client measured, from the placement, and so at once here."""
    sent = [alone(number, slower=1.0 + number / 10.0) for number in range(4)]
    records = predict_recording(recording(sent), card(), confidence=0.9)

    assert ["half"] * 4 == [load for load, _ in records]
    assert [request.ttft_s for request in sent] == pytest.approx(
        [record.ttft_s for _, record in records]
    )
    assert [0.02 * (1.0 + number / 10.0) for number in range(4)] == pytest.approx(
        [record.tpot_s for _, record in records]
    )


def test_the_core_learns_from_what_was_recorded() -> None:
    """An engine twice as slow as its card is predicted by the card at first, and rightly later."""
    sent = [alone(number, slower=2.0) for number in range(60)]
    records = [record for _, record in predict_recording(recording(sent), card(), confidence=0.9)]

    assert records[0].predicted_ttft_s == pytest.approx(0.23, rel=0.15)
    assert records[-1].predicted_ttft_s == pytest.approx(0.43, rel=0.1)
    assert records[-1].card_ttft_s == pytest.approx(0.23, rel=0.15)


def test_a_request_that_waited_for_a_slot_is_not_compared() -> None:
    """With two slots the third waits; no client knows when it was placed. The fourth does not."""
    sent = [MeasuredRequest(100, 50, 0.1 * number, 0.2, 2.0, 2.0) for number in range(2)]
    third = MeasuredRequest(100, 50, 0.3, 1.9, 4.0, 4.0)
    fourth = MeasuredRequest(100, 50, 60.0, 0.123, 2.0, 2.0)
    records = predict_recording(recording([*sent, third, fourth]), card(), confidence=0.9)

    assert [0.2, 0.2, 0.123] == pytest.approx([record.ttft_s for _, record in records])


def test_a_card_can_be_off() -> None:
    """The changed card says that everything is so many times as fast."""
    (replica,) = scale_card_speed(card(), faster=2.0).replicas

    assert (2_000.0, 0.01) == (replica.rates.prefill_tokens_per_s, replica.rates.tpot_base_s)


def test_the_first_requests_are_left_out() -> None:
    """So many of all loads together are left out, as the core has learned nothing then."""
    records = predict_recording(
        recording([alone(number) for number in range(6)]), card(), confidence=0.9
    )
    loads = group_by_load(records, left_out=4)

    assert {"half": 2, "all": 2} == {
        load: len(records_of_load) for load, records_of_load in loads.items()
    }


def test_recordings_come_in_the_order_of_their_recording(tmp_path: Path) -> None:
    """Repeats follow each other, each with its loads; the worst repeat says what others took."""
    settings = TwinSettings(
        engine="box",
        bounds=BOUNDS,
        loads={"light": 0.3, "half": 0.5},
        words=(4, 40),
        answers=(6, 24),
        requests=1,
        repeats=2,
        seed=1,
    )
    kept = MeasurementStore(tmp_path / "box", settings)
    kept.store_calibration(
        1, twin_fit.CalibrationSamples(calibration(), [(1, alone(1)), (1, alone(2))])
    )
    for number in (1, 2):
        for load in settings.loads:
            kept.store_repeat(load, number, LoadRepeat([alone(number)], 0.1 * number))
    (recordings,) = recorded_engines.read_recordings(tmp_path)

    assert ["light", "half", "light", "half"] == [load for load, _ in recordings.loads]
    assert ("box", "box", 0.2) == (
        recordings.engine,
        recordings.card.power.device,
        recordings.others_part,
    )


def calibration() -> list[MeasuredRequest]:
    """Requests of two lengths each, on a machine at rest."""
    return [
        MeasuredRequest(tokens, answer, 0.0, 0.03 + 0.001 * tokens, end_s, end_s)
        for tokens in (100, 200)
        for answer in (6, 12)
        if (end_s := 0.03 + 0.001 * tokens + 0.02 * (answer - 1))
    ]


def test_the_recording_of_the_repository_is_facts_without_text() -> None:
    """A real engine's loads are at hand, with more requests than are left out, and only numbers."""
    recordings = recorded_engines.read_recordings()

    assert ["llama.cpp"] == [engine.engine for engine in recordings]
    assert sum(len(sent) for engine in recordings for _, sent in engine.loads) > 300
    for path in sorted(recorded_engines.DATA.rglob("*.json")):
        if path.name != "settings.json":
            assert not texts(msgspec.json.decode(path.read_bytes())), path


def texts(value: object) -> list[str]:
    """Returns the strings in a decoded document, names of fields aside."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []
