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


def kind(facts: Explanation) -> tuple[str, ...]:
    """What makes one explanation worth reading beside another: its codes and its facts' names."""
    rules = sorted({f"{exclusion.rule}:{sorted(exclusion.values)}" for exclusion in facts.excluded})
    return (facts.decision, facts.reason, *sorted(facts.values), *rules)


@pytest.fixture(scope="module")
def explanations() -> dict[tuple[str, ...], Explanation]:
    """One explanation of each kind that a recorded life holds."""
    return {kind(facts): facts for facts in explained(recording.record(5, EVENTS))}


def test_every_recorded_explanation_is_complete(
    explanations: dict[tuple[str, ...], Explanation],
) -> None:
    """Each decision of a recorded run has all parts of its sentence in both languages."""
    wrong = [
        (facts.decision, facts.reason, lang, fault)
        for facts in explanations.values()
        for lang in i18n.LANGUAGES
        for fault in missing_parts(facts, lang)
    ]

    assert {"placed", "waiting", "refused"} <= {facts.decision for facts in explanations.values()}
    assert [] == wrong
