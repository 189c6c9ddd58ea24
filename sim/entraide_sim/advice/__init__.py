"""Advice: what a co-op gains by a change, in sentences.

Input: a scenario and questions. Output: answers with their assumptions.

``scenario_advice`` evaluates ``scenario_changes``, ``advice_sensitivity`` tries their assumptions,
``advice_text`` and ``advice_output`` say them.
"""

from entraide_sim.advice import advice_output, scenario_advice
from entraide_sim.advice.advice_sensitivity import question_sensitivity

__all__ = [
    "advice_output",
    "question_sensitivity",
    "scenario_advice",
]
