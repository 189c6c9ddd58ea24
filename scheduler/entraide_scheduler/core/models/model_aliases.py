"""Model aliases: resolves a size, or ``auto``, to the model that a request gets.

Input: the catalogue, the fleet and a request. Output: a model's name, or "" if none fits. Among the
candidates, those that are measured and good enough for the request's task and language go first
(``model_grades``), then those of which that is undecided, those that nobody measured, and those
that are measured and too bad. Within a standing the order is: served by a live node, loadable by a
live node, then the same for nodes that accept no work now. Ties go to the model whose answer takes
the least energy if both are good enough, to the better one if both are measured and are not, else
to the smallest (active parameters, then parameters); ``auto`` prefers models that need not think. A
model that cannot be told whether it thinks stands for an alias only if a thought is asked for; then
models that can think come first. The same holds for a model of which each replica was seen to think
although it was told not to. A name that a node serves or the catalogue lists is always that
model, even if it is also an alias.
"""

from math import inf

from msgspec import Struct, structs

from entraide.models import ALIASES, ALWAYS_THINKS, AUTO, Catalogue, ModelEntry, OpennessClass
from entraide.shared_fields import make_copier
from entraide.thinking import Thinking, ThinkingSigns, ThinkingTerms, find_terms
from entraide.types import NodeState, Replica, RequestFacts
from entraide.units import UWH_PER_WH
from entraide_scheduler.core.estimation import LONGEST, LengthPredictor
from entraide_scheduler.core.fleet import EligibleNodes, Fleet
from entraide_scheduler.core.models.model_grades import (
    UNKNOWN_GRADE,
    Grade,
    ModelGrades,
    QualityStanding,
)
from entraide_scheduler.core.records import Node, Shape, context_input_est, is_leaving

REACHABLE = (NodeState.LIVE, NodeState.SUSPECT)
FAILURES_MAX = 3  # consecutive load failures after which no job waits for the node
NO_CATALOGUE = Catalogue(0, 0.0, ())
Revisions = tuple[str, ...]  # checksums of weights
_shape_from = make_copier(RequestFacts, Shape, own=("model", "features", "coop"))
VIEWS_MAX = 16  # greatest number of replicas whose energy is compared
UNREACHABLE = 9  # no node serves the model, and none can load it


