"""Replaying a journal: exactly, altered, under another policy, and what a person is told."""

import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

import msgspec
import pytest
from tests.core import recording as lives
from tests.core.recording import Recorded
from tests.sim.support import START, grid, policy
from tests.sim.test_loading import MODELS, QUICK, arriving, loadable_node

import entraide
from entraide.cli.app import run_command
from entraide.errors import EntraideError, RequestError
from entraide_scheduler.core import snapshot
from entraide_scheduler.core.events import Event, JobRequested, NodeJoined, PolicyChanged
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.recording import (
    RecordedEvent,
    RecordingHead,
    UnreadableRecording,
    encode_recording,
    event_of,
    next_digest,
    read_parts,
)
from entraide_sim.recordings import recording
from entraide_sim.replay import policy_comparison
from entraide_sim.world import World

SEEDS = (1, 5)
BEGUN, EVENTS = 400, 1_500


def record(events: Recorded, *, start: int = BEGUN) -> tuple[RecordingHead, list[RecordedEvent]]:
    """Returns a recording of events from one of them on."""
    core = Core()
    for event in events[:start]:
        core.handle(event)
    last = events[start - 1]
    head = RecordingHead(entraide.__version__, core.snapshot(), last.id, last.at, b"begin")
    digest, lines = head.digest, []
    for event in events[start:]:
        packed = msgspec.msgpack.encode(event)
        digest = next_digest(digest, packed, core.handle(event))
        lines.append(RecordedEvent(packed, digest))
    return head, lines


def reseal(source: Path, path: Path) -> Path:
    """Writes a recorded journal with the digests of this version, which may decide otherwise."""
    head = recording.read_head(source)
    core, digest, lines = recording.restore_core(source, head), head.digest, []
    for line in recording.read_lines(source):
        digest = next_digest(digest, line.event, core.handle(event_of(line)))
        lines.append(RecordedEvent(line.event, digest))
    return write(path, head, lines)


@cache
def short_life() -> tuple[RecordingHead, tuple[RecordedEvent, ...]]:
    """A recording of a few hundred events, recorded once."""
    head, lines = record(lives.record(2, 600).pool.events)
    return head, tuple(lines)


def write(path: Path, head: RecordingHead, lines: Sequence[RecordedEvent]) -> Path:
    """Writes a recording as an export does."""
    path.write_bytes(gzip.compress(b"".join(encode_recording(head, lines)), 1, mtime=0))
    return path


@pytest.fixture(scope="module", params=SEEDS)
def life(request: pytest.FixtureRequest) -> Recorded:
    """Some thousand events of a pool with faults, owners, restarts and quotas."""
    return list(lives.record(request.param, EVENTS).pool.events)


@pytest.fixture
def journal(tmp_path: Path, life: Recorded) -> Path:
    """That life as a file."""
    return write(tmp_path / "pool.journal", *record(life))


def replayed(path: Path) -> policy_comparison.ReplayedJournal:
    """Replays a file exactly."""
    return policy_comparison.replay_journal(path)


def test_recorded_life_is_replayed_to_the_byte(journal: Path, life: Recorded) -> None:
    """All commands of a life with every kind of trouble come out as they were recorded."""
    exact = replayed(journal).exact

    assert None is exact.diverged
    assert (len(life) - BEGUN, life[-1].at) == (exact.events, exact.end_at)
    assert exact.commands > 0


def test_divergence_is_told_at_its_first_event(tmp_path: Path, life: Recorded) -> None:
    """When one event is another, the seal made anew, the replay stops at that very event."""
    head, lines = record(life)
    where = next(
        number
        for number, event in enumerate(life[BEGUN:])
        if isinstance(event, JobRequested) and number > 100
    )
    event = life[BEGUN + where]
    other = msgspec.structs.replace(event, at=event.at + 0.001)
    lines[where] = RecordedEvent(msgspec.msgpack.encode(other), lines[where].digest)
    exact = replayed(write(tmp_path / "pool.journal", head, lines)).exact

    assert exact.diverged is not None
    assert (where, where + 1) == (exact.events, exact.diverged.number)
    assert (event.id, "JobRequested") == (exact.diverged.event, exact.diverged.kind)


