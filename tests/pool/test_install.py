"""Installing from the pool: its page, its script and its files, over TLS and by curl."""

import hashlib
import os
import platform
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest
from tests.pool.release_support import FILES, make_keys, write_release, write_root
from tests.pool.standalone_python import PYTHON, pack_python
from tests.pool.support import (
    HOST,
    RunningPool,
    entraide,
    pool_config,
    running_pool,
    wait_until,
)

from entraide.errors import PoolError
from entraide.release import VerifiedRelease, open_release
from entraide.wire.enrolment import PYTHONS, JoinSecret, install_command, write_link
from entraide_node.pool_address import save_pool_address
from entraide_node.release_install import BUILDS, _check_python, find_source
from entraide_node.update_command import find_update_command
from entraide_scheduler.gateway.machines import FOLDER, TARGETS
from entraide_scheduler.gateway.machines.install import PIECE_BYTES
from entraide_scheduler.nats.tls import compute_key_pin
from entraide_scheduler.pool.mirror_pythons import gather_pythons

BIG = "big-1.0-py3-none-any.whl"
TOKEN = f"join_{'a' * 32}"
CONTENT = os.urandom(20 * PIECE_BYTES + 7)
PYTHON_BUILD = b"a build of Python"
DIGEST = hashlib.sha256(PYTHON_BUILD).hexdigest()
CURL_PIN_WRONG = 90
CURL_UNTRUSTED = 60
TOOLS = (
    "sh",
    "cat",
    "uname",
    "tr",
    "cut",
    "sed",
    "grep",
    "rm",
    "rmdir",
    "mkdir",
    "mktemp",
    "mv",
    "curl",
    "sha256sum",
    "tar",
    "gzip",
)
PLATFORM = f"linux-{platform.machine()}"
TARGET = f"{PLATFORM}-{PYTHON}"


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool with its own CA, and a mirror with one file that is longer than the send buffer."""
    with running_pool(tmp_path_factory.mktemp("install") / "pool", pool_config()) as running:
        mirror = running.state / FOLDER
        mirror.mkdir()
        (mirror / BIG).write_bytes(CONTENT)
        (mirror / TARGETS).write_text(f"{TARGET}\n")
        (mirror / ".hidden.txt").write_text("x")
        yield running


def link_of(pool: RunningPool, *, pin: str = "", token: str = TOKEN) -> str:
    """An invitation with the pin of the pool's server, or another one."""
    own = compute_key_pin((pool.state / "tls" / "server.pem").read_bytes())
    return write_link(pool.file.http, JoinSecret(token, "", pin or own))


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Runs curl, without this machine's own settings of trusted authorities."""
    clean = {"PATH": os.environ["PATH"]}
    command = ["curl", "-fsS", *arguments]
    return subprocess.run(command, capture_output=True, check=False, env=clean, timeout=60)


def get(pool: RunningPool, path: str, *arguments: str) -> bytes:
    """A successful download with the pool's CA."""
    ca = str(pool.state / "tls" / "ca.pem")
    done = curl("--cacert", ca, *arguments, pool.file.http + path)

    assert 0 == done.returncode, done.stderr
    return done.stdout


def script_command(pool: RunningPool, home: Path, *arguments: str) -> list[str]:
    """Puts the pool's script into a home, made if need be; returns the command that runs it."""
    home.mkdir(exist_ok=True)
    (home / "install.sh").write_bytes(get(pool, "/install.sh"))
    return ["sh", str(home / "install.sh"), *arguments]


def variables(home: Path, path: str = "", lang: str = "en") -> dict[str, str]:
    """The variables of an account with this home."""
    return {"HOME": str(home), "PATH": path or os.environ["PATH"], "LANG": lang}


def run_script(
    pool: RunningPool, home: Path, *arguments: str, path: str = "", lang: str = "en"
) -> tuple[int, str]:
    """Runs the pool's script in an empty home; returns its status and what it says."""
    done = subprocess.run(
        script_command(pool, home, *arguments),
        capture_output=True, text=True, check=False, timeout=100, env=variables(home, path, lang),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def make_tools(folder: Path, python: str = "") -> str:
    """Makes a folder with the system's own commands and no Python; returns it as a PATH.

    Args:
        folder: to make.
        python: what its ``python3`` says of itself, and it is too old then; "" for none.
    """
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or name)
    if python:
        (folder / "python3").write_text(f"#!/bin/sh\necho {python}\nexit 1\n")
        (folder / "python3").chmod(0o755)
    return str(folder)


