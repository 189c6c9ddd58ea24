"""mlx-lm: the engine of Apple Silicon, as a server in an environment of its own.

It decides how the server is started and what every request to it says. The server has no key and
no limit on context, keeps prompts for later requests, and loads whatever model, adapter or draft a
request names: so it listens on the loopback only, keeps no prompt (ADR 0011), and those fields are
set by us. It says that it is healthy before its model is loaded, so that a first token is what
counts as ready.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from entraide_node.engines.base import CHAT, EngineFacts
from entraide_node.engines.model_folder import context_max_of, supports_tools
from entraide_node.engines.server_program import ServerProgram, make_supervised_engine
from entraide_node.engines.supervised_engine import SupervisedEngine

NAME = "mlx-lm"
SERVED_MODEL = "default_model"  # the server's own name for the model that it was started with
READY_BASE_S = 120.0

# What a request may not choose: other weights, and how roles are told apart.
_REQUEST_FIELDS = {
    "adapters": None,
    "draft_model": SERVED_MODEL,
    "num_draft_tokens": 0,
    "role_mapping": None,
}

# What it writes once it serves and that can hold nothing of a request.
_LOGGABLE_LINES = re.compile(
    r"^(?:libc\+\+abi|\[METAL\]|\[metal::malloc\]|MemoryError|RuntimeError: \[)"
)


class MlxConfig(Struct, frozen=True, kw_only=True):
    """How to run mlx-lm.

    Attributes:
        weights: the model's folder.
        alias, revision: its public name and its checksum.
        python, version: of the environment.
        slots: sequences at once.
        context_tokens: longest prompt plus answer; never more than the model was made for.
        log_path: where what it writes is kept; None for nowhere.
        arguments: added to the command.
        first_event_timeout_s, stall_timeout_s: see ``chat_stream``.
        ready_timeout_s: how long it may take to load; 0 for a time that its size explains.
    """

    weights: Path
    alias: str
    revision: str
    python: Path
    version: str
    slots: int = 4
    context_tokens: int = 4096
    log_path: Path | None = None
    arguments: tuple[str, ...] = ()
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0
    ready_timeout_s: float = 0.0


def make_mlx_lm(
    config: MlxConfig, *, clock: Callable[[], float] = time.monotonic
) -> SupervisedEngine:
    """Returns the engine, not started; reads the model's folder."""
    context_max = context_max_of(config.weights)
    program = ServerProgram(
        facts=EngineFacts(
            name=NAME,
            version=config.version,
            model_alias=config.alias,
            model_revision=config.revision,
            context_tokens=min(config.context_tokens, context_max or config.context_tokens),
            slots=config.slots,
            threads=0,
            features=("logprobs", "tools") if supports_tools(config.weights) else ("logprobs",),
            api_base="",
        ),
        python=config.python,
        arguments=(
            "-m", "mlx_lm", "server", "--model", str(config.weights),
            "--prompt-cache-size", "0",
            "--decode-concurrency", str(config.slots),
            "--prompt-concurrency", str(config.slots),
            "--log-level", "WARNING",
            *config.arguments,
        ),
        environment={},
        probe_path=CHAT,
        probe_body='{"messages":[{"role":"user","content":"?"}],"max_tokens":1}',
        model=SERVED_MODEL,
        extra=_REQUEST_FIELDS,
        keeps=_LOGGABLE_LINES,
        log_path=config.log_path,
        first_event_timeout_s=config.first_event_timeout_s,
        stall_timeout_s=config.stall_timeout_s,
        weights=config.weights,
    )  # fmt: skip
    return make_supervised_engine(
        program, ready_timeout_s=config.ready_timeout_s, ready_base_s=READY_BASE_S, clock=clock
    )