class ModelAliases:
    """The catalogue, and the models that its aliases mean.

    Attributes:
        catalogue: the pool's.
        entries: the catalogue's models by name, the smallest first.
        grades: whether each is good enough for a task in a language.
    """

    def __init__(self, length_predictor: LengthPredictor) -> None:
        self.catalogue = NO_CATALOGUE
        self.entries: dict[str, ModelEntry] = {}
        self.grades = ModelGrades()
        self._length_predictor = length_predictor

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Replaces the catalogue."""
        self.catalogue = catalogue
        self.entries = {entry.name: entry for entry in sorted(catalogue.models, key=_size_key)}
        self.grades.set_entries(self.entries.values())

    def resolve(self, fleet: Fleet, facts: RequestFacts, at: float) -> str:
        """Returns the model that a request means; "" if no model meets its needs."""
        asked = facts.model
        if asked not in ALIASES or asked in fleet.contexts or asked in self.entries:
            return asked
        candidates = self._list_candidates(fleet, facts)
        grades = {name: self.find_grade(fleet, facts, name) or UNKNOWN_GRADE for name in candidates}
        candidates.sort(key=lambda name: grades[name].standing)
        best_model, best, best_standing = "", (UNREACHABLE, 0.0), QualityStanding.OTHER_LANGUAGE
        for name in candidates:
            grade = grades[name]
            if best_model and grade.standing > best_standing:
                break
            eligible = fleet.eligible_nodes(
                minimal_shape(fleet, facts, name, self.entries.get(name))
            )
            rank = reach_rank(fleet, eligible, name, coop=facts.coop, at=at)
            if rank > best[0] or rank == UNREACHABLE:
                continue
            if not facts.effort.thinks and _always_thinks(eligible, name):
                continue
            cost = self._cost(facts, name, grade, eligible)
            if not best_model or (rank, cost) < best:
                best_model, best, best_standing = name, (rank, cost), grade.standing
            if not rank and cost == -inf:
                break
        return best_model

    def find_grade(self, fleet: Fleet, facts: RequestFacts, model: str) -> Grade | None:
        """Returns how a model stands for a request, by what was measured on the fleet's weights."""
        return self.grades.find_grade(facts, model, fleet.revisions_of(model))

    def thinking_of(
        self, facts: RequestFacts, output_tokens_max: int, replica: Replica
    ) -> ThinkingTerms | None:
        """Returns how a job's model thinks; None where it does not.

        Args:
            facts: of the job, with the model's name.
            output_tokens_max: limit on its answer, which contains the thought.
            replica: that runs the job.
        """
        thinking = self.thinking_kind_of(facts, replica)
        if thinking is Thinking.NEVER or (
            thinking is Thinking.ARGUMENT and not facts.effort.thinks
        ):
            return None
        entry = self.entries.get(facts.model)
        return find_terms(
            facts.effort,
            min(facts.thinking_budget_tokens, output_tokens_max),
            thinking,
            entry.thinking_signs if entry is not None else ThinkingSigns(),
        )

    def thinking_kind_of(self, facts: RequestFacts, replica: Replica) -> Thinking:
        """Returns how a job's model is told on a replica whether it thinks.

        A model that the catalogue does not list is told by the template's argument.
        """
        if facts.embeds:
            return Thinking.NEVER
        if ALWAYS_THINKS in replica.features:
            return Thinking.ALWAYS
        entry = self.entries.get(facts.model)
        return entry.thinking if entry is not None else Thinking.ARGUMENT

    def template_tokens_of(self, facts: RequestFacts) -> int:
        """Returns the prompt tokens that a model's template adds beyond those of a usual one."""
        entry = None if facts.embeds else self.entries.get(facts.model)
        return entry.extra_template_tokens if entry is not None else 0

    def _cost(
        self, facts: RequestFacts, model: str, grade: Grade, eligible: EligibleNodes
    ) -> float:
        """Returns what a model of a standing should have least of; -inf where its place decides."""
        if grade.standing in (QualityStanding.UNDECIDED, QualityStanding.FAILS):
            return grade.lacking
        if grade.standing is not QualityStanding.PASSES:
            return -inf
        if facts.effort.thinks and self.entries[model].thinking is Thinking.NEVER:
            return inf  # a thought is asked for, and it has none
        most = facts.output_tokens_max or LONGEST
        tokens = self._length_predictor.output_tokens(facts.coop, model, at_most=most)
        energies_uwh = [
            facts.input_tokens_est * view.cost.input_uwh + tokens * view.cost.output_uwh
            for view in eligible.views[:VIEWS_MAX]
            if view.node.state in REACHABLE and not is_leaving(view.node, model)
        ]
        if energies_uwh:
            return min(energies_uwh)
        declared_wh = self.entries[model].energy_wh_per_1k_tokens or inf
        return declared_wh * tokens * UWH_PER_WH / 1_000

    def longest_context(self, fleet: Fleet, facts: RequestFacts) -> int:
        """Returns the longest context that an alias offers to shorter requests, tokens; 0: none."""
        short = structs.replace(facts, input_tokens_est=1, longest_input_est=0)
        longest = 0
        for name in self._list_candidates(fleet, facts):
            eligible = fleet.eligible_nodes(
                minimal_shape(fleet, short, name, self.entries.get(name))
            )
            could = [node.loadable[name].context_tokens for node in eligible.could_load]
            longest = max(longest, eligible.context_tokens, *could)
        return longest

    def _list_candidates(self, fleet: Fleet, facts: RequestFacts) -> list[str]:
        """Returns the models that a request's alias may mean, the preferred ones first."""
        alias, thinks = facts.model, facts.effort.thinks
        sizes = ALIASES[alias]
        known = [entry for entry in self.entries.values() if fleet.offers(entry.name)]
        entries = [
            entry
            for entry in known
            if entry.size in sizes and (thinks or entry.thinking is not Thinking.ALWAYS)
        ]
        if thinks:
            entries.sort(key=lambda entry: entry.thinking is Thinking.NEVER)
        if alias != AUTO:
            return [entry.name for entry in entries]
        if not thinks:
            entries.sort(key=lambda entry: entry.thinking is not Thinking.NEVER)
        others = sorted(name for name in fleet.contexts if name not in self.entries)
        return [*(entry.name for entry in entries), *others]


