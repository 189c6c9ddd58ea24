"""Makes the synchronous client from the asynchronous one, or checks that it is up to date.

    python scripts/sync_client.py            writes the files
    python scripts/sync_client.py --check    exits 1 and names the files that differ

unasyncd turns asynchronous constructs into synchronous ones; the names of `WORDS` are replaced
before. A file of `FILES` is written by hand on the left, and made on the right.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLIENT = ROOT / "sdk/entraide/client"
FILES = {
    "_retries_aio.py": "_retries.py",
    "aio.py": "sync.py",
    "batches/aio.py": "batches/sync.py",
}
NOTE = "# Made from `{source}` by `make sync-client`; no hand touches it.\n"

# What has another name in a program without an event loop.
WORDS = {
    "``AsyncClient``: the client of a pool for asyncio programs.": (
        "``Client``: the synchronous client of a pool."
    ),
    "Client of a pool for asyncio programs.": "Synchronous client of a pool.",
    "``client.batches`` for asyncio: many": "``client.batches``: many",
    "an asynchronous context manager and iterator of": "a context manager, and an iterator of",
    "A cancellation leaves": "An interruption (Ctrl-C) leaves",
    "entraide.client._retries_aio": "entraide.client._retries",
    "entraide.client.batches.aio": "entraide.client.batches.sync",
    "from entraide.client.batches._prepare_aio import prepare_in_thread\n": (
        "from entraide.client.batches.input import prepare\n"
    ),
    "await prepare_in_thread(": "prepare(",
    "call_with_retries_async": "call_with_retries",
    "open_async_transport": "open_transport",
    "AsyncBatches": "Batches",
    "AsyncClient": "Client",
    "AsyncStream": "Stream",
    "AsyncTransport": "Transport",
    "asyncio.CancelledError": "KeyboardInterrupt",
    "contextlib.aclosing(": "contextlib.closing(",
    ".aclose()": ".close()",
}


def make(source: str) -> str:
    """Returns the synchronous form of a file of the client."""
    text = (CLIENT / source).read_text("utf-8")
    for word, other in WORDS.items():
        text = text.replace(word, other)
    programs = Path(sys.executable).parent
    with tempfile.TemporaryDirectory(dir=CLIENT / Path(source).parent) as folder:
        aio, sync = Path(folder) / "aio.py", Path(folder) / "sync.py"
        aio.write_text(text, "utf-8")
        convert = [programs / "unasyncd", "--no-cache", "--force", "--quiet"]
        options = ["--no-infer-type-checking-imports", "--no-add-editors-note"]
        # It ends with 1 where it wrote.
        command = [*convert, *options, f"{aio}:{sync}"]
        done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
        if not sync.is_file():
            raise SystemExit(f"unasyncd refused {source}: {done.stderr}")
        ruff = [programs / "ruff"]
        fixes = ["check", "--fix", "--unsafe-fixes", "--quiet", "--select", "F401,I,UP,C4", sync]
        subprocess.run([*ruff, *fixes], check=True)
        subprocess.run([*ruff, "format", "--quiet", sync], check=True)
        made = sync.read_text("utf-8")
    return re.sub(r'\A(""".*?"""\n)', rf"\1\n{NOTE.format(source=source)}", made, flags=re.DOTALL)


def main(arguments: list[str]) -> int:
    """Writes or checks; returns the exit status."""
    stale = 0
    for source, target in FILES.items():
        made, path = make(source), CLIENT / target
        if path.read_text("utf-8") == made:
            continue
        stale = 1
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} differs from {source}; run `make sync-client`")
        else:
            path.write_text(made, "utf-8")
    return stale if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
