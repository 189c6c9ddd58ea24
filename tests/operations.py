"""Operations of an operator in tests: trials, pins and the doctor, each in a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from msgspec.structs import replace

from entraide_scheduler.operations import doctor_run, pin_operation, replay_operation

LIMITS = (
    (doctor_run, "DOCTOR_LIMITS"),
    (pin_operation, "PIN_LIMITS"),
    (replay_operation, "REPLAY_LIMITS"),
)


@contextmanager
def operations_at_equal_priority() -> Iterator[None]:
    """Gives operations the priority of the scheduler while a test waits for them.

    At their own they would get no time while other tests use the processor.
    """
    with pytest.MonkeyPatch.context() as patched:
        for module, name in LIMITS:
            equal = replace(getattr(module, name), is_idle=False, niceness=0)
            patched.setattr(module, name, equal)
        yield
