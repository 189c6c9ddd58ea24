"""The ``entraide`` command as a process of its own, without an interpreter's start for each call.

The first call starts a process that imports what commands need, which takes a second; each command
is a fork of it. What is tested is the same, with its own working directory, environment, limits,
exit status and output. That the modules import at all is seen by the tests that start the
interpreter itself (``tests/wheel``, ``RunningPool``).
"""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

TIMEOUT_S = 100.0

# Only modules that start no thread: a thread does not survive a fork.
PRELOADED = (
    "tests.commands", "entraide.cli.app", "entraide.cli.pool_access", "entraide.v1.admin_pb2",
    "entraide_scheduler.pool.backup", "entraide_scheduler.pool.backup_cli",
    "entraide_scheduler.pool.create", "entraide_scheduler.pool.doctor",
    "entraide_scheduler.pool.facts", "entraide_scheduler.pool.mirror_cli",
    "entraide_scheduler.pool.restore", "entraide_scheduler.pool.status_cli",
)  # fmt: skip

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PRELOADED))


def forked_entraide(
    *arguments: str,
    lang: str = "en",
    env: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
    file_bytes_max: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs the ``entraide`` command.

    Args:
        arguments: its words.
        lang: its language.
        env: its environment; None for this process's.
        timeout_s: after which it is killed, and the test fails.
        file_bytes_max: of a file that it writes, as on a full disk; None for no limit.
    """
    words = ["--lang", lang, *arguments]
    with tempfile.TemporaryDirectory(prefix="entraide-command-") as folder:
        environ = dict(os.environ if env is None else env)
        values = (words, Path(folder), Path.cwd(), environ, file_bytes_max)
        process = _context.Process(target=_run, args=values)
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout_s)
        said = [(Path(folder) / name).read_text() for name in ("out", "err")]
        status = process.exitcode
        process.close()
    return subprocess.CompletedProcess(words, status, *said)


def _run(
    words: list[str], folder: Path, cwd: Path, environ: dict[str, str], file_bytes_max: int | None
) -> None:
    from entraide.cli import main

    for number, name in ((1, "out"), (2, "err")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.argv = ["entraide", *words]  # a command that goes on in another environment reads it
    if file_bytes_max is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    main(words)
