"""The registry of findings, what each check of the running pool finds, and when it ends."""

import time
from pathlib import Path

import pytest
from msgspec import structs
from tests.cases import all_cases
from tests.core.builders import card, loadable, usage

from entraide import __version__, i18n
from entraide.types import NodeState, Outcome
from entraide_scheduler.core import events as e
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.core.views import NodeView, QuarantineView
from entraide_scheduler.driver.event_observer import EventObserver
from entraide_scheduler.findings import (
    KINDS,
    RECENT_S,
    Finding,
    Occurrences,
    Severity,
    Sort,
    find_restarts,
    finding,
    merge,
    note_breaks,
    note_end,
    note_start,
    passed,
    report,
)
from entraide_scheduler.findings.starts import BREAKS_MAX
from entraide_scheduler.gateways import GatewayStatus
from entraide_scheduler.monitor import (
    StoreGrowth,
    check_clocks,
    check_gateways,
    check_nodes,
    check_quarantines,
)
from entraide_scheduler.nodes import LoadRefusal
from entraide_scheduler.store.rows import NodeRow

PREFIX = "pool-doctor-"
OF_AN_ERROR = "-problem"  # kinds whose sentence is an error's


class Steady:
    """A steady clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_each_kind_has_its_words() -> None:
    """A sentence and a remedy in both languages; a message with a remedy is of a kind."""
    own = {code for code in KINDS if not code.endswith(OF_AN_ERROR)}
    said = set(i18n.message_codes(PREFIX))
    remedied = {code for code in said if i18n.has_message(f"{PREFIX}{code}.remedy")}

    assert set() == own - said
    assert own - {"doctor-failed"} == remedied


def test_what_doctor_and_scheduler_both_find_is_said_once() -> None:
    """In the doctor's words, since when the scheduler knows of it."""
    own = [passed("disk-ok"), finding("backup-none", path="/srv/parc")]
    watched = [Finding("backup-none", 5.0, watched=True), Finding("node-lost", 6.0, watched=True)]

    assert [
        passed("disk-ok"),
        Finding("backup-none", 5.0, {"path": "/srv/parc"}),
        Finding("node-lost", 6.0, watched=True),
    ] == merge(own, watched)


def test_a_kind_that_is_not_registered_is_no_finding() -> None:
    """Nobody finds what the registry does not have, nor passes a check by the code of a fault."""
    with pytest.raises(AssertionError):
        finding("disk-lost")
    with pytest.raises(AssertionError):
        passed("disk-full")

    assert (Severity.FAIL, Severity.OK) == (
        finding("disk-full").severity,
        passed("disk-ok").severity,
    )


@all_cases("part", ["pool", "scheduler", "bus", "gateway", "node"])
def test_each_part_that_restarts_is_named(part: str) -> None:
    """One unasked restart is a warning of a minute; the third within ten minutes is a loop."""
    steady = Steady()
    occurrences = Occurrences(steady)
    subject = "g1" if part in ("gateway", "node") else ""
    codes = []
    for _ in range(3):
        steady.now += 120.0
        occurrences.add(Sort(part), subject)
        (restarts,) = find_restarts(occurrences)
        codes.append(restarts.code)
        words = [report(restarts, lang).sentence for lang in ("fr", "en")]

        assert all(subject in sentence for sentence in words)
        assert words[0] != words[1]
    steady.now += RECENT_S

    assert ["restarts-recent", "restarts-recent", "restarts-loop"] == codes
    assert [] == list(find_restarts(occurrences))


def breaks(home: Path) -> dict[str, int]:
    occurrences = Occurrences()
    note_breaks(occurrences, home)
    return {part: len(ages) for part in Sort for ages in occurrences.recent(part).values()}


def test_unasked_ends_are_counted_across_processes(tmp_path: Path) -> None:
    """Of each part alone: only a start that follows no orderly end counts, and a damaged file or a
    clock that was ahead stops nobody."""
    note_start(tmp_path, "scheduler")
    note_end(tmp_path, "scheduler")
    note_start(tmp_path, "scheduler")
    orderly = breaks(tmp_path)
    for _ in range(BREAKS_MAX + 5):
        note_start(tmp_path, "scheduler")
        note_start(tmp_path, "pool")
    killed = breaks(tmp_path)
    note_start(tmp_path, "pool", now=lambda: time.time() + 86_400.0)
    (tmp_path / "starts-scheduler.json").write_text("{")
    note_start(tmp_path, "scheduler")

    assert {} == orderly
    assert {"scheduler": BREAKS_MAX, "pool": BREAKS_MAX} == killed
    assert {"pool": BREAKS_MAX - 1} == breaks(tmp_path)


