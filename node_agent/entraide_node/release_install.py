"""Release install: takes this installation over to a signed release.

In: a release that the pool's mirror repeats, or a folder of one; ``release-trusted`` in the node's
folder, what this machine has trusted so far. Out: the wheels of this machine in ``release`` beside
the node's folder, each as it was signed, installed by pip into the environment that runs.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import quote

from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

from entraide.errors import EntraideError, PoolError, RequestError
from entraide.release import (
    FolderFetcher,
    Release,
    VerifiedRelease,
    describe_own_target,
    list_wheels,
    open_release,
)
from entraide.wire.enrolment import INSTALL_PATH, PYTHONS, read_secret, split_link
from entraide_node.pool_address import read_pool_address
from entraide_node.pool_http import PoolClient, PoolRefusal
from entraide_node.update_command import TRUSTED, open_own_pool

COPIED = "release"
DOWNLOADED = "wheels"  # by the install script, beside the node's folder
BUILDS = "python"  # likewise: builds of Python
DIGEST = 2  # the word of a line of ``PYTHONS``
PIP_TIMEOUT_S = 1_800.0
PROBLEM_CHARS_MAX = 300
ABSENT = 404


class PoolFetcher(FetcherInterface):
    """Reads a release from the mirror of a pool, which has all its files in one folder."""

    def __init__(self, pool: PoolClient) -> None:
        self._pool = pool

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = quote(url.rpartition("/")[2], safe="+")
        try:
            yield from self._pool.stream(f"{INSTALL_PATH}/wheels/{name}")
        except PoolRefusal as refusal:
            if refusal.code == "unknown_path":
                raise DownloadHTTPError(url, ABSENT) from refusal
            raise DownloadError(f"{url}: {refusal}") from refusal
        except EntraideError as problem:
            raise DownloadError(f"{url}: {problem}") from problem


def find_source(folder: Path, given: str, ca_pem: str) -> tuple[FetcherInterface, str]:
    """Returns what a release comes from, and its name for errors.

    Args:
        folder: of the node.
        given: a folder of a release, or the link of an invitation; "" for the pool of the node.
        ca_pem: certificate of the pool's authority, PEM; "" for that of the node.

    Raises:
        RequestError: ``upgrade_no_pool``: the node has joined none; or an error of ``PoolClient``.
        PoolUnreachable: the pool does not answer.
    """
    if given and not given.startswith("https://"):
        return FolderFetcher(Path(given)), given
    if given:
        url, text = split_link(given)
        try:
            secret = read_secret(text)
        except ValueError as problem:
            raise RequestError("join_bad_address", given, values={"url": url}) from problem
        pool = PoolClient(url, secret=secret, ca_pem=ca_pem)
    else:
        address = read_pool_address(folder)
        if not address.url:
            raise RequestError("upgrade_no_pool", str(folder), values={"path": str(folder)})
        pool = open_own_pool(folder, address, ca_pem=ca_pem)
    return PoolFetcher(pool), pool.url


def upgrade_installation(
    folder: Path, source: FetcherInterface, *, name: str, root: str
) -> Release:
    """Verifies a release and installs it into the environment that runs. Blocks.

    A first release may have expired: a pool without internet may have no newer one.

    Args:
        folder: of the node.
        source: what the release comes from.
        name: of the source, for errors.
        root: fingerprint of a root; see ``open_release``.

    Raises:
        PoolError: see ``open_release``; ``release_changed``: the Python that the install script
            took from the mirror is none of the release's; ``upgrade_checkout``: sources run, which
            pip must not replace; ``release_target_absent``; ``upgrade_pip``: pip failed.
    """
    check_environment()
    is_first = not (folder / TRUSTED).exists()
    verified = open_release(
        source, folder / TRUSTED, name=name, root=root, accepts_expired=is_first
    )
    target = f"{describe_own_target()}.txt"
    if target not in verified.release.files:
        values = {"target": describe_own_target(), "source": name}
        raise PoolError("release_target_absent", target, values=values)
    if is_first:
        _check_python(verified, folder, name)
    names = list_wheels(verified.read(target))
    wheels = _copy(verified, folder, [target, *names])
    _install(wheels, target, f"entraide=={verified.release.version}")
    return verified.release


def check_environment() -> None:
    """Refuses to replace sources, and the packages of the system.

    Raises:
        PoolError: ``upgrade_checkout``.
    """
    origin = distribution("entraide").read_text("direct_url.json") or ""
    if sys.prefix == sys.base_prefix or '"editable": true' in origin:
        raise PoolError("upgrade_checkout", sys.prefix, values={"path": sys.prefix})


def _check_python(verified: VerifiedRelease, folder: Path, source: str) -> None:
    """Refuses a build of Python that the install script took and that the release does not list.

    The script names the folder of a build by the first digits of the archive's SHA-256, which it
    has compared with the mirror's list.

    Raises:
        PoolError: ``release_changed``.
    """
    base = Path(sys.base_prefix)
    if base.parent != folder.parent.resolve() / BUILDS or PYTHONS not in verified.release.files:
        return
    lines = [
        line.split() for line in verified.read(PYTHONS).decode("utf-8", "replace").splitlines()
    ]
    if not any(len(words) > DIGEST and words[DIGEST].startswith(base.name) for words in lines):
        values = {"source": source, "problem": f"{PYTHONS}: {base.name}"}
        raise PoolError("release_changed", f"{source}: {base.name}", values=values)


def _copy(verified: VerifiedRelease, folder: Path, names: list[str]) -> Path:
    """Copies wheels; what the install script has downloaded is checked and not fetched again."""
    copied = folder.parent / COPIED
    (copied / verified.release.version).mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in names:
        path = folder.parent / DOWNLOADED / name
        link = copied / verified.release.version / name
        if path.is_file() and not link.exists():
            os.link(path, link)
    return verified.copy(copied, names)


def _install(wheels: Path, target: str, own: str) -> None:
    """Installs the wheels of a list, and Entraide in any case: its content may be another."""
    text = (wheels / target).read_text("utf-8")
    own_list = wheels / ".own.txt"
    own_list.write_text("".join(line for line in text.splitlines(keepends=True)
                                if line.startswith(f"{own} ")), "utf-8")  # fmt: skip
    try:
        _run_pip(wheels, "-r", str(wheels / target))
        _run_pip(wheels, "--force-reinstall", "-r", str(own_list))
    finally:
        own_list.unlink()


def _run_pip(wheels: Path, *options: str) -> None:
    command = [
        sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install",
        "--quiet", "--require-hashes", "--no-index", "--no-deps", "--find-links", str(wheels),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            [*command, *options],
            check=False, capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=PIP_TIMEOUT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise PoolError("upgrade_pip", str(problem), values={"problem": str(problem)}) from problem
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        last = lines[-1][:PROBLEM_CHARS_MAX] if lines else "?"
        raise PoolError("upgrade_pip", last, values={"problem": last})
