"""A plugin of pytest: repeats the tests marked ``fuzz`` until a time that was asked for is spent.

``ENTRAIDE_FUZZ_S`` is the time in seconds for all of them together, however many processes run
them; each test gets the same part of it. Each repetition has new examples. Without the variable
a test runs once, with a few examples.
"""

import os
import time

import pytest
from hypothesis import HealthCheck, settings

FUZZ_S = float(os.environ.get("ENTRAIDE_FUZZ_S", "0"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
EXAMPLES = 300 if FUZZ_S else 25  # of a test in one repetition

settings.register_profile(
    "fuzz", deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck)
)
settings.register_profile("untimed", deadline=None)  # no test may fail because a machine is slow
settings.load_profile("fuzz" if FUZZ_S else "untimed")

share_s = pytest.StashKey[float]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Divides the time among the tests; runs no others."""
    if FUZZ_S:
        kept = [item for item in items if item.get_closest_marker("fuzz")]
        config.stash[share_s] = FUZZ_S * WORKERS / max(1, len(kept))
        items[:] = kept


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs a test until its time is spent, at least once."""
    if not FUZZ_S or not pyfuncitem.get_closest_marker("fuzz"):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}
    until = time.monotonic() + pyfuncitem.config.stash[share_s]
    rounds = 0
    while not rounds or time.monotonic() < until:
        pyfuncitem.obj(**arguments)
        rounds += 1
    pyfuncitem.user_properties.append(("rounds", rounds))
    return True
