"""An answer of a real pool whose machine is killed: another one continues it, exactly."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.stories import continuation, kill, read_story
from tests.engines.support import llamacpp
from tests.integration.local_pool import RunningPool, up

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]

TOKENS = 120
KILLED_AFTER = 20  # events


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[RunningPool]:
    """A pool of two machines with the same weights."""
    started = up(tmp_path / "pool", "--nodes", "2")
    try:
        started.until(lambda: len(started.live()) == 2, "both machines are live")
        yield started
    finally:
        started.entraide("down")


async def test_the_answer_of_a_killed_machine_goes_on_at_another(pool: RunningPool) -> None:
    """No character is missing or doubled, and the answer is what the second engine continues."""
    story = read_story(
        pool, lambda node: kill(pool, node), lost_after=KILLED_AFTER, max_tokens=TOKENS
    )
    async with llamacpp() as engine:
        continued = await continuation(engine, story.before)

    assert 1 == len(story.seams), story
    receipt = story.last["entraide"]
    assert story.after.startswith(continued)
    assert [story.lost, receipt["node"]] == [run["node"] for run in receipt["runs"]]
    assert story.lost != receipt["node"]
    assert TOKENS == sum(run["output_tokens"] for run in receipt["runs"])
    assert "length" == story.last["choices"][0]["finish_reason"]
