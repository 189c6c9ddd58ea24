"""The clients that are tried, each with its package, its program and the checks of that program.

``docs/reference/clients.md`` is held to this table; the versions are those of the lock files.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LOCKS, PROGRAMS = FOLDER / "locks", FOLDER / "programs"
ROOT = FOLDER.parent.parent
OPENAI = ("chat", "usage", "stream", "tools", "structured", "embeddings", "responses", "errors",
          "limits", "models", "batches")  # fmt: skip
LANGCHAIN = ("chat", "usage", "stream", "tools", "structured", "embeddings", "responses", "errors",
             "limits", "asyncio")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client.

    Attributes:
        package: the package whose version counts.
        module: what its environment must be able to import.
        program: the file that tries it.
        checks: what the program tries.
        lock: the environment's lock file; None for the environment of the tests.
        disk_mb: what its environment takes, in 10^6 bytes.
        is_large: whether only `make test-clients` tries it.
    """

    package: str
    module: str
    program: str
    checks: tuple[str, ...]
    lock: Path | None
    disk_mb: int = 400
    is_large: bool = False


CLIENTS = {
    "openai-python": Client(
        package="openai", module="openai", program="openai_python.py", lock=None,
        checks=(*OPENAI, "asyncio"),
    ),
    "openai-js": Client(
        package="openai", module="", program="openai_js.mjs",
        lock=LOCKS / "openai-js/package-lock.json", checks=OPENAI,
    ),
    "anthropic": Client(
        package="anthropic", module="anthropic", program="anthropic_python.py", lock=None,
        checks=("chat", "usage", "count_tokens", "stream", "tools", "structured", "errors",
                "models", "asyncio"),
    ),
    "langchain": Client(
        package="langchain-openai", module="langchain_openai", program="langchain.py",
        lock=LOCKS / "langchain.lock", checks=LANGCHAIN,
    ),
    "llm": Client(
        package="llm", module="llm", program="llm.py", lock=LOCKS / "llm.lock",
        checks=("chat", "usage", "stream", "tools", "structured", "responses", "errors",
                "asyncio"),
    ),
    "instructor": Client(
        package="instructor", module="instructor", program="instructor.py",
        lock=LOCKS / "instructor.lock", checks=("structured", "errors"), is_large=True,
    ),
    "pydantic-ai": Client(
        package="pydantic-ai-slim", module="pydantic_ai", program="pydantic_ai.py",
        lock=LOCKS / "pydantic-ai.lock", is_large=True,
        checks=("chat", "usage", "stream", "tools", "structured", "errors"),
    ),
    "vercel-ai": Client(
        package="ai", module="", program="vercel_ai.mjs", is_large=True,
        lock=LOCKS / "vercel-ai/package-lock.json",
        checks=("chat", "usage", "stream", "tools", "structured", "embeddings", "errors"),
    ),
    "llama-index": Client(
        package="llama-index-llms-openai-like", module="llama_index.llms.openai_like",
        program="llama_index.py", is_large=True, lock=LOCKS / "llama-index.lock",
        checks=("chat", "stream", "tools", "structured", "embeddings", "errors", "asyncio"),
    ),
    "litellm": Client(
        package="litellm", module="litellm", program="litellm.py", lock=LOCKS / "litellm.lock",
        checks=LANGCHAIN, is_large=True,
    ),
    "open-webui": Client(
        package="open-webui", module="open_webui", program="", lock=LOCKS / "open-webui.lock",
        checks=("page",), disk_mb=3_000, is_large=True,
    ),
}  # fmt: skip


def version_of(name: str) -> str:
    """The version of a client's package, by its lock file."""
    client = CLIENTS[name]
    text = (client.lock or ROOT / "requirements.lock").read_text("utf-8")
    if client.program.endswith(".mjs"):
        return str(json.loads(text)["packages"][f"node_modules/{client.package}"]["version"])
    pinned = re.search(rf"^{re.escape(client.package)}==(\S+)", text, re.MULTILINE)
    assert pinned is not None, client.package
    return pinned[1]
