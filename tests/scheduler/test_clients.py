"""Other people's clients: what each really sends, second turn included, is served.

The recordings are of `scripts/record_clients.py`: bodies as the named version sent them.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.cases import all_cases
from tests.scheduler.gateway_support import MODEL, WAIT_S, card, open_pool

from entraide_scheduler.gateway.requests import openai

EMBEDDINGS_PATH = "/v1/embeddings"

FOLDER = Path(__file__).resolve().parent.parent / "data/clients"
RECORDED: dict[str, list[dict[str, Any]]] = {
    path.stem: json.loads(path.read_text("utf-8"))["requests"]
    for path in sorted(FOLDER.glob("*.json"))
}
REQUESTS = [(client, turn) for client in RECORDED for turn in range(len(RECORDED[client]))]


def has_tool_result(body: dict[str, Any]) -> bool:
    return any(message["role"] == "tool" for message in body.get("messages", ()))


def answers(body: dict[str, Any]) -> int:
    return sum(message["role"] == "assistant" for message in body.get("messages", ()))


@all_cases(("client", "turn"), REQUESTS)
def test_recorded_request_is_accepted(client: str, turn: int) -> None:
    """Every request of a client is read; what goes on has the same messages."""
    request = RECORDED[client][turn]
    ask = openai.parse_request(request["path"], json.dumps(request["body"]).encode())
    given = json.loads(openai.encode_for_engine(ask, 9, model="petit", stream=ask.stream))

    if "messages" in request["body"]:
        assert len(request["body"]["messages"]) == len(given["messages"])
    if "embeddings" in request["path"]:
        assert request["body"]["input"] == given["input"]
    assert not {"user", "metadata", "store", "reasoning_content"} & given.keys()


@pytest.mark.parametrize("client", RECORDED)
def test_recordings_hold_a_second_turn(client: str) -> None:
    """Each client's recording has a request that sends an earlier answer back."""
    assert any(answers(request["body"]) for request in RECORDED[client])


def test_recordings_hold_embeddings_and_responses() -> None:
    """The clients that compute embeddings and ask the Responses API are recorded doing so."""
    paths = {client: {asked["path"] for asked in all_} for client, all_ in RECORDED.items()}
    both = {"openai-python", "openai-js", "langchain", "litellm"}

    assert both | {"llama-index"} == {c for c, own in paths.items() if "/v1/embeddings" in own}
    assert both == {client for client, own in paths.items() if "/v1/responses" in own}


def test_recordings_hold_results_of_tools() -> None:
    """All clients that call tools send their results back; nine clients are recorded."""
    with_tools = {
        c for c, all_ in RECORDED.items() if any(has_tool_result(a["body"]) for a in all_)
    }

    assert RECORDED.keys() - {"aider"} == with_tools
    assert len(RECORDED) >= 8


async def test_each_client_is_answered_by_a_gateway(tmp_path: Path) -> None:
    """A live gateway serves every recorded request for text, streamed or whole."""
    node = card("n1")
    replica = replace(
        node.replicas[0], context_tokens=65_536, features=("images", "schema", "tools")
    )
    async with open_pool(tmp_path, joined=(replace(node, replicas=(replica,)),)) as pool:
        for client, turn in REQUESTS:
            request = RECORDED[client][turn]
            if request["path"] == EMBEDDINGS_PATH:
                continue  # tests/scheduler/test_embeddings.py has nodes that compute them
            body = request["body"] | {"model": MODEL}
            sent = asyncio.ensure_future(pool.send(body, path=request["path"]))
            placed = asyncio.ensure_future(pool.placed())
            await asyncio.wait({sent, placed}, return_when=asyncio.FIRST_COMPLETED)
            assert placed.done(), f"{client} {turn}: {await (await sent).text()}"
            placed.result().finish("Oui")
            async with await asyncio.wait_for(sent, WAIT_S) as answer:
                text = await answer.text()

                assert (200, True) == (answer.status, "Oui"[-1] in text), f"{client} {turn}"
