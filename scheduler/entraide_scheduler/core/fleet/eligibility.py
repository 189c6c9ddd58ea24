"""Eligibility: which nodes may ever serve jobs with the same needs, kept as nodes change.

A search reads an ``EligibleNodes``: the nodes that pass the permanent rules for these needs, and
the rule that excludes each other node. The answers are cached by ``needs_of``. A node that comes,
goes or changes is evaluated once for each cached answer about a model that it serves or could load;
no other node is evaluated again. A node that has nothing to do with the model is excluded whatever
the job needs (``rule_without_model``), so it is only counted.

Inputs: nodes, the indexes of their models, needs. Output: ``EligibleNodes``.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable
from operator import attrgetter

import numpy as np
from msgspec import Struct

from entraide_scheduler.core.fleet.loadable_index import NO_NODES, LoadableIndex
from entraide_scheduler.core.fleet.replica_index import ReplicaIndex
from entraide_scheduler.core.fleet.replica_table import ReplicaTable
from entraide_scheduler.core.fleet.replica_tables import NO_VIEWS, ReplicaView
from entraide_scheduler.core.prediction import Bools
from entraide_scheduler.core.records import Node, OwnKind
from entraide_scheduler.core.rules import (
    LENDS_NOTHING,
    LOADABLE_RULES,
    MODEL_NOT_LOADED,
    NODE_LEFT,
    NODE_QUARANTINED,
    REQUESTER_MASKS,
    BoundedCache,
    Needs,
    Rule,
    first_broken_rule,
    first_node_rule,
    first_offer_rule,
    needs_of,
    rule_without_model,
)

ELIGIBLE_MAX = 1_024  # combinations of needs whose eligible nodes are cached

Excluded = tuple[Node, Rule]
_name_of_view = attrgetter("name")
_name_of_node = attrgetter("card.node")


# Rules that exclude a node whatever it serves; a quarantined node, say, is counted by this alone.
WHATEVER_IT_SERVES = (NODE_QUARANTINED, NODE_LEFT, LENDS_NOTHING)
Group = tuple[Rule, str]  # of nodes: what excludes them, and of ``LENDS_NOTHING`` their co-op


def _group_of(node: Node) -> Group:
    rule = rule_without_model(node)
    return rule, node.card.coop if rule is LENDS_NOTHING else ""


def _rule_of(group: Group, needs: Needs) -> Rule:
    """Returns the rule by which a group of nodes is excluded that has not a job's model."""
    rule, coop = group
    return MODEL_NOT_LOADED if rule is LENDS_NOTHING and coop == needs.coop else rule


def _add_to(rows: dict[Rule, tuple[str, int]], rule: Rule, first: str, number: int) -> None:
    """Adds nodes to those that a rule excludes: their first name, and their number."""
    known_first, known = rows.get(rule, (first, 0))
    rows[rule] = min(first, known_first), number + known


class Columns(Struct, eq=False):
    """A model's replicas as columns, filtered for one shape.

    Attributes:
        table, views: all replicas of the model, by row.
        row_of: row by node name.
        mask: eligible rows; None if all are.
        own: rows of the shape's co-op.
        version: of the table.
    """

    table: ReplicaTable
    views: list[ReplicaView]
    row_of: dict[str, int]
    mask: Bools | None
    own: list[int]
    version: int

    def any_without(self, own_bits: int, others_bits: int) -> bool:
        """Tells whether an eligible replica lends a slot and none of some filters excludes it.

        Args:
            own_bits: of the filters on a replica of the shape's co-op, which need not lend.
            others_bits: of those on any other replica.
        """
        bits = self.table.blocked_bits
        passes = (bits & others_bits == 0) & self.table.lends
        if self.own:
            passes[self.own] = bits[self.own] & own_bits == 0
        if self.mask is not None:
            passes &= self.mask
        return bool(passes.any())

    def any_open(self, own_requester: int) -> bool:
        """Tells whether an eligible replica takes work now, of a requester of the shape's co-op."""
        if self.mask is None and not self.own:
            return self.table.counts[own_requester + 1][0] > 0
        blocked_by = self.table.blocked_by
        is_open = blocked_by[own_requester + 1] == 0
        if self.own:
            is_open[self.own] = blocked_by[own_requester][self.own] == 0
        if self.mask is not None:
            is_open &= self.mask
        return bool(is_open.any())


