"""Explanations: each code has its sentence, and each sentence its values."""

from collections.abc import Iterator

import pytest
from tests.core import recording
from tests.sdk.explanation_cases import missing_parts

from entraide import i18n
from entraide.types import Explanation, JobState
from entraide_scheduler.core import commands
from entraide_scheduler.core.machine import Core

EVENTS = 3_000
ASK_EVERY = 100  # events between two looks at who waits


def explained(world: recording.World) -> Iterator[Explanation]:
    """Every explanation of a recorded life: with its commands, and of those that wait."""
    for command in world.pool.asked:
        if isinstance(command, commands.Place | commands.Refuse):
            yield command.explanation
    core = Core()
    for number, event in enumerate(world.pool.events):
        core.handle(event)
        if number % ASK_EVERY == 0:
            waiting = [job for job in core._state.jobs.values() if job.state is JobState.QUEUED]
            for job in waiting:
                explanation = core.explain(job.facts.job, event.at)
                assert explanation is not None
                yield explanation


def kinds(facts: Explanation) -> set[tuple[str, ...]]:
    """What an explanation has to say: its decision and its rules, each with its facts' names."""
    rules = {(exclusion.rule, *sorted(exclusion.values)) for exclusion in facts.excluded}
    return {(facts.decision, facts.reason, *sorted(facts.values)), *rules}


@pytest.fixture(scope="module")
def explanations() -> list[Explanation]:
    """Explanations of a recorded life, each of which says something that none before it says."""
    known: set[tuple[str, ...]] = set()
    chosen = []
    for facts in explained(recording.record(5, EVENTS)):
        if not kinds(facts) <= known:
            known |= kinds(facts)
            chosen.append(facts)
    return chosen


def test_every_recorded_explanation_is_complete(explanations: list[Explanation]) -> None:
    """Each decision and each rule of a recorded run is told in whole, in both languages."""
    wrong = [
        (facts.decision, facts.reason, lang, fault)
        for facts in explanations
        for lang in i18n.LANGUAGES
        for fault in missing_parts(facts, lang)
    ]

    assert {"placed", "waiting", "refused"} <= {facts.decision for facts in explanations}
    assert [] == wrong
