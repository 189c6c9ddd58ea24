"""Pool view: the pool as its members see it, from ``PoolState`` to JSON structs. Pure.

Machines are grouped by province and site. Each state, reason and source has its stable code and a
sentence in the reader's language. Watts are rounded to ``WATT_STEP``, so that a view does not
change with each reading of a meter. A view holds counts of jobs, never a job, a text or a person.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from entraide import i18n
from entraide.wire.pool_state import MachineCard, PoolState, WaitingJobs, ZoneCard
from entraide_scheduler.gateway.views.machine_reasons import OWN_ONLY, public_reason

WATT_STEP = 10.0
SENTENCES_KEPT = 4_096


class PoolMachineModel(Struct, frozen=True):
    """A model that a machine serves; ``running`` of its ``slots`` are taken by the pool's jobs."""

    model: str
    slots: int
    running: int


class PoolGreen(Struct, frozen=True):
    """Whether a machine runs on renewable power of its own site, and how that is known.

    Attributes:
        is_green: whether the policy counts a surplus now.
        surplus_w: counted surplus of the site, watts.
        reported_w: surplus as the machine reports it, watts.
        basis: how the machine obtained it: measured, declared or estimated; "" without one.
        evidence: what backs it: certificate, contract or meter; "" for nothing.
        sentence: the same in words.
    """

    is_green: bool
    surplus_w: float
    reported_w: float
    basis: str
    evidence: str
    sentence: str


class PoolMachine(Struct, frozen=True):
    """A machine of the pool.

    Attributes:
        node, coop: its name and its owner.
        state: ready, working, full, stopped, resting, loading, no_model, suspect, lost or
            quarantined.
        reason: stable code of why it takes no work; ``owner_terms`` for any that its owner sets.
        sentence: its state in words.
        device: identifier in the hardware catalogue.
        controlled_by: who controls its owner; "" where unstated.
        models, loading: the models that it serves, and those that it is loading.
        slots, running: of all its models.
        green: whether it runs on its site's own power.
    """

    node: str
    coop: str
    state: str
    reason: str
    sentence: str
    device: str
    controlled_by: str
    models: tuple[PoolMachineModel, ...]
    loading: tuple[str, ...]
    slots: int
    running: int
    green: PoolGreen


class PoolSite(Struct, frozen=True):
    """A co-op's machines at one place."""

    site: str
    coop: str
    machines: tuple[PoolMachine, ...]


class PoolIntensity(Struct, frozen=True):
    """Intensity of a province's grid now, gCO2e/kWh.

    Attributes:
        g_per_kwh: on the basis that decisions compare.
        direct_g_per_kwh, lifecycle_g_per_kwh: both.
        basis: how it was obtained; ``default`` for an annual average.
        source: ``electricity_maps``, ``series``, ``annual``, or "" where unknown.
        source_name: the same in words.
        sentence: the intensity in words.
    """

    g_per_kwh: float
    direct_g_per_kwh: float
    lifecycle_g_per_kwh: float
    basis: str
    source: str
    source_name: str
    sentence: str


class PoolProvince(Struct, frozen=True):
    """A province (grid zone) with its sites.

    Attributes:
        zone, name: code and name.
        machines: number of its machines.
        available: number of those that take new work.
        green: number of those that run on their site's own power.
        slots, running: of the available machines, and runs on all.
        intensity: of its grid; None where nothing is known.
        sites: by name and co-op.
    """

    zone: str
    name: str
    machines: int
    available: int
    green: int
    slots: int
    running: int
    intensity: PoolIntensity | None
    sites: tuple[PoolSite, ...]


class WaitingReason(Struct, frozen=True):
    """Number of jobs that wait for one reason; ``by_class`` divides it."""

    reason: str
    sentence: str
    jobs: int
    by_class: dict[str, int]


