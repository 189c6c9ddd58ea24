"""Installing from the pool: its page, its script and its files, over TLS and by curl."""

import hashlib
import os
import platform
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pool.support import HOST, RunningPool, pool_config, running_pool

from entraide.wire.enrolment import JoinSecret, install_command, write_link
from entraide_scheduler.gateway.machines import FOLDER, TARGETS
from entraide_scheduler.gateway.machines.install import PIECE_BYTES
from entraide_scheduler.nats.tls import compute_key_pin

BIG = "big-1.0-py3-none-any.whl"
CONTENT = os.urandom(20 * PIECE_BYTES + 7)
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
    "mkdir",
    "mktemp",
    "curl",
    "sha256sum",
)


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPool]:
    """A pool with its own CA, and a mirror with one file that is longer than the send buffer."""
    with running_pool(tmp_path_factory.mktemp("install") / "pool", pool_config()) as running:
        mirror = running.state / FOLDER
        mirror.mkdir()
        (mirror / BIG).write_bytes(CONTENT)
        (mirror / TARGETS).write_text("linux-x86_64-3.11\n")
        (mirror / ".hidden.txt").write_text("x")
        yield running


def link_of(pool: RunningPool, *, pin: str = "", token: str = "join_abc") -> str:
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


def run_script(pool: RunningPool, home: Path, *arguments: str, path: str = "") -> tuple[int, str]:
    """Runs the pool's script in an empty home; returns its status and what it says."""
    home.mkdir(exist_ok=True)
    (home / "install.sh").write_bytes(get(pool, "/install.sh"))
    done = subprocess.run(
        ["sh", home / "install.sh", *arguments],
        capture_output=True, text=True, check=False, timeout=100,
        env={"HOME": str(home), "PATH": path or os.environ["PATH"], "LANG": "en_CA.UTF-8"},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_page_says_what_to_paste_in_both_languages(pool: RunningPool) -> None:
    """It needs no script and no other host, and shows no pin that a stranger could have put."""
    french = get(pool, "/install", "-H", "accept-language: fr-CA").decode()
    english = get(pool, "/install", "-H", "accept-language: en").decode()

    assert '<html lang="fr">' in french
    assert "Collez la ligne" in french
    assert '<html lang="en">' in english
    assert "Paste the line" in english
    assert "linux-x86_64-3.11" in english
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
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or name)
    old = tools / "python3"  # as on a Mac: there, and too old
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    home = tmp_path / "home"
    status, said = run_script(pool, home, link_of(pool), path=str(tools))

    assert 1 == status
    assert "Entraide needs Python 3.11 or newer" in said
    assert re.search("sudo (apt|dnf|pacman|zypper) |brew install|install the package", said), said
    assert [home / "install.sh"] == list(home.iterdir())


def test_script_refuses_what_is_not_its_pool(pool: RunningPool, tmp_path: Path) -> None:
    """A wrong pin, a wrong link and a missing invitation each give one sentence."""
    wrong_pin = run_script(pool, tmp_path / "a", link_of(pool, pin="A" * 43))
    no_link = run_script(pool, tmp_path / "b", "http://pool.coop/install#x")
    odd_link = run_script(pool, tmp_path / "c", "https://pool.coop/$(id)#x")
    no_token = run_script(pool, tmp_path / "d", link_of(pool).replace("join_abc", ""))

    assert 1 == wrong_pin[0]
    assert f"Connecting to the pool at {link_of(pool).partition('/install')[0]}" in wrong_pin[1]
    assert "is not the invitation's; nothing was installed" in wrong_pin[1]
    assert "is not the link of an invitation" in no_link[1]
    assert "is not the link of an invitation" in odd_link[1]
    assert "ask the pool's operator for an invitation" in no_token[1]


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
