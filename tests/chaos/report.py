"""Report: the figures of a run from the lines in its folder, as JSON.

The time from a kill to the next token is that of each seam whose run ended on a node of which
the agent or the engine was killed between the last token before the seam and the first after it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
from tests.chaos import schedule
from tests.chaos.books import FIRST, check_books, gateway_kills, read_books
from tests.chaos.bus_watcher import RUNS
from tests.chaos.faults import DONE, Executed
from tests.chaos.kept import GIVEN_UP, KeptWork
from tests.chaos.pool import MODEL, REAL_MODEL, RESUME_S
from tests.chaos.run_folder import Broken, Exit, RunFolder
from tests.chaos.streams import CLOCK_PAGE, CLOSED, COMPLETE, ERROR, RESUMED, Outcome
from tests.chaos.watchers import Sample

from entraide_scheduler.core.policy.policy import Limits

SLACK_S = 2.0  # a token on its way when the process was killed
MEMORY_FACTOR, MEMORY_MB = 1.5, 40.0
TIMES = ("p50", "p99", "max")
ATTEMPTS = Limits().attempts  # of one job, at its real limit
GIVEN_UP_CODES = (GIVEN_UP, "stream_broken")


def make_report(folder: RunFolder) -> dict[str, Any]:
    """Returns the figures of a run that has ended."""
    faults = folder.read("faults", Executed)
    outcomes = folder.read("outcomes", Outcome)
    check_memory(folder)
    kept = folder.read("kept", KeptWork)
    bills = check_books(
        folder,
        read_books(folder.pool / "store.db"),
        outcomes=outcomes,
        kept=kept,
        faults=faults,
    )
    bills["receipt_less"] = check_receipts(folder, faults, outcomes)
    check_closed(folder, faults, outcomes)
    setting = folder.document("setting.json")
    nodes = setting["nodes"] or schedule.NODES
    check_given_up(folder, faults, outcomes=outcomes, kept=kept, nodes=nodes)
    made = Counter(fault.kind for fault in faults if fault.result == DONE)
    samples = folder.read("samples", Sample)
    slow = sorted(sample.slowdown for sample in samples) or [1.0]
    broken = folder.read("broken", Broken)
    return {
        **setting,
        "kills": sum(made[kind] for kind in schedule.KILLS),
        "cuts": made[schedule.LINK_CUT],
        "faults": dict(sorted(made.items())),
        "missed": sum(fault.result != DONE for fault in faults),
        "answers": dict(Counter(line.outcome for line in outcomes)),
        "errors": dict(Counter(line.code for line in outcomes if line.outcome == ERROR)),
        "bills": bills,
        "kept": kept_counts(kept),
        "exits": dict(Counter(line.part for line in folder.read("exits", Exit))),
        "seams": sum(len(line.seams) for line in outcomes),
        "seam_codes": dict(Counter(seam.code for line in outcomes for seam in line.seams)),
        "first_token_s": quantiles(
            [line.first_at - line.began_at for line in outcomes if line.first_at]
        ),
        "kill_to_next_token_s": quantiles(kill_times_s(faults, outcomes)),
        "longest_pause_s": quantiles(
            [seam.next_at - seam.last_at for line in outcomes for seam in line.seams]
        ),
        "end": folder.document("end.json"),
        "bus": bus_counts(folder),
        "rss_mb": {
            name: folder.document(f"{name}_sample.json")["rss_mb"] for name in ("first", "last")
        },
        "slowdown_p50": slow[len(slow) // 2],
        "broken": dict(Counter(line.promise for line in broken)),
    }


def kept_counts(kept: Sequence[KeptWork]) -> dict[str, int]:
    """Kept jobs and batches that were accepted, and whose answers were checked."""
    counts = Counter(f"{line.kind}_{'checked' if line.is_done else 'accepted'}" for line in kept)
    counts["given_up"] = sum(len(line.given_up) for line in kept)
    return dict(sorted(counts.items()))


def bus_counts(folder: RunFolder) -> dict[str, int]:
    """Messages on the bus since the run was last started, and gaps in the parts of answers."""
    counts = Counter(folder.document("bus.json") or {})
    gaps = counts.pop("gaps", 0)
    return {"messages": counts.total(), "gaps": gaps}


def kill_times_s(faults: list[Executed], outcomes: list[Outcome]) -> list[float]:
    """Times from a kill of an agent or an engine to the next token of the answer there."""
    kills: dict[str, list[float]] = {}
    for fault in faults:
        if fault.kind in (schedule.AGENT_KILLED, schedule.ENGINE_KILLED) and fault.result == DONE:
            kills.setdefault(fault.target, []).append(fault.at)
    times_s = []
    for line in outcomes:
        for seam in line.seams:
            during = [
                at
                for at in kills.get(seam.node_before, ())
                if seam.last_at - SLACK_S <= at <= seam.next_at
            ]
            if during:
                times_s.append(seam.next_at - min(during))
    return times_s


def quantiles(values: list[float]) -> dict[str, float]:
    """Number, median, 99th percentile and maximum."""
    if not values:
        return {"number": 0}
    ordered = sorted(values)
    places = (len(ordered) // 2, min(len(ordered) - 1, int(0.99 * len(ordered))), -1)
    figures = {name: round(ordered[place], 3) for name, place in zip(TIMES, places, strict=True)}
    return {"number": len(ordered), **figures}


def check_memory(folder: RunFolder) -> None:
    """Checks that no part holds much more memory at the end than at the start."""
    first, last = (
        msgspec.convert(folder.document(f"{name}_sample.json"), Sample)
        for name in ("first", "last")
    )
    for name, rss_mb in last.rss_mb.items():
        most_mb = MEMORY_FACTOR * first.rss_mb.get(name, rss_mb) + MEMORY_MB
        if rss_mb > most_mb:
            folder.broken("memory", name, f"{rss_mb:g} MB, at the start {first.rss_mb[name]:g}")


def check_closed(folder: RunFolder, faults: list[Executed], outcomes: list[Outcome]) -> None:
    """Checks that a connection closed without an end only where its gateway was killed.

    In place of an answer, the first gateway may send a page while its start waits for its clock.
    """
    kills = gateway_kills(faults)
    waits = [
        (fault.at, fault.at + fault.lasts_s + SLACK_S)
        for fault in faults
        if fault.kind == schedule.CLOCK_AT_START
    ]
    for line in outcomes:
        is_page = line.code == CLOCK_PAGE and line.gateway == FIRST
        if line.outcome != CLOSED or (
            is_page and any(begin <= line.began_at <= end for begin, end in waits)
        ):
            continue
        ends = (line.began_at - SLACK_S, line.ended_at + SLACK_S)
        if not any(ends[0] <= at <= ends[1] for at in kills.get(line.gateway, ())):
            subject = line.job or f"a request at {line.gateway}"
            folder.broken("closed", subject, f"{line.gateway} closed it and was not killed")


def check_given_up(
    folder: RunFolder,
    faults: Sequence[Executed],
    *,
    outcomes: Sequence[Outcome],
    kept: Sequence[KeptWork],
    nodes: Sequence[str] = schedule.NODES,
) -> None:
    """Checks that work which lost its machine goes on, as long as the policy allows.

    An answer may be given up after ``ATTEMPTS`` runs that count, as the bus has seen them, or once
    it has waited for a machine for ``RESUME_S``. It is not judged if the scheduler was killed
    meanwhile, which may not know of its last run, or the bus, of which the watcher misses a part;
    nor if the agent of each machine with its model was killed: no machine is left that takes work.
    """
    watched = folder.document(RUNS)
    killed = [(fault.at, fault.at) for fault in faults if fault.kind in schedule.SCHEDULER_ENDED]
    unknown = [*killed, *watched["gaps"]]
    ended = [
        (line.job, line.began_at, line.ended_at, line.last_at or line.began_at)
        for line in outcomes
        if line.outcome == ERROR
        and line.code in GIVEN_UP_CODES
        and not _were_servers_killed(line, faults, nodes)
    ]
    begun = {line.name: line.at for line in kept if not line.is_done}
    ended += [(job, begun[line.name], line.at, line.at) for line in kept for job in line.given_up]
    for job, began_at, ended_at, last_at in ended:
        attempts = watched["attempts"].get(job, 0)
        is_judged = job and not any(
            began_at - SLACK_S <= end and begin <= ended_at + SLACK_S for begin, end in unknown
        )
        if is_judged and attempts < ATTEMPTS and ended_at - last_at < RESUME_S - SLACK_S:
            folder.broken("given_up", job, f"after {attempts} of {ATTEMPTS} attempts")


def _were_servers_killed(line: Outcome, faults: Sequence[Executed], nodes: Sequence[str]) -> bool:
    """Whether the agent of each machine that serves a model was killed after the last token."""
    is_real = line.model == REAL_MODEL
    servers = {name for name in nodes if (name in schedule.REAL_NODES) is is_real}
    killed = {
        fault.target
        for fault in faults
        if fault.kind == schedule.AGENT_KILLED
        and (line.last_at or line.began_at) - SLACK_S <= fault.at <= line.ended_at
    }
    return servers <= killed


def check_receipts(
    folder: RunFolder, faults: Sequence[Executed], outcomes: Sequence[Outcome]
) -> int:
    """Checks that receipts count the tokens that their clients have.

    Returns:
        Number of those that count fewer, which may be where the scheduler was killed during the
        answer: it does not know of a run that it placed in its last moment.
    """
    killed = [fault.at for fault in faults if fault.kind in schedule.SCHEDULER_ENDED]
    less = 0
    for line in outcomes:
        is_whole = line.outcome in (COMPLETE, RESUMED) and line.model == MODEL
        if not is_whole or line.output_tokens == line.tokens:
            continue
        if line.output_tokens < line.tokens and any(
            line.began_at <= at <= line.ended_at for at in killed
        ):
            less += 1
        else:
            detail = f"receipt {line.output_tokens}, received {line.tokens}"
            folder.broken("receipt", line.job, detail)
    return less