def joined(boot: str, reason: str = "") -> e.NodeJoined:
    return e.NodeJoined(0, 0.0, card=card("n1"), accepting=not reason, reason=reason, boot=boot)


def reported(code: str) -> e.RunReported:
    return e.RunReported(
        0,
        0.0,
        job="j",
        epoch=1,
        node="n1",
        outcome=Outcome.FAILED,
        code=code,
        delivered=False,
        usage=usage(),
    )


OBSERVED: dict[str, tuple[list[e.Event], Sort | None]] = {
    "an agent that was killed": ([joined("a"), joined("b")], Sort.NODE),
    "an agent that says hello again": ([joined("a"), joined("a")], None),
    "an agent that was stopped": (
        [joined("a"), e.NodeLeft(0, 0.0, node="n1", reason="goodbye"), joined("b")], None),
    "an engine that ended while it was idle": (
        [joined("a"), joined("a", "engine_down"), joined("a", "engine_down")], Sort.ENGINE),
    "an engine that ended during a run": ([reported("engine_exited")], Sort.ENGINE),
    "a run that failed otherwise": ([reported("engine_failed")], None),
    "a bus that was lost": ([e.BusLost(0, 0.0)], Sort.BUS),
}  # fmt: skip


@all_cases("case", OBSERVED)
def test_events_tell_what_ended_unasked(case: str) -> None:
    """Each is noted once, by its sort; what was asked for is not."""
    events, sort = OBSERVED[case]
    occurrences = Occurrences()
    observer = EventObserver(occurrences)
    for event in events:
        observer.observe(event)
    counts = {each: len(ages) for each in Sort for ages in occurrences.recent(each).values()}

    assert ({sort: 1} if sort else {}) == counts


def view(node: str, state: NodeState = NodeState.LIVE, **changes: object) -> NodeView:
    own = NodeView(card(node, agent=__version__), state, 50.0, accepting=True, reason="",
                   energy=None, leases={})  # fmt: skip
    return structs.replace(own, **changes)


def row(node: str, approval: str = "approved", zone: str = "CA-QC") -> NodeRow:
    return NodeRow(node, "alpha", "home", zone, f"U{node}", approval, 0.0, 0.0)


def noted(*names: str, sort: Sort = Sort.SILENT) -> Occurrences:
    occurrences = Occurrences(Steady())  # made when the tests are collected
    for name in names:
        occurrences.add(sort, name)
    return occurrences


WELL = [view("n1"), view("n2")]
FLEETS: dict[str, tuple[list[NodeRow], list[NodeView], Occurrences, dict[str, str]]] = {
    "all is well": ([row("n1"), row("n2")], WELL, noted(), {}),
    "one is lost": (
        [row("n1"), row("n2")], [view("n1"), view("n2", NodeState.LOST)], noted("n2"),
        {"node-lost": "n2"}),
    "one that was revoked is lost": (
        [row("n1"), row("n2", "revoked")], [view("n1"), view("n2", NodeState.LOST)], noted(), {}),
    "one was not heard for a moment": (
        [row("n1"), row("n2")], WELL, noted("n1"), {"nodes-silent": "n1"}),
    "an engine ended": (
        [row("n1"), row("n2")], WELL, noted("n1", sort=Sort.ENGINE), {"nodes-engine": "n1"}),
    "an engine is down": (
        [row("n1"), row("n2")], [view("n1", accepting=False, reason="engine_down"), view("n2")],
        noted(), {"nodes-engine": "n1"}),
    "all are paused": (
        [row("n1")], [view("n1", accepting=False, reason="paused")], noted(), {"nodes-none": "1"}),
    "none has a model": (
        [row("n1")], [view("n1", card=card("n1", agent=__version__, replicas=()))], noted(),
        {"models-none": "1"}),
    "no machine has joined": ([], [], noted(), {"models-none": ""}),
    "a model is loaded on request": (
        [row("n1")],
        [view("n1", card=card("n1", agent=__version__, replicas=(), loadable=(loadable(),)))],
        noted(), {}),
    "none was heard since the start": ([row("n1")], [view("n1", NodeState.SUSPECT)], noted(), {}),
    "an old agent": (
        [row("n1")], [view("n1", card=card("n1", agent="0.0.1"))], noted(), {"node-old": "n1"}),
    "one waits for approval": ([row("n1"), row("n2", "waiting")], WELL[:1], noted(),
                               {"node-waiting": "n2"}),
    "no zone is recorded": ([row("n1", zone="")], WELL[:1], noted(), {"zones-none": "n1"}),
    "frequent false alarms": (
        [row("n1"), row("n2")], [view("n1", false_alarms=3), view("n2", false_alarms=2)], noted(),
        {"alarms-frequent": "n1 (5"}),
}  # fmt: skip


