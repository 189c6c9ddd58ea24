"""Simon Willison's `llm` in an outage: its library and its command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import llm
from recorder import KEY, MODEL, PACED_KEY, STORY, URLS, run

MODELS = ("", "responses", "paced")  # of each gateway
SCHEMA = {
    "type": "object", "properties": {"ville": {"enum": ["Gaspé", "Rimouski"]}},
    "required": ["ville"], "additionalProperties": False,
}  # fmt: skip

folder = Path(os.environ["LLM_USER_PATH"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "extra-openai-models.yaml").write_text(
    "".join(
        f"- model_id: pool{number}{kind}\n  model_name: {MODEL}\n  api_base: {url}/v1\n"
        f"  api_key_name: {'paced' if kind == 'paced' else 'entraide'}\n"
        "  supports_tools: true\n  supports_schema: true\n"
        + ("  responses: true\n" if kind == "responses" else "")
        for number, url in enumerate(URLS)
        for kind in MODELS
    )
)
(folder / "keys.json").write_text(json.dumps({"entraide": KEY, "paced": PACED_KEY}))


class CommandFailed(Exception):
    """What the command wrote before it failed."""


def ask(url: str, kind: str = "", /, *words: Any, **options: Any) -> Any:
    """One prompt; returns how long the answer is."""
    name = f"pool{URLS.index(url)}{kind}"
    return len(llm.get_model(name).prompt(*words, **options).text())


def whole(url: str) -> Any:
    """A whole answer."""
    return ask(url, "", STORY, stream=False, max_tokens=24)


def stream(url: str) -> Any:
    """In pieces."""
    return ask(url, "", STORY, max_tokens=48)


def responses(url: str) -> Any:
    """By the Responses API, in pieces."""
    return ask(url, "responses", STORY)


def schema(url: str) -> Any:
    """An answer that follows a schema."""
    return ask(url, "", "Gaspé", schema=SCHEMA, max_tokens=24)


def meteo(ville: str) -> str:
    """Gives the weather in a town."""
    return f"12 °C à {ville}"


def tools(url: str) -> Any:
    """A function that the model calls."""
    model = llm.get_model(f"pool{URLS.index(url)}")
    return model.chain("Gaspé", tools=[meteo], options={"max_tokens": 48}).text()


def command(url: str) -> Any:
    """The command, as a person types it."""
    program = str(Path(sys.executable).with_name("llm"))
    words = [program, "-m", f"pool{URLS.index(url)}", "-o", "max_tokens", "48", STORY]
    done = subprocess.run(words, check=False, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)  # fmt: skip
    if done.returncode:
        raise CommandFailed(f"status {done.returncode}, {len(done.stdout)} out, {done.stderr}")
    return len(done.stdout)


def paced(url: str) -> Any:
    """A co-op with two requests a minute."""
    return ask(url, "paced", "Gaspé", max_tokens=8)


CALLS = {
    "whole": whole, "stream": stream, "responses": responses, "schema": schema, "tools": tools,
    "command": command, "paced": paced,
}  # fmt: skip

if __name__ == "__main__":
    run("llm", CALLS)