class PoolView(Struct, frozen=True):
    """The pool now.

    Attributes:
        pool: its name.
        at: time of the view, seconds since the epoch.
        policy_version: of the policy in force.
        queued, running: number of jobs that wait, and that machines run.
        waiting: the waiting jobs by reason, most jobs first.
        machines: number of machines; more than listed in a very large pool.
        provinces: by zone.
    """

    pool: str
    at: float
    policy_version: str
    queued: int
    running: int
    waiting: tuple[WaitingReason, ...]
    machines: int
    provinces: tuple[PoolProvince, ...]


class PoolChange(Struct, frozen=True):
    """What changed in the pool since the last event.

    Attributes:
        type: always ``change``.
        at, policy_version, queued, running, waiting, machines: as in ``PoolView``.
        provinces: those that changed, each whole.
        gone: zones that have no machine any more.
    """

    type: str
    at: float
    policy_version: str
    queued: int
    running: int
    waiting: tuple[WaitingReason, ...]
    machines: int
    provinces: tuple[PoolProvince, ...]
    gone: tuple[str, ...]


def view_pool(state: PoolState, *, pool: str, lang: str, coop: str) -> PoolView:
    """Returns the pool's view.

    Args:
        state: the pool, as those see it who are of no co-op.
        pool: its name.
        lang: ``fr`` or ``en``.
        coop: who reads it: a machine that serves its own co-op only takes this co-op's work.
    """
    zones = {zone.zone: zone for zone in state.zones}
    by_zone: dict[str, list[MachineCard]] = {}
    hidden = 0
    for machine in state.machines:
        if machine.reason == OWN_ONLY and machine.coop == coop:
            machine = replace(machine, accepting=True, reason="")  # noqa: PLW2901
        elif machine.reason == OWN_ONLY:  # like a machine that is paused
            hidden += sum(model.running for model in machine.models)
            idle = tuple(replace(model, running=0) for model in machine.models)
            machine = replace(machine, models=idle)  # noqa: PLW2901
        by_zone.setdefault(machine.zone, []).append(machine)
    return PoolView(
        pool=pool,
        at=state.at,
        policy_version=state.policy_version,
        queued=state.queued,
        running=state.running - hidden,
        waiting=_waiting(state.waiting, lang),
        machines=state.machines_total,
        provinces=tuple(
            _province(zone, by_zone[zone], zones.get(zone), state.intensity_basis, lang)
            for zone in sorted(by_zone)
        ),
    )


def find_change(before: PoolView, after: PoolView) -> PoolChange | None:
    """Returns what changed between two views but their time; None for nothing."""
    old = {province.zone: province for province in before.provinces}
    new = {province.zone for province in after.provinces}
    change = PoolChange(
        type="change",
        at=after.at,
        policy_version=after.policy_version,
        queued=after.queued,
        running=after.running,
        waiting=after.waiting,
        machines=after.machines,
        provinces=tuple(each for each in after.provinces if old.get(each.zone) != each),
        gone=tuple(sorted(old.keys() - new)),
    )
    same = (
        not change.provinces
        and not change.gone
        and (before.queued, before.running, before.machines, before.waiting, before.policy_version)
        == (after.queued, after.running, after.machines, after.waiting, after.policy_version)
    )
    return None if same else change


def _province(
    zone: str, machines: Sequence[MachineCard], card: ZoneCard | None, basis: str, lang: str
) -> PoolProvince:
    by_site: dict[tuple[str, str], list[PoolMachine]] = {}
    for machine in machines:
        by_site.setdefault((machine.site, machine.coop), []).append(view_machine(machine, lang))
    shown = [each for group in by_site.values() for each in group]
    available = [each for each in shown if each.state in AVAILABLE]
    return PoolProvince(
        zone=zone,
        name=i18n.zone_name(zone, lang),
        machines=len(shown),
        available=len(available),
        green=sum(1 for each in available if each.green.is_green),
        slots=sum(each.slots for each in available),
        running=sum(each.running for each in shown),
        intensity=None if card is None else _intensity(card, basis, lang),
        sites=tuple(PoolSite(*key, tuple(by_site[key])) for key in sorted(by_site)),
    )


AVAILABLE = ("ready", "working", "full")


