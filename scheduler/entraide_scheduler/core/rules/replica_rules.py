"""Rules on a replica's present state, which a lease, a message or a moment can change.

``REPLICA_RULES`` has them in the order in which they are checked, after the permanent ones: those
on all jobs before those on some; in each part, those on the whole node before those on its runs. A
condition that reads the policy belongs here even if waiting does not help.

A replica keeps the answers as bits (``temporary``), so a fact that a condition reads changes only
through a method of ``Fleet``, which evaluates the conditions again. Nothing here gets the time:
what expires has a deadline whose handler updates the node.
"""

from entraide.types import JobClass, Lending, NodeState
from entraide_scheduler.core.policy import Lend, Policy
from entraide_scheduler.core.records import Backoff, Node, Probation, ReplicaState, Shape
from entraide_scheduler.core.rules.rule import (
    ALL_JOBS,
    BATCH_JOBS,
    EXAMPLE_AT,
    EXAMPLE_MODEL,
    EXCLUSIVE_JOBS,
    OTHER_COOPS_JOBS,
    OTHERS_TEXT,
    Affected,
    Change,
    Example,
    LoadedReplica,
    ReplicaFilter,
    Rule,
    Values,
    WaitReason,
    on_node,
)


def _last_seen_values(node: Node, _: Shape) -> Values:
    return {"last_seen_at": node.last_seen}


NODE_SUSPECT = Rule(
    code="node_suspect",
    excluded_if="it is silent",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=ALL_JOBS,
        excludes=lambda replica, _: replica.node.state is NodeState.SUSPECT,
        out_of_service=True,
    ),
    lifted=lambda _node, _shape: Change(node={"state": NodeState.LIVE}),
    values=_last_seen_values,
    names_node=True,
    example=Example(node={"state": NodeState.SUSPECT}),
)

NODE_LOST = Rule(
    code="node_lost",
    excluded_if="it is silent",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=ALL_JOBS,
        excludes=lambda replica, _: replica.node.state is NodeState.LOST,
        out_of_service=True,
    ),
    lifted=lambda _node, _shape: Change(node={"state": NodeState.LIVE}),
    values=_last_seen_values,
    names_node=True,
    example=Example(node={"state": NodeState.LOST}),
)


def _is_not_accepting(replica: LoadedReplica, _: Policy) -> bool:
    return not replica.node.accepting or replica.load.paused != ""


def _not_accepting_values(node: Node, shape: Shape) -> Values:
    load = node.loads.get(shape.model)
    paused = "" if load is None else load.paused
    return {"reason": paused if node.accepting else node.reason}


NOT_ACCEPTING = Rule(
    code="not_accepting",
    excluded_if="its owner, its engine or a recent decline says so; the explanation gives the "
    "reason",
    waiting_helps=True,
    filter=ReplicaFilter(affects=ALL_JOBS, excludes=_is_not_accepting, out_of_service=True),
    lifted=lambda _node, _shape: Change(node={"accepting": True}, load={"paused": ""}),
    values=_not_accepting_values,
    names_node=True,
    example=Example(node={"accepting": False, "reason": "owner_busy"}),
)


def _is_resting(replica: LoadedReplica, _: Policy) -> bool:
    backoff = replica.node.backoffs.get(replica.replica.model)
    return backoff is not None and backoff.state is ReplicaState.RESTING


def _without_backoff(node: Node, shape: Shape) -> Change:
    others = {model: kept for model, kept in node.backoffs.items() if model != shape.model}
    return Change(node={"backoffs": others})


def _resting_values(node: Node, shape: Shape) -> Values:
    backoff = node.backoffs[shape.model]
    return {"failure": backoff.code, "failures": backoff.failures, "again_at": backoff.until}


RESTING = Rule(
    code="resting",
    excluded_if="runs failed on it, and its back-off is not over; the explanation gives the reason "
    "and the end",
    waiting_helps=True,
    filter=ReplicaFilter(affects=ALL_JOBS, excludes=_is_resting, out_of_service=True),
    lifted=_without_backoff,
    values=_resting_values,
    wait=WaitReason("resting", 1),
    example=Example(
        node={
            "backoffs": {
                EXAMPLE_MODEL: Backoff(ReplicaState.RESTING, 1, "engine_failed", EXAMPLE_AT + 9.0)
            }
        },
    ),
)


def _is_probed(replica: LoadedReplica, _: Policy) -> bool:
    """Tells whether the probing run after a replica's backoff is in progress."""
    backoff = replica.node.backoffs.get(replica.replica.model)
    return backoff is not None and backoff.state is ReplicaState.PROBING and replica.load.leases > 0


def _probing_values(node: Node, shape: Shape) -> Values:
    backoff = node.backoffs[shape.model]
    return {"failure": backoff.code, "failures": backoff.failures}


PROBING = Rule(
    code="probing",
    excluded_if="its back-off is over, and its single test run is under way",
    waiting_helps=True,
    filter=ReplicaFilter(affects=ALL_JOBS, excludes=_is_probed, out_of_service=False),
    lifted=_without_backoff,
    values=_probing_values,
    wait=WaitReason("resting", 2),
    example=Example(
        node={
            "backoffs": {
                EXAMPLE_MODEL: Backoff(ReplicaState.PROBING, 1, "engine_failed", EXAMPLE_AT + 9.0)
            }
        },
        load={"leases": 1},
    ),
)

