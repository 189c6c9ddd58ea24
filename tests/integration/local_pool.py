"""A whole pool of real processes, as its operator starts it, for the integration tests."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.waiting import ENGINES_S

from entraide.cli import output
from entraide.client.admin import AdminClient
from entraide.errors import EntraideError
from entraide.v1 import admin_pb2
from entraide_scheduler.supervision import poolfile
from entraide_scheduler.supervision.poolfile import PoolFile

MODEL = "smollm2-135m-instruct"
DEADLINE_S = ENGINES_S
POLL_S = 0.05


class RunningPool:
    """A pool that ``entraide up`` keeps, and what a test asks of it."""

    def __init__(self, state: Path) -> None:
        self.state = state

    @property
    def file(self) -> PoolFile:
        """What pool.json says now (process ids change when a part is started again)."""
        pool_file = poolfile.read(self.state)
        assert pool_file is not None
        return pool_file

    def entraide(self, *arguments: str, check: bool = True) -> Any:
        """Runs the ``entraide`` command and returns what it printed, JSON decoded if it is."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "entraide.cli",
                "--lang",
                "fr",
                *arguments,
                "--state",
                str(self.state),
            ],
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr + done.stdout
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def http(
        self,
        path: str,
        body: object = None,
        *,
        coop: str = "boreale",
        key: str | None = None,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
        method: str | None = None,
        timeout_s: float = 120.0,
        at: str = "",
    ) -> tuple[int, dict[str, str], Any]:
        """Makes one HTTP call; returns status, headers (lower case) and decoded body."""
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request((at or self.file.http) + path, data=data, method=method)
        request.add_header("Authorization", f"Bearer {key or self.file.keys[coop]}")
        request.add_header("Content-Type", "application/json")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                status, head, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as problem:
            with problem:
                status, head, text = problem.code, problem.headers, problem.read()
        named = {name.lower(): value for name, value in head.items()}
        try:
            return status, named, json.loads(text)
        except ValueError:
            return status, named, text.decode()

    def chat(self, text: str, *, tokens: int = 16, coop: str = "boreale", **more: object) -> Any:
        """Asks one question, not streamed; returns status, headers and body."""
        headers = more.pop("headers", None)
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": tokens,
            "temperature": 0,
            **more,
        }
        return self.http("/v1/chat/completions", body, coop=coop, headers=headers)  # type: ignore[arg-type]

    def nodes(self) -> list[dict[str, Any]]:
        """The nodes as the operator's command lists them, without a process of its own.

        Waits ask often, and a command takes as much of the processor as the start of a node.
        """
        file = self.file
        with AdminClient(file.grpc, file.admin_key, ca_pem=file.ca) as admin:
            listed = admin.call("ListNodes", admin_pb2.ListNodesRequest()).nodes
        return [output.to_plain(node) for node in listed]

    def live(self) -> set[str]:
        """Names of the nodes that are live and serve a model."""
        return {node["node"] for node in self.nodes() if node["state"] == "live" and node["models"]}

    def until(self, condition: Callable[[], bool], what: str, within_s: float = DEADLINE_S) -> None:
        """Waits for a condition, or fails saying what was waited for."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                if condition():
                    return
            except (OSError, AssertionError, EntraideError):
                pass
            time.sleep(POLL_S)
        logs = "\n".join(
            f"== {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:])
            for log in sorted((self.state / "logs").glob("*.log"))
        )
        raise AssertionError(f"not within {within_s} s: {what}\n{logs}")


def up(state: Path, *arguments: str) -> RunningPool:
    """Starts a pool and returns it ready."""
    pool = RunningPool(state)
    pool.entraide("up", "--detach", *arguments)
    return pool
