"""Convert: builds the Admin service's messages from rows, views and policies."""

from collections.abc import Sequence

from msgspec import structs

from entraide.statements import Amounts, Statement, UsageLine
from entraide.units import g_from_ug, wh_from_uwh
from entraide.v1 import admin_pb2, common_pb2, pool_pb2
from entraide.wire import messages as m
from entraide.wire.cards import ModelCard
from entraide_scheduler.core.policy import (
    CoopTerms,
    Lend,
    Period,
    Quota,
    QuotaKind,
    quota_name,
)
from entraide_scheduler.core.records import Quarantine
from entraide_scheduler.core.views import JobView, NodeView, QuotaView
from entraide_scheduler.gateways import GatewayStatus
from entraide_scheduler.nodes import LoadRefusal
from entraide_scheduler.store.rows import KeyRow, NodeRow


def gateway_message(status: GatewayStatus) -> admin_pb2.Gateway:
    """Returns the message of a gateway of its own."""
    return admin_pb2.Gateway(
        gateway=status.gateway,
        state=status.state,
        heard_at=status.heard_at,
        version=status.version,
        url=status.url,
        jobs=status.jobs,
        twice=status.is_twice,
    )


RECORDED = (  # fields of a node's record that its message has
    "node", "coop", "site", "zone", "approval", "public_key", "controlled_by", "data_classes",
    "surplus_evidence", "evidence_document", "vouched_at", "vouched_by", "said_zone",
)  # fmt: skip


def node_message(
    row: NodeRow,
    view: NodeView | None,
    quarantine: Quarantine | None = None,
    *,
    refusals: Sequence[LoadRefusal] = (),
) -> admin_pb2.Node:
    """Returns a node's message; ``view`` is None for a node that never sent a hello."""
    message = admin_pb2.Node(
        **{name: getattr(row, name) for name in RECORDED},
        newcomer_runs=None if view is None else view.newcomer_runs,
        quarantine=_quarantine_message(quarantine),
        load_refusals=[
            admin_pb2.LoadRefusal(model=refusal.model, code=refusal.code, at=refusal.at)
            for refusal in refusals
        ],
    )
    if view is None:
        return message
    card = view.card
    message.state = view.state.value
    message.accepting = view.accepting
    message.reason = view.reason
    message.models.extend(replica.model for replica in card.replicas)
    message.slots = sum(replica.slots for replica in card.replicas)
    message.running = sum(view.leases.values())
    message.surplus_w = view.energy.surplus_w if view.energy else 0.0
    message.device = card.power.device
    message.active_w = card.power.active_w
    message.power_basis = card.power.basis.value
    message.seen_at = view.last_seen_at
    message.marks.update(view.marks)
    message.agent = card.agent
    message.models_bytes = card.models_bytes
    engines = {replica.engine for replica in card.replicas}
    engines |= {offer.engine for offer in card.loadable}
    message.engines.extend(sorted({engine.partition("/")[0] for engine in engines}))
    message.sandbox = card.sandbox.value
    message.false_alarms = view.false_alarms
    message.rests.extend(
        admin_pb2.Rest(
            model=rest.model,
            state=rest.state.value,
            failures=rest.failures,
            code=rest.code,
            until=rest.until,
        )
        for rest in view.resting
    )
    if card.replicas:
        rates = card.replicas[0].rates
        message.prefill_tokens_per_s = rates.prefill_tokens_per_s
        message.tpot_base_s = rates.tpot_base_s
        message.tpot_per_sequence_s = rates.tpot_per_sequence_s
    return message


def coop_message(
    terms: CoopTerms, quotas: list[QuotaView], balances: dict[str, int]
) -> admin_pb2.Coop:
    """Returns a co-op with its quotas and its balance."""
    return admin_pb2.Coop(
        coop=terms.coop,
        name=terms.name,
        language=terms.language,
        shares=terms.shares,
        quotas=[
            admin_pb2.Quota(
                kind=view.kind.value,
                limit=view.limit,
                period=view.period.value,
                used=round(view.used + view.reserved),
                project=view.project,
                key=view.key,
            )
            for view in quotas
        ],
        balance_tokens=balances.get("tokens", 0),
        balance_wh=wh_from_uwh(balances.get("energy_uwh", 0)),
        balance_gco2e=g_from_ug(balances.get("carbon_ug", 0)),
        lend=admin_pb2.Lend(
            part=terms.lend.part,
            limited=terms.lend.energy_wh_per_day is not None,
            energy_wh_per_day=terms.lend.energy_wh_per_day or 0,
        ),
    )