def test_event_of_another_version_ends_the_replay_with_its_place(
    tmp_path: Path, life: Recorded
) -> None:
    """An event that this version cannot read is a divergence, and no crash."""
    head, lines = record(life)
    lines[7] = RecordedEvent(msgspec.msgpack.encode(["no-such-event", 1, 2.0]), lines[7].digest)
    exact = replayed(write(tmp_path / "pool.journal", head, lines)).exact

    assert exact.diverged is not None
    assert (7, 8, "") == (exact.events, exact.diverged.number, exact.diverged.kind)
    assert "no-such-event" in exact.diverged.detail


def flipped(content: bytes) -> bytes:
    """Returns a recording with one byte changed in the middle of what is packed."""
    raw = bytearray(gzip.decompress(content))
    raw[len(raw) // 2] ^= 1
    return gzip.compress(bytes(raw))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (flipped, "altered"),
        (lambda content: content[:-200], "cut"),
        (lambda content: gzip.compress(gzip.decompress(content)[:-30]), "cut"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"x"), "altered"),
        (lambda content: content[:-8] + b"1234" + content[-4:], "altered"),
        (lambda _: gzip.compress(b"something else"), "no_journal"),
        (lambda _: b"not packed at all", "no_journal"),
    ],
    ids=["a bit", "file cut", "end cut", "longer", "damaged", "another file", "no gzip"],
)
def test_tampering_is_noticed_before_anything_is_replayed(
    tmp_path: Path, change: Callable[[bytes], bytes], fault: str
) -> None:
    """A file that is not what was exported is refused, whatever was done to it."""
    path = write(tmp_path / "pool.journal", *short_life())
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(RequestError) as refused:
        recording.read_head(path)

    assert ("journal_refused", fault) == (refused.value.code, refused.value.values["fault"])


def test_snapshot_of_another_version_is_refused(tmp_path: Path) -> None:
    """A recording whose snapshot this version cannot read says which version wrote it."""
    head, lines = short_life()
    head = RecordingHead(
        "0.0.1", msgspec.msgpack.encode([1, 2]), head.event_id, head.at, head.digest
    )
    path = write(tmp_path / "pool.journal", head, lines)
    with pytest.raises(RequestError) as refused:
        recording.restore_core(path, recording.read_head(path))

    assert ("other_version", "0.0.1") == tuple(
        refused.value.values[name] for name in ("fault", "recorded")
    )