class EligibleNodes:
    """The nodes that may serve jobs with the same needs, and why the others may not.

    Attributes:
        views: replicas of the eligible nodes, in order of node name.
        could_load: nodes that could load the model and would then be eligible, by name.
        found_at, used_at: versions of the index at which it was found, and was asked for last.
    """

    __slots__ = (
        "_broken", "_columns", "_counts", "_examples", "_excluded", "_index", "_longest",
        "_version", "could_load", "found_at", "needs", "used_at", "views",
    )  # fmt: skip

    def __init__(self, index: "EligibilityIndex", needs: Needs) -> None:
        self._index = index
        self.needs = needs
        self.found_at = self.used_at = index.version
        self.views: list[ReplicaView] = []
        self.could_load: list[Node] = []
        self._columns: Columns | None = None
        self._broken: dict[Rule, list[str]] = {}  # excluded nodes of the model, by name
        self._longest: int | None = None
        self._version = -1
        self._excluded: list[Excluded] | None = None
        self._counts: dict[str, int] = {}
        self._examples: list[Excluded] = []

    def add(self, name: str, node: Node, view: ReplicaView | None, rule: Rule | None) -> None:
        """Adds a node of the model, with the rule that excludes it, if one does."""
        if rule is None:
            assert view is not None
            if self.views and self.views[-1].name > name:
                insort(self.views, view, key=_name_of_view)
            else:
                self.views.append(view)
            if self._longest is not None:
                self._longest = max(self._longest, view.replica.context_tokens)
            return
        insort(self._broken.setdefault(rule, []), name)
        if rule in LOADABLE_RULES:
            insort(self.could_load, node, key=_name_of_node)

    def _place_of(self, name: str) -> int | None:
        place = bisect_left(self.views, name, key=_name_of_view)
        return place if place < len(self.views) and self.views[place].name == name else None

    def __contains__(self, name: str) -> bool:
        return self._place_of(name) is not None

    def update(self, name: str, node: Node | None, view: ReplicaView | None) -> None:
        """Evaluates a node of the model again; None if it is one no more."""
        place = self._place_of(name)
        if place is not None:
            self._longest = None
            if view is not None and self._index.find_broken(view.node, self.needs) is None:
                self.views[place] = view
                return
            del self.views[place]
            self._columns = None
        else:
            self._remove_broken(name)
        if node is not None:
            self.add(name, node, view, self._index.find_broken(node, self.needs))
            self._columns = None

    def _remove_broken(self, name: str) -> None:
        for rule, names in self._broken.items():
            place = bisect_left(names, name)
            if place < len(names) and names[place] == name:
                del names[place]
                if rule in LOADABLE_RULES:
                    del self.could_load[bisect_left(self.could_load, name, key=_name_of_node)]
                if not names:
                    del self._broken[rule]
                return

    @property
    def columns(self) -> Columns | None:
        """The replicas as columns, in large fleets; else None."""
        if not self.views or not self._index.has_columns():
            return None
        self._columns = self._index.columns_of(self, self._columns)
        return self._columns

    @property
    def context_tokens(self) -> int:
        """Longest context of the eligible replicas; 0 without one."""
        if self._longest is None:
            self._longest = max((view.replica.context_tokens for view in self.views), default=0)
        return self._longest

    @property
    def excluded(self) -> list[Excluded]:
        """All other nodes, each with the first rule that excludes it, by name."""
        self._derive()
        if self._excluded is None:
            rules = {name: rule for rule, names in self._broken.items() for name in names}
            rules.update(self._index.rules_without_model(self.needs))
            nodes = self._index.nodes
            self._excluded = [(nodes[name], rules[name]) for name in sorted(rules)]
        return self._excluded

    @property
    def counts(self) -> dict[str, int]:
        """Number of excluded nodes by rule, the rule of the first node first."""
        self._derive()
        return self._counts

    @property
    def examples(self) -> list[Excluded]:
        """The first excluded node of each rule, by name."""
        self._derive()
        return self._examples

    def _derive(self) -> None:
        """Counts the excluded nodes again, if a node has changed."""
        index = self._index
        if self._version == index.version:
            return
        self._version, self._excluded = index.version, None
        here = len(self.views)
        rows: dict[Rule, tuple[str, int]] = {}
        for rule, names in self._broken.items():
            if rule not in WHATEVER_IT_SERVES:
                rows[rule] = names[0], len(names)
                here += len(names)
        unloaded: list[list[str]] = []
        for key, names in index.without_model.items():
            rule = _rule_of(key, self.needs)
            if rule is MODEL_NOT_LOADED:
                unloaded.append(names)
            else:
                _add_to(rows, rule, names[0], len(names))
        number = sum(map(len, unloaded)) - here
        if number:
            first = index.first_without(self.needs.model, unloaded)
            _add_to(rows, MODEL_NOT_LOADED, first, number)
        order = sorted(rows.items(), key=lambda row: row[1][0])
        self._counts = {rule.code: number for rule, (_, number) in order}
        self._examples = [(index.nodes[first], rule) for rule, (first, _) in order]


