"""Estimators: small statistics of bounded size, from which ``performance_model`` learns.

- ``Fit``: non-negative recursive least squares of three factors, with forgetting and a prior;
- ``Spread``: online estimate of the p90 of observed / predicted (adaptive conformal inference);
- ``Score``: mean absolute percentage error and share above the p90, with forgetting;
- ``Estimate``: the three together, with an exponential correction for drift.

Inputs: ratios of observed to predicted values. Outputs: factors, corrections, upper bounds.
"""

from bisect import bisect_left

from msgspec import Struct

FORGET = 63 / 64  # factor on a fit's sums at each observation: a memory of 64 observations
FORGET_SCORES = 255 / 256  # factor on a score's sums at each prediction
PRIOR_LEAST = 1.0  # least weight of a prior, in observations, which keeps a fit stable
FACTOR_MOST = 1_024.0

CORRECT = 1 / 6  # weight of a new ratio in the correction
CORRECTION_MOST = 16.0  # greatest correction; the least is its inverse

SURPRISE_LEAST = 2.0  # ratios between this and its inverse are never clipped
ERROR_MOST = 8.0  # greatest relative error that a score counts
DEVIATIONS = 5.0  # mean absolute deviations at which a ratio is clipped
FIRST_WORTH = 5.0  # weight of the initial spread, in ratios
WORTH_MOST = 32.0
FIRST_REACH = 1.6  # mean absolute deviations from mean to p90: 1.2816 / 0.7979 if normal
FIRST_DEVIATION = 0.1875  # so that the first p90 is 1.3 times the mean
REACH_STEP = 0.25
REACH_MOST = 8.0
EXCEED = 0.1  # target share of observations above the p90

# Quantiles of the normal distribution at these confidences, divided by that at 0.9 (1.281552).
CONFIDENCES = (
    0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.97, 0.98,
    0.99, 0.995, 0.9975, 0.999,
)  # fmt: skip
SCALES = (
    0.0, 0.197688, 0.409192, 0.526307, 0.656721, 0.808733, 1.0, 1.123272, 1.283486,
    1.467591, 1.602549, 1.815259, 2.00993, 2.19034, 2.411321,
)  # fmt: skip


def excess_scale(confidence: float) -> float:
    """Returns the ratio of a normal quantile to the p90, both measured from the mean.

    Linear between the rows of ``SCALES``; 0 up to a confidence of 0.5, and the last row's value
    from 0.999 on.
    """
    if not confidence > CONFIDENCES[0]:
        return 0.0
    if confidence >= CONFIDENCES[-1]:
        return SCALES[-1]
    above = bisect_left(CONFIDENCES, confidence)
    low, high = CONFIDENCES[above - 1], CONFIDENCES[above]
    part = (confidence - low) / (high - low)
    return SCALES[above - 1] + part * (SCALES[above] - SCALES[above - 1])