def test_page_says_what_to_paste_in_both_languages(pool: RunningPool) -> None:
    """It needs no script and no other host, and shows no pin that a stranger could have put."""
    french = get(pool, "/install", "-H", "accept-language: fr-CA").decode()
    english = get(pool, "/install", "-H", "accept-language: en").decode()

    assert '<html lang="fr">' in french
    assert "Collez la ligne" in french
    assert '<html lang="en">' in english
    assert "Paste the line" in english
    assert TARGET in english
    assert "<script" not in english
    assert not re.search(r"https?://|sha256//", english)


def test_right_pin_opens_and_a_wrong_one_does_not(pool: RunningPool) -> None:
    """The line's own curl accepts the pinned key alone; without the pin nothing is accepted."""
    right, wrong = (install_command(link_of(pool, pin=pin)) for pin in ("", "A" * 43))
    results = []
    for line in (right, wrong):
        words = line.partition(" | ")[0].replace("'", "").split()[2:]
        results.append(curl(*words))

    assert 0 == results[0].returncode, results[0].stderr
    assert results[0].stdout == get(pool, "/install.sh")
    assert (CURL_PIN_WRONG, b"") == (results[1].returncode, results[1].stdout)
    assert CURL_UNTRUSTED == curl(f"{pool.file.http}/install.sh").returncode


def test_long_file_arrives_whole_and_in_parts(pool: RunningPool) -> None:
    """Without a range the whole file, with one that part, as RFC 9110 says."""
    path = f"/install/wheels/{BIG}"

    assert CONTENT == get(pool, path)
    assert CONTENT[-9:] == get(pool, path, "-r", f"{len(CONTENT) - 9}-")
    assert CONTENT[5:8] == get(pool, path, "-r", "5-7")
    head = get(pool, path, "-r", "0-0", "-D", "-", "-o", os.devnull).decode()
    assert f"content-range: bytes 0-0/{len(CONTENT)}" in head
    assert b"416" in curl("--insecure", "-r", "99999999-", pool.file.http + path).stderr