RESERVED = Rule(
    code="reserved",
    excluded_if="it is kept for a job that must [run alone](states.md#when-an-engine-exits)",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=Affected(holder=False),
        excludes=lambda replica, _: replica.load.reserved != "",
        out_of_service=False,
    ),
    lifted=lambda _node, _shape: Change(load={"reserved": ""}),
    wait=WaitReason("no_free_slot", 3),
    example=Example(load={"reserved": "another"}),
)

NO_FREE_SLOT = Rule(
    code="no_free_slot",
    excluded_if="our leases fill its slots",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=ALL_JOBS,
        excludes=lambda replica, _: replica.load.leases >= replica.replica.slots,
        out_of_service=False,
    ),
    lifted=lambda node, shape: Change(load={"leases": node.replicas[shape.model].slots - 1}),
    values=lambda node, shape: {"slots": node.replicas[shape.model].slots},
    wait=WaitReason("no_free_slot", 0),
    names_node=True,
    example=Example(load={"leases": 4}),
)

OWN_ONLY = Rule(
    code="own_only",
    excluded_if="its owner is back, and lets it work only for their own co-op",
    waiting_helps=True,
    filter=on_node(OTHER_COOPS_JOBS, lambda node, _: node.lending is Lending.OWN_ONLY),
    lifted=lambda _node, _shape: Change(node={"lending": Lending.ALL}),
    values=lambda node, _: {"coop": node.card.coop},
    names_node=True,  # waits, too, like NOT_ACCEPTING: other co-ops must not tell them apart
    example=Example(node={"lending": Lending.OWN_ONLY}),
)


NEWCOMER = Rule(
    code="newcomer",
    excluded_if="it is new, and has had its part of the other co-ops' `internal` text (policy: "
    "`newcomer`)",
    waiting_helps=True,
    filter=on_node(OTHERS_TEXT, lambda node, _: node.probation.full),
    lifted=lambda _node, _shape: Change(node={"probation": Probation()}),
    values=lambda node, _: {"coop": node.card.coop, "runs": node.probation.lent_runs},
    wait=WaitReason("newcomer", 10),
    example=Example(node={"probation": Probation(runs=9, lent_runs=3, limited=True, full=True)}),
)


def _lent_values(node: Node, shape: Shape) -> Values:
    load = node.loads[shape.model]
    return {"coop": node.card.coop, "lent": load.foreign, "limit": load.lend_slots}


LEND_LIMIT = Rule(
    code="lend_limit",
    excluded_if="its co-op reserves the other slots for itself (policy: `lend.part`)",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=OTHER_COOPS_JOBS,
        excludes=lambda replica, _: replica.load.foreign >= replica.load.lend_slots,
        out_of_service=False,
    ),
    lifted=lambda node, shape: Change(load={"lend_slots": node.loads[shape.model].foreign + 1}),
    values=_lent_values,
    wait=WaitReason("lend_limit", 9),
    example=Example(lender={"lend": Lend(part=0.5)}, load={"foreign": 2}),
)


def _without_batch_runs(node: Node, shape: Shape) -> Change:
    load = node.loads[shape.model]
    ended = max(0, load.batch - load.batch_slots + 1)
    return Change(load={"batch": load.batch - ended, "leases": load.leases - ended})


BATCH_SHARE_FULL = Rule(
    code="batch_share_full",
    excluded_if="batch work holds its part of the slots, so that interactive work finds one",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=BATCH_JOBS,
        excludes=lambda replica, _: replica.load.batch >= replica.load.batch_slots,
        out_of_service=False,
    ),
    lifted=_without_batch_runs,
    values=lambda node, shape: {"slots": node.loads[shape.model].batch_slots},
    wait=WaitReason("batch_share_full", 7),
    names_node=True,
    example=Example(facts={"job_class": JobClass.BATCH}, load={"leases": 2, "batch": 2}),
)

NOT_EMPTY = Rule(
    code="not_empty",
    excluded_if="the job must run alone, and it has runs",
    waiting_helps=True,
    filter=ReplicaFilter(
        affects=EXCLUSIVE_JOBS,
        excludes=lambda replica, _: replica.load.leases > 0,
        out_of_service=False,
    ),
    lifted=lambda _node, _shape: Change(load={"leases": 0}),
    values=lambda node, shape: {"running": node.loads[shape.model].leases},
    wait=WaitReason("must_run_alone", 4),
    example=Example(job={"alone": True}, load={"leases": 1}),
)

REPLICA_RULES = (
    NODE_SUSPECT,
    NODE_LOST,
    NOT_ACCEPTING,
    RESTING,
    PROBING,
    RESERVED,
    NO_FREE_SLOT,
    OWN_ONLY,
    NEWCOMER,
    LEND_LIMIT,
    BATCH_SHARE_FULL,
    NOT_EMPTY,
)
