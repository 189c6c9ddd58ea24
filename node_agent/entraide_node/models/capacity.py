"""Capacity: reads disk and operating system for ``core.model_fit``.

Input: catalogue, store, hardware and engines. Output: ``ModelCapacity``. It blocks: call it off the
event loop.
"""

import platform
import subprocess
from collections.abc import Sequence

from entraide.catalogue.model_store import ModelStore
from entraide.models import Catalogue
from entraide_node.core.hardware import Hardware
from entraide_node.core.model_fit import (
    EngineKind,
    ModelCapacity,
    engines_in_fastest_memory,
    models_memory_limit_bytes,
)

ASK_TIMEOUT_S = 5.0

_WIRED = ["/usr/sbin/sysctl", "-n", "iogpu.wired_limit_mb"]


def measure_capacity(
    catalogue: Catalogue,
    store: ModelStore,
    hardware: Hardware,
    engines: Sequence[EngineKind],
    *,
    cap_bytes: int,
    allow: Sequence[str],
) -> ModelCapacity:
    """Returns the machine's capacity for models.

    Args:
        catalogue: models whose weights are looked up on the disk.
        store: of the weights.
        hardware: of the machine.
        engines: engines that it can start, the preferred one first.
        cap_bytes: the owner's memory limit; 0 for none.
        allow: names that the owner allows, or ``*``.
    """
    limit = read_wired_limit_bytes()
    return ModelCapacity(
        engines=engines_in_fastest_memory(hardware, engines),
        memory_bytes=models_memory_limit_bytes(
            hardware, engines, wired_limit_bytes=limit, cap_bytes=cap_bytes
        ),
        missing_bytes=store.missing_bytes_by_place(catalogue),
        disk_free_bytes=store.free_bytes(),
        allow=tuple(allow),
        speeds=store.transfer_rates(),
    )


def read_wired_limit_bytes() -> int:
    """Returns the GPU's wired limit that a Mac's owner set; 0 elsewhere, and if it is not set."""
    if platform.system() != "Darwin":
        return 0
    try:
        output = subprocess.run(
            _WIRED, check=True, capture_output=True, text=True, timeout=ASK_TIMEOUT_S
        ).stdout
        return max(0, int(output)) * 1024**2
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0
