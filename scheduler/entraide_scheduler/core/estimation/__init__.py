# mypy: implicit-reexport
"""Estimation: what the core learns from finished runs, by statistics that replay exactly.

Input: observed answer lengths, times to first token and times per token. Output: expected answer
length and its upper quantile, and predicted times with an error margin for a confidence.

The estimators are online and of bounded size, so the state does not grow with the number of jobs.
All arithmetic is exact or correctly rounded by IEEE 754, so a replay on another processor gives the
same estimates. The package knows no jobs, nodes or policy: callers pass numbers. The formulas and
their sources stand in the modules.

``estimators`` holds quantiles and margins; ``length_predictor`` predicts answer lengths by co-op
and model; ``performance_model`` predicts times of a replica;
``availability_profile`` learns in which hours a node usually takes work.
"""

from entraide_scheduler.core.estimation.availability_profile import (
    FULL,
    WEEK_HOURS,
    AvailabilityProfile,
)
from entraide_scheduler.core.estimation.estimators import excess_scale
from entraide_scheduler.core.estimation.length_predictor import (
    FIRST_OUTPUT_TOKENS,
    FIRST_RUN_S,
    LONGEST,
    MIN_ANSWERS,
    LengthPredictor,
    LengthPredictorState,
)
from entraide_scheduler.core.estimation.performance_model import PerformanceModel, RunMeasurement
