"""Routers before the mock engine, for comparison: vllm-router and the LiteLLM proxy.

Each is the user's own installation, started in the way in which it does least for a request: one
worker process, no database.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.support.load_targets import TOOLS


def _vllm_router_argv(program: str, _: Path, port: int, backend: int, __: str) -> list[str]:
    return [
        program, "--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin",
        "--worker-urls", f"http://127.0.0.1:{backend}", "--log-level", "error",
        "--prometheus-port", str(port + 1),
    ]  # fmt: skip


def _litellm_argv(program: str, home: Path, port: int, backend: int, key: str) -> list[str]:
    text = (TOOLS / "conf_litellm.tmpl").read_text("utf-8")
    config = home / "litellm.yaml"
    config.write_text(text.replace("@BACKEND@", str(backend)).replace("@KEY@", key), "utf-8")
    return [
        "env", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True",
        program, "--host", "127.0.0.1", "--port", str(port), "--config", str(config),
        "--num_workers", "1",
    ]  # fmt: skip


ROUTERS: Mapping[str, Callable[[str, Path, int, int, str], list[str]]] = MappingProxyType(
    {"vllm_router": _vllm_router_argv, "litellm": _litellm_argv}
)


def router_argv(
    name: str, program: str, home: Path, *, port: int, backend: int, key: str
) -> list[str]:
    """Returns how to start a router.

    Args:
        name: one of ``ROUTERS``.
        program: its executable file.
        home: folder for its configuration.
        port: on loopback; vllm-router takes the next one for its metrics, too.
        backend: port of the engine.
        key: the key that clients send; vllm-router checks none.
    """
    return ROUTERS[name](program, home, port, backend, key)
