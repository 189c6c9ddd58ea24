"""A machine is its key: whatever is joined, lost, restored, revoked, forgotten or replayed.

Seen red with each of these faults, planted one at a time: the name of a revoked node, or of a
forgotten one, given to a second key; names of after a restore without its number; a record found
by the name in a hello; an invitation of before a restore accepted; an identity without a record, or
a revoked one, left connected; runs sent to another node's key. ``ENTRAIDE_LIVES=50`` tries more
lives.
"""

import os
from pathlib import Path
from random import Random

import pytest
from tests.scheduler.pool_lives import STEPS, PoolLife

from entraide_scheduler.nodes import enrolment
from entraide_scheduler.pool import sealed_file

STEPS_PER_LIFE = 24
SEEDS = int(os.environ.get("ENTRAIDE_LIVES", "3"))
LIVES = [*range(SEEDS), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(100, 112))]


@pytest.fixture
async def life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest):
    """A pool with its first backup."""
    monkeypatch.setattr(sealed_file, "SCRYPT_N", 2**4)
    monkeypatch.setattr(enrolment, "REFUSED_MAX", 1_000)
    seed = getattr(request, "param", 0)
    pool = PoolLife(tmp_path, Random(seed))
    await pool.start()
    yield pool
    await pool.close()


async def test_a_machine_of_after_the_backup_is_out(life: PoolLife) -> None:
    """The life in which another co-op's machine once read a restricted question, step by step."""
    await life.join_of("beta")
    await life.invite()
    await life.back_up()
    await life.join_of("alpha")
    await life.restore_newest()
    life.check()
    await life.use_invitation()
    await life.use_again()
    own = await life.join_of("beta")
    await life.ask()
    await life.revoke_machine(own)
    again = await life.join_of("beta")
    life.check()
    await life.forget_machine(again)
    await life.join_of("beta")
    await life.replay()
    await life.ask()
    life.check()


@pytest.mark.parametrize("life", LIVES, indirect=True)
async def test_any_life_agrees_with_the_model(life: PoolLife) -> None:
    """In random lives a name is one key's for ever, only keys of the record are in the fleet, used
    invitations let nobody in, restricted questions run at home, and who is out is told why."""
    random = life._random
    steps, weights = zip(*STEPS, strict=True)
    taken = []
    for step in random.choices(steps, weights, k=STEPS_PER_LIFE):
        taken.append(step.__name__)
        try:
            await step(life)
            life.check()
        except BaseException:
            print("steps:", *taken)
            raise
