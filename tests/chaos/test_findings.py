"""Each fault that chaos makes is named to the operator within a minute, and not after its end."""

import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from tests.chaos import schedule
from tests.chaos.driver import MountedDisk, inside_namespace
from tests.chaos.faults import FaultMaker
from tests.chaos.pool import ChaosPool
from tests.chaos.run_folder import RunFolder
from tests.chaos.schedule import Fault
from tests.testbed.network import Network, find_obstacle

from entraide.v1 import admin_pb2
from entraide_scheduler.findings import KINDS, RECENT_S

READY_S = 240.0
SEEN_WITHIN_S = 60.0
GONE_WITHIN_S = RECENT_S + 30.0
TICK_S = 0.2

# The finding that names a fault, and the words by which it does: a part or a name.
FINDING_BY_FAULT: dict[str, tuple[Fault, str, str]] = {
    schedule.SCHEDULER_KILLED: (
        Fault(0.0, schedule.SCHEDULER_KILLED, schedule.SCHEDULER, 1.0),
        "restarts-recent", "scheduler"),
    schedule.AGENT_KILLED: (
        Fault(0.0, schedule.AGENT_KILLED, "n1", 1.0), "restarts-recent", "node n1"),
    schedule.ENGINE_KILLED: (
        Fault(0.0, schedule.ENGINE_KILLED, "n3", 0.0), "nodes-engine", "n3"),
    schedule.GATEWAY_KILLED: (
        Fault(0.0, schedule.GATEWAY_KILLED, "g1", 1.0), "restarts-recent", "gateway g1"),
    schedule.BUS_KILLED: (
        Fault(0.0, schedule.BUS_KILLED, schedule.BUS, 1.0), "restarts-recent", "bus"),
    schedule.LINK_CUT: (Fault(0.0, schedule.LINK_CUT, "b", 6.0), "nodes-silent", "n5"),
    schedule.CLOCK_MOVED: (
        Fault(0.0, schedule.CLOCK_MOVED, "n2", 10.0, 3_600.0), "nodes-clock", "n2"),
    schedule.CLOCK_DAYS: (
        Fault(0.0, schedule.CLOCK_DAYS, schedule.SCHEDULER, 10.0, 3.5e7), "clock-off", ""),
    schedule.CLOCK_AT_START: (
        Fault(0.0, schedule.CLOCK_AT_START, schedule.SCHEDULER, 5.0, -3.5e7),
        "restarts-recent", "scheduler"),
    schedule.DISK_FULL: (
        Fault(0.0, schedule.DISK_FULL, schedule.DISK, 6.0), "store-full", ""),
    schedule.ALL_SILENT: (
        Fault(0.0, schedule.ALL_SILENT, schedule.ALL_NODES, 6.0), "nodes-silent", "n5"),
}  # fmt: skip


def test_each_kind_of_fault_has_its_finding() -> None:
    """A kind that is added to the schedule is added to the table, with a kind of the registry."""
    assert set(schedule.KINDS) == set(FINDING_BY_FAULT)
    assert set() == {code for _, code, _ in FINDING_BY_FAULT.values()} - KINDS.keys()


@pytest.mark.engines
@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.skipif(bool(find_obstacle()), reason="needs root and network namespaces")
def test_each_fault_is_seen_within_a_minute_and_none_after_its_end(tmp_path: Path) -> None:
    """With real processes: a fault of each kind, one after the other, on a pool without load."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    network = Network()
    try:
        with MountedDisk(folder) as disk, inside_namespace(network.namespace("pool")):
            sites = {site: network.namespace(f"site-{site}") for site in schedule.SITES}
            pool = ChaosPool(folder, sites)
            try:
                start(pool)
                before = set(list_findings(pool))
                unseen = [
                    kind
                    for kind, (fault, code, words) in FINDING_BY_FAULT.items()
                    if not is_seen(
                        pool,
                        FaultMaker(
                            (fault,), 0, pool=pool, network=network, disk=disk, folder=folder
                        ),
                        code,
                        words,
                    )
                ]
                within(GONE_WITHIN_S, lambda: set(list_findings(pool)) <= before)
                after = set(list_findings(pool))
            finally:
                pool.stop()
    finally:
        network.close()

    assert [] == unseen
    assert set() == after - before


def start(pool: ChaosPool) -> None:
    """Starts a pool whose nodes are all live, and waits until nothing of its start is shown."""
    pool.start_center()
    assert within(READY_S, lambda: live(pool) is not None)
    pool.make()
    pool.start_edges()
    assert within(READY_S, lambda: live(pool) == len(schedule.NODES))
    assert within(READY_S, lambda: not {"nodes-engine", "nodes-none"} & set(list_findings(pool)))


def live(pool: ChaosPool) -> int | None:
    """The number of live nodes with a model; None while the scheduler does not answer."""
    try:
        status = pool.ask("GetStatus", admin_pb2.GetStatusRequest())
    except grpc.RpcError:
        return None
    return sum(node.state == "live" and bool(node.models) for node in status.nodes)


def list_findings(pool: ChaosPool) -> dict[str, str]:
    """The words of each present finding, by its code; nothing while nobody answers."""
    try:
        request = admin_pb2.ListFindingsRequest(running_only=True)
        answer = pool.ask("ListFindings", request)
    except grpc.RpcError:
        return {}
    words: dict[str, str] = {}
    for each in answer.findings:
        words[each.code] = " ".join((words.get(each.code, ""), *each.names.values()))
    return words


def is_seen(pool: ChaosPool, maker: FaultMaker, code: str, words: str) -> bool:
    """Makes a fault, undoes it in its time, and says whether it was seen within a minute."""
    seen_at, began = None, time.monotonic()
    while not maker.is_over or (seen_at is None and time.monotonic() - began < SEEN_WITHIN_S):
        maker.tick(time.monotonic() - began)
        shown = list_findings(pool).get(code)
        if seen_at is None and shown is not None and all(w in shown for w in words.split()):
            seen_at = time.monotonic()
        time.sleep(TICK_S)
    within(READY_S, lambda: live(pool) == len(schedule.NODES))
    return seen_at is not None and seen_at - began <= SEEN_WITHIN_S


def within(limit_s: float, condition: Callable[[], object]) -> bool:
    """Waits for a condition; returns whether it came to hold."""
    until = time.monotonic() + limit_s
    while not (holds := bool(condition())) and time.monotonic() < until:
        time.sleep(TICK_S)
    return holds
