"""Pool state: from the core's overview to the struct that gateways receive. Pure.

In: the core, the policy in force, the sources of the grid's data and a time. Out: ``PoolState``,
with at most ``MACHINES_MAX`` machines.
"""

from collections.abc import Mapping

from entraide.types import Lending
from entraide.wire.pool_state import (
    CoopState,
    HourIntensity,
    MachineCard,
    MachineModel,
    PoolState,
    QuotaState,
    SiteSurplus,
    WaitingJobs,
    WorkHour,
    ZoneCard,
)
from entraide_scheduler.core.carbon import HOUR_S
from entraide_scheduler.core.machine import Core
from entraide_scheduler.core.overview import CoopView, MachineView, SurplusView, ZoneOutlook
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.records import ReplicaState

MACHINES_MAX = 10_000

# Source of a zone's data and the time of that data, by zone.
ZoneSources = Mapping[str, tuple[str, float]]


def describe_pool(
    core: Core, policy: Policy, sources: ZoneSources, *, coop: str, at: float
) -> PoolState:
    """Returns the pool at a time.

    Args:
        core: the decision core.
        policy: the one in force.
        sources: of the grid's data.
        coop: the co-op whose position is described; "" for none.
        at: now, seconds since the epoch.
    """
    machines = core.machines(at)
    position = core.coop(coop, at) if coop else None
    return PoolState(
        at=at,
        policy_version=policy.version,
        intensity_basis=policy.carbon.basis.value,
        queued=sum(core.queue_lengths().values()),
        running=core.count_running(),
        machines=tuple(_machine_card(machine, coop) for machine in machines[:MACHINES_MAX]),
        machines_total=len(machines),
        waiting=tuple(
            WaitingJobs(count.reason, count.job_class.value, count.jobs)
            for count in core.count_waiting(at)
        ),
        zones=tuple(_zone_card(outlook, sources) for outlook in core.outlooks(at)),
        work=tuple(
            WorkHour(work.zone, float(work.hour * HOUR_S), work.jobs, work.lines)
            for work in core.planned_work(at)
        ),
        coop=None if position is None else _coop_state(position),
    )


def _machine_card(machine: MachineView, coop: str) -> MachineCard:
    """Returns a machine as a co-op sees it; to others, one that serves its own takes no work."""
    view = machine.node
    card = view.card
    is_own_only = view.lending is Lending.OWN_ONLY and card.coop != coop
    resting = {each.model for each in view.resting if each.state is ReplicaState.RESTING}
    return MachineCard(
        node=card.node,
        coop=card.coop,
        site=card.site,
        zone=card.zone,
        device=card.power.device,
        state=view.state.value,
        accepting=view.accepting and not is_own_only,
        reason="own_only" if view.accepting and is_own_only else view.reason,
        quarantined=machine.quarantined,
        models=tuple(
            MachineModel(
                replica.model,
                replica.slots,
                view.leases.get(replica.model, 0),
                replica.model in resting,
            )
            for replica in card.replicas
        ),
        loading=card.loading,
        controlled_by=card.controlled_by.value,
        surplus=None if machine.surplus is None else _site_surplus(machine.surplus),
        terms=card.terms,
    )


def _site_surplus(surplus: SurplusView) -> SiteSurplus:
    return SiteSurplus(
        surplus.reported_w,
        surplus.counted_w,
        surplus.basis.value,
        surplus.evidence.value,
        surplus.measured_at,
        surplus.expires_at,
    )


def _zone_card(outlook: ZoneOutlook, sources: ZoneSources) -> ZoneCard:
    source, data_at = sources.get(outlook.zone, ("", 0.0))
    return ZoneCard(
        zone=outlook.zone,
        direct_g_per_kwh=outlook.now.direct_g_per_kwh,
        lifecycle_g_per_kwh=outlook.now.lifecycle_g_per_kwh,
        basis=outlook.now.basis.value,
        valid_until=outlook.now.valid_until,
        hours=tuple(
            HourIntensity(None, "") if hour is None else HourIntensity(hour.g_per_kwh, hour.signal)
            for hour in outlook.hours
        ),
        issued_at=outlook.issued_at or 0.0,
        source=source,
        data_at=data_at,
    )


def _coop_state(view: CoopView) -> CoopState:
    share = view.fair_share
    return CoopState(
        coop=view.coop,
        quotas=tuple(
            QuotaState(
                kind=quota.kind.value,
                period=quota.period.value,
                limit=quota.limit,
                used=quota.used,
                reserved=quota.reserved,
                left=quota.left,
                ends_at=quota.ends_at or 0.0,
                project=quota.project,
                key=quota.key,
            )
            for quota in view.quotas
        ),
        balance_tokens=view.balance.get("tokens", 0),
        balance_uwh=view.balance.get("energy_uwh", 0),
        balance_ug=view.balance.get("carbon_ug", 0),
        shares=share.shares,
        credit=share.credit,
        weight=share.weight,
        credit_most=share.terms.most,
        half_life_s=share.terms.half_life_s,
        full_tokens=share.terms.full_tokens,
        gift_tokens=share.gift_tokens,
        running=share.running,
        queued=share.queued,
        in_flight_tokens=share.in_flight_tokens,
        cap_tokens=share.cap_tokens,
        lend_part=share.lend.part,
        lend_wh_per_day=share.lend.energy_wh_per_day,
    )
