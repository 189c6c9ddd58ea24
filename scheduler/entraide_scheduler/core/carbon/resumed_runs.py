"""Resumed runs: settlements and receipt of an answer that several runs made, one after another.

Input: terms and billed usage of each run, oldest first (``accounting.bill_resumed``). Output: each
run's settlement, and one receipt with the totals and a line for each run. The promise of the job is
about its first token, so the first run decides it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Basis, Control, Promise, Receipt, ReceiptRun, Settlement, Terms, Usage
from entraide.units import g_from_ug, wh_from_uwh
from entraide_scheduler.core.carbon.emissions import make_receipt, settle

UG_PER_UWH = 1_000  # (gCO2e/kWh) per (ug/uWh)


class BilledRun(Struct, frozen=True, gc=False):
    """One run of a resumed answer.

    Attributes:
        terms, usage: its terms and what it is billed for.
        settlement: its energy and emissions; that of the last run has the job's latency and
            promise.
        code: stable code of why it ended; "" if it ended the answer.
    """

    terms: Terms
    usage: Usage
    settlement: Settlement
    code: str


def settle_resumed(runs: Sequence[tuple[Terms, Usage, str]]) -> tuple[BilledRun, ...]:
    """Returns the runs of an answer with their settlements.

    Args:
        runs: terms, billed usage and code of the end of each run, oldest first.
    """
    terms, usage, _ = runs[0]
    first = settle(terms, usage)
    promise = first.promise if usage.ttft_s > 0.0 else Promise.NONE  # else its time is unknown
    billed = []
    for number, (terms, usage, code) in enumerate(runs, 1):
        settlement = replace(settle(terms, usage), promise=Promise.NONE)
        if number == len(runs):
            settlement = replace(
                settlement, queue_s=first.queue_s, ttft_s=first.ttft_s, promise=promise
            )
        billed.append(BilledRun(terms, usage, settlement, code))
    return tuple(billed)


def make_resumed_receipt(runs: Sequence[BilledRun], *, settled: bool, issued_at: float) -> Receipt:
    """Returns the unsigned receipt of an answer: its totals, and a line for each of its runs.

    Args:
        runs: of ``settle_resumed``.
        settled: whether the runs are in the ledger.
        issued_at: time of issue, seconds since the epoch.
    """
    usage, last = total_usage(runs), runs[-1]
    total = replace(
        last.settlement,
        energy_uwh=sum(run.settlement.energy_uwh for run in runs),
        carbon_direct_ug=sum(run.settlement.carbon_direct_ug for run in runs),
        carbon_lifecycle_ug=sum(run.settlement.carbon_lifecycle_ug for run in runs),
    )
    first = runs[0].terms
    terms = replace(last.terms, at_risk=first.at_risk, smaller=first.smaller, larger=first.larger)
    if total.energy_uwh:
        terms = replace(
            terms,
            intensity_direct_g_per_kwh=total.carbon_direct_ug * UG_PER_UWH / total.energy_uwh,
            intensity_basis=least_certain(run.terms.intensity_basis for run in runs),
        )
    receipt = make_receipt(terms, usage, total, settled=settled, issued_at=issued_at)
    if len(runs) == 1:
        return receipt
    names = {run.terms.lender: run.terms.lender_name or "" for run in runs}
    named = {coop: names[coop] for coop in sorted(names) if names[coop]}
    return replace(receipt, runs=tuple(map(_receipt_run, runs)), coop_names=named)


def total_usage(runs: Sequence[BilledRun]) -> Usage:
    """Returns the usage of the whole answer; its times are from the first run to the last."""
    usages = [run.usage for run in runs]
    first, last = runs[0], runs[-1]
    return Usage(
        input_tokens=sum(usage.input_tokens for usage in usages),
        cached_tokens=sum(usage.cached_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        counted=least_certain(usage.counted for usage in usages),
        energy_prefill_uwh=sum(usage.energy_prefill_uwh for usage in usages),
        energy_decode_uwh=sum(usage.energy_decode_uwh for usage in usages),
        energy_basis=least_certain(usage.energy_basis for usage in usages),
        ttft_s=first.usage.ttft_s,
        run_s=last.terms.placed_at + last.usage.run_s - first.terms.placed_at,
        reasoning_tokens=sum(usage.reasoning_tokens for usage in usages),
    )


def least_certain(bases: Iterable[Basis]) -> Basis:
    """Returns the basis of a sum: the least certain of its parts'."""
    return max(bases, key=list(Basis).index)


def _receipt_run(run: BilledRun) -> ReceiptRun:
    terms, settlement = run.terms, run.settlement
    return ReceiptRun(
        node=terms.node,
        node_coop=terms.lender,
        site=terms.site,
        province=terms.zone,
        engine=terms.engine,
        output_tokens=run.usage.output_tokens,
        energy_wh=wh_from_uwh(settlement.energy_uwh),
        energy_basis=run.usage.energy_basis,
        carbon_gco2e=g_from_ug(settlement.carbon_direct_ug),
        carbon_lifecycle_gco2e=g_from_ug(settlement.carbon_lifecycle_ug),
        ended=run.code,
        controlled_by=terms.controlled_by or Control.UNSTATED,
        node_key=terms.node_key or "",
    )
