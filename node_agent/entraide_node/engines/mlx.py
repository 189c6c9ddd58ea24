"""mlx-lm: the engine for Apple Silicon, as a server in an environment of its own.

It builds the server's command and the fixed fields of every request. The server has no key and no
context limit, caches prompts, and loads any model, adapter or draft model that a request names.
Therefore it runs behind a front (``mlx_front``) that only the agent passes, on a socket file, it
caches no prompt (ADR 0030), and those fields are fixed.
It reports healthy before its model is loaded, so it counts as ready only after a first token.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from entraide.models import REPETITION_PENALTY
from entraide.process_sandbox import SandboxNeeds
from entraide_node.engines import mlx_front
from entraide_node.engines.base import CHAT, EngineFacts
from entraide_node.engines.model_folder import context_max_of, supports_tools
from entraide_node.engines.server_program import ServerProgram, make_supervised_engine
from entraide_node.engines.supervised_engine import SupervisedEngine

NAME = "mlx-lm"
FEATURES = ("logprobs", REPETITION_PENALTY)
SERVED_MODEL = "default_model"  # the server's name of the model that it was started with
READY_BASE_S = 120.0
FRONT = Path(mlx_front.__file__)

# Fields that a request may not choose: other weights, and the mapping of roles.
_REQUEST_FIELDS = {
    "adapters": None,
    "draft_model": SERVED_MODEL,
    "num_draft_tokens": 0,
    "role_mapping": None,
}

# Lines of a serving process that cannot contain parts of a request.
_LOGGABLE_LINES = re.compile(
    r"^(?:libc\+\+abi|\[METAL\]|\[metal::malloc\]|MemoryError|RuntimeError: \[)"
)


class MlxConfig(Struct, frozen=True, kw_only=True):
    """How to run mlx-lm.

    Attributes:
        weights: folder of the model.
        alias, revision: public name, and checksum.
        python, version: of the environment.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer; at most the model's.
        log_path: its log file; None for none.
        arguments: further arguments of the command.
        sandbox: whether it runs in a sandbox where the machine has one.
        first_event_timeout_s, stall_timeout_s: see ``engine_client``.
        ready_timeout_s: time to load; 0 for a time that depends on the size.
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
    sandbox: bool = True
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
            features=(*FEATURES, "tools") if supports_tools(config.weights) else FEATURES,
            api_base="",
        ),
        python=config.python,
        arguments=(
            str(FRONT), "--model", str(config.weights),
            "--prompt-cache-size", "0",
            "--decode-concurrency", str(config.slots),
            "--prompt-concurrency", str(config.slots),
            "--log-level", "WARNING",
            *config.arguments,
        ),
        environment={},
        socket_option="--socket",
        key_variable=mlx_front.KEY_VARIABLE,
        probe_path=CHAT,
        probe_body='{"messages":[{"role":"user","content":"?"}],"max_tokens":1}',
        model=SERVED_MODEL,
        extra=_REQUEST_FIELDS,
        loggable_lines=_LOGGABLE_LINES,
        log_path=config.log_path,
        first_event_timeout_s=config.first_event_timeout_s,
        stall_timeout_s=config.stall_timeout_s,
        weights=config.weights,
        sandbox=_sandbox_needs(config) if config.sandbox else None,
    )  # fmt: skip
    return make_supervised_engine(
        program, ready_timeout_s=config.ready_timeout_s, ready_base_s=READY_BASE_S, clock=clock
    )


def _sandbox_needs(config: MlxConfig) -> SandboxNeeds:
    """Its weights, which may be links into another folder, its environment and the front."""
    weights = (config.weights, *(path.resolve() for path in config.weights.glob("*")))
    return SandboxNeeds(read=(*weights, FRONT), environment_root=config.python.parent.parent)
