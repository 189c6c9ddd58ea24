"""Vectorized placement: computes the result of ``placement.scan`` over columns, for large fleets.

Filter, prediction and pick are array operations on a ``ReplicaTable``. The explanation lists only
the best nodes by carbon, the fastest nodes, and one example for each rule; the counts cover all
nodes. A property test compares both implementations.
"""

from collections.abc import Callable, Collection
from math import inf

import numpy as np

from entraide.types import Candidates
from entraide_scheduler.core.fleet import (
    NO_ROWS,
    Codes,
    Columns,
    EligibleNodes,
    ReplicaView,
    Rows,
    first_codes,
    min_value,
    smallest_rows,
)
from entraide_scheduler.core.placement.placement import (
    INTENSITIES_MAX,
    NEARLY_FASTEST,
    SHARED_MORE,
    PlacementResult,
    Prediction,
    as_candidates,
    is_late,
    is_worth_risk,
    least_shared,
    predict,
    promised_time_s,
    tokens_to_read,
    weighted,
)
from entraide_scheduler.core.policy import Carbon, Policy
from entraide_scheduler.core.prediction import (
    Bools,
    Floats,
    PlacementRequest,
    late_risk,
    least_risk,
    margin_part,
    predict_carbon,
    predict_energy,
    predict_latency,
)
from entraide_scheduler.core.records import Node
from entraide_scheduler.core.rules import (
    GREENER_LATER,
    REPLICA_RULES,
    REQUESTER_MASKS,
    RESERVED_BITS,
    SAME_ENGINE,
    TRIED_BEFORE,
    Predicted,
    Rule,
    limits_exceeded,
    masks_for,
    own_requester,
)

# Rows up to which a formula is computed one by one: an array operation costs more than a few rows.
SINGLE_ENERGIES, SINGLE_WEIGHTS, SINGLE_RISKS = 4, 12, 32
SLACK = 1e-9  # part of a value, far above what rounding changes


def scan_columns(
    eligible: EligibleNodes, columns: Columns, request: PlacementRequest, policy: Policy
) -> PlacementResult:
    """Evaluates all rows of a table; the result is that of ``placement.scan``, abridged.

    Args:
        eligible: the eligible nodes, and the rules that exclude the others.
        columns: the eligible nodes as columns.
        request: the job's requirements.
        policy: headroom, tolerance and the length of the list of candidates.
    """
    scan = ColumnScan(eligible, columns, request)
    scan.evaluate()
    most = policy.limits.explained_best
    best = scan.best(policy.carbon, most)
    if best is None:
        return PlacementResult(None, 0, [], Candidates(), scan.examples, scan.counts, inf)
    candidates = scan.candidates([best, *[row for row in scan.shortlist(most) if row != best]])
    fitting = int(np.count_nonzero(scan.fits))
    return PlacementResult(
        scan.prediction(best), fitting, [], candidates, scan.examples, scan.counts, scan.least_ug
    )


