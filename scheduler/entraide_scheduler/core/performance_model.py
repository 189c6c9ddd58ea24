"""Pace: how fast one replica is believed to work, and on how much energy.

Decides what to believe of a (node, model): it begins with the node's card (the enrolment benchmark,
or the device's figures) and learns from every run, the mean and the spread. It refuses to know
what a prediction is used for, and who is to be believed at all.

    TTFT on the node = (queued prompts + 1) * start + (queued + own uncached tokens) * read(b)
    read(b)          = prefill + steps per token * TPOT(b); prefill alone while b = 0
    TPOT(b)          = base + per sequence * b
    energy           = uncached tokens * prefill energy + output tokens * (step / b + token)

with b sequences in the batch. A step that reads a part of a prompt decodes a token of each of them,
too, and takes that time beside the part. And each prompt waits for the step that is under way, and
leaves its last one partly empty: its start. The lines were checked on an H100 (ML.ENERGY: TPOT
within 2 % from 8 to 256 sequences). On top of each fit a correction follows the ratio of seen to
predicted within some ten runs. Energy follows time at the card's power until a meter says
otherwise: an estimate made from the card can teach nothing about the card.
"""

from msgspec import Struct

from entraide.types import Basis, Rates
from entraide_scheduler.core.estimators import Estimate, Fit, Spread

UWH_PER_J = 1e6 / 3_600.0

MEASURED_WORTH = 10.0  # observations that an enrolment benchmark is worth
DEFAULT_WORTH = 2.0  # and the figures of a device
LOOSE_HOLD = 1 / 256  # of what no card tells: time to start, steps to read a token
SLOPE_HOLD = 1 / 64  # of what a benchmark of a second tells badly: TPOT's growth with the batch
STEPS = 1 / 512  # of a batch, to read a prompt token beside it, before that is seen

TIME_LEAST_S = 1e-6  # of a card's coefficients, in a fit
SLOPE_LEAST = 1 / 64  # of TPOT's growth with the batch, in a fit, as a part of its base
START_LEAST_S = 1e-3  # of the time to start, in a fit
START_MOST_S = 30.0
FASTEST = 1 / 16  # of the card's time that a node can come to be believed
SLOWEST = 256.0

POWER_LEAST_W = 1.0  # of a card's active less idle power, once a meter speaks
LEAST_POWER = 1 / 4  # of the card's power that a meter can come to be believed
MOST_POWER = 16.0
METER_STEP = 1 / 16  # part of a new ratio that goes into the power of prefill
METER_SURPRISE_MOST = 3.0  # a ratio of metered to expected energy beyond counts no further
METER_TOKENS_LEAST = 16  # fewer prompt tokens say nothing of energy

SHORT_STEPS = 16.0  # output tokens: a run with fewer weighs less
ESTIMATED_WEIGHT = 0.25  # of a run whose tokens were not counted by its engine
TIME_MOST_S = 1e6
TOKENS_MOST = 1 << 24
ENERGY_MOST_UWH = 1e15


class RunMeasurement(Struct, frozen=True):
    """What one run showed, and what was predicted for it.

    Times are on the node: without the round trip. What is 0 is unknown and teaches nothing.

    Attributes:
        predicted_ttft_s: mean that was predicted when the run was placed, queue included.
        queue_s: the part of it that was work before this run; not looked at with ``queue_tokens``.
        uncached_tokens: prompt tokens that were not in the cache.
        batch_at_start: sequences that were decoding when it began, itself not among them.
        ttft_s: from the node's receipt to the first token.
        output_tokens: of all answers.
        decode_s: from the first token to the end.
        mean_batch: time mean of the sequences in the batch during that, all its own among them.
        energy_prefill_uwh, energy_decode_uwh: the run's share of the machine's energy.
        energy_basis: how they were obtained; only ``measured`` ones teach.
        counted: how the tokens were; estimated ones teach less.
        choices: answers asked for.
        predicted_tpot_s: mean that was predicted when the run was placed.
        queue_tokens: uncached prompt tokens that were before this run. They teach more than
            seconds, which were predicted with what was believed then.
        queue_prompts: how many prompts those were, in parts where some is behind us.
    """

    predicted_ttft_s: float
    queue_s: float
    uncached_tokens: int
    batch_at_start: float
    ttft_s: float
    output_tokens: int
    decode_s: float
    mean_batch: float
    energy_prefill_uwh: int
    energy_decode_uwh: int
    energy_basis: Basis
    counted: Basis = Basis.MEASURED
    choices: int = 1
    predicted_tpot_s: float = 0.0
    queue_tokens: float = 0.0
    queue_prompts: float = 0.0


