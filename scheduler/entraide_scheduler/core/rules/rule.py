"""Rule: the form in which a placement rule is declared, and all that a rule may read.

A rule keeps a node from a job. Its declaration holds every fact about it: the stable code, the
condition, its row in the documentation, the values of its sentence, how it is lifted, and an
example, from which the tests start. Only the sentences stand elsewhere, in the message catalogue.
The search, the explanations, the documentation and the tests derive the rest from ``RULES``.

What a rule may read depends on the kind of its filter. The types below are all that it gets:

- ``NodeFilter``: a node as a whole, and what the job needs of a node (``Needs``).
- ``OfferFilter``: what a card says about site and offer, the co-op that owns it, and ``Needs``.
- ``ReplicaFilter``: a replica with its load and its node, and the policy. Of the job only whether
  it is one of those ``Affected``, which may ask for any part of its ``Shape``.
- ``LimitFilter``: the job's limits (``PlacementRequest``), and what is predicted for it.

Nothing gets the time, and ``values`` gets no policy. No filter of a node or an offer gets the
policy or the asking co-op's terms: what it needs of these is a field of ``Shape``, which
``evaluation.shape_of`` sets only while the policy asks for it, so that the default makes no new
shapes. The co-op itself is such a field:
``ReplicaIndex.lends_in_part`` says where a rule that spares own jobs may apply. The fleet caches
eligible nodes by the fields of ``Needs``; a field that a filter reads is added there.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Protocol

from msgspec import Struct

from entraide.models import ModelEntry, OpennessClass
from entraide.types import Control, DataClass, Loadable, NodeCard, Replica
from entraide_scheduler.core.policy import Policy, QuotaKind
from entraide_scheduler.core.prediction import PlacementRequest
from entraide_scheduler.core.records import Load, Node, OwnKind, Shape

Values = dict[str, str | int | float]
Fields = dict[str, Any]  # fields of a record that differ, by name

EXAMPLE_MODEL, EXAMPLE_AT = "petit", 1_700_000_000.0  # model and time of all examples


# What a rule reads.


class Needs(Protocol):
    """What a job needs of a node, as far as permanent filters read it; ``Shape`` has it."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def features(self) -> tuple[str, ...]:
        """Features that the offer must have."""

    @property
    def jurisdiction(self) -> str:
        """Prefix of the zones."""

    @property
    def data_class(self) -> DataClass:
        """Class of the job's data."""

    @property
    def coop(self) -> str:
        """The asking co-op, if a rule depends on it; else ""."""

    @property
    def context_tokens(self) -> int:
        """Length of the context."""

    @property
    def controlled_by(self) -> Control:
        """Control of the node, or a closer one."""

    @property
    def revision(self) -> str:
        """Revision of the model that began the answer; else ""."""

    @property
    def openness(self) -> OpennessClass:
        """Class of openness that the model must reach, or ""."""

    @property
    def open_revisions(self) -> tuple[str, ...]:
        """Checksums of the model's weights if they reach that class."""

    @property
    def sandboxed(self) -> bool:
        """Whether the node's engines must run in a sandbox."""


NEEDS = tuple(name for name, member in vars(Needs).items() if isinstance(member, property))
needs_of: Callable[[Needs], tuple[object, ...]] = attrgetter(*NEEDS)  # key of all that is needed

Site = NodeCard | OwnKind
Offer = Replica | Loadable | OwnKind


class LoadedReplica(Struct, eq=False):
    """A replica with its load, as the temporary filters read it.

    Attributes:
        node, replica, load: the node, the replica, and the leases on it.
        blocked_bits: the temporary filters that exclude some job; see ``temporary``.
    """

    node: Node
    replica: Replica
    load: Load
    blocked_bits: int


class Predicted(Struct, gc=False):
    """What is predicted for a job on one replica, or by row on many.

    Attributes:
        carbon_ug: emissions.
        energy_uwh: returns the energy.
        lent_left_uwh: returns the energy that the replica's co-op still lends; infinite for the
            job's own.
    """

    carbon_ug: Any
    energy_uwh: Callable[[], Any]
    lent_left_uwh: Callable[[], Any]


# Which jobs a temporary filter excludes.


def any_job(_: Shape) -> bool:
    """Tells that a filter affects all jobs."""
    return True


def is_batch(shape: Shape) -> bool:
    """Tells whether a job is batch work."""
    return shape.batch


def must_be_alone(shape: Shape) -> bool:
    """Tells whether a job must have an engine to itself."""
    return shape.alone != ""


def is_rationed(shape: Shape) -> bool:
    """Tells whether a job's text is given to newcomers in part only."""
    return shape.rationed


class Affected(Struct, frozen=True):
    """The jobs that a temporary filter may exclude.

    A new kind of job is a function above; the masks of ``temporary`` follow.

    Attributes:
        jobs: tells whether it may exclude the jobs of a shape.
        own: whether it excludes jobs of the node's own co-op.
        holder: whether it excludes the job for which the replica is reserved.
    """

    jobs: Callable[[Shape], bool] = any_job
    own: bool = True
    holder: bool = True


ALL_JOBS = Affected()
OTHER_COOPS_JOBS = Affected(own=False)
BATCH_JOBS = Affected(is_batch)
EXCLUSIVE_JOBS = Affected(must_be_alone)
OTHERS_TEXT = Affected(is_rationed, own=False)


# Conditions.


class NodeFilter(Struct, frozen=True):
    """A permanent condition on a node as a whole."""

    excludes: Callable[[Node, Needs], bool]


