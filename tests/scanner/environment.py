"""wapiti3, a maintained scanner of web applications, in an environment of its own.

It needs a newer Python than the oldest that Entraide supports. The environment is made from the
lock file with its hashes, and then kept, as those of the engines.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.engines.own_environments import cache_folder

from entraide_node.engines import environments

PYTHON = "python3.13"
LOCK = Path(__file__).with_name("wapiti.lock")
INSTALL_S, ASK_S = 600.0, 120.0
SCAN_S = 150.0
ATTACK_S = 12  # of each module
MODULES = "common,crlf,csrf,methods"
# A long answer of events, and what ends the scanner's own session.
LEFT_OUT = ("v1/pool/events*", "v1/session*")


def _install_command(python: Path | str, *options: str) -> list[str]:
    uv = environments._find_uv()
    assert uv is not None
    return [
        uv, "pip", "install", "--quiet", "--no-deps", "--no-build", "--require-hashes", *options,
        "--python", str(python), "--requirement", str(LOCK), *environments._pip_options(),
    ]  # fmt: skip


@cache
def why_absent() -> str:
    """Why the scanner cannot be had on this machine; "" when it can. Fetches nothing."""
    python = shutil.which(PYTHON)
    if python is None:
        return f"{PYTHON} is not installed"
    if environments._find_uv() is None:
        return "uv is not installed"
    if (_folder() / "complete").is_file():
        return ""
    command = _install_command(python, "--dry-run", "--break-system-packages")
    return environments._run_command(command, timeout_s=ASK_S) or ""


def _folder() -> Path:
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return cache_folder() / "scanner" / digest


@cache
def scanner() -> Path:
    """The program; its environment is made first where it is not there."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "env/bin/wapiti"
    with (folder / "wait").open("w") as waiting:
        fcntl.flock(waiting, fcntl.LOCK_EX)  # another run of the tests may be making it
        if not (folder / "complete").is_file():
            uv = environments._find_uv()
            assert uv is not None
            making = [uv, "venv", "--quiet", "--clear", "--python", PYTHON, str(folder / "env")]
            for command in (making, _install_command(folder / "env/bin/python")):
                problem = environments._run_command(command, timeout_s=INSTALL_S)
                assert problem is None, problem
            (folder / "complete").touch()
    return program


async def scan(url: str, *options: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """Scans a place without a word to any other host; returns the report.

    Args:
        url: where to begin; the whole host is scanned.
        options: more options of the program.
        headers: of each of its requests.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            str(scanner()), "--url", url, "--scope", "domain", "--module", MODULES,
            "--no-bugreport", "--endpoint", "http://127.0.0.1:9/", "--timeout", "5",
            "--max-attack-time", str(ATTACK_S), "--max-scan-time", "40", "--tasks", "8",
            "--store-session", f"{folder}/session", "--store-config", f"{folder}/config",
            "--format", "json", "--output", str(report), *options,
        ]  # fmt: skip
        for pattern in LEFT_OUT:
            command += ["--exclude", url + pattern]
        for name, value in (headers or {}).items():
            command += ["--header", f"{name}: {value}"]
        running = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, "HOME": folder}, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(SCAN_S):
                said, _ = await running.communicate()
        except TimeoutError:
            running.kill()
            await running.wait()
            raise
        assert report.is_file(), said.decode(errors="replace")[-3_000:]
        read: dict[str, Any] = json.loads(report.read_bytes())
        return read


def findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    """All of a report above informational, each with its category."""
    return [
        {"category": category, **finding}
        for kind in ("vulnerabilities", "anomalies")
        for category, listed in report[kind].items()
        for finding in listed
    ]
