# mypy: implicit-reexport
"""Models: what each alias means now, and how much each model is asked for.

Input: the pool's catalogue, the fleet and the requests. Output: the model that an alias such as
``small`` stands for, by what reachable nodes serve or can load; the demand for each model, from
which the planner decides which models to load.

An alias falls back to another model only as its catalogue entry allows, and a job that is waiting
is moved with it. Demand decays, so that a model which nobody asks for any more can make room.

``model_aliases`` resolves names; ``model_grades`` says which models are good enough for a task in
a language; ``demand`` counts requests and missed promises.
"""

from entraide_scheduler.core.models.demand import Demand, DemandState
from entraide_scheduler.core.models.model_aliases import (
    REACHABLE,
    AliasMeaning,
    ModelAliases,
    find_meanings,
    has_exhausted_loads,
    minimal_shape,
    openness_of,
)
from entraide_scheduler.core.models.model_grades import Grade, QualityStanding