class Calibration(Struct, frozen=True):
    """How good predictions have been, old ones fading.

    Attributes:
        predictions_ttft, predictions_tpot: how many, faded.
        mape_ttft, mape_tpot: mean absolute error as a part of what was run.
        exceeded_ttft, exceeded_tpot: part that lay beyond the p90; a tenth is right.
    """

    predictions_ttft: float
    mape_ttft: float
    exceeded_ttft: float
    predictions_tpot: float
    mape_tpot: float
    exceeded_tpot: float


class PerformanceModel(Struct, array_like=True):
    """What is believed of one replica now. The coefficients are plain numbers, read as they are.

    Attributes:
        rates, extra_w, slots: what the card said: speed, active less idle watts, sequences.
        start_s: what each prompt takes, however short.
        prefill_s_per_token: of an uncached prompt token, alone on the machine.
        steps_per_token: steps of the batch that reading one takes, beside that.
        tpot_base_s, tpot_per_sequence_s: time per output token, TPOT(b) = base + per sequence * b.
        prefill_uwh_per_token: energy of an uncached prompt token.
        step_uwh: energy of one decode step, which the batch shares.
        token_uwh: energy of each output token on top of that.
        ttft_p90, tpot_p90: upper factors on the mean, at least 1, that hold nine times in ten.
        queued_p90: the same for a first token that waits for other prompts: these stray otherwise,
            and together, so that they are learned apart.
        ttft, tpot, queued, decode_power: what stands behind them.
        prefill_power: metered power of prefill as a part of the card's.
        metered: whether a meter has taught anything.
    """

    rates: Rates
    extra_w: float
    slots: int
    start_s: float
    prefill_s_per_token: float
    steps_per_token: float
    tpot_base_s: float
    tpot_per_sequence_s: float
    prefill_uwh_per_token: float
    step_uwh: float
    token_uwh: float
    ttft_p90: float
    tpot_p90: float
    queued_p90: float
    ttft: Estimate
    tpot: Estimate
    decode_power: Fit
    queued: Spread
    prefill_power: float = 1.0
    metered: bool = False

    @classmethod
    def prior(cls, rates: Rates, *, extra_w: float, slots: int) -> "PerformanceModel":
        """Returns what to believe of a replica before any run.

        Args:
            rates: of its card, sound.
            extra_w: active less idle power of the machine, watts.
            slots: sequences it runs at once.
        """
        worth = DEFAULT_WORTH if rates.basis is Basis.DEFAULT else MEASURED_WORTH
        prefill_s = 1.0 / rates.prefill_tokens_per_s
        extra_uwh_per_s = extra_w * UWH_PER_J
        ttft = Estimate.prior(Fit(worth, LOOSE_HOLD, 1.0, LOOSE_HOLD))
        tpot = Estimate.prior(Fit(worth, 1.0, SLOPE_HOLD, 1.0))
        return cls(
            rates=rates,
            extra_w=extra_w,
            slots=slots,
            start_s=rates.tpot_base_s,  # of a running step, which a new one waits for
            prefill_s_per_token=prefill_s,
            steps_per_token=STEPS,
            tpot_base_s=rates.tpot_base_s,
            tpot_per_sequence_s=rates.tpot_per_sequence_s,
            prefill_uwh_per_token=extra_uwh_per_s * prefill_s,
            step_uwh=extra_uwh_per_s * rates.tpot_base_s,
            token_uwh=extra_uwh_per_s * rates.tpot_per_sequence_s,
            ttft_p90=ttft.spread.p90,
            tpot_p90=tpot.spread.p90,
            queued_p90=ttft.spread.p90,
            ttft=ttft,
            tpot=tpot,
            decode_power=Fit(worth, 1.0, SLOPE_HOLD, 1.0),
            queued=Spread(),
        )

    def record_run(self, run: RunMeasurement) -> None:
        """Takes in a run; what cannot be true is left out, what is beyond belief is clipped."""
        counted = run.counted is Basis.MEASURED
        weight = 1.0 if counted else ESTIMATED_WEIGHT
        if TIME_LEAST_S <= run.ttft_s < TIME_MOST_S:
            self._learn_ttft(run, weight)
        steps = run.output_tokens / max(1, run.choices) - 1.0
        if 1.0 <= steps < TOKENS_MOST and steps * TIME_LEAST_S <= run.decode_s < TIME_MOST_S:
            part = steps / SHORT_STEPS
            self._learn_tpot(run, run.decode_s / steps, weight * (part if part < 1.0 else 1.0))
        if counted and run.energy_basis is Basis.MEASURED:
            self._learn_power(run)
        self._update_energy()

    def step_s(self, batch: float) -> float:
        """Returns how long a step of a batch takes; without a sequence there is none."""
        return self.tpot_base_s + self.tpot_per_sequence_s * batch if batch > 0.0 else 0.0

    def set_power(self, extra_w: float) -> None:
        """Takes in that the card states another power, watts."""
        self.extra_w = extra_w
        self._update_energy()

    def calibration(self) -> Calibration:
        """Returns how good the predictions have been."""
        ttft, tpot = self.ttft.score, self.tpot.score
        return Calibration(
            ttft.predictions, ttft.mape, ttft.exceeded_share,
            tpot.predictions, tpot.mape, tpot.exceeded_share,
        )  # fmt: skip

    def _learn_ttft(self, run: RunMeasurement, weight: float) -> None:
        ahead = _clip(run.queue_tokens, TOKENS_MOST)
        queue_s = 0.0 if ahead > 0.0 else _clip(run.queue_s, TIME_MOST_S)
        tokens = _clip(run.uncached_tokens, TOKENS_MOST) + ahead
        batch = _clip(run.batch_at_start, self.slots)
        prompts = 1.0 + (_clip(run.queue_prompts, TOKENS_MOST) if ahead > 0.0 else 0.0)
        step_s = self.step_s(batch)
        read_s = self.prefill_s_per_token + self.steps_per_token * step_s
        own_s = prompts * self.start_s + tokens * read_s + TIME_LEAST_S
        expected_s = queue_s + own_s
        predicted_s = run.predicted_ttft_s
        ttft = self.ttft
        ratio = run.ttft_s / _prediction_or(predicted_s, expected_s)
        if ahead > 0.0 or queue_s > 0.0:
            ttft.score.add(ratio, exceeded=self.queued.add(ratio))
            self.queued_p90 = self.queued.p90
        else:
            ttft.record_ratio(ratio)
            self.ttft_p90 = ttft.spread.p90
        start_s = max(self.rates.tpot_base_s, START_LEAST_S)
        prefill_s = 1.0 / self.rates.prefill_tokens_per_s
        # A queue known in seconds only was predicted with coefficients that may be old by now: the
        # surprise is shared in proportion, and counts the less the longer the queue was. Else the
        # correction would answer to its own past, and swing.
        ttft.learn(
            (
                prompts * start_s / own_s,
                tokens * prefill_s / own_s,
                tokens * STEPS * step_s / own_s,
            ),
            ratio=run.ttft_s / expected_s,
            weight=weight * own_s / expected_s,
        )
        fit, correction = ttft.fit, ttft.correction
        self.start_s = min(START_MOST_S, start_s * max(FASTEST, fit.factor1 * correction))
        factor = min(SLOWEST, max(FASTEST, fit.factor2 * correction))
        self.prefill_s_per_token = prefill_s * factor
        self.steps_per_token = STEPS * min(SLOWEST, fit.factor3 * correction)

    def _learn_tpot(self, run: RunMeasurement, tpot_s: float, weight: float) -> None:
        batch = max(1.0, _clip(run.mean_batch, self.slots))
        expected_s = self.tpot_base_s + self.tpot_per_sequence_s * batch + TIME_LEAST_S
        predicted_s = run.predicted_tpot_s
        tpot = self.tpot
        tpot.record_ratio(tpot_s / _prediction_or(predicted_s, expected_s))
        self.tpot_p90 = tpot.spread.p90
        base_s = max(self.rates.tpot_base_s, TIME_LEAST_S)
        slope_s = max(self.rates.tpot_per_sequence_s, base_s * SLOPE_LEAST)
        tpot.learn(
            (base_s / expected_s, slope_s * batch / expected_s, 0.0),
            ratio=tpot_s / expected_s,
            weight=weight,
        )
        fit, correction = tpot.fit, tpot.correction
        factor = min(SLOWEST, fit.factor2 * correction)
        self.tpot_per_sequence_s = slope_s * factor
        least_s = FASTEST * (base_s + slope_s) - self.tpot_per_sequence_s
        factor = min(SLOWEST, fit.factor1 * correction)
        self.tpot_base_s = max(least_s, base_s * factor)

    def _learn_power(self, run: RunMeasurement) -> None:
        """Fits the power that a meter shows to the card's; times are taken as believed."""
        extra_uwh_per_s = max(self.extra_w, POWER_LEAST_W) * UWH_PER_J
        tokens, energy_uwh = run.uncached_tokens, run.energy_prefill_uwh
        if METER_TOKENS_LEAST <= tokens < TOKENS_MOST and 0 < energy_uwh < ENERGY_MOST_UWH:
            expected_uwh = tokens * extra_uwh_per_s * self.prefill_s_per_token
            ratio = _clip_ratio(energy_uwh / (expected_uwh * self.prefill_power))
            power = self.prefill_power * (1.0 + METER_STEP * (ratio - 1.0))
            self.prefill_power = min(MOST_POWER, max(LEAST_POWER, power))
            self.metered = True
        tokens, energy_uwh = run.output_tokens, run.energy_decode_uwh
        if METER_TOKENS_LEAST <= tokens < TOKENS_MOST and 0 < energy_uwh < ENERGY_MOST_UWH:
            batch = max(1.0, _clip(run.mean_batch, self.slots))
            step_uwh = extra_uwh_per_s * max(self.tpot_base_s, TIME_LEAST_S) / batch
            token_uwh = extra_uwh_per_s * self._slope_s()
            fit = self.decode_power
            expected_uwh = step_uwh * fit.factor1 + token_uwh * fit.factor2 + LEAST_POWER * step_uwh
            ratio = _clip_ratio(energy_uwh / (tokens * expected_uwh))
            fit.add(step_uwh / expected_uwh, token_uwh / expected_uwh, 0.0, y=ratio, weight=1.0)
            self.metered = True

    def _update_energy(self) -> None:
        extra_uwh_per_s = self.extra_w * UWH_PER_J
        if not self.metered:
            self.prefill_uwh_per_token = extra_uwh_per_s * self.prefill_s_per_token
            self.step_uwh = extra_uwh_per_s * self.tpot_base_s
            self.token_uwh = extra_uwh_per_s * self.tpot_per_sequence_s
            return
        extra_uwh_per_s = max(self.extra_w, POWER_LEAST_W) * UWH_PER_J
        fit = self.decode_power
        self.prefill_uwh_per_token = extra_uwh_per_s * self.prefill_s_per_token * self.prefill_power
        step_uwh = extra_uwh_per_s * self.tpot_base_s
        token_uwh = extra_uwh_per_s * self._slope_s()
        self.token_uwh = token_uwh * min(MOST_POWER, fit.factor2)
        least_uwh = LEAST_POWER * (step_uwh + token_uwh) - self.token_uwh
        self.step_uwh = max(least_uwh, step_uwh * min(MOST_POWER, fit.factor1))

    def _slope_s(self) -> float:
        return max(self.tpot_per_sequence_s, self.tpot_base_s * SLOPE_LEAST, TIME_LEAST_S)


def _clip(value: float, most: float) -> float:
    """The value in [0, most]; 0 for what is no number."""
    if 0.0 <= value <= most:
        return value
    return most if value > most else 0.0


def _prediction_or(predicted_s: float, expected_s: float) -> float:
    """What was predicted, or what is expected now where no prediction is known."""
    return predicted_s if TIME_LEAST_S <= predicted_s < TIME_MOST_S else expected_s


def _clip_ratio(ratio: float) -> float:
    return min(METER_SURPRISE_MOST, max(1.0 / METER_SURPRISE_MOST, ratio))
