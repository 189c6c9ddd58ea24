"""Search: what ``placement.scan`` says of a job, for models that very many nodes serve.

The same filter, prediction and pick over columns instead of one replica after the other. Of the
nodes that fit only the best by grams and the fastest are told one by one, and one example for each
rule; the counts are those of all. A property test holds the two against each other.
"""

from collections.abc import Callable, Collection
from math import inf

import numpy as np

from entraide.types import Candidates
from entraide_scheduler.core.blocked_codes import NOT_EMPTY_CODE, RESERVED_CODE
from entraide_scheduler.core.fleet import Columns, EligibleNodes
from entraide_scheduler.core.placement import (
    GREENER_LATER,
    LEND_ENERGY_SPENT,
    OVER_CARBON_CAP,
    OVER_CARBON_QUOTA,
    OVER_ENERGY_QUOTA,
    SAME_ENGINE,
    TIME_WEIGHT,
    TRIED_BEFORE,
    PlacementResult,
    as_candidates,
    predict,
)
from entraide_scheduler.core.placement_request import PlacementRequest
from entraide_scheduler.core.policy import Carbon, Policy
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.replica_index import (
    ReplicaView,
    blocked_code,
)
from entraide_scheduler.core.replica_table import (
    FULL_PART,
    TOKEN_S,
    Bools,
    Codes,
    Floats,
    Rows,
    least,
    lowest,
)
from entraide_scheduler.core.rules import PASSING, Rule


def scan_columns(
    eligible: EligibleNodes, columns: Columns, request: PlacementRequest, policy: Policy
) -> PlacementResult:
    """Looks at all rows of a table; the result is that of ``placement.scan``, shortened.

    Args:
        eligible: the nodes that may ever serve the job, and what excludes the others.
        columns: the same as columns.
        request: the job.
        policy: how one of them is picked.
    """
    seen = ColumnScan(eligible, columns, request)
    seen.evaluate()
    most = policy.limits.explained_best
    best = seen.best(policy.carbon, most)
    if best is None:
        return PlacementResult(None, 0, [], Candidates(), seen.examples, seen.counts, inf)
    candidates = seen.candidates([best, *[row for row in seen.shortlist(most) if row != best]])
    fitting = int(np.count_nonzero(seen.fits))
    found = predict(columns.views[best], request)
    return PlacementResult(
        found, fitting, [], candidates, seen.examples, seen.counts, seen.least_ug
    )


