"""A gateway as a process of its own, over NATS, and the clients of a real pool."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import tomli_w
from tests.integration.local_pool import MODEL, RunningPool
from tests.ports import free_port

from entraide import Client
from entraide.errors import AuthenticationError, NotFoundError

pytestmark = pytest.mark.engines  # real processes that are waited for


@pytest.fixture(scope="module")
def gateway(pool: RunningPool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Starts ``entraide gateway run`` beside the pool; its address."""
    home: Path = tmp_path_factory.mktemp("gateway")
    port = free_port()
    bus = tomllib.loads((pool.state / "scheduler.toml").read_text())["nats"]["urls"]
    config = {
        "gateway": "second",
        "dir": str(pool.state),
        "nats": {"urls": bus},
        "http": {"port": port},
    }
    (home / "gateway.toml").write_text(tomli_w.dumps(config))
    argv = [sys.executable, "-m", "entraide.cli", "gateway", "run"]
    with (home / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [*argv, "--config", str(home / "gateway.toml")], stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    pool.until(lambda: pool.http("/readyz", at=address)[0] == 200, "a second gateway")
    yield address
    process.terminate()
    assert process.wait(30) == 0


def test_a_gateway_of_its_own_serves_the_same_pool(pool: RunningPool, gateway: str) -> None:
    """Chat and stream through a separate gateway, with usage and receipt."""
    client = openai.OpenAI(base_url=f"{gateway}/v1", api_key=pool.file.keys["prairie"])
    prompt = [{"role": "user", "content": "Bonjour"}]
    answer = client.chat.completions.create(model=MODEL, messages=prompt, max_tokens=8)  # type: ignore[arg-type]
    chunks = list(
        client.chat.completions.create(model=MODEL, messages=prompt, max_tokens=8, stream=True)  # type: ignore[arg-type]
    )

    assert answer.usage is not None
    assert answer.usage.completion_tokens == (answer.model_extra or {})["entraide"]["output_tokens"]
    assert chunks[-1].choices[0].finish_reason
    assert "entraide" in (chunks[-1].model_extra or {})


def test_a_gateway_of_its_own_refuses_in_the_same_words(pool: RunningPool, gateway: str) -> None:
    """Errors do not depend on the gateway."""
    body = {"model": "gpt-5", "messages": [{"role": "user", "content": "x"}]}
    here = pool.http("/v1/chat/completions", body)
    there = pool.http("/v1/chat/completions", body, at=gateway)

    assert here[0] == there[0] == 404
    assert here[2]["error"]["code"] == there[2]["error"]["code"] == "unknown_model"
    assert here[2]["error"]["message"] == there[2]["error"]["message"]


def test_a_gateway_elsewhere_is_checked_too(pool: RunningPool, gateway: str) -> None:
    """It has no place of its own here: what names one is refused there alone, receipts say so."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "max_tokens": 4}
    named = {"X-Entraide-Jurisdiction": "CA-QC"}
    here, there = (
        pool.http("/v1/chat/completions", body, at=at, headers=named) for at in ("", gateway)
    )
    unnamed = pool.http("/v1/chat/completions", body, at=gateway)
    known = [pool.http("/.well-known/entraide", at=at)[2] for at in ("", gateway)]
    invented = {"zone": "CA-QC", "controlled_by": "member", "invented": True}
    unknown = {"zone": "unknown", "controlled_by": "unknown", "invented": False}

    assert (200, invented, []) == (here[0], *places_of(here[2]["entraide"]))
    assert (503, "place_unknown") == (there[0], there[2]["error"]["code"])
    assert (200, invented, [unknown]) == (unnamed[0], *places_of(unnamed[2]["entraide"]))
    assert [(invented, []), (invented, [unknown])] == list(map(places_of, known))


def places_of(document: dict[str, Any]) -> tuple[Any, Any]:
    """The place of the pool's server, and the others."""
    return document["place"], document["further_places"]


def test_the_python_client_speaks_grpc(pool: RunningPool) -> None:
    """Chat, stream, kept job, explanation and models through the SDK."""
    with Client(pool.file.grpc, key=pool.file.keys["boreale"]) as client:
        answer = client.chat("Bonjour", model=MODEL, max_output_tokens=8)
        with client.stream("Bonjour", model=MODEL, max_output_tokens=8) as stream:
            streamed = "".join(stream)
        kept = client.wait(client.submit("Bonjour", model=MODEL, max_output_tokens=8).job)
        reply = client.explain(answer.job)
        pool.until(lambda: client.get(answer.job).receipt is not None, "a settled receipt")
        ended = client.get(answer.job)
        names = [model.model for model in client.models() if not model.means]

    assert answer.text
    assert answer.receipt is not None
    assert answer.usage.output_tokens == answer.receipt.output_tokens
    assert streamed
    assert stream.receipt is not None
    assert kept.state == "completed"
    assert ended.submitted_at > 0
    assert ended.receipt is not None
    assert ended.receipt.settled
    assert reply.explanation.decision == "placed"
    assert names == [MODEL]


def test_the_python_client_raises_typed_errors(pool: RunningPool) -> None:
    """A wrong key and an unknown model are errors of their own kinds, with stable codes."""
    with (
        Client(pool.file.grpc, key="ent_wrong") as stranger,
        pytest.raises(AuthenticationError) as refused,
    ):
        stranger.models()
    with (
        Client(pool.file.grpc, key=pool.file.keys["boreale"]) as client,
        pytest.raises(NotFoundError) as unknown,
    ):
        client.chat("x", model="gpt-5")

    assert refused.value.code == "unauthorised"
    assert unknown.value.code == "unknown_model"