class Fit(Struct, array_like=True):
    """Non-negative least-squares fit of three factors to the terms of a prediction.

    An observation is ``(x1, x2, x3, y)``: the three terms of a prediction, each by the prior's
    coefficient, and the observed value ``y``. If the prior is right, ``y = x1 + x2 + x3``. The
    factors minimise the weighted squares of ``y - factor1 x1 - factor2 x2 - factor3 x3``
    (recursive least squares by normal equations, with exponential forgetting) plus a ridge
    penalty: each factor is drawn to a common level, and the level to 1. So a uniformly slow
    machine is recognised after a few runs, and factors that the runs do not distinguish keep their
    proportions.

    Attributes:
        prior: weight of the prior now, in observations.
        hold1, hold2, hold3: ridge weight of each factor, as a fraction of ``prior``.
        factor1, factor2, factor3: the fitted factors.
        s11 to s33: weighted sums of products of terms.
        y1, y2, y3: weighted sums of products of a term and the observed value.
    """

    prior: float
    hold1: float
    hold2: float
    hold3: float
    factor1: float = 1.0
    factor2: float = 1.0
    factor3: float = 1.0
    s11: float = 0.0
    s12: float = 0.0
    s13: float = 0.0
    s22: float = 0.0
    s23: float = 0.0
    s33: float = 0.0
    y1: float = 0.0
    y2: float = 0.0
    y3: float = 0.0

    def add(self, x1: float, x2: float, x3: float, *, y: float, weight: float) -> None:
        """Adds one observation and updates the factors."""
        forget = FORGET
        prior = self.prior * forget
        self.prior = prior if prior > PRIOR_LEAST else PRIOR_LEAST
        w1, w2, w3 = weight * x1, weight * x2, weight * x3
        self.s11 = self.s11 * forget + w1 * x1
        self.s12 = self.s12 * forget + w1 * x2
        self.s13 = self.s13 * forget + w1 * x3
        self.s22 = self.s22 * forget + w2 * x2
        self.s23 = self.s23 * forget + w2 * x3
        self.s33 = self.s33 * forget + w3 * x3
        self.y1 = self.y1 * forget + w1 * y
        self.y2 = self.y2 * forget + w2 * y
        self.y3 = self.y3 * forget + w3 * y
        self._solve()

    def _solve(self) -> None:
        """Solves the normal equations (L D L'), then projects the factors into their bounds."""
        prior, s12, s13, s23 = self.prior, self.s12, self.s13, self.s23
        whole = self.s11 + self.s22 + self.s33 + 2.0 * (s12 + s13 + s23)
        level = (prior + self.y1 + self.y2 + self.y3) / (prior + whole)
        hold1, hold2, hold3 = prior * self.hold1, prior * self.hold2, prior * self.hold3
        a11, a22, a33 = self.s11 + hold1, self.s22 + hold2, self.s33 + hold3
        b1, b2, b3 = self.y1 + hold1 * level, self.y2 + hold2 * level, self.y3 + hold3 * level
        l21, l31 = s12 / a11, s13 / a11
        d2 = a22 - l21 * s12
        u32 = s23 - l31 * s12
        l32 = u32 / d2
        d3 = a33 - l31 * s13 - l32 * u32
        z2 = b2 - l21 * b1
        f3 = (b3 - l31 * b1 - l32 * z2) / d3
        f2 = (z2 - u32 * f3) / d2
        f1 = (b1 - s12 * f2 - s13 * f3) / a11
        if f1 < 0.0 or f2 < 0.0 or f3 < 0.0:
            f2, f3 = 0.0 if f2 < 0.0 else f2, 0.0 if f3 < 0.0 else f3
            for _ in range(4):  # projected Gauss-Seidel: no step increases the squares
                f1 = (b1 - s12 * f2 - s13 * f3) / a11
                f1 = f1 if f1 > 0.0 else 0.0
                f2 = (b2 - s12 * f1 - s23 * f3) / a22
                f2 = f2 if f2 > 0.0 else 0.0
                f3 = (b3 - s13 * f1 - s23 * f2) / a33
                f3 = f3 if f3 > 0.0 else 0.0
        self.factor1 = f1 if f1 < FACTOR_MOST else FACTOR_MOST
        self.factor2 = f2 if f2 < FACTOR_MOST else FACTOR_MOST
        self.factor3 = f3 if f3 < FACTOR_MOST else FACTOR_MOST


class Spread(Struct, array_like=True):
    """Online p90 of the ratio observed / predicted, for any distribution.

    The p90 is ``1 + reach * deviation``. After each ratio, ``reach`` rises by ``0.9 * REACH_STEP``
    if the ratio exceeded the p90 and falls by ``0.1 * REACH_STEP`` if not, so that a tenth of the
    ratios exceed it in the long run (adaptive conformal inference, Gibbs and Candes, NeurIPS 2021).

    Attributes:
        deviation: running mean of |ratio - 1|.
        reach: distance from the prediction to the p90, in deviations.
        worth: number of ratios in the running mean, at most ``WORTH_MOST``.
        p90: factor on a prediction, at least 1.
    """

    deviation: float = FIRST_DEVIATION
    reach: float = FIRST_REACH
    worth: float = FIRST_WORTH
    p90: float = 1.0 + FIRST_REACH * FIRST_DEVIATION

    def add(self, ratio: float) -> bool:
        """Adds a ratio; returns whether it exceeded the p90 that held before."""
        deviation = self.deviation
        exceeded = ratio > self.p90
        if self.worth < WORTH_MOST:
            self.worth += 1.0
        off = ratio - 1.0 if ratio > 1.0 else 1.0 - ratio
        far = DEVIATIONS * deviation + 0.01
        off = off if off < far else far
        self.deviation = deviation = deviation + (off - deviation) / self.worth
        reach = self.reach + REACH_STEP * ((1.0 if exceeded else 0.0) - EXCEED)
        self.reach = reach = min(REACH_MOST, max(0.0, reach))
        self.p90 = 1.0 + reach * deviation
        return exceeded

    def upper(self, confidence: float) -> float:
        """Returns the factor from a prediction to its bound at a confidence, at least 1."""
        return 1.0 + (self.p90 - 1.0) * excess_scale(confidence)