def test_slow_reader_gets_the_whole_file_and_delays_nobody(pool: RunningPool) -> None:
    """A reader that stops reading holds a bounded buffer, and others are served meanwhile."""
    context = ssl.create_default_context(cadata=pool.ca)
    with (
        socket.create_connection((HOST, pool.config.http.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as slow,
    ):
        slow.sendall(f"GET /install/wheels/{BIG} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        first = slow.recv(100)

        assert CONTENT == get(pool, f"/install/wheels/{BIG}")
        received = bytearray(first)
        while part := slow.recv(1 << 20):
            received += part
    body = bytes(received).partition(b"\r\n\r\n")[2]

    assert hashlib.sha256(CONTENT).digest() == hashlib.sha256(body).digest()


@pytest.mark.parametrize(
    "name", [".hidden.txt", "..%2Fpool.toml", "../pool.toml", "pool.toml", "absent.whl", "%00.whl"]
)
def test_nothing_else_is_served(pool: RunningPool, name: str) -> None:
    """A name that is no file of the mirror, whatever it leads to, is an unknown address."""
    done = curl("--insecure", "--path-as-is", f"{pool.file.http}/install/wheels/{name}")

    assert b"404" in done.stderr


def test_missing_python_is_said_with_one_step(pool: RunningPool, tmp_path: Path) -> None:
    """Where no Python is new enough, the script says the one step and leaves nothing behind."""
    home = tmp_path / "home"
    old = make_tools(tmp_path / "bin", "Python 3.9.6")  # as on a Mac: there, and too old
    status, said = run_script(pool, home, link_of(pool), path=old)

    assert 1 == status
    assert "Entraide needs Python 3.11 or newer" in said
    assert re.search("sudo (apt|dnf|pacman|zypper) |brew install|install the package", said), said
    assert [home / "install.sh"] == list(home.iterdir())


def test_script_refuses_what_is_not_its_pool(pool: RunningPool, tmp_path: Path) -> None:
    """A wrong pin, a wrong link and a missing invitation each give one sentence."""
    wrong_pin = run_script(pool, tmp_path / "a", link_of(pool, pin="A" * 43))
    no_link = run_script(pool, tmp_path / "b", "http://pool.coop/install#x")
    odd_link = run_script(pool, tmp_path / "c", "https://pool.coop/$(id)#x")
    no_token = run_script(pool, tmp_path / "d", link_of(pool).replace(TOKEN, ""))
    cut = run_script(pool, tmp_path / "e", link_of(pool)[:-8])

    assert 1 == wrong_pin[0]
    assert f"Connecting to the pool at {link_of(pool).partition('/install')[0]}" in wrong_pin[1]
    assert "is not the invitation's; nothing was installed" in wrong_pin[1]
    assert "is not the link of an invitation" in no_link[1]
    assert "is not the link of an invitation" in odd_link[1]
    assert "ask the pool's operator for an invitation" in no_token[1]
    assert (1, True) == (cut[0], "is cut: its end is missing" in cut[1])


def test_script_refuses_a_file_with_a_wrong_checksum(pool: RunningPool, tmp_path: Path) -> None:
    """What does not match the pool's list is deleted before anything is installed."""
    home = tmp_path / "home"
    mirror = pool.state / FOLDER
    targets = [f"linux-{platform.machine()}-3.{minor}" for minor in range(11, 20)]
    (mirror / TARGETS).write_text("".join(f"{target}\n" for target in targets))
    for target in targets:
        line = f"big==1.0 --hash=sha256:{'0' * 64} # {BIG}\n"
        (mirror / f"{target}.txt").write_text(line)
    status, said = run_script(pool, home, link_of(pool))

    assert 1 == status
    assert f"The checksum of {BIG} is wrong" in said
    assert not list((home / ".local/share/entraide/wheels").iterdir())
    assert not (home / ".local/share/entraide/environment").exists()


@pytest.fixture(scope="module")
def builds(pool: RunningPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A mirror with a build of Python; what follows it in the script ends at a wrong checksum."""
    mirror = pool.state / FOLDER
    folder = tmp_path_factory.mktemp("builds")
    (mirror / TARGETS).write_text(f"{TARGET}\n")
    (mirror / f"{TARGET}.txt").write_text(f"big==1.0 --hash=sha256:{'0' * 64} # {BIG}\n")
    gathered = gather_pythons(
        mirror, [TARGET], pack_python(folder, PLATFORM), folders=[folder], is_offline=True
    )
    assert (PLATFORM,) == gathered.platforms
    yield mirror
    (mirror / PYTHONS).unlink()


def prefix_of(home: Path) -> str:
    """Where the one Python in a home says that it lies."""
    (python,) = home.glob(".local/share/entraide/python/*/bin/python3")
    code = "import ssl, sys, venv; print(sys.base_prefix)"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert str(python.parent.parent) == done.stdout.strip()
    return done.stdout.strip()


def test_machine_without_python_gets_the_mirrors(
    pool: RunningPool, builds: Path, tmp_path: Path
) -> None:
    """Without Python, or with an old one, the script goes on with the mirror's, fetched once."""
    home = tmp_path / "home"
    first = run_script(pool, home, link_of(pool), path=make_tools(tmp_path / "none"))
    before = prefix_of(home)
    second = run_script(
        pool, home, link_of(pool), path=make_tools(tmp_path / "old", "Python 3.9.6"), lang="fr"
    )

    assert f"downloading the pool's (Python {PYTHON}, " in first[1]
    assert f"The checksum of {BIG} is wrong" in first[1], first[1]
    assert "téléchargement de celui du parc" not in second[1]
    assert f"La somme de contrôle de {BIG} est fausse" in second[1], second[1]
    assert before == prefix_of(home)
    assert f"propre Python\u00a0: {PLATFORM}." in get(pool, "/install").decode()


def test_killed_download_of_python_leaves_no_half(
    pool: RunningPool, builds: Path, tmp_path: Path
) -> None:
    """Killed while the archive comes and while it is unpacked; the next run completes."""
    home = tmp_path / "home"
    tools = tmp_path / "bin"
    path = make_tools(tools)
    parts = home / ".local/share/entraide/python"
    asleep = f'"$@" && : >"$HOME/unpacked" && exec {shutil.which("sleep")} 60'
    begun = {
        "curl": lambda: any(tmp_path.glob("tmp.*/python.tar.gz")),
        "tar": (home / "unpacked").exists,
    }
    for name, rest in (("curl", '--limit-rate 200k "$@"'), ("tar", asleep)):
        real = (tools / name).readlink()
        (tools / name).unlink()
        (tools / name).write_text(f"#!/bin/sh\n{real} {rest}\n")
        (tools / name).chmod(0o755)
        slow = subprocess.Popen(
            script_command(pool, home, link_of(pool)), stdout=subprocess.DEVNULL,
            env=variables(home, path) | {"TMPDIR": str(tmp_path)}, start_new_session=True,
        )  # fmt: skip
        wait_until(begun[name], f"{name} to begin")
        os.killpg(slow.pid, signal.SIGKILL)
        slow.wait()
        (tools / name).unlink()
        (tools / name).symlink_to(real)

        assert not [each for each in parts.glob("*") if not each.name.startswith(".")]
    _, said = run_script(pool, home, link_of(pool), path=path)

    assert f"The checksum of {BIG} is wrong" in said
    assert [Path(prefix_of(home))] == list(parts.iterdir())


def test_changed_build_of_python_is_refused(
    pool: RunningPool, builds: Path, tmp_path: Path
) -> None:
    """One changed byte, or a lost end: nothing of the archive is unpacked, let alone run."""
    (archive,) = builds.glob("*.tar.gz")
    content = archive.read_bytes()
    path = make_tools(tmp_path / "bin")
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    try:
        for wrong in (changed, content[:middle]):
            archive.write_bytes(wrong)
            status, said = run_script(pool, tmp_path / "home", link_of(pool), path=path)

            assert (1, True) == (status, f"The checksum of {archive.name} is wrong" in said), said
            assert ["install.sh"] == [each.name for each in (tmp_path / "home").iterdir()]
    finally:
        archive.write_bytes(content)


NOTHING = {
    "en": f"The pool's mirror has nothing for this machine (linux-riscv64), but for: {TARGET}",
    "fr": "Le miroir du parc n’a rien pour cette machine (linux-riscv64), mais pour",
}
NO_PYTHON = {
    "en": f"this machine ({PLATFORM}) has none, and the pool's mirror has none for it. One step",
    "fr": f"cette machine ({PLATFORM}) n’en a pas, et le miroir du parc n’en a pas pour elle.",
}


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_platform_without_a_build_is_named(
    pool: RunningPool, builds: Path, tmp_path: Path, lang: str
) -> None:
    """Of a platform without wheels the others are named; else the one step, in both languages."""
    home = tmp_path / "home"
    path = make_tools(tmp_path / "bin")
    listed = (builds / PYTHONS).read_text()
    (builds / PYTHONS).write_text(listed.replace(PLATFORM, "macos-arm64"))
    try:
        no_python = run_script(pool, home, link_of(pool), path=path, lang=lang)
        (tmp_path / "bin/uname").unlink()
        uname = '#!/bin/sh\n[ "$1" = -m ] && echo riscv64 || echo Linux\n'
        (tmp_path / "bin/uname").write_text(uname)
        (tmp_path / "bin/uname").chmod(0o755)
        nothing = run_script(pool, home, link_of(pool), path=path, lang=lang)
    finally:
        (builds / PYTHONS).write_text(listed)

    assert (1, True) == (no_python[0], NO_PYTHON[lang] in no_python[1]), no_python[1]
    assert (1, True) == (nothing[0], NOTHING[lang] in nothing[1]), nothing[1]
    assert ["install.sh"] == [each.name for each in home.iterdir()]


def test_newer_build_replaces_the_older(builds: Path, tmp_path: Path) -> None:
    """The environment moves to the newer build; the older stays while an engine runs on it."""
    data = tmp_path / "entraide"
    (archive,) = builds.glob("*.tar.gz")
    for name in ("older", "newer"):
        (data / "python" / name).mkdir(parents=True)
        unpack = ("tar", "-xzf", archive, "-C", data / "python" / name, "--strip-components=1")
        subprocess.run(unpack, check=True)
    for name in ("environment", "engines/mlx"):
        make = (data / "python/older/bin/python3", "-m", "venv", "--without-pip", data / name)
        subprocess.run(make, check=True)
    script = files("entraide_scheduler.gateway.machines") / "install.sh"
    functions = script.read_text("utf-8").removesuffix('main "$@"\n')

    def call(function: str, own: str) -> bool:
        places = f"data={data} pythons=$data/python environment=$data/environment target={TARGET}"
        lines = f"{functions}\n{places} own={own and f'$pythons/{own}'}\n{function}\n"
        return not subprocess.run(["sh", "-c", lines], check=False).returncode

    fits = [call("environment_fits", own) for own in ("older", "newer", "")]
    kept = []
    for gone in ("", "environment", "engines"):
        shutil.rmtree(data / (gone or "none"), ignore_errors=True)
        assert call("remove_other_builds", "newer")
        kept.append(sorted(each.name for each in (data / "python").iterdir()))

    assert [True, False, False] == fits
    assert [["newer", "older"], ["newer", "older"], ["newer"]] == kept


def test_names_of_variables_end_before_french_signs() -> None:
    """The shell of macOS takes the first byte of a sign such as ``…`` as part of a bare name."""
    script = (files("entraide_scheduler.gateway.machines") / "install.sh").read_text("utf-8")

    assert [] == re.findall(r"\$[A-Za-z_]\w*[^\x00-\x7f]", script, re.ASCII)


def python_refusal(verified: VerifiedRelease, folder: Path) -> str:
    """The code with which a first installation refuses the Python that it runs on, or ""."""
    try:
        _check_python(verified, folder, "the pool")
    except PoolError as problem:
        return problem.code
    return ""


def test_a_node_verifies_the_release_that_the_mirror_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte by byte, over TLS, from the pool's folder; a mirror that changes one file is refused,
    and so is one whose Python is not the release's. Run again, `pool mirror` keeps the release."""
    keys, folder = make_keys("ours"), tmp_path / "release"
    root = write_root(folder, 1, keys)
    line = f"{PLATFORM} 3.13 {DIGEST} {len(PYTHON_BUILD)} a+b.tar.gz\n"
    files = {**FILES, PYTHONS: line.encode(), "a+b.tar.gz": PYTHON_BUILD}
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    write_release(folder, keys, now, files=files)
    with running_pool(tmp_path / "pool", pool_config()) as pool:
        (pool.state / FOLDER).mkdir()
        (pool.state / FOLDER / "old.whl").write_bytes(b"old")
        pin = compute_key_pin((pool.state / "tls" / "server.pem").read_bytes())
        save_pool_address(tmp_path, pool.file.http, public_certificate=False, key_pin=pin)
        before = find_update_command(tmp_path)
        repeated = entraide(
            "pool", "mirror", str(pool.state), "--release", str(folder), "--root", root,
            "--no-models", "--no-python",
        )  # fmt: skip
        kept = entraide("pool", "mirror", str(pool.state), "--no-models", lang="fr")
        assert 0 == repeated.returncode, repeated.stderr
        assert (0, True) == (kept.returncode, "signé avec la version publiée" in kept.stdout), kept
        assert "/install.sh | sh -s -- " in before["command"]
        assert {"command": f"entraide node upgrade --dir '{tmp_path}'"} == find_update_command(
            tmp_path
        )
        source, name = find_source(tmp_path / "node", link_of(pool), "")
        verified = open_release(source, tmp_path / "node/trusted", name=name, root=root)
        copied = verified.copy(tmp_path / "copied")

        assert files == {path.name: path.read_bytes() for path in copied.iterdir()}
        assert "1.0" == verified.release.version
        assert not (pool.state / FOLDER / "old.whl").exists()
        assert b"{}" == get(pool, "/install/wheels/sbom.cdx.json")
        (pool.state / FOLDER / "sbom.cdx.json").write_bytes(b"[]")
        with pytest.raises(PoolError) as refused:
            verified.copy(tmp_path / "again")
        assert "release_changed" == refused.value.code
        with monkeypatch.context() as patch:
            for build, code in ((DIGEST[:16], ""), ("0" * 16, "release_changed")):
                patch.setattr(sys, "base_prefix", str(tmp_path / BUILDS / build))
                assert code == python_refusal(verified, tmp_path / "node")
        with pytest.raises(PoolError) as refused:
            open_release(source, tmp_path / "new", name=name, root="sha256:" + "0" * 64)
        assert "release_unsigned" == refused.value.code
        other, name = find_source(tmp_path / "node", link_of(pool, pin="A" * 43), "")
        with pytest.raises(PoolError) as refused:
            open_release(other, tmp_path / "new", name=name)
        assert "release_unreachable" == refused.value.code
