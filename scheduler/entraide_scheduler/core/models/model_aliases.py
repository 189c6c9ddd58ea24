"""Model aliases: resolves a size, or ``auto``, to the model that a request gets.

Input: the catalogue, the fleet and a request. Output: a model's name, or "" if none fits. Among the
candidates the order is: served by a live node, loadable by a live node, then the same for nodes
that accept no work now. Ties go to the smallest model (active parameters, then parameters);
``auto`` prefers models that do not reason. A name that a node serves or the catalogue lists is
always that model, even if it is also an alias.
"""

from msgspec import Struct, structs

from entraide.models import ALIASES, AUTO, Catalogue, ModelEntry
from entraide.shared_fields import make_copier
from entraide.types import DataClass, NodeState, RequestFacts
from entraide_scheduler.core.fleet import EligibleNodes, Fleet
from entraide_scheduler.core.records import Node, Shape, context_input_est, is_leaving

REACHABLE = (NodeState.LIVE, NodeState.SUSPECT)
FAILURES_MAX = 3  # consecutive load failures after which no job waits for the node
NO_CATALOGUE = Catalogue(0, 0.0, ())
_shape_from = make_copier(RequestFacts, Shape, own=("model", "features", "coop"))
UNREACHABLE = 9  # no node serves the model, and none can load it


class ModelAliases:
    """The catalogue, and the models that its aliases mean.

    Attributes:
        catalogue: the pool's.
        entries: the catalogue's models by name, the smallest first.
    """

    def __init__(self) -> None:
        self.catalogue = NO_CATALOGUE
        self.entries: dict[str, ModelEntry] = {}

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """Replaces the catalogue."""
        self.catalogue = catalogue
        self.entries = {entry.name: entry for entry in sorted(catalogue.models, key=_size_key)}

    def resolve(self, fleet: Fleet, facts: RequestFacts, at: float) -> str:
        """Returns the model that a request means; "" if no model meets its needs."""
        asked = facts.model
        if asked not in ALIASES or asked in fleet.contexts or asked in self.entries:
            return asked
        best_rank, best_model = UNREACHABLE, ""
        for name in self._list_candidates(fleet, asked):
            eligible = fleet.eligible_nodes(minimal_shape(fleet, facts, name))
            rank = reach_rank(fleet, eligible, name, coop=facts.coop, at=at)
            if rank < best_rank:
                best_rank, best_model = rank, name
            if not best_rank:
                break
        return best_model

    def longest_context(self, fleet: Fleet, facts: RequestFacts) -> int:
        """Returns the longest context that an alias offers to shorter requests, tokens; 0: none."""
        short = structs.replace(facts, input_tokens_est=1, longest_input_est=0)
        longest = 0
        for name in self._list_candidates(fleet, facts.model):
            eligible = fleet.eligible_nodes(minimal_shape(fleet, short, name))
            could = [node.loadable[name].context_tokens for node in eligible.could_load]
            longest = max(longest, eligible.context_tokens, *could)
        return longest

    def _list_candidates(self, fleet: Fleet, alias: str) -> list[str]:
        """Returns the models that an alias may mean, the preferred ones first."""
        sizes = ALIASES[alias]
        known = [entry for entry in self.entries.values() if fleet.offers(entry.name)]
        entries = [entry for entry in known if entry.size in sizes]
        if alias != AUTO:
            return [entry.name for entry in entries]
        entries.sort(key=lambda entry: entry.reasoning)
        others = sorted(name for name in fleet.contexts if name not in self.entries)
        return [*(entry.name for entry in entries), *others]


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


def minimal_shape(fleet: Fleet, facts: RequestFacts, model: str) -> Shape:
    """Returns the shape with the minimal needs of a request for a model."""
    return _shape_from(
        facts,
        model=model,
        features=tuple(sorted(facts.features)) if facts.features else (),
        coop=facts.coop if facts.data_class is DataClass.RESTRICTED else "",
        context_tokens=fleet.round_context(model, context_input_est(facts) + 1),
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
