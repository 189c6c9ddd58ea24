"""Several addresses of one pool: the client uses the next one when one is dead."""

import pytest
from tests.ports import free_port
from tests.sdk.conftest import ServedPool

from entraide.client import AsyncClient, Client
from entraide.errors import AuthenticationError, PoolUnreachable

KEY = "key-soleil"


@pytest.fixture
def dead() -> str:
    """An address at which nobody listens."""
    return f"grpc://127.0.0.1:{free_port()}"


def test_next_address_is_used_when_one_is_dead(served: ServedPool, dead: str) -> None:
    """Calls and streams go to the address that lives, without a retry of the caller's."""
    with Client(f"{dead}, {served.address}", KEY, retries=0) as client:
        with client.stream("Bonjour") as stream:
            text = "".join(stream)
        answer, state = client.chat("Bonjour"), client.get("job-1").state

    assert ("Bonjour à toi", "Bonjour à toi", "completed") == (text, answer.text, state)


async def test_next_address_is_used_in_asyncio_programs(served: ServedPool, dead: str) -> None:
    """As above, for the asynchronous client."""
    async with AsyncClient(f"{dead},{served.address}", KEY, retries=0) as client:
        answer = await client.chat("Bonjour")
        state = (await client.get("job-1")).state

    assert ("Bonjour à toi", "completed") == (answer.text, state)


def test_refusal_of_a_living_address_is_final(served: ServedPool, dead: str) -> None:
    """An address that answers is not dead: its refusal is the caller's."""
    with (
        Client(f"{served.address},{dead}", "key-wrong", retries=0) as client,
        pytest.raises(AuthenticationError),
    ):
        client.get("job-1")


def test_all_addresses_dead_is_unreachable(dead: str) -> None:
    """When no address answers, the error is the usual one."""
    with Client(f"{dead},{dead}", KEY, retries=0) as client, pytest.raises(PoolUnreachable):
        client.get("job-1")