def read_coop_terms(message: admin_pb2.Coop, before: Sequence[CoopTerms]) -> CoopTerms:
    """Returns the terms in a message; unset shares are 1.

    Terms that the message has no field for stay as they are, and so do those of a quota that keeps
    its kind, period and owner.

    Args:
        message: the new terms.
        before: the terms in force, used for unset fields.

    Raises:
        ValueError: a quota's kind or period is unknown.
    """
    none = CoopTerms(message.coop)
    known = next((terms for terms in before if terms.coop == message.coop), none)
    return structs.replace(
        known,
        shares=message.shares or 1.0,
        quotas=tuple(_read_quota(quota, known.quotas) for quota in message.quotas),
        lend=_read_lend(message.lend, known.lend) if message.HasField("lend") else known.lend,
        name=message.name if message.HasField("name") else known.name,
        language=message.language if message.HasField("language") else known.language,
    )


def _read_lend(message: admin_pb2.Lend, known: Lend) -> Lend:
    limit = message.energy_wh_per_day if message.limited else None
    return structs.replace(known, part=message.part, energy_wh_per_day=limit)


def _read_quota(message: admin_pb2.Quota, known: Sequence[Quota]) -> Quota:
    kind, period = QuotaKind(message.kind), Period(message.period or Period.NONE.value)
    quota = Quota(kind, message.limit, period, message.project, message.key)
    same = [earlier for earlier in known if quota_name(earlier) == quota_name(quota)]
    equal = (earlier for earlier in same if earlier.limit == quota.limit)
    earlier = next(equal, same[0] if same else quota)
    return structs.replace(earlier, limit=quota.limit)


def statement_message(statement: Statement) -> admin_pb2.Statement:
    """Returns a co-op's statement of a month."""
    return admin_pb2.Statement(
        coop=statement.coop,
        month=statement.month,
        timezone=statement.timezone,
        start_at=statement.start_at,
        end_at=statement.end_at,
        given=_amounts_message(statement.given),
        received=_amounts_message(statement.received),
        own=_amounts_message(statement.own),
        others=[
            admin_pb2.Exchange(
                coop=other.coop,
                given=_amounts_message(other.given),
                received=_amounts_message(other.received),
            )
            for other in statement.others
        ],
        corrections=[
            admin_pb2.Correction(
                correction=correction.correction,
                reason=correction.reason,
                lender=statement.coop,
                borrower=correction.coop,
                tokens=correction.tokens,
                energy_wh=correction.energy_wh,
                direct_gco2e=correction.direct_gco2e,
                posted_at=correction.posted_at,
            )
            for correction in statement.corrections
        ],
        usage=map(_usage_message, statement.usage),
        lent=map(_usage_message, statement.lent),
        complete=statement.complete,
        place=common_pb2.ServerPlace(**structs.asdict(statement.place))
        if statement.place
        else None,
        coop_names=statement.coop_names,
        closed_at=statement.closed_at,
        root=statement.root,
    )


def _usage_message(line: UsageLine) -> admin_pb2.UsageLine:
    return admin_pb2.UsageLine(
        day=line.day,
        key=line.key,
        project=line.project,
        model=line.model,
        node=line.node,
        coop=line.coop,
        amounts=_amounts_message(line.amounts),
    )


def _amounts_message(amounts: Amounts) -> admin_pb2.Amounts:
    return admin_pb2.Amounts(**structs.asdict(amounts))


def _quarantine_message(quarantine: Quarantine | None) -> admin_pb2.Quarantine | None:
    if quarantine is None:
        return None
    return admin_pb2.Quarantine(
        reason=quarantine.reason, detail=quarantine.detail, since=quarantine.since
    )


def key_message(
    row: KeyRow, secret: str = "", quarantine: Quarantine | None = None
) -> admin_pb2.Key:
    """Returns an API key; with its secret only at its creation."""
    return admin_pb2.Key(
        key=row.key,
        coop=row.coop,
        project=row.project,
        label=row.label,
        secret=secret,
        revoked=row.revoked,
        quarantine=_quarantine_message(quarantine),
    )


def catalogue_message(message: m.CatalogueReply) -> admin_pb2.ModelCatalogue:
    """Returns the signed model catalogue."""
    return admin_pb2.ModelCatalogue(document=message.document, signature=message.signature)


def model_message(card: ModelCard) -> pool_pb2.Model:
    """Returns the message of a model."""
    return pool_pb2.Model(
        model=card.model,
        revisions=card.revisions,
        context_tokens=card.context_tokens,
        features=card.features,
        replicas=card.replicas,
        loaded=card.loaded,
        means=card.means,
        zones=card.zones,
        controlled_by=card.controlled_by,
        pinned_at=card.pinned_at,
        quality=[pool_pb2.TaskQuality(**structs.asdict(cell)) for cell in card.quality],
        openness=card.openness,
    )


def job_message(view: JobView) -> admin_pb2.PoolJob:
    """Returns what the operator reads of a job: nothing of its text, and not who sent it."""
    return admin_pb2.PoolJob(
        job=view.job,
        coop=view.coop,
        state=view.state.value,
        job_class=view.job_class.value,
        model=view.model,
        submitted_at=view.requested_at,
        ended_at=view.ended_at,
    )
