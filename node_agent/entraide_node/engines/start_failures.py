"""Start failures: why an engine did not start, from its output.

Input: the last lines of its output, and its exit status. Output: a problem with a stable code, by
the first matching pattern. It also decides which lines of a serving llama.cpp may be logged: only
those of the compute library, because other lines may contain parts of requests.
"""

import re
from collections.abc import Sequence

from entraide_node.engines.base import ENGINE_CRASHED, ENGINE_EXITED, EngineProblem

DETAIL_CHARS_MAX = 300
# SIGKILL ended the process, or the server that its wrapper started.
KILLED_STATUSES = (-9, 128 + 9)

Reasons = tuple[tuple[str, re.Pattern[str]], ...]

# Messages of llama.cpp, and their codes.
LLAMACPP_REASONS: Reasons = (
    ("engine_address_taken", re.compile(r"couldn't bind HTTP server socket")),
    ("engine_no_memory", re.compile(
        r"insufficient memory|failed to allocate|out of memory|cannot allocate", re.I)),
    ("model_missing", re.compile(r"failed to open GGUF file")),
    ("model_damaged", re.compile(
        r"invalid magic|corrupted or incomplete|failed to read|not within the file bounds"
        r"|gguf_init_from")),
    ("model_unsupported", re.compile(r"unknown (?:model architecture|pre-tokenizer)", re.I)),
    ("engine_not_installed", re.compile(r"No module named '?xllamacpp")),
    ("model_damaged", re.compile(r"failed to load model")),
)  # fmt: skip

# Messages of vLLM, mlx-lm, Python and torch, and their codes.
PROGRAM_REASONS: Reasons = (
    ("engine_disk_full", re.compile(r"No space left on device|Disk quota exceeded|File too large")),
    ("engine_address_taken", re.compile(r"[Aa]ddress already in use")),
    ("engine_no_memory", re.compile(
        r"out of memory|OutOfMemoryError|MemoryError|bad_alloc|[Cc]an(?:no|')t allocate memory"
        r"|[Nn]o available memory|KV cache memory|less than desired|metal::malloc"
        r"|memory utilization|failed to map segment|Resource temporarily unavailable"
        r"|allocation of \d+ bytes failed|can't start new thread")),
    ("model_missing", re.compile(
        r"does not appear to have a file named|[Nn]o safetensors found|[Nn]o model weights found"
        r"|FileNotFoundError|Repo id must be|not found in path|Cannot find any model weights")),
    ("model_damaged", re.compile(
        r"SafetensorError|[Ii]nvalid[Hh]eader|HeaderTooLarge|IncompleteBuffer|JSONDecodeError"
        r"|not a valid JSON file|\[load_safetensors\]|Missing \d+ parameters|size mismatch")),
    ("model_unsupported", re.compile(
        r"[Mm]odel (?:type|architectures?) .*not supported|not supported for now"
        r"|does not recognize this architecture")),
)  # fmt: skip

# The prefix of a log line: process, level, time and source location.
_STAMP = re.compile(
    r"^(?:\(\w+ pid=\d+\) )?(?:[\d.]+ [EWIDF] |[A-Z]+ [\d-]+ [\d:]+ \[[\w.]+:\d+\] )?"
)
_COMPUTE_LINES = re.compile(
    r"^(?:[\d.]+ [EWF] )?(?:ggml|GGML|llama_|CUDA|cuda|terminate called|\S*:\d+: GGML_ASSERT)"
)


def diagnose_start(
    lines: Sequence[str],
    *,
    file: str,
    exit_code: int | None,
    reasons: Reasons = LLAMACPP_REASONS,
) -> EngineProblem:
    """Returns why an engine did not start.

    Args:
        lines: the last lines of its output.
        file: the model's file.
        exit_code: of its process; negative for a signal; None if it was too slow.
        reasons: the engine's messages and their codes.
    """
    for code, pattern in reasons:
        for line in lines:
            if pattern.search(line):
                detail = _STAMP.sub("", line).strip()[:DETAIL_CHARS_MAX]
                return EngineProblem(code, {"file": file, "detail": detail})
    if exit_code is None:
        return EngineProblem("engine_start_too_slow", {"file": file})
    values: dict[str, str | int | float] = {"status": exit_code}
    if lines:
        values["detail"] = _STAMP.sub("", lines[-1]).strip()[:DETAIL_CHARS_MAX]
    return EngineProblem("engine_exited", values)


def may_pass(problem: EngineProblem) -> bool:
    """Whether an engine that did not start may start the next time.

    Its process was killed while it started, or ended in the benchmark. All other problems (the
    weights, the memory, the address) would be the same.
    """
    if problem.code == "engine_bench_failed":
        return problem.values["reason_code"] in {ENGINE_CRASHED, ENGINE_EXITED}
    return problem.code == "engine_exited" and problem.values["status"] in KILLED_STATUSES


def is_loggable(line: str) -> bool:
    """Whether a line of a serving engine cannot contain parts of a request."""
    return _COMPUTE_LINES.match(line) is not None