class ColumnScan:
    """The rows of a table as one job sees them.

    Attributes:
        fits: which rows no rule has excluded so far.
        keeps: which of them are expected to keep the promise.
        ttft_s, upper_s, carbon_ug: predictions for every row.
        kept_ug: the grams of those that keep it, infinite for the others.
        greenest: rows of the least of these, the least first.
        least_ug: the least of these.
        counts: how many nodes each rule excluded, by its code.
        examples: one node for each rule.
    """

    def __init__(
        self, eligible: EligibleNodes, columns: Columns, request: PlacementRequest
    ) -> None:
        self._columns = columns
        self._table = columns.table
        self._lanes: list[ReplicaView] = columns.views
        self._want = request
        self.counts: dict[str, int] = dict(eligible.counts)
        self.examples: list[tuple[Node, Rule]] = list(eligible.examples)

    def evaluate(self) -> None:
        """Filters and predicts, in the order of the plain scan."""
        request, known = self._want, self._columns.row_of
        self._open()
        if request.most_g_per_kwh is not None:
            self._exclude(self._table.above_intensity(request.most_g_per_kwh), GREENER_LATER)
        if request.barred:
            self._exclude(self._named(request.barred), SAME_ENGINE)
        self.keeps, self.ttft_s, self.upper_s, self.carbon_ug = self._table.predict(request)
        self._cached = [known[name] for name in request.cached if name in known]
        for row in self._cached:
            found = predict(self._lanes[row], request)
            self.ttft_s[row], self.carbon_ug[row] = found.ttft_s, found.carbon_ug
            self.upper_s[row] = found.ttft_upper_s
            self.keeps[row] = found.keeps
        if request.lent_left_uwh:
            self._exclude(self._beyond_lent(), LEND_ENERGY_SPENT)
        if request.limited:
            self._exclude(self.carbon_ug > request.carbon_cap_ug, OVER_CARBON_CAP)
            self._exclude(self.carbon_ug > request.carbon_left_ug, OVER_CARBON_QUOTA)
            if request.energy_left_uwh < inf:
                self._exclude(self._energies_uwh() > request.energy_left_uwh, OVER_ENERGY_QUOTA)
        if request.avoid:
            tried = self._named(request.avoid)
            if (self.fits & ~tried).any():
                self._exclude(tried, TRIED_BEFORE)
        self.keeps &= self.fits
        self.kept_ug = np.where(self.keeps, self.carbon_ug, inf)

    def _open(self) -> None:
        """Finds the rows that break no passing rule, and tells of the others."""
        columns, table = self._columns, self._table
        requester = 3 if self._want.shape.batch else 1
        codes, mask = table.blocked_by[requester], columns.mask
        if columns.own:
            codes = codes.copy()
            codes[columns.own] = table.blocked_by[requester - 1][columns.own]
        alone = self._want.shape.alone != ""
        if alone:
            codes = self._alone(codes)
        self.fits: Bools = codes == 0
        if mask is not None:
            self.fits &= mask
        if mask is None and not columns.own and not alone:
            self._count(table.counts[requester], lambda code: table.first_blocked(requester, code))
            return
        there = codes if mask is None else np.where(mask, codes, 0)
        broken = np.bincount(there, minlength=len(PASSING) + 1).tolist()
        self._count(broken, lambda code: int((there == code).argmax()))

    def _named(self, names: Collection[str]) -> Bools:
        """Returns which rows are of some nodes."""
        known = self._columns.row_of
        named = np.zeros(len(self._lanes), np.bool_)
        named[[known[name] for name in names if name in known]] = True
        return named

    def _alone(self, codes: Codes) -> Codes:
        """Returns which passing rules the rows break for a job that must run alone."""
        codes, alone = codes.copy(), self._want.shape.alone
        for row in (codes == RESERVED_CODE).nonzero()[0].tolist():
            if self._lanes[row].load.reserved == alone:
                codes[row] = blocked_code(self._lanes[row], self._want.shape)
        codes[(codes == 0) & (self._table.column[FULL_PART] > 0.0)] = NOT_EMPTY_CODE
        return codes

    def _count(self, broken: list[int], example: Callable[[int], int]) -> None:
        for code, rule in enumerate(PASSING, 1):
            if broken[code]:
                self.counts[rule.code] = broken[code]
                self.examples.append((self._lanes[example(code)].node, rule))

    def _exclude(self, which: Bools, rule: Rule) -> None:
        """Takes those of some rows out that fit so far."""
        out = self.fits & which
        number = int(np.count_nonzero(out))
        if number:
            self.counts[rule.code] = number
            self.examples.append((self._lanes[int(out.argmax())].node, rule))
            self.fits &= ~which

    def _beyond_lent(self) -> Bools:
        """Returns the rows whose co-op lends others less energy today than the job would take."""
        left_uwh = self._table.lent_left_uwh(self._want.lent_left_uwh)
        left_uwh[self._columns.own] = inf
        beyond: Bools = (left_uwh <= 0.0) | (self._energies_uwh() > left_uwh)
        return beyond

    def _energies_uwh(self) -> Floats:
        return self._energy_uwh(np.arange(len(self._lanes)))

    def _energy_uwh(self, rows: Rows) -> Floats:
        """Returns the energy of the job on some rows, caches counted."""
        energy_uwh = self._table.energy_uwh(self._want, rows)
        for row in self._cached:
            energy_uwh[rows == row] = predict(self._lanes[row], self._want).energy_uwh
        return energy_uwh

    def best(self, terms: Carbon, most: int) -> int | None:
        """Returns the row that ``placement.best_of`` takes; finds the greenest on the way.

        What is weighed is never less than the grams themselves, so only rows whose grams are within
        the tolerance of what one of the greenest weighs can weigh as little.
        """
        kept_ug = self.kept_ug
        self.greenest = least(kept_ug, most)
        if not len(self.greenest):
            self.least_ug = inf
            return self._fastest()
        self.least_ug = float(kept_ug[self.greenest[0]])
        within = 1.0 + terms.tolerance
        most_ug = lowest(self._weighed_ug(self.greenest, terms.headroom)) * within
        near = (kept_ug <= most_ug).nonzero()[0]
        weighed = self._weighed_ug(near, terms.headroom)
        equal = near[weighed <= lowest(weighed) * within]
        if len(equal) > 1:
            energy_uwh = self._energy_uwh(equal)
            equal = equal[energy_uwh == lowest(energy_uwh)]
        return int(equal[self.ttft_s.take(equal).argmin()])

    def _weighed_ug(self, rows: Rows, headroom: float) -> Floats:
        """Returns what ``placement.weighed_ug`` says of some rows."""
        late = self.upper_s.take(rows) / self._want.ttft_left_s
        full = self._table.column[FULL_PART].take(rows)
        taken = TIME_WEIGHT * late * late + full * full
        weighed: Floats = self.kept_ug.take(rows) * (1.0 + headroom * taken)
        return weighed

    def _fastest(self) -> int | None:
        took_s = self._took_s()
        shortest_s = lowest(took_s)
        if shortest_s == inf:
            return None
        equal = (took_s == shortest_s).nonzero()[0]
        return int(equal[self.carbon_ug.take(equal).argmin()])

    def _took_s(self) -> Floats:
        """Returns the promised time for the rows that fit, infinite for the others."""
        objective, took_s = self._want.objective, self.ttft_s
        if objective.ttft_s is None and objective.completion_s is not None:
            took_s = took_s + self._want.output_tokens * self._table.column[TOKEN_S]
        return np.where(self.fits, took_s, inf)

    def shortlist(self, most: int) -> list[int]:
        """Returns the rows told one by one: the greenest, those that keep first; the fastest."""
        greenest: list[int] = self.greenest.tolist()
        if len(greenest) < most:
            late = self.fits & ~self.keeps
            late_ug = np.where(late, self.carbon_ug, inf)
            greenest += least(late_ug, most - len(greenest)).tolist()
        fastest: list[int] = least(self._took_s(), most).tolist()
        known = set(greenest)
        return greenest + [row for row in fastest if row not in known]

    def candidates(self, listed: list[int]) -> Candidates:
        """Returns some rows as ``placement.told`` does."""
        views, request = [self._lanes[row] for row in listed], self._want
        if self._cached:
            return as_candidates([predict(view, request) for view in views], None)
        rows, effective = np.array(listed), [view.effective for view in views]
        return Candidates(
            [view.name for view in views],
            [view.coop for view in views],
            [view.zone for view in views],
            self.ttft_s.take(rows).tolist(),
            self._table.column[TOKEN_S].take(rows).tolist(),
            (self._table.energy_uwh(request, rows) + 0.5).astype(np.int64).tolist(),
            (self.carbon_ug.take(rows) + 0.5).astype(np.int64).tolist(),
            [one.direct_g_per_kwh for one in effective],
            [one.basis for one in effective],
            [one.surplus_w for one in effective],
            self.keeps.take(rows).tolist(),
            self.upper_s.take(rows).tolist(),
        )