class ColumnScan:
    """The rows of a table, evaluated for one job.

    Attributes:
        fits: rows that no filter has excluded so far.
        keeps: rows that fit and are predicted to meet the objectives, or whose risk is accepted.
        keeps_rest: rows that are predicted to meet all objectives but that of the first token.
        ttft_s, upper_s, carbon_ug: predictions by row.
        kept_ug: emissions of the rows in ``keeps``; infinite for the others.
        greenest: rows of the least ``kept_ug``, in ascending order.
        least_ug: the least ``kept_ug``.
        counts: number of nodes that each rule excludes, by its code.
        examples: one excluded node for each rule.
    """

    def __init__(
        self, eligible: EligibleNodes, columns: Columns, request: PlacementRequest
    ) -> None:
        self._columns = columns
        self._table = columns.table
        self._views: list[ReplicaView] = columns.views
        self._request = request
        self.counts: dict[str, int] = dict(eligible.counts)
        self.examples: list[tuple[Node, Rule]] = list(eligible.examples)

    def evaluate(self) -> None:
        """Filters and predicts, in the order of ``placement.scan``."""
        request = self._request
        self._exclude_blocked()
        if request.max_g_per_kwh is not None:
            self._exclude(self._table.above_intensity(request.max_g_per_kwh), GREENER_LATER)
        if request.barred:
            self._exclude(self._rows_of(request.barred), SAME_ENGINE)
        self._predict()
        if request.limited:
            predicted = Predicted(self.carbon_ug, self._all_energies_uwh, self._lent_left_uwh)
            for rule, is_exceeded in limits_exceeded(request, predicted):
                self._exclude(is_exceeded, rule)
        if request.avoid:
            tried = self._rows_of(request.avoid)
            if (self.fits & ~tried).any():
                self._exclude(tried, TRIED_BEFORE)
        self.keeps &= self.fits
        self.kept_ug = np.where(self.keeps, self.carbon_ug, inf)

    def _predict(self) -> None:
        """Predicts the job on all rows; a row whose cache holds a part of the prompt, by itself."""
        request, table, row_of = self._request, self._table, self._columns.row_of
        tokens, bounds = request.input_tokens, table.bounds_at(request.scale)
        self.ttft_s, self.upper_s, self.keeps_rest, self.keeps = predict_latency(
            table.cost, request, tokens, bounds
        )
        self.carbon_ug = predict_carbon(table.cost, request, tokens)
        self._cached = [row_of[name] for name in request.cached if name in row_of]
        for row in self._cached:
            prediction = predict(self._views[row], request)
            self.ttft_s[row], self.carbon_ug[row] = prediction.ttft_s, prediction.carbon_ug
            self.upper_s[row] = prediction.ttft_upper_s
            self.keeps_rest[row], self.keeps[row] = prediction.keeps_rest, prediction.keeps

    def _exclude_blocked(self) -> None:
        """Sets ``fits`` by the temporary filters, and counts the rows that one excludes."""
        columns, table = self._columns, self._table
        own = own_requester(self._request.shape)
        others = own + 1
        codes, mask = table.blocked_by[others], columns.mask
        masks = masks_for(self._request.shape)
        is_special = masks != REQUESTER_MASKS[own : own + 2]
        if is_special:
            codes = self._codes_by_masks(*masks)
        elif columns.own:
            codes = codes.copy()
            codes[columns.own] = table.blocked_by[own][columns.own]
        self.fits: Bools = codes == 0
        if mask is not None:
            self.fits &= mask
        if mask is None and not columns.own and not is_special:
            self._record_blocked(
                table.counts[others], lambda code: table.first_blocked(others, code)
            )
            return
        masked_codes = codes if mask is None else np.where(mask, codes, 0)
        broken = np.bincount(masked_codes, minlength=len(REPLICA_RULES) + 1).tolist()
        self._record_blocked(broken, lambda code: int((masked_codes == code).argmax()))

    def _rows_of(self, names: Collection[str]) -> Bools:
        """Returns a mask of the rows of some nodes."""
        row_of = self._columns.row_of
        named = np.zeros(len(self._views), np.bool_)
        named[[row_of[name] for name in names if name in row_of]] = True
        return named

    def _codes_by_masks(self, own: int, others: int) -> Codes:
        """Returns the codes of the rows for a job whose masks are not a requester's."""
        shape, all_bits = self._request.shape, self._table.blocked_bits
        bits = all_bits & others
        bits[self._columns.own] = all_bits[self._columns.own] & own
        for row in (bits & RESERVED_BITS).nonzero()[0].tolist():
            if self._views[row].load.reserved == shape.alone:
                bits[row] &= ~RESERVED_BITS
        return first_codes(bits)

    def _record_blocked(self, broken: list[int], example: Callable[[int], int]) -> None:
        if broken[0] == len(self._views):
            return
        for code, rule in enumerate(REPLICA_RULES, 1):
            if broken[code]:
                self.counts[rule.code] = broken[code]
                self.examples.append((self._views[example(code)].node, rule))

    def _exclude(self, which: Bools, rule: Rule) -> None:
        """Excludes the masked rows that fit so far, and counts them under a rule."""
        out = self.fits & which
        number = int(np.count_nonzero(out))
        if number:
            self.counts[rule.code] = number
            self.examples.append((self._views[int(out.argmax())].node, rule))
            self.fits &= ~which

    def _lent_left_uwh(self) -> Floats:
        left_uwh = self._table.lent_left_uwh(self._request.lent_left_uwh)
        left_uwh[self._columns.own] = inf
        return left_uwh

    def _all_energies_uwh(self) -> Floats:
        return self._energies_uwh(np.arange(len(self._views)))

    def _energies_uwh(self, rows: Rows) -> Floats:
        """Returns the energy of the job on some rows, cached prompt tokens subtracted."""
        request, table = self._request, self._table
        if len(rows) <= SINGLE_ENERGIES:
            views = [self._views[row] for row in rows.tolist()]
            return np.array(
                [
                    predict_energy(view.cost, request, tokens_to_read(view, request))
                    for view in views
                ]
            )
        energy_uwh = predict_energy(table.energy_cost_at(rows), request, request.input_tokens)
        for row in self._cached:
            energy_uwh[rows == row] = predict(self._views[row], request).energy_uwh
        return energy_uwh

    def _accept_risks(self, least_ug: float, late_weight: float) -> None:
        """Sets ``keeps`` as ``placement.accept_risks`` does, and ``kept_ug`` after it.

        Only rows are tried whose risk could be worth all of the least grams (``margin_part``), and
        whose grams saved could be worth the least risk (``least_risk``).
        """
        request = self._request
        left_s, part = request.ttft_left_s, margin_part(request.scale, late_weight)
        if left_s == inf or least_ug == 0.0 or part > 1.0 - SLACK:
            return
        most_ug = least_ug * (1.0 - late_weight * least_risk(request.scale) + SLACK)
        risky = self.carbon_ug < most_ug  # none of the rows that are kept
        reached_s = self.upper_s - self.ttft_s
        reached_s *= part
        reached_s += self.ttft_s
        risky &= reached_s <= left_s * (1.0 + SLACK)
        rows = risky.nonzero()[0]
        is_able = self.fits.take(rows) & self.keeps_rest.take(rows)
        rows = rows[is_able & (self.ttft_s.take(rows) <= left_s)]
        if not len(rows):
            return
        ttft_s, upper_s = self.ttft_s.take(rows), self.upper_s.take(rows)
        if len(rows) <= SINGLE_RISKS:
            times_s = zip(ttft_s.tolist(), upper_s.tolist(), strict=True)
            risk = np.array([late_risk(*each, left_s, request.scale) for each in times_s])
        else:
            risk = late_risk(ttft_s, upper_s, left_s, request.scale)
        rows = rows[is_worth_risk(self.carbon_ug.take(rows), risk, least_ug, late_weight)]
        self.keeps[rows] = True
        self.kept_ug[rows] = self.carbon_ug.take(rows)

    def best(self, terms: Carbon, most: int) -> int | None:
        """Returns the row that ``placement.best_of`` picks, and sets ``greenest``."""
        kept_ug, intensities = self.kept_ug, self._table.cost.g_per_kwh
        self.least_ug = min_value(kept_ug)
        if self.least_ug == inf:
            self.greenest = NO_ROWS
            return self._best_late()
        self._accept_risks(self.least_ug, terms.late_weight)
        self.greenest = smallest_rows(kept_ug, most)
        row = int(self.greenest[0])
        self.least_ug = float(kept_ug[row])
        within, most_ug = max(SHARED_MORE, 1.0 + terms.tolerance), inf
        best: list[int] = []
        left_ug = kept_ug
        while left_ug[row] <= most_ug and len(best) < INTENSITIES_MAX:
            is_same = intensities == intensities[row]
            best.append(self._roomiest(row, is_same, terms))
            most_ug = min(most_ug, float(kept_ug[best[-1]]) * within)
            if most_ug == 0.0:
                break
            left_ug = np.where(is_same, inf, left_ug)
            row = int(left_ug.argmin())
        if len(best) == 1:
            return best[0]
        near = [self.prediction(row) for row in sorted(best) if kept_ug[row] <= most_ug]
        return self._columns.row_of[least_shared(near, self._request, terms.tolerance).view.name]

    def _roomiest(self, row: int, is_same: Bools, terms: Carbon) -> int:
        """Returns the row that ``placement.roomiest`` picks among those of one intensity.

        A row's weighted grams are at least its grams. So only rows whose grams are within the
        tolerance of the weighted grams of any one row can have the least.

        Args:
            row: the first of the least grams.
            is_same: the rows of its intensity.
            terms: headroom and tolerance.
        """
        kept_ug, within = self.kept_ug, 1.0 + terms.tolerance
        if self._table.cost.g_per_kwh[row] > 0.0:
            full_part, upper_s = self._table.cost.full_part.item(row), self.upper_s.item(row)
            most_ug = kept_ug.item(row)
            most_ug = weighted(most_ug, upper_s, full_part, self._request, terms.headroom) * within
            rows = (is_same & (kept_ug <= most_ug)).nonzero()[0]
            if len(rows) == 1:
                return row
            amounts = kept_ug.take(rows)
        else:
            rows = (is_same & self.keeps).nonzero()[0]
            amounts = self._energies_uwh(rows)
        weights = self._weighted(rows, amounts, terms)
        equal = rows[weights <= min_value(weights) * within]
        if self._request.begins and len(equal) > 1:
            same: list[int] = equal.tolist()
            return min(same, key=lambda row: (self._views[row].load.turn, row))
        return self._least_energy(equal)

    def _least_energy(self, rows: Rows) -> int:
        """Returns the row of the least energy, then the earliest first token, then the first."""
        if len(rows) > 1:
            energy_uwh = self._energies_uwh(rows)
            rows = rows[energy_uwh == min_value(energy_uwh)]
        return int(rows[self.ttft_s.take(rows).argmin()])

    def _weighted(self, rows: Rows, amounts: Floats, terms: Carbon) -> Floats:
        """Returns the weighted amounts of some rows."""
        request, headroom = self._request, terms.headroom
        upper_s, full_part = self.upper_s.take(rows), self._table.cost.full_part.take(rows)
        if len(rows) > SINGLE_WEIGHTS:
            return weighted(amounts, upper_s, full_part, request, headroom)
        columns = zip(amounts.tolist(), upper_s.tolist(), full_part.tolist(), strict=True)
        return np.array([weighted(*row, request, headroom) for row in columns])

    def _best_late(self) -> int | None:
        """Returns the row that ``placement.best_late`` picks."""
        promised_s, left_s = self._promised_times_s(), self._request.ttft_left_s
        shortest_s = min_value(promised_s)
        if shortest_s == inf:
            return None
        equal = (promised_s == shortest_s).nonzero()[0]
        fastest = int(equal[self.carbon_ug.take(equal).argmin()])
        late = is_late(self.prediction(fastest), self._request)
        near = (promised_s <= shortest_s * (NEARLY_FASTEST if late else 1.0)).nonzero()[0]
        is_likely = self.ttft_s.take(near) <= left_s
        near = near[
            (self.keeps_rest.take(near) >= self.keeps_rest[fastest])
            & (is_likely >= (self.ttft_s[fastest] <= left_s))
        ]
        near = near[self.carbon_ug.take(near) == min_value(self.carbon_ug.take(near))]
        return int(near[promised_s.take(near).argmin()])

    def _promised_times_s(self) -> Floats:
        """Returns the promised times of the rows that fit, infinite for the others."""
        promised_s = promised_time_s(self._table.cost, self._request, self.ttft_s)
        return np.where(self.fits, promised_s, inf)

    def shortlist(self, most: int) -> list[int]:
        """Returns the rows to list: the greenest (objectives met first), then the fastest."""
        greenest: list[int] = self.greenest.tolist()
        if len(greenest) < most:
            late = self.fits & ~self.keeps
            late_ug = np.where(late, self.carbon_ug, inf)
            greenest += smallest_rows(late_ug, most - len(greenest)).tolist()
        fastest: list[int] = smallest_rows(self._promised_times_s(), most).tolist()
        listed = set(greenest)
        return greenest + [row for row in fastest if row not in listed]

    def prediction(self, row: int) -> Prediction:
        """Returns the prediction of a row as ``placement.scan`` has it."""
        prediction = predict(self._views[row], self._request)
        prediction.keeps = bool(self.keeps[row])
        return prediction

    def candidates(self, listed: list[int]) -> Candidates:
        """Returns rows as ``placement.as_candidates`` does."""
        if self._cached:
            return as_candidates([self.prediction(row) for row in listed], None)
        rows, views = np.array(listed), self._views
        names, coops, zones, intensities, bases, surpluses_w = map(
            list, zip(*[views[row].listed for row in listed], strict=True)
        )
        return Candidates(
            names,
            coops,
            zones,
            self.ttft_s.take(rows).tolist(),
            self._table.cost.token_s.take(rows).tolist(),
            (self._energies_uwh(rows) + 0.5).astype(np.int64).tolist(),
            (self.carbon_ug.take(rows) + 0.5).astype(np.int64).tolist(),
            intensities,
            bases,
            surpluses_w,
            self.keeps.take(rows).tolist(),
            self.upper_s.take(rows).tolist(),
        )
