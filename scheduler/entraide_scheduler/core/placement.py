"""Placement: the greenest node that keeps the promise. Filter, predict, pick.

Decides where one job would run best now. What is compared is in physical units: seconds, then
micrograms, then microwatt-hours, then the node's name. It changes nothing and refuses to know
whose turn it is.
"""

from msgspec import Struct

from entraide.units import carbon_ug, uwh_from_joules
from entraide_scheduler.core.carbon import UNKNOWN_ZONE, Effective, effective, on_grid
from entraide_scheduler.core.fleet import extra_w, site_of
from entraide_scheduler.core.policy import ClassTerms
from entraide_scheduler.core.records import Job, Load, Node
from entraide_scheduler.core.rules import PASSING, Rule, first_broken
from entraide_scheduler.core.state import State

NO_LOAD = Load()

# Rules that need the prediction, or what happened to this very job.
OVER_CARBON_CAP = Rule(
    "over_carbon_cap",
    lambda *_: False,
    lambda _, want: {"max_carbon_ug": want.max_carbon_ug or 0},
    waiting_helps=True,
)
TRIED_BEFORE = Rule("tried_before", lambda *_: False, lambda *_: {}, waiting_helps=False)


class Prediction(Struct, gc=False):
    """What is expected of one job on one node.

    Attributes:
        node: which.
        ttft_s: from now to the first token.
        tpot_s: per output token, with the job in the batch.
        completion_s: from now to the end.
        energy_uwh, carbon_ug: the job's share of the machine's extra energy, and its emissions.
        effective: the intensity behind the grams.
        keeps: whether the class's objective, counted from the request, is met.
    """

    node: Node
    ttft_s: float
    tpot_s: float
    completion_s: float
    energy_uwh: int
    carbon_ug: int
    effective: Effective
    keeps: bool


class Survey(Struct):
    """All nodes as seen for one job: those that fit, and the rule that excludes each other."""

    fits: list[Prediction]
    excluded: list[tuple[Node, Rule]]


class Pick(Struct, frozen=True):
    """The node picked, why, and the best of the others (None when it is alone)."""

    best: Prediction
    reason: str
    next_best: Prediction | None


def uncached_tokens(job: Job, _: Node) -> int:
    """Returns the prompt tokens that a node has yet to process: all of them.

    Here prefixes that a node holds in its cache will be taken off.
    """
    return job.facts.input_tokens_est


def survey(state: State, job: Job, at: float) -> Survey:
    """Looks at every node for one job: filter, then predict for those that passed."""
    able = state.fleet.able(job.shape)
    fits: list[Prediction] = []
    excluded = list(able.excluded)
    predict = Predictor(state, job, at)
    cap = job.facts.max_carbon_ug
    for node in able.nodes:
        rule = first_broken(node, job.shape, PASSING)
        if rule is None:
            predicted = predict(node)
            if cap is None or predicted.carbon_ug <= cap:
                fits.append(predicted)
                continue
            rule = OVER_CARBON_CAP
        excluded.append((node, rule))
    if job.avoid:
        fits = _others_first(fits, job.avoid, excluded)
    return Survey(fits, excluded)


def _others_first(
    fits: list[Prediction], avoid: tuple[str, ...], excluded: list[tuple[Node, Rule]]
) -> list[Prediction]:
    others = [predicted for predicted in fits if predicted.node.card.node not in avoid]
    if not others or len(others) == len(fits):
        return fits
    excluded.extend(
        (predicted.node, TRIED_BEFORE) for predicted in fits if predicted.node.card.node in avoid
    )
    return others


