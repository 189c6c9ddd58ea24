"""``entraide node engine attach``: an engine that runs already, put into the node's file."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from entraide_node.config import load_config
from entraide_node.engine_config import Attach, LlamaCpp
from entraide_node.engines.attachment import AttachRequest, attach_command
from entraide_node.engines.commands import find_command

CONFIG = 'node = "mini"\ncoop = "boreale"\nzone = "CA-QC"\nnats_urls = ["nats://127.0.0.1:1"]\n'


@pytest.fixture
def engine() -> Iterator[tuple[str, list[str]]]:
    """A server that lists models as OpenAI's API does, and the names that it lists."""
    names = ["qwen"]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            listed = [{"id": name, "object": "model"} for name in names]
            body = json.dumps({"object": "list", "data": listed}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", names
        server.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a node that has joined."""
    (tmp_path / "node.toml").write_text(CONFIG)
    return tmp_path / "node.toml"


def test_the_only_model_takes_the_place_of_the_demonstrations(
    engine: tuple[str, list[str]], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node with the demonstration's model serves the engine's instead; the key stays private."""
    url, _ = engine
    status = attach_command(
        path, AttachRequest(url=f"{url}/v1", alias="petit", key="secret"), lang="en"
    )

    assert 0 == status
    assert Attach(url=url, model="qwen", alias="petit", key="secret") == load_config(path).engine
    assert 0o600 == path.stat().st_mode & 0o777
    assert "restart" in capsys.readouterr().out


def test_an_engine_of_the_owners_own_stays(engine: tuple[str, list[str]], path: Path) -> None:
    """Beside an engine that the owner chose the new one is added, once only."""
    url, _ = engine
    path.write_text(CONFIG + '\n[engine]\nkind = "llama.cpp"\nmodel = "/m/own.gguf"\n')
    for _ in range(2):
        assert 0 == attach_command(path, AttachRequest(url=url), lang="en")

    assert LlamaCpp(model="/m/own.gguf") == load_config(path).engine
    assert (Attach(url=url, model="qwen"),) == load_config(path).engines


@pytest.mark.parametrize(
    "case",
    [
        (["a", "b"], "", "several models: a, b"),
        (["a", "b"], "c", 'does not serve "c". It serves: a, b.'),
        ([], "", "--model"),
    ],
    ids=["which of two", "not there", "none listed"],
)
def test_what_is_not_clear_is_asked(
    engine: tuple[str, list[str]],
    path: Path,
    case: tuple[list[str], str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is written where it is not clear which model is meant."""
    url, listed = engine
    listed[:], model, said = case
    status = attach_command(path, AttachRequest(url=url, model=model), lang="en")

    assert 1 == status
    assert said in capsys.readouterr().err
    assert CONFIG == path.read_text()


def test_nobody_there(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An address at which nothing answers is named."""
    assert 1 == attach_command(path, AttachRequest(url="http://127.0.0.1:1"), lang="fr")
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_find_says_what_to_paste(
    engine: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each engine that is found comes with the command that attaches it."""
    url, names = engine
    find_command(lang="en", urls=(url,))
    output = capsys.readouterr().out
    names.append("other model")
    find_command(lang="en", urls=(url,))
    two = capsys.readouterr().out

    assert f"entraide node engine attach {url}\n" in output
    assert f"entraide node engine attach {url} --model qwen\n" in two
