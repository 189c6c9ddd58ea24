"""Estimators: the small statistics by which ``performance_model`` learns, of bounded size.

Decides how a few non-negative factors are fitted to what is seen, how far what is seen strays from
what was predicted, and how good predictions have been. It refuses to know what the numbers mean.
Everything forgets, so that what changed long ago does not weigh for ever.
"""

from bisect import bisect_left

from msgspec import Struct

FORGET = 63 / 64  # of a fit's sums at each observation: it remembers some 64
FORGET_SCORES = 255 / 256  # of calibration counters
PRIOR_LEAST = 1.0  # observations that a prior is always worth, so that a fit never runs away
FACTOR_MOST = 1_024.0

CORRECT = 1 / 6  # part of a new ratio that goes into the correction
CORRECTION_MOST = 16.0  # and its inverse: the least

SURPRISE_LEAST = 2.0  # ratios within this, and its inverse, are never clipped
ERROR_MOST = 8.0  # of what was seen: an error beyond is scored as this
DEVIATIONS = 5.0  # so many mean deviations away, a ratio counts no further
FIRST_WORTH = 5.0  # ratios that the first spread is worth
WORTH_MOST = 32.0
FIRST_REACH = 1.6  # mean absolute deviations from mean to p90: 1.2816 / 0.7979 if normal
FIRST_DEVIATION = 0.1875  # so that the first p90 is 1.3 times the mean
REACH_STEP = 0.25
REACH_MOST = 8.0
EXCEED = 0.1  # part of what is seen that is to lie beyond the p90

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
    """Returns how far a quantile lies from the mean, as a part of how far p90 does.

    Linear between the rows of a table of normal quantiles; 0 below a half, and the table's last
    row beyond it.
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
    """Three factors that are not negative, fitted to parts of what was predicted.

    An observation says that parts ``x`` of a whole, each made by a coefficient's prior, came to
    ``y``; if the priors were right, ``y = x1 + x2 + x3``. The factors minimise the weighted squares
    of ``y - factor1 x1 - factor2 x2 - factor3 x3`` (recursive least squares by normal equations,
    with forgetting) plus the prior's: ``prior`` observations' worth for one common level near 1,
    and for each factor near that level, held as fast as ``hold`` says. A machine that is slow
    throughout is thus known after a few runs, and what the runs do not tell apart stays as the
    prior had it.

    Attributes:
        prior: observations that the prior is worth now.
        hold1, hold2, hold3: parts of ``prior`` that hold each factor near the common level.
        factor1, factor2, factor3: the fitted factors.
        s11 to s33: weighted sums of the products of the parts.
        y1, y2, y3: weighted sums of the parts' products with what was seen.
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
        """Takes in one observation and fits again."""
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
        """Solves the normal equations (L D L'), then bends them to factors in bounds."""
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
            f1, f2, f3 = max(f1, 0.0), max(f2, 0.0), max(f3, 0.0)
            for _ in range(4):  # projected Gauss-Seidel: each step lessens the squares
                f1 = max(0.0, (b1 - s12 * f2 - s13 * f3) / a11)
                f2 = max(0.0, (b2 - s12 * f1 - s23 * f3) / a22)
                f3 = max(0.0, (b3 - s13 * f1 - s23 * f2) / a33)
        self.factor1 = f1 if f1 < FACTOR_MOST else FACTOR_MOST
        self.factor2 = f2 if f2 < FACTOR_MOST else FACTOR_MOST
        self.factor3 = f3 if f3 < FACTOR_MOST else FACTOR_MOST


class Spread(Struct, array_like=True):
    """How far what is seen strays from what was predicted, as ratios seen / predicted.

    The p90 is ``1 + reach * deviation``. ``reach`` moves so that a tenth of what is seen lies
    beyond, whatever its distribution: up by much when it does, down by little when it does not
    (adaptive conformal inference, Gibbs and Candes, NeurIPS 2021).

    Attributes:
        deviation: running mean of |ratio - 1|.
        reach: deviations from the prediction to the p90.
        worth: ratios that the deviation rests on.
        p90: upper factor on a prediction, at least 1.
    """

    deviation: float = FIRST_DEVIATION
    reach: float = FIRST_REACH
    worth: float = FIRST_WORTH
    p90: float = 1.0 + FIRST_REACH * FIRST_DEVIATION

    def add(self, ratio: float) -> bool:
        """Takes in a ratio; returns whether it lay beyond the p90 before it was known."""
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
        """Returns the factor on a prediction that holds with a confidence, at least 1."""
        return 1.0 + (self.p90 - 1.0) * excess_scale(confidence)


class Score(Struct, array_like=True):
    """How good predictions of one quantity have been, the old ones fading.

    Attributes:
        predictions: how many, faded.
        errors: faded sum of |seen - predicted| / seen.
        exceeded: faded count of what lay beyond the p90.
    """

    predictions: float = 0.0
    errors: float = 0.0
    exceeded: float = 0.0

    def add(self, ratio: float, *, exceeded: bool) -> None:
        """Takes in a ratio of seen to predicted, positive, and whether it lay beyond the p90."""
        error = (ratio - 1.0 if ratio > 1.0 else 1.0 - ratio) / ratio
        error = min(error, ERROR_MOST)
        self.predictions = self.predictions * FORGET_SCORES + 1.0
        self.errors = self.errors * FORGET_SCORES + error
        self.exceeded = self.exceeded * FORGET_SCORES + (1.0 if exceeded else 0.0)

    @property
    def mape(self) -> float:
        """Mean absolute error as a part of what was seen; 0 before anything was."""
        return self.errors / self.predictions if self.predictions else 0.0

    @property
    def exceeded_share(self) -> float:
        """Part of what was seen that lay beyond the p90; 0 before anything was seen."""
        return self.exceeded / self.predictions if self.predictions else 0.0


class Estimate(Struct, array_like=True):
    """A fitted line, the correction that follows a drift, the spread, and the score.

    Attributes:
        fit: the factors of the line's parts.
        correction: exponentially weighted ratio of what is seen to what the fit tells.
        spread, score: of what was predicted.
    """

    fit: Fit
    correction: float
    spread: Spread
    score: Score

    @classmethod
    def prior(cls, fit: Fit) -> "Estimate":
        """Returns what to believe before anything is seen."""
        return cls(fit, 1.0, Spread(), Score())

    def record_ratio(self, ratio: float) -> None:
        """Takes in a ratio of what was seen to what had been predicted."""
        self.score.add(ratio, exceeded=self.spread.add(ratio))

    def learn(self, parts: tuple[float, float, float], *, ratio: float, weight: float) -> None:
        """Takes in what was seen.

        Args:
            parts: of the line, each made by its coefficient's prior, as parts of what is expected
                now, correction included.
            ratio: of what was seen to what is expected now. The further it is from 1, the less it
                weighs in the fit; far beyond the usual spread it moves the correction no further.
            weight: of the observation, from 0 to 1.
        """
        most = 1.0 + DEVIATIONS * self.spread.deviation
        most = most if most > SURPRISE_LEAST else SURPRISE_LEAST
        off = ratio - 1.0 if ratio > 1.0 else 1.0 / ratio - 1.0
        x1, x2, x3 = parts
        fit, correction = self.fit, self.correction
        # Each run is fitted beside the correction of its time: what slowed the whole machine does
        # not bend the line.
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