def _is_asked_again(eligible: EligibleNodes) -> bool:
    """Tells whether it was asked for after a change of a node, as those of waiting jobs are."""
    return eligible.used_at != eligible.found_at


class EligibilityIndex:
    """Cached ``EligibleNodes`` by needs.

    Args:
        nodes: all known nodes.
        replicas, loadable: the nodes by the models that they serve, and that they could load.

    Attributes:
        nodes: all known nodes.
        version: changes with each change of a node.
        without_model: names of all nodes, sorted, by the rule that excludes them from a model that
            they neither serve nor could load; of ``LENDS_NOTHING`` also by co-op.
        scanned_nodes_max: number of nodes up to which searches read no columns.
        evaluated: how often a node was evaluated for needs, which tests of the work count.
    """

    def __init__(
        self, nodes: dict[str, Node], replicas: ReplicaIndex, loadable: LoadableIndex
    ) -> None:
        self.nodes = nodes
        self._replicas, self._loadable = replicas, loadable
        self.version = 0
        self.without_model: dict[Group, list[str]] = {}
        self.scanned_nodes_max = self.evaluated = 0
        self._groups: dict[str, Group] = {}
        self._cache: BoundedCache[EligibleNodes] = BoundedCache(ELIGIBLE_MAX)
        self._by_model: dict[str, dict[EligibleNodes, None]] = {}
        self._last: tuple[Needs | None, EligibleNodes | None] = None, None  # asked and answered

    def find_broken(self, node: Node, needs: Needs) -> Rule | None:
        """Returns the first permanent rule that excludes a node, and counts the evaluation."""
        self.evaluated += 1
        return first_broken_rule(node, needs)

    def update_node(self, name: str, models: Iterable[str]) -> None:
        """Follows a change of a node.

        Args:
            name: of the node.
            models: that it serves or could load now, or did before the change.
        """
        self.version += 1
        node = self.nodes.get(name)
        self._set_group(name, None if node is None else _group_of(node))
        for model in models:
            cached = self._by_model.get(model)
            if cached:
                view = self._replicas.by_model.get(model, NO_VIEWS).get(name)
                could_load = name in self._loadable.by_model.get(model, NO_NODES)
                present = node if view is not None or could_load else None
                for eligible in cached:
                    eligible.update(name, present, view)

    def _set_group(self, name: str, group: Group | None) -> None:
        before = self._groups.get(name)
        if group == before:
            return
        if before is not None:
            names = self.without_model[before]
            del names[bisect_left(names, name)], self._groups[name]
            if not names:
                del self.without_model[before]
        if group is not None:
            insort(self.without_model.setdefault(group, []), name)
            self._groups[name] = group

    def eligible_nodes(self, needs: Needs) -> EligibleNodes:
        """Returns the nodes that may ever serve a job with these needs; its shape has them.

        Jobs that differ in class, deadline or limits share an answer, which follows the nodes.
        """
        asked, eligible = self._last
        if asked is not needs or eligible is None:
            eligible = self._cache.get(needs_of(needs)) or self._find_new(needs)
            self._last = needs, eligible
        eligible.used_at = self.version
        return eligible

    def _find_new(self, needs: Needs) -> EligibleNodes:
        eligible = self._find(needs)
        replaced = self._cache.put(needs_of(needs), eligible, _is_asked_again)
        if replaced is not None:
            self._forget(replaced)
        self._by_model.setdefault(needs.model, {})[eligible] = None
        return eligible

    def _forget(self, eligible: EligibleNodes) -> None:
        self._last = None, None
        cached = self._by_model[eligible.needs.model]
        del cached[eligible]
        if not cached:
            del self._by_model[eligible.needs.model]

    def _find(self, needs: Needs) -> EligibleNodes:
        eligible = EligibleNodes(self, needs)
        serving = self._replicas.by_model.get(needs.model, NO_VIEWS)
        loading = self._loadable.by_model.get(needs.model, NO_NODES)
        kinds: dict[tuple[str, OwnKind], Rule | None] = {}
        for name in sorted({**serving, **loading}):
            node, view = self.nodes[name], serving.get(name)
            eligible.add(name, node, view, self._find_broken_by_kind(node, view, needs, kinds))
        return eligible

    def _find_broken_by_kind(
        self,
        node: Node,
        view: ReplicaView | None,
        needs: Needs,
        kinds: dict[tuple[str, OwnKind], Rule | None],
    ) -> Rule | None:
        """Returns what ``find_broken`` does; rules on offers are evaluated once for each kind."""
        self.evaluated += 1
        rule = first_node_rule(node, needs)
        if rule is not None or view is None:
            return rule
        kind = view.coop, view.own_kind
        if kind not in kinds:
            kinds[kind] = first_offer_rule(node.card, view.replica, needs)
        return kinds[kind]

    def rules_without_model(self, needs: Needs) -> dict[str, Rule]:
        """Returns the nodes that neither serve nor could load a model, with what excludes them."""
        serving = self._replicas.by_model.get(needs.model, NO_VIEWS)
        loading = self._loadable.by_model.get(needs.model, NO_NODES)
        return {
            name: _rule_of(group, needs)
            for name, group in self._groups.items()
            if name not in serving and name not in loading
        }

    def first_without(self, model: str, groups: Iterable[list[str]]) -> str:
        """Returns the first name whose node neither serves nor could load a model.

        Args:
            model: of which there is such a node.
            groups: names, each list sorted.
        """
        serving = self._replicas.by_model.get(model, NO_VIEWS)
        loading = self._loadable.by_model.get(model, NO_NODES)
        firsts = (
            next((name for name in names if name not in serving and name not in loading), None)
            for names in groups
        )
        return min(name for name in firsts if name is not None)

    def has_columns(self) -> bool:
        """Tells whether the fleet is so large that searches read columns."""
        return len(self.nodes) > self.scanned_nodes_max

    def is_any_open(self, model: str, requester: int = 0) -> bool:
        """Tells whether a replica of a model takes work now, eligible or not.

        Args:
            model: which a node serves.
            requester: of the work; by default the one that the fewest filters exclude.
        """
        if self.has_columns():
            return self._replicas.tables.get(model)[0].counts[requester][0] > 0
        mask = REQUESTER_MASKS[requester]
        return any(not view.blocked_bits & mask for view in self._replicas.by_model[model].values())

    def columns_of(self, eligible: EligibleNodes, known: Columns | None) -> Columns:
        """Returns some eligible nodes as columns: the known ones, if the table has these rows."""
        needs, tables = eligible.needs, self._replicas.tables
        table, views = tables.get(needs.model)
        if known is not None and known.table is table and known.version == table.version:
            return known
        mask = None
        if len(eligible.views) < len(views):
            mask = np.zeros(len(views), np.bool_)
            mask[[view.row for view in eligible.views]] = True
        own = self._replicas.rows_of_coop(needs.model, needs.coop)
        return Columns(table, views, tables.rows_of(needs.model), mask, own, table.version)