class Score(Struct, array_like=True):
    """Accuracy of the predictions of one quantity, with exponential forgetting.

    Attributes:
        predictions: discounted number of predictions.
        errors: discounted sum of |observed - predicted| / observed.
        exceeded: discounted number of observations above the p90.
    """

    predictions: float = 0.0
    errors: float = 0.0
    exceeded: float = 0.0

    def add(self, ratio: float, *, exceeded: bool) -> None:
        """Adds a positive ratio observed / predicted, and whether it exceeded the p90."""
        error = (ratio - 1.0 if ratio > 1.0 else 1.0 - ratio) / ratio
        error = min(error, ERROR_MOST)
        self.predictions = self.predictions * FORGET_SCORES + 1.0
        self.errors = self.errors * FORGET_SCORES + error
        self.exceeded = self.exceeded * FORGET_SCORES + (1.0 if exceeded else 0.0)

    @property
    def mape(self) -> float:
        """Mean absolute error relative to the observed value; 0 without a prediction."""
        return self.errors / self.predictions if self.predictions else 0.0

    @property
    def exceeded_share(self) -> float:
        """Share of observations above the p90; 0 without a prediction."""
        return self.exceeded / self.predictions if self.predictions else 0.0


class Estimate(Struct, array_like=True):
    """Estimator of one quantity: a fit, a correction for drift, the spread and the score.

    Attributes:
        fit: factors on the terms of the prediction.
        correction: exponentially weighted ratio of observed values to those of the fit.
        spread, score: of the predictions that were made.
    """

    fit: Fit
    correction: float
    spread: Spread
    score: Score

    @classmethod
    def prior(cls, fit: Fit) -> "Estimate":
        """Returns the estimator without any observation."""
        return cls(fit, 1.0, Spread(), Score())

    def record_ratio(self, ratio: float) -> None:
        """Adds a ratio observed / predicted to the spread and the score."""
        self.score.add(ratio, exceeded=self.spread.add(ratio))

    def learn(self, parts: tuple[float, float, float], *, ratio: float, weight: float) -> None:
        """Updates the fit and the correction by one observation.

        Args:
            parts: terms of the prediction by the prior's coefficients, each divided by the value
                that is expected now, the correction included.
            ratio: observed value divided by the value that is expected now. Its weight in the fit
                falls with its distance from 1; in the correction it is clipped to ``DEVIATIONS``
                of the spread.
            weight: of the observation, from 0 to 1.
        """
        most = 1.0 + DEVIATIONS * self.spread.deviation
        most = most if most > SURPRISE_LEAST else SURPRISE_LEAST
        off = ratio - 1.0 if ratio > 1.0 else 1.0 / ratio - 1.0
        x1, x2, x3 = parts
        fit, correction = self.fit, self.correction
        # Each run is fitted together with the correction of its time, so that a slowdown of the
        # whole machine does not distort the fit.
        fit.add(
            x1 * correction,
            x2 * correction,
            x3 * correction,
            y=ratio,
            weight=weight / (1.0 + off * off),
        )
        fitted = fit.factor1 * x1 + fit.factor2 * x2 + fit.factor3 * x3
        step = ratio / (fitted * correction) if fitted > 0.0 else most
        if step > most:
            step = most
        elif step * most < 1.0:
            step = 1.0 / most
        correction = correction * (1.0 + CORRECT * weight * (step - 1.0))
        self.correction = min(CORRECTION_MOST, max(1.0 / CORRECTION_MOST, correction))
