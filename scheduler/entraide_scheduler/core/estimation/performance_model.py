"""Performance model: learned speed and energy of one replica.

Starts from the node's card and learns means and p90s from every run. With b sequences in the batch:

    TTFT on the node = (queued prompts + 1) * start + (queued + own uncached tokens) * read(b)
    read(b)          = prefill + steps per token * TPOT(b); prefill alone while b = 0
    TPOT(b)          = base + per sequence * b
    energy           = uncached tokens * prefill energy + output tokens * (step / b + token)

A step that reads prompt tokens also decodes one token of each sequence: hence ``steps per token``.
``start`` is the wait for the running step and for the last, partly filled one. TPOT(b) was within
2 % on an H100 from 8 to 256 sequences (ML.ENERGY). Energy is time multiplied by the card's power
until a meter reports. Inputs: the card, a ``RunMeasurement`` per run. Outputs: coefficients.
"""

from msgspec import Struct

from entraide.types import Basis, Rates
from entraide_scheduler.core.estimation.estimators import Estimate, Fit, Spread

UWH_PER_J = 1e6 / 3_600.0

MEASURED_WORTH = 10.0  # weight of an enrolment benchmark, in observations
DEFAULT_WORTH = 2.0  # weight of a device's figures, in observations
LOOSE_HOLD = 1 / 256  # ridge weight of what no card states: start, steps per prompt token
SLOPE_HOLD = 1 / 64  # ridge weight of TPOT's slope, which a short benchmark measures badly
STEPS = 1 / 512  # initial steps of the batch per prompt token

TIME_LEAST_S = 1e-6  # least coefficient of a card in a fit
SLOPE_LEAST = 1 / 64  # least slope of TPOT in a fit, as a fraction of its base
START_LEAST_S = 1e-3  # least start in a fit
START_MOST_S = 30.0
FASTEST = 1 / 16  # bounds of a learned time, as multiples of the card's
SLOWEST = 256.0

POWER_LEAST_W = 1.0  # least active minus idle power of a card, once a meter reports
LEAST_POWER = 1 / 4  # bounds of a metered power, as multiples of the card's
MOST_POWER = 16.0
METER_STEP = 1 / 16  # weight of a new ratio in the power of prefill
METER_SURPRISE_MOST = 3.0  # ratios of metered to expected energy are clipped to this
METER_TOKENS_LEAST = 16  # least number of tokens from which energy is learned

SHORT_STEPS = 16.0  # decode steps: a run with fewer weighs less
ESTIMATED_WEIGHT = 0.25  # of a run whose tokens were not counted by its engine
TIME_MOST_S = 1e6
TOKENS_MOST = 1 << 24
ENERGY_MOST_UWH = 1e15


class RunMeasurement(Struct, frozen=True):
    """Measurements of one run, and the predictions that were made for it.

    Times are on the node, without the round trip. A value of 0 is unknown and is not learned from.

    Attributes:
        predicted_ttft_s: mean predicted at placement, queue included.
        queue_s: queued part of that prediction; used only without ``queue_tokens``.
        uncached_tokens: prompt tokens that were not in the cache.
        batch_at_start: sequences that were decoding at its start, without its own.
        ttft_s: from the node's receipt to the first token.
        output_tokens: of all answers.
        decode_s: from the first token to the end.
        mean_batch: time-averaged batch size during decode, its own sequences included.
        energy_prefill_uwh, energy_decode_uwh: the run's share of the machine's energy.
        energy_basis: basis of the energy; only ``measured`` energy is learned from.
        counted: basis of the token counts; estimated ones weigh less.
        choices: number of answers requested.
        predicted_tpot_s: mean predicted at placement.
        queue_tokens: uncached prompt tokens queued before this run. Preferred to ``queue_s``,
            which depends on the coefficients at placement.
        queue_prompts: number of those prompts; fractional if one was partly read.
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
    """Accuracy of the predictions, with exponential forgetting.

    Attributes:
        predictions_ttft, predictions_tpot: discounted number of predictions.
        mape_ttft, mape_tpot: mean absolute error relative to the observed value.
        exceeded_ttft, exceeded_tpot: share of observations above the p90; the target is 0.1.
    """

    predictions_ttft: float
    mape_ttft: float
    exceeded_ttft: float
    predictions_tpot: float
    mape_tpot: float
    exceeded_tpot: float


class PerformanceModel(Struct, array_like=True):
    """Coefficients of one replica, and the estimators behind them.

    Attributes:
        rates, extra_w, slots: the card's speed, active minus idle power in watts, and slots.
        start_s: time of each prompt that does not depend on its length.
        prefill_s_per_token: time of an uncached prompt token without a running batch.
        steps_per_token: additional decode steps per prompt token beside a running batch.
        tpot_base_s, tpot_per_sequence_s: time per output token, TPOT(b) = base + per sequence * b.
        prefill_uwh_per_token: energy of an uncached prompt token.
        step_uwh: energy of one decode step, shared by the batch.
        token_uwh: additional energy of each output token.
        ttft_p90, tpot_p90: factors from the mean to the p90, at least 1.
        queued_p90: the same for a first token behind other prompts. These errors are larger and
            correlated, so they have an estimator of their own.
        ttft, tpot, queued, decode_power: the estimators.
        prefill_power: metered power of prefill, as a multiple of the card's.
        metered: whether any metered energy was learned.
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
        """Returns the model of a replica before any run.

        Args:
            rates: speed by its card, within bounds.
            extra_w: active minus idle power of the machine, watts.
            slots: greatest batch.
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
            start_s=rates.tpot_base_s,  # a new prompt waits for the running step
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
        """Learns from a run; impossible values are skipped, extreme values clipped."""
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
        """Returns the time of a decode step, seconds; 0 for an empty batch."""
        return self.tpot_base_s + self.tpot_per_sequence_s * batch if batch > 0.0 else 0.0

    def set_power(self, extra_w: float) -> None:
        """Sets the card's active minus idle power, watts."""
        self.extra_w = extra_w
        self._update_energy()

    def calibration(self) -> Calibration:
        """Returns the accuracy of the predictions."""
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
        # A queue known in seconds only was predicted with coefficients that may be outdated. So the
        # error is split in proportion, and weighs less the longer the queue was. Otherwise the
        # correction would feed back into itself and oscillate.
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
        """Fits the metered power as a multiple of the card's, by the learned times."""
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
    """Returns the value clipped to [0, most]; 0 for NaN."""
    if 0.0 <= value <= most:
        return value
    return most if value > most else 0.0


def _prediction_or(predicted_s: float, expected_s: float) -> float:
    """Returns the prediction at placement, or the present one if there was none."""
    return predicted_s if TIME_LEAST_S <= predicted_s < TIME_MOST_S else expected_s


def _clip_ratio(ratio: float) -> float:
    return min(METER_SURPRISE_MOST, max(1.0 / METER_SURPRISE_MOST, ratio))