def view_machine(card: MachineCard, lang: str, *, reason: str | None = None) -> PoolMachine:
    """Returns a machine's view.

    Args:
        card: the machine.
        lang: ``fr`` or ``en``.
        reason: code that is shown while it takes no work; None for what everybody may see.
    """
    slots, running = sum(m.slots for m in card.models), sum(m.running for m in card.models)
    state = _machine_state(card, slots, running)
    shown = public_reason(card.reason) if reason is None else reason
    reason = shown if state == "stopped" else ""
    values = (("reason", reason),) if reason else (("slots", slots), ("running", running))
    return PoolMachine(
        node=card.node,
        coop=card.coop,
        state=state,
        reason=reason,
        sentence=sentence(f"machine-{state}", lang, *values),
        device=card.device,
        controlled_by=card.controlled_by,
        models=tuple(PoolMachineModel(m.model, m.slots, m.running) for m in card.models),
        loading=card.loading,
        slots=slots,
        running=running,
        green=_green(card, lang),
    )


def _machine_state(card: MachineCard, slots: int, running: int) -> str:
    if card.quarantined:
        return "quarantined"
    if card.state != "live":
        return card.state
    if not card.accepting:
        return "stopped"
    if not card.models:
        return "loading" if card.loading else "no_model"
    if all(model.resting for model in card.models):
        return "resting"
    if running >= slots:
        return "full"
    return "working" if running else "ready"


def _green(card: MachineCard, lang: str) -> PoolGreen:
    surplus = card.surplus
    if surplus is None or surplus.reported_w < WATT_STEP:
        return PoolGreen(False, 0.0, 0.0, "", "", sentence("green-grid", lang))
    counted_w, reported_w = _rounded(surplus.counted_w), _rounded(surplus.reported_w)
    is_green = counted_w > 0.0
    values: tuple[tuple[str, str | float], ...] = (
        ("surplus_w", counted_w if is_green else reported_w),
        ("basis", surplus.basis),
    )
    if is_green:
        values = (*values, ("surplus_evidence", surplus.evidence or i18n.ABSENT))
    code = "green-surplus" if is_green else "green-uncounted"
    return PoolGreen(
        is_green,
        counted_w,
        reported_w,
        surplus.basis,
        surplus.evidence,
        sentence(code, lang, *values),
    )


def _rounded(watts: float) -> float:
    return round(watts / WATT_STEP) * WATT_STEP


def _intensity(card: ZoneCard, basis: str, lang: str) -> PoolIntensity:
    g_per_kwh = card.lifecycle_g_per_kwh if basis == "lifecycle" else card.direct_g_per_kwh
    return PoolIntensity(
        g_per_kwh=g_per_kwh,
        direct_g_per_kwh=card.direct_g_per_kwh,
        lifecycle_g_per_kwh=card.lifecycle_g_per_kwh,
        basis=card.basis,
        source=card.source,
        source_name=source_name(card.source, lang),
        sentence=sentence(
            "province-intensity", lang, ("intensity_g_per_kwh", g_per_kwh), ("basis", card.basis)
        ),
    )


def source_name(source: str, lang: str) -> str:
    """Returns the name of a source of the grid's data; "" for an unknown one."""
    return sentence(f"grid-source-{source}", lang) if source else ""


def _waiting(waiting: Iterable[WaitingJobs], lang: str) -> tuple[WaitingReason, ...]:
    by_reason: dict[str, dict[str, int]] = {}
    for each in waiting:
        by_class = by_reason.setdefault(each.reason, {})
        by_class[each.job_class] = by_class.get(each.job_class, 0) + each.jobs
    reasons = [
        WaitingReason(
            reason, sentence(f"waiting-{reason}", lang), sum(by_class.values()), dict(by_class)
        )
        for reason, by_class in by_reason.items()
    ]
    return tuple(sorted(reasons, key=lambda each: (-each.jobs, each.reason)))


@lru_cache(maxsize=SENTENCES_KEPT)
def sentence(code: str, lang: str, *values: tuple[str, str | float]) -> str:
    """Returns a sentence of the catalogue; views repeat the same few each second."""
    return i18n.text(code, lang, **dict(values))