def _always_thinks(eligible: EligibleNodes, model: str) -> bool:
    """Whether each replica of a model thinks although it is told not to, and no node can load it.

    One node alone cannot take a model away from an alias.
    """
    return not eligible.could_load and all(
        ALWAYS_THINKS in view.node.replicas[model].features for view in eligible.views
    )


def _size_key(entry: ModelEntry) -> tuple[int, int, str]:
    return entry.active_parameters or entry.parameters, entry.parameters, entry.name


class AliasMeaning(Struct, frozen=True):
    """The model that an alias means now for a request without special needs."""

    alias: str
    model: str


def find_meanings(
    aliases: ModelAliases, fleet: Fleet, facts: RequestFacts, at: float
) -> list[AliasMeaning]:
    """Returns the model that each alias means now; aliases without a model are left out.

    Args:
        aliases: holds the catalogue.
        fleet: the nodes.
        facts: a request; its model is ignored.
        at: now, seconds since the epoch.
    """
    meanings = [
        AliasMeaning(alias, aliases.resolve(fleet, structs.replace(facts, model=alias), at))
        for alias in ALIASES
    ]
    return [meaning for meaning in meanings if meaning.model not in ("", meaning.alias)]


def openness_of(facts: RequestFacts, entry: ModelEntry | None) -> tuple[OpennessClass, Revisions]:
    """Returns a model's class of openness, and its weights that reach what a request requires.

    Without a requirement both are empty, so that it makes no other shapes.
    """
    if not facts.openness or entry is None:
        return OpennessClass.UNSTATED, ()
    if entry.openness_class.rank < facts.openness.rank:
        return entry.openness_class, ()
    pinned = (artefact.checksum for artefact in entry.artefacts if artefact.is_pinned)
    return entry.openness_class, tuple(pinned)


def minimal_shape(
    fleet: Fleet, facts: RequestFacts, model: str, entry: ModelEntry | None = None
) -> Shape:
    """Returns the shape with the minimal needs of a request for a model.

    Args:
        fleet: rounds the context.
        facts: of the request; its model is ignored.
        model: the model.
        entry: the model in the catalogue; None where it lists none.
    """
    model_openness, open_revisions = openness_of(facts, entry)
    return _shape_from(
        facts,
        model=model,
        features=tuple(sorted(facts.features)) if facts.features else (),
        coop=fleet.own_coop(facts),
        context_tokens=fleet.round_context(model, context_input_est(facts) + 1),
        model_openness=model_openness,
        open_revisions=open_revisions,
    )


def reach_rank(fleet: Fleet, eligible: EligibleNodes, model: str, *, coop: str, at: float) -> int:
    """Returns a model's rank: 0 served, 1 loadable, 2 served later, 3 loadable later."""
    best = UNREACHABLE
    for view in eligible.views:
        node = view.node
        if node.state in REACHABLE and not is_leaving(node, model):
            if _accepts_coop(fleet, node, coop):
                return 0
            best = 2
    for node in eligible.could_load:
        if node.state in REACHABLE and not has_exhausted_loads(node, model, at):
            rest = node.rests.get(model)
            if _accepts_coop(fleet, node, coop) and (rest is None or rest.until <= at):
                return 1
            best = min(best, 3)
    return best


def _accepts_coop(fleet: Fleet, node: Node, coop: str) -> bool:
    """Tells whether a node is live and its owner's rules accept a co-op's work now."""
    is_live = node.state is NodeState.LIVE and node.accepting
    return is_live and fleet.replica_index.serves_coop(node, coop)


def has_exhausted_loads(node: Node, model: str, at: float) -> bool:
    """Tells whether a node's load failures are so many that no job waits for it now."""
    rest = node.rests.get(model)
    return rest is not None and rest.failures >= FAILURES_MAX and rest.until > at
