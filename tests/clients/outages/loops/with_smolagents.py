"""smolagents in an outage: its model by itself, in pieces, and an agent with a tool."""

from typing import Any

from recorder import KEY, MODEL, PACED_KEY, STORY, run
from smolagents import OpenAIModel, ToolCallingAgent, tool
from smolagents.monitoring import LogLevel

LONG: Any = [{"role": "user", "content": STORY}]


@tool
def meteo(ville: str) -> str:
    """Gives the weather in a town.

    Args:
        ville: the town.
    """
    return f"12 °C à {ville}"


def model(url: str, tokens: int, key: str = KEY) -> OpenAIModel:
    """The client of a gateway, with its own retries and time-out."""
    return OpenAIModel(MODEL, api_base=f"{url}/v1", api_key=key, max_tokens=tokens)


def generate(url: str) -> Any:
    """A whole answer."""
    return len(model(url, 24).generate(LONG).content or "")


def stream(url: str) -> Any:
    """In pieces."""
    return len(list(model(url, 48).generate_stream(LONG)))


def agent(url: str) -> Any:
    """An agent with a tool, of two steps at most."""
    asking = ToolCallingAgent(
        tools=[meteo], model=model(url, 24), max_steps=2, verbosity_level=LogLevel.OFF
    )
    return asking.run("Gaspé")


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    return len(model(url, 8, PACED_KEY).generate(LONG).content or "")


CALLS = {"generate": generate, "stream": stream, "agent": agent, "paced": paced}

if __name__ == "__main__":
    run("smolagents", CALLS)
