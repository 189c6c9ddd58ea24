# mypy: implicit-reexport
"""Carbon: emissions of a run, forecasts of grid intensity, and the plan of deferred work.

Input: intensities and forecasts by zone, a run's energy, and the backlog of batch work by hour.
Output: grams by the direct and the life-cycle basis, the expected intensity of each coming hour,
and the intensity above which a job that may wait should not start yet.

Grams are energy times intensity, as in the GHG Protocol's location-based method; which basis
counts is the policy's choice. A zone without a valid intensity takes the default of its province
or of the policy, and the explanation says so. Planning is by hours and zones, so its cost does not
depend on the number of jobs. ``docs/concepts/carbon.md`` explains the method.

``emissions`` computes grams; ``resumed_runs`` those of an answer with several runs;
 ``intensity_forecast`` holds signals by zone and hour;
``batch_backlog`` sums the waiting work by deadline; ``run_lengths`` says how long it takes;
``shift_planner`` finds the hours;
``batch_expectation`` says when a batch will run, and what that saves.
"""

from entraide_scheduler.core.carbon.batch_backlog import STEP_S, latest_start_hour
from entraide_scheduler.core.carbon.batch_expectation import (
    BatchExpectation,
    BatchWorkload,
    ExpectedHour,
    expect_batch,
)
from entraide_scheduler.core.carbon.emissions import (
    UNKNOWN_ZONE,
    EffectiveIntensity,
    ZoneIntensity,
    effective_intensity,
    evidence_of,
    grid_intensity,
    make_receipt,
    settle,
    status_valid_until,
    surplus_w,
    undocumented_w,
)
from entraide_scheduler.core.carbon.intensity_forecast import (
    HOUR_S,
    ExpectedIntensity,
    Signal,
    ZoneSignals,
)
from entraide_scheduler.core.carbon.resumed_runs import (
    BilledRun,
    make_resumed_receipt,
    settle_resumed,
    total_usage,
)
from entraide_scheduler.core.carbon.run_lengths import RunLengths, TokenTimes, run_lengths_of
from entraide_scheduler.core.carbon.shift_planner import (
    BatchSlots,
    GreenerHour,
    ShiftPlanner,
    ShiftReason,
    StartLimit,
    ZoneCapacity,
)
