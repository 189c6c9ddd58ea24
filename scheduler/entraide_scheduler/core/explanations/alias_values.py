"""Alias values: why an alias means a model, in the values of an explanation.

Input: the state, and a job that asked for an alias. Output: the alias, the model, how the model
stands against the policy's least rate of right answers, and the measured figures of the task and
language where it stands worst; and the question's language, and how it was obtained if the client
did not state it.
"""

from entraide.types import Basis
from entraide_scheduler.core.records import Job
from entraide_scheduler.core.rules import Values
from entraide_scheduler.core.state import State


def alias_values(state: State, job: Job) -> Values:
    """Returns the values of the sentences on an alias."""
    facts = job.facts
    values: Values = {"alias": job.alias, "model": facts.model}
    grade = state.model_aliases.find_grade(state.fleet, facts, facts.model)
    if grade is None:
        return values
    values["quality"] = grade.standing.name.lower()
    if facts.language:
        values["asked_language"] = facts.language
        if facts.language_basis is not Basis.DECLARED:
            values["language_basis"] = facts.language_basis.value
    if grade.n:
        values["task"], values["language"] = grade.task, grade.language
        values["right_rate"], values["right_low"] = grade.rate, grade.low
        values["right_least"], values["right_answers"] = grade.least, grade.n
    return values