@all_cases("case", FLEETS)
def test_what_is_wrong_with_the_nodes_is_named(case: str) -> None:
    """Each fault is found with the names of its nodes, and nothing else is."""
    rows, views, occurrences, expected = FLEETS[case]
    faults = list(check_nodes(rows, views, {}, occurrences))

    assert list(expected) == [each.code for each in faults]
    for each in faults:
        for lang in ("fr", "en"):
            words = report(each, lang)

            assert expected[each.code] in words.sentence
            assert words.remedy


@all_cases("lang", ("fr", "en"))
def test_weights_that_do_not_arrive_have_a_remedy_of_their_own(lang: str) -> None:
    """The operator gives the pool the weights; of a full disk the machine is looked at."""
    refusals = [LoadRefusal("petit", code, 9.0) for code in ("fetch_failed", "disk_full")]
    faults = list(check_nodes([row("n1")], [view("n1")], {"n1": refusals}, noted()))
    fetch, disk = (report(each, lang).remedy for each in faults)
    lender = report(faults[0], lang, "lender").remedy

    assert "entraide models pin " in fetch
    assert "models pin" not in disk
    assert ("exploitant" if lang == "fr" else "operator") in lender


def test_what_has_a_time_of_its_own_keeps_it() -> None:
    """A lost node that of its last message, a failed load and a quarantine that of their begin."""
    held = [
        QuarantineView(SenderKind.KEY, "k1", "engines_ended", "", 7.0),
        QuarantineView(SenderKind.NODE, "n1", "event_raised", "Hello", 8.0),
    ]
    rows, views = [row("n1"), row("n2")], [view("n1"), view("n2", NodeState.LOST)]
    refusals = {"n1": [LoadRefusal("petit", "disk_full", 9.0)], "gone": []}
    faults = [
        *check_nodes(rows, views, refusals, noted()),
        *check_quarantines(held, {(SenderKind.KEY, "k1"): "beta"}),
    ]
    words = [report(each, "fr").sentence for each in faults]

    assert [
        ("node-lost", 50.0, "alpha"), ("node-refused", 9.0, "alpha"),
        ("key-quarantined", 7.0, "beta"), ("node-quarantined", 8.0, ""),
    ] == [(each.code, each.since, each.values["coop"]) for each in faults]  # fmt: skip
    assert "n’a pas pu charger petit (disk_full)" in words[1]
    assert words[2].endswith("ont provoqué l’arrêt de moteurs plusieurs fois en une heure.")
    assert words[3].endswith("(Hello).")


@all_cases(
    ("offset_s", "nodes", "gateways", "codes"),
    [
        (0.0, {"n1": 0.3, "n2": -2.0}, {"g1": 1.0}, []),
        (0.0, {"n1": 3_600.0, "n2": 0.0}, {}, ["nodes-clock"]),
        (0.0, {"n1": -3_600.0}, {"g1": -7_200.0}, ["nodes-clock", "gateways-clock"]),
        (400 * 86_400.0, {"n1": 0.0}, {}, ["clock-off"]),
        (0.0, {"n1": 60.0, "n2": 61.0, "n3": 0.0}, {"g1": 60.0}, ["clock-off"]),
    ],
)
def test_it_is_said_whose_clock_is_wrong(
    offset_s: float, nodes: dict[str, float], gateways: dict[str, float], codes: list[str]
) -> None:
    """If most machines differ from the pool's server, it is the server's."""
    assert codes == [each.code for each in check_clocks(offset_s, nodes, gateways)]


def test_gateways_that_are_silent_or_share_a_name_are_found() -> None:
    """One that has stopped in order is neither."""
    gateways = [
        GatewayStatus(name, state, 9.0, "", "", 0, is_twice)
        for name, state, is_twice in (
            ("g1", "live", False), ("g2", "silent", False), ("g3", "stopped", False),
            ("g4", "live", True),
        )
    ]  # fmt: skip

    assert [
        Finding("gateways-silent", 9.0, {"gateways": "g2"}),
        Finding("gateways-twice", 0.0, {"gateways": "g4"}),
    ] == list(check_gateways(gateways))


def test_store_that_fills_its_disk_is_found_in_time() -> None:
    """By the growth of its last day, once an hour of it is known: 1 GB a day fills 20 GB."""
    growth = StoreGrowth()
    early = []
    for hour in range(30):
        if growth.is_due(hour * 3_600.0):
            growth.add(hour * 3_600.0, 10_000_000_000 + hour * 10**9 // 24)
        early.append(len(list(growth.check(20e9))))
    (full,) = growth.check(20e9)

    assert [0, 1, 1] == early[:3]
    assert 19 <= int(full.values["days"]) <= 20
    assert [] == list(growth.check(100e9))
    assert pytest.approx(1e9, rel=0.01) == growth.bytes_per_day