def test_requests_are_read_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A simulation reads the requests of a long journal without decoding its heartbeats."""
    path = write(tmp_path / "pool.journal", *short_life())
    requests = [each for each in recording.read_events(path) if isinstance(each, JobRequested)]
    decoded: list[RecordedEvent] = []

    def count(line: RecordedEvent) -> Event:
        decoded.append(line)
        return event_of(line)

    monkeypatch.setattr(recording, "event_of", count)

    assert requests == list(recording.read_requests(path))
    assert len(requests) == len(decoded) > 0


@pytest.mark.parametrize("size", [1, 7, 64, 1 << 20])
def test_a_recording_is_read_in_blocks_of_any_size(size: int) -> None:
    """Parts that end in another block than they begin in are read whole; a cut one is noticed."""
    raw = b"".join(encode_recording(*short_life()))
    blocks = [raw[at : at + size] for at in range(0, len(raw), size)]

    assert list(read_parts([raw])) == list(read_parts(blocks))
    with pytest.raises(UnreadableRecording) as refused:
        list(read_parts([*blocks[:-1], blocks[-1][:-1]]))
    assert "cut" == refused.value.code


# Under another policy.


def compared(path: Path, proposed: str) -> policy_comparison.PolicyComparison:
    """Holds a picker against the recorded policy."""
    journal = replayed(path)
    policy = policy_comparison.read_policy(proposed, journal.history.policy)
    past = policy_comparison.repeat_past(journal)
    return policy_comparison.compare_policies(journal, past, proposed=policy)


def simple(events: Sequence[Event]) -> Recorded:
    """Returns a life whose nodes serve one model each, as node agents do."""
    replace = msgspec.structs.replace
    return [
        replace(event, card=replace(event.card, replicas=event.card.replicas[:1]))
        if isinstance(event, NodeJoined)
        else event
        for event in events
    ]


@pytest.mark.long
def test_each_recorded_job_is_over_in_both_lives(tmp_path: Path, life: Recorded) -> None:
    """No job is lost or made under either policy: as many are over as were asked for."""
    path = write(tmp_path / "pool.journal", *record(life))
    comparison = compared(path, "fastest")
    head, lines = recording.read_head(path), list(recording.read_events(path))
    begun = set(snapshot.read(head.core).jobs)
    asked = {event.facts.job for event in lines if isinstance(event, JobRequested)}
    everybody = comparison.coops[0]

    assert comparison.unfinished_at_start == len(begun)
    assert everybody.moved == sum(coop.moved for coop in comparison.coops[1:]) > 0
    for row in (everybody.old, everybody.proposed):
        ends = row.completed + row.refused + row.failed + row.cancelled + row.waiting
        assert len(asked | begun) == row.jobs == ends
    for name in ("jobs", "completed", "refused", "output_tokens", "energy_wh"):
        parts = [getattr(coop.proposed, name) for coop in comparison.coops[1:]]
        assert getattr(everybody.proposed, name) == pytest.approx(sum(parts))


def three_jobs(folder: Path, loaded: tuple[str, ...], asked: tuple[str, ...]) -> Path:
    """Three jobs of one machine as a file."""
    events: list[Event] = []
    world = World(
        Core(),
        start_at=START,
        watch=lambda event, _: events.append(event),
        policy=policy(models=QUICK),
        nodes=[loadable_node(room_gb=20, loaded=loaded)],
        grid=grid(),
        heartbeat_s=60.0,
        progress_s=5.0,
    )
    world.run(iter(arriving(*zip((1.0, 60.0, 61.0), asked, strict=True))))
    return write(folder / "pool.journal", *record(events, start=1))


@pytest.mark.parametrize(
    ("loaded", "asked"),
    [((), ("small", "small", "small")), ((), ("small", "large", "small")),
     (MODELS, ("small", "large", "small"))],
    ids=["on demand", "several on demand", "several from the beginning"],
)  # fmt: skip
def test_jobs_of_several_models_are_served_as_recorded(
    tmp_path: Path, loaded: tuple[str, ...], asked: tuple[str, ...]
) -> None:
    """A machine that serves several models, or loads them on demand, serves the same jobs again."""
    path = three_jobs(tmp_path, loaded, asked)
    everybody = compared(path, "fastest").coops[0]

    assert [3, 3, 3] == [
        row.completed for row in (everybody.recorded, everybody.old, everybody.proposed)
    ]


def test_recorded_and_simulated_promises_have_names_of_their_own(tmp_path: Path) -> None:
    """Receipts know first words of completed runs; the simulator all objectives of all jobs."""
    row = compared(three_jobs(tmp_path, MODELS, ("small",) * 3), "fastest").coops[0]

    assert row.recorded.promises_kept is None
    assert row.recorded.receipts_kept is not None
    for simulated in (row.old, row.proposed):
        assert simulated.receipts_kept is None
        assert simulated.promises_kept is not None


@pytest.mark.long
def test_lives_differ_by_the_policy_alone(tmp_path: Path) -> None:
    """Held against itself a policy changes nothing; the same recording gives the same numbers."""
    events = simple(lives.record(5, EVENTS).pool.events)
    path = write(tmp_path / "pool.journal", *record(events))
    policy = tmp_path / "same.toml"
    policy.write_text('jurisdiction = "CA"\n')
    once, again = compared(path, str(policy)), compared(path, str(policy))

    assert all(coop.old == coop.proposed for coop in once.coops)
    assert {0} == {coop.moved for coop in once.coops}
    assert once.coops == again.coops


def test_policy_keys_lie_over_the_recorded_policy(tmp_path: Path) -> None:
    """A file sets the keys that it names; the others stay; an unsound one is refused by its key."""
    base = next(e for e in lives.record(1, 50).pool.events if isinstance(e, PolicyChanged)).policy
    (tmp_path / "greener.toml").write_text("[carbon]\ntolerance = 0.1\n")
    (tmp_path / "wrong.json").write_text('{"carbon": {"tolerance": -1}}')
    read = policy_comparison.read_policy(str(tmp_path / "greener.toml"), base)
    with pytest.raises(EntraideError) as refused:
        policy_comparison.read_policy(str(tmp_path / "wrong.json"), base)

    assert ("greener", 0.1, base.coops) == (read.version, read.carbon.tolerance, read.coops)
    assert "carbon.tolerance" == refused.value.values["key"]


# What a person is told.


def told(*arguments: str, lang: str = "fr") -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "entraide.cli", "sim", "replay", *arguments, "--lang", lang],
        capture_output=True,
        text=True,
        check=False,
    )


def told_here(*arguments: str, lang: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in this process, which has imported the simulator already."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run_command(["sim", "replay", *arguments], lang)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


@cache
def recorded_small() -> tuple[RecordingHead, tuple[RecordedEvent, ...]]:
    """A short recording of single-model nodes, recorded once."""
    head, lines = record(simple(lives.record(5, 900).pool.events), start=300)
    return head, tuple(lines)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """That recording as a file."""
    return write(tmp_path / "pool.journal", *recorded_small())


def test_command_replays_exactly(tmp_path: Path, small: Path) -> None:
    """The command says that all commands came out alike, in both languages, and keeps the facts."""
    french = told(str(small), "--out", str(tmp_path / "out"))
    english = told_here(str(small), "--out", str(tmp_path / "out"), lang="en")
    kept = json.loads((tmp_path / "out" / "replay.json").read_text("utf-8"))

    assert (0, 0) == (french.returncode, english.returncode)
    assert "à l’octet près" in french.stdout
    assert "byte for byte" in english.stdout
    assert (True, 600, None) == (kept["exact"], kept["events"], kept["diverged"])


@pytest.mark.long
def test_command_compares_policies_and_writes_a_report(tmp_path: Path, real: Path) -> None:
    """With a policy it tells each co-op what would have changed, and writes files for it."""
    out = tmp_path / "out"
    done = told(str(real), "--policy", "fastest", "--out", str(out))
    kept = json.loads((out / "replay.json").read_text("utf-8"))
    names = {
        "boreale": "Coop Boréale",
        "grands-lacs": "Coop des Grands Lacs",
        "prairie": "Prairie Co-op",
    }

    assert 0 == done.returncode
    assert set(names) == set(kept["compared"]["coops"])
    assert list(names.values()) == [name for name in names.values() if name in done.stdout]
    assert {"recorded", "old", "proposed", "moved"} == set(kept["compared"]["all"])
    assert "fastest" in (out / "report.html").read_text("utf-8")


@pytest.mark.long
def test_command_replays_with_a_higher_demand(tmp_path: Path, real: Path) -> None:
    """As much again under the same policy: about twice the jobs, told beside those of before."""
    out = tmp_path / "out"
    done = told_here(str(real), "--growth", "100", "--out", str(out), lang="en")
    compared = json.loads((out / "replay.json").read_text("utf-8"))["compared"]
    before, after = (compared["all"][name]["jobs"] for name in ("old", "proposed"))

    assert 0 == done.returncode
    assert "100% more demand" in done.stdout
    assert (1.0, compared["old_policy"]) == (compared["growth"], compared["proposed_policy"])
    assert 2 * before - compared["carried"] == after
    assert "+100%" in (out / "report.html").read_text("utf-8")


def test_command_says_where_a_replay_differs(tmp_path: Path, small: Path) -> None:
    """A replay that differs ends with status 1 and names the event; nothing is compared."""
    head, lines = recording.read_head(small), list(recording.read_lines(small))
    lines[50] = RecordedEvent(lines[50].event, b"another")
    write(small, head, lines)
    done = told_here(str(small), "--policy", "fastest", "--out", str(tmp_path / "out"), lang="en")
    kept = json.loads((tmp_path / "out" / "replay.json").read_text("utf-8"))

    assert (1, False, 51) == (done.returncode, kept["exact"], kept["diverged"]["number"])
    assert re.search(r"differs from the journal at event \d+", done.stdout)
    assert "compared" not in kept


def test_what_cannot_be_used_is_one_sentence_and_writes_nothing(tmp_path: Path) -> None:
    """A file that is no journal, or a policy that is not sound, leaves no folder behind."""
    (tmp_path / "no.journal").write_text("text")
    done = told_here(str(tmp_path / "no.journal"), "--out", str(tmp_path / "out"), lang="en")

    assert 1 == done.returncode
    assert "this file is not a journal" in done.stderr
    assert not (tmp_path / "out").exists()
