"""Replay operation: the recorded past under a proposed policy, or with more demand.

Two commands, one after the other: the journal is exported from the store, then ``entraide sim
replay`` replays it. In: the store's address and what to compare. Out: the figures of both runs by
co-op, and the simulator's report.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import tomli_w
from msgspec import Struct

from entraide import i18n
from entraide.decoding import decode_json
from entraide.files import write_private
from entraide.v1 import admin_pb2
from entraide_scheduler.operations.bounded_child import ProcessLimits
from entraide_scheduler.operations.bounded_process import Finished, run_bounded
from entraide_scheduler.operations.operation_runner import OperationResult

GIB = 1024**3
REPLAY_LIMITS = ProcessLimits(wall_s=3_600.0, cpu_s=1_800, memory_bytes=4 * GIB, file_bytes=2 * GIB)
REPORT_BYTES_MAX = 3 * 1024 * 1024
COOPS_MAX = 500
DAY_H = 24.0


class ReplayWish(Struct, frozen=True):
    """What to replay.

    Attributes:
        store_url: address of the store.
        days: the last days of the journal.
        policy: TOML of the proposed policy; b"" for the recorded ones.
        growth_percent: how much more demand.
        lang: language of faults, and of the report.
    """

    store_url: str
    days: float
    policy: bytes
    growth_percent: float
    lang: str


class _Figures(Struct):
    """Fields of ``replay.json`` that are shown, of one co-op in one run."""

    jobs: int
    completed: int
    refused: int
    failed: int
    waiting: int
    waited_s: dict[str, float | None]
    ttft_s: dict[str, float | None]
    energy_wh: float
    carbon_g: float
    promises_kept: float | None


class _Coop(Struct):
    old: _Figures
    proposed: _Figures
    moved: int


class _Compared(Struct):
    old_policy: str
    proposed_policy: str
    growth: float
    all: _Coop
    coops: dict[str, _Coop]


class _Life(Struct):
    jobs: int
    served: int
    tokens: int
    energy_wh: float
    ttft_s_p95: float | None


class _Baseline(Struct):
    """Figures of both lives, which are alike enough to compare policies."""

    recorded: _Life
    simulated: _Life


class _Replay(Struct):
    exact: bool
    start_at: float
    end_at: float
    compared: _Compared | None = None
    baseline: _Baseline | None = None


async def run_replay(wish: ReplayWish, folder: Path) -> OperationResult:
    """Exports and replays the journal in a folder."""
    config, journal, out = folder / "export.toml", folder / "pool.journal", folder / "out"
    settings = {"dir": str(folder), "store_url": wish.store_url}
    write_private(config, tomli_w.dumps(settings).encode())
    exported = await run_bounded(
        ("scheduler", "journal", "export", "--config", str(config), "--out", str(journal),
         "--hours", str(wish.days * DAY_H)),
        REPLAY_LIMITS,
        lang=wish.lang,
    )  # fmt: skip
    if exported.status:
        return OperationResult(fault=fault_sentence(exported, wish.lang))
    changes: list[str] = []
    if wish.policy:
        write_private(folder / "policy.toml", wish.policy)
        changes += ["--policy", str(folder / "policy.toml")]
    if wish.growth_percent:
        changes += ["--growth", str(wish.growth_percent)]
    replayed = await run_bounded(
        ("sim", "replay", str(journal), *changes, "--out", str(out)), REPLAY_LIMITS, lang=wish.lang
    )
    if replayed.status:
        return OperationResult(fault=fault_sentence(replayed, wish.lang))
    return _read_result(out, wish.lang)


def fault_sentence(finished: Finished, lang: str) -> str:
    """Returns why a command failed: its own sentence, or one about its limits."""
    if finished.fault == "said":
        return finished.words
    return i18n.text(f"operation-fault-{finished.fault}", lang, detail=finished.words or "none")


def _read_result(out: Path, lang: str) -> OperationResult:
    report = (out / "report.html").read_bytes()
    try:
        document = decode_json((out / "replay.json").read_bytes(), type=_Replay)
    except msgspec.MsgspecError as problem:
        return OperationResult(fault=i18n.text("operation-fault-ended", lang, detail=str(problem)))
    compared, baseline = document.compared, document.baseline
    assert compared is not None
    assert baseline is not None
    first = sorted(compared.coops.items())[:COOPS_MAX]
    replayed = admin_pb2.Replayed(
        from_at=document.start_at,
        until_at=document.end_at,
        old_policy=compared.old_policy,
        proposed_policy=compared.proposed_policy,
        growth_percent=compared.growth * 100.0,
        coops=_coop_messages([("", compared.all), *first]),
        recorded=_life_message(baseline.recorded),
        simulated=_life_message(baseline.simulated),
    )
    is_short = len(report) <= REPORT_BYTES_MAX
    return OperationResult(replayed=replayed, report=report if is_short else b"")


def _life_message(life: _Life) -> admin_pb2.ReplayedLife:
    return admin_pb2.ReplayedLife(
        jobs=life.jobs,
        served=life.served,
        tokens=life.tokens,
        energy_wh=life.energy_wh,
        ttft_p95_s=life.ttft_s_p95,
    )


def _coop_messages(coops: Sequence[tuple[str, _Coop]]) -> list[admin_pb2.ReplayedCoop]:
    return [
        admin_pb2.ReplayedCoop(
            coop=name,
            before=_figures_message(coop.old),
            after=_figures_message(coop.proposed),
            moved=coop.moved,
        )
        for name, coop in coops
    ]


def _figures_message(figures: _Figures) -> admin_pb2.ReplayedFigures:
    return admin_pb2.ReplayedFigures(
        jobs=figures.jobs,
        completed=figures.completed,
        refused=figures.refused,
        failed=figures.failed,
        waiting=figures.waiting,
        waited_p50_s=figures.waited_s["p50"],
        waited_p95_s=figures.waited_s["p95"],
        ttft_p50_s=figures.ttft_s["p50"],
        ttft_p95_s=figures.ttft_s["p95"],
        energy_wh=figures.energy_wh,
        carbon_g=figures.carbon_g,
        promises_kept=figures.promises_kept,
    )