class Predictor:
    """Predicts one job on any node that serves its model, at one moment."""

    def __init__(self, state: State, job: Job, at: float) -> None:
        facts = job.facts
        self._state = state
        self._job = job
        self._at = at
        self._waited_s = at - job.requested_at
        self._objective = state.classes[facts.job_class]
        self._output_tokens = state.habits.output_tokens(
            facts.coop, facts.model, at_most=job.output_tokens_max
        )
        self._drawn_w: dict[tuple[str, str], float] = {}
        self._grid_only: dict[str, Effective] = {}

    def __call__(self, node: Node) -> Prediction:
        """Returns what is expected on a node.

        TTFT = RTT + queued prefill / rate + own uncached prefill / rate; TPOT(b) = t0 + t1 b with
        the job in the batch; energy = extra power x (prefill + output tokens x TPOT(b) / b).
        """
        model = self._job.facts.model
        rates = node.replicas[model].rates
        load = node.loads.get(model, NO_LOAD)
        batch = load.leases + 1
        rate = rates.prefill_tokens_per_s
        prefill_s = uncached_tokens(self._job, node) / rate
        ttft_s = node.card.rtt_s + load.prefill_tokens / rate + prefill_s
        tpot_s = rates.tpot_base_s + rates.tpot_per_sequence_s * batch
        completion_s = ttft_s + self._output_tokens * tpot_s
        output_tokens = self._output_tokens * max(1, self._job.facts.choices)
        extra = extra_w(node)
        energy_uwh = uwh_from_joules(extra * (prefill_s + output_tokens * tpot_s / batch))
        intensity = self._effective(node, extra, batch)
        return Prediction(
            node,
            ttft_s,
            tpot_s,
            completion_s,
            energy_uwh,
            carbon_ug(energy_uwh, intensity.direct_g_per_kwh),
            intensity,
            self._keeps(ttft_s, tpot_s, completion_s),
        )

    def _effective(self, node: Node, extra: float, batch: int) -> Effective:
        state, zone = self._state, node.card.zone
        if node.energy is None:
            found = self._grid_only.get(zone)
            if found is None:
                grid = state.grid.get(zone, UNKNOWN_ZONE)
                found = self._grid_only[zone] = on_grid(grid)
            return found
        site = site_of(node)
        drawn = self._drawn_w.get(site)
        if drawn is None:
            drawn = self._drawn_w[site] = state.fleet.drawn_w(site)
        # The job takes a batch-th of its machine's draw; the rest is the other jobs'.
        used_w = drawn - extra / batch if node.leases() else drawn
        return effective(
            state.grid.get(zone, UNKNOWN_ZONE),
            node.energy,
            policy=state.policy.carbon,
            power_w=extra / batch,
            used_w=max(0.0, used_w),
            at=self._at,
        )

    def _keeps(self, ttft_s: float, tpot_s: float, completion_s: float) -> bool:
        objective, waited_s = self._objective, self._waited_s
        deadline_at = self._job.facts.deadline_at
        return (
            (objective.ttft_s is None or waited_s + ttft_s <= objective.ttft_s)
            and (objective.tpot_s is None or tpot_s <= objective.tpot_s)
            and (
                objective.completion_s is None or waited_s + completion_s <= objective.completion_s
            )
            and (deadline_at is None or self._at + completion_s <= deadline_at)
        )


def pick(fits: list[Prediction], *, objective: ClassTerms, tolerance: float) -> Pick | None:
    """Returns the node to take; None when there is none.

    Among those that keep the promise the least grams; within ``tolerance`` of the least, which
    count as equal, the least energy, then the first token soonest, then the node's name. When
    none keeps it, the fastest.
    """
    if not fits:
        return None
    best = _best(fits, objective=objective, tolerance=tolerance)
    others = [predicted for predicted in fits if predicted is not best]
    if not others:
        return Pick(best, "only_one" if best.keeps else "fastest_at_risk", None)
    next_best = _best(others, objective=objective, tolerance=tolerance)
    return Pick(best, "greenest" if best.keeps else "fastest_at_risk", next_best)


def _best(fits: list[Prediction], *, objective: ClassTerms, tolerance: float) -> Prediction:
    keeping = [predicted for predicted in fits if predicted.keeps]
    if not keeping:
        return min(fits, key=lambda predicted: fastest_first(predicted, objective))
    least_ug = min(predicted.carbon_ug for predicted in keeping)
    most_ug = least_ug * (1.0 + tolerance)
    equal = [predicted for predicted in keeping if predicted.carbon_ug <= most_ug]
    return min(equal, key=_least_energy_first)


def _least_energy_first(predicted: Prediction) -> tuple[int, float, str]:
    return predicted.energy_uwh, predicted.ttft_s, predicted.node.card.node


def fastest_first(predicted: Prediction, objective: ClassTerms) -> tuple[float, int, str]:
    """Sort key by what the class promises: its first token, or else its end; then by grams."""
    promised_end = objective.ttft_s is None and objective.completion_s is not None
    took_s = predicted.completion_s if promised_end else predicted.ttft_s
    return took_s, predicted.carbon_ug, predicted.node.card.node


def greenest_first(predicted: Prediction) -> tuple[bool, int, int, float, str]:
    """Sort key of candidates: promise kept, grams, energy, first token, name."""
    return (not predicted.keeps, predicted.carbon_ug, *_least_energy_first(predicted))