class OfferFilter(Struct, frozen=True):
    """A permanent condition on an offer: the site, the offer, the owning co-op and the needs.

    It holds for a served replica, for a model that a node could load, and for a co-op's own kind of
    replica alike. A field of the card that it reads is a field of ``OwnKind``.
    """

    excludes: Callable[[Site, Offer, str, Needs], bool]


class ReplicaFilter(Struct, frozen=True, kw_only=True):
    """A temporary condition on a replica's present state.

    Attributes:
        affects: the jobs that it may exclude.
        excludes: whether a replica excludes these jobs.
        out_of_service: whether the replica's slots do not count as its own co-op's, none of whose
            jobs is then owed a turn for them: true of a filter that excludes the co-op's own jobs,
            unless it ends with runs. Slots are counted for all jobs alike, so one that excludes
            only some own jobs takes those turns from the co-op's other jobs, too.
        node_excludes: the same condition, where it reads the node and the policy alone; see
            ``on_node``.
    """

    affects: Affected
    excludes: Callable[[LoadedReplica, Policy], bool]
    out_of_service: bool
    node_excludes: Callable[[Node, Policy], bool] | None = None


def on_node(
    affects: Affected, excludes: Callable[[Node, Policy], bool], *, out_of_service: bool = False
) -> ReplicaFilter:
    """Returns the filter of a condition that reads no replica.

    It holds before a model is loaded, too: the pool loads none for jobs that it would exclude.
    """
    return ReplicaFilter(
        affects=affects,
        excludes=lambda replica, policy: excludes(replica.node, policy),
        out_of_service=out_of_service,
        node_excludes=excludes,
    )


class LimitFilter(Struct, frozen=True, kw_only=True):
    """A limit of the job or of the lender; another job of the same shape may pass it.

    Attributes:
        applies: whether a job has the limit.
        is_exceeded: whether what is predicted exceeds it.
        shortage: returns what is left and what the job needs, for the rule's sentence; takes the
            request, emissions, energy, and the node's co-op.
        amount: returns, of emissions and energy, the one that it limits. A waiting job is told of
            the node where that is least; without it, of the first node.
        quota: the quota that it is the remainder of; a waiting job is told that quota.
    """

    applies: Callable[[PlacementRequest], bool]
    is_exceeded: Callable[[PlacementRequest, Predicted], Any]
    shortage: Callable[[PlacementRequest, float, float, str], Values]
    amount: Callable[[float, float], float] | None = None
    quota: QuotaKind | None = None


class SearchFilter(Struct, frozen=True):
    """A condition that compares nodes or hours; ``evaluation`` and ``placement`` have it."""


Filter = NodeFilter | OfferFilter | ReplicaFilter | LimitFilter | SearchFilter


# The declaration.


class Change(Struct, frozen=True):
    """What differs on a node or in a job's needs without a rule.

    Attributes:
        node, load: fields of the node, and of the load of its replica.
        shapes: fields of the shape; each of several ways lifts the rule.
        request: fields of the placement request.
    """

    node: Fields = {}
    load: Fields = {}
    shapes: Sequence[Fields] | None = None
    request: Fields = {}


class Example(Struct, frozen=True, kw_only=True):
    """A node that the rule alone excludes from a job that another node can run.

    Each attribute holds the fields that differ from the tests' defaults, where the node could run
    the job: an ordinary card with one replica, and an interactive request of another co-op.

    Attributes:
        card, replica: the node's card and the replica on it; None if it serves none.
        loadable: the model that the card offers to load; None for none.
        node, load: the node's record, and the load of its replica.
        able, able_replica: card and replica of the node that can run the job.
        facts, job: the job's facts, and its record.
        request: the placement request.
        policy: fields of the policy's sections, by name of the section.
        borrower, lender: the terms of the job's co-op, and of the excluded node's.
        pool: what the pool holds for other jobs: fields of its state.
        catalogue: the models of the pool's catalogue.
        values: values of the rule's sentence, which the reference shows.
    """

    card: Fields = {}
    replica: Fields | None = {}
    loadable: Fields | None = None
    node: Fields = {}
    load: Fields = {}
    able: Fields = {}
    able_replica: Fields = {}
    facts: Fields = {}
    job: Fields = {}
    request: Fields = {}
    policy: dict[str, Fields] = {}
    borrower: Fields = {}
    lender: Fields = {}
    pool: Fields = {}
    catalogue: tuple[ModelEntry, ...] = ()
    values: Values = {}


class WaitReason(Struct, frozen=True):
    """What a job is told that waits because of a rule.

    Attributes:
        reason: stable code; its sentences are ``reason-CODE`` in the message catalogue.
        rank: order among the rules that exclude nodes from the job: the lowest is told.
    """

    reason: str
    rank: int = 100


def no_values(_node: Node, _shape: Shape) -> Values:
    """Returns the values of a sentence that has none."""
    return {}


class Rule(Struct, frozen=True, eq=False, kw_only=True):
    """A placement rule.

    Attributes:
        code: stable code; its sentences are ``rule-CODE`` and, for what would have changed it,
            ``rule-CODE.otherwise`` in the message catalogue.
        excluded_if: completes "a node is excluded if" in ``docs/concepts/decisions.md``.
        waiting_helps: whether the node may pass later without a change by its owner or the
            members.
        filter: the condition.
        lifted: returns what lifts it; None if no explanation offers that.
        example: what the tests start from.
        values: numbers and names of its sentence, for a node that it excludes.
        wait: what a job is told that waits because of it; None for the general reason.
        names_node: whether such a job is told one of the excluded nodes, where it could start.
    """

    code: str
    excluded_if: str
    waiting_helps: bool
    filter: Filter
    lifted: Callable[[Node, Shape], Change] | None
    example: Example
    values: Callable[[Node, Shape], Values] = no_values
    wait: WaitReason | None = None
    names_node: bool = False
