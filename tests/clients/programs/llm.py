"""Simon Willison's `llm`, unmodified: its command and its library; prints what each check got."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import llm
import openai

MODEL, QUESTION, TOKENS = (os.environ[name] for name in ("ENTRAIDE_MODEL", "QUESTION", "TOKENS"))
PLAIN = ["-m", MODEL, "-o", "temperature", "0", "-o", "max_tokens", TOKENS]
FUNCTION = """
def meteo(ville: str) -> str:
    "Gives the weather in a town."
    return f"12 °C à {ville}"
"""

folder = Path(os.environ["LLM_USER_PATH"])
folder.mkdir(exist_ok=True)
(folder / "extra-openai-models.yaml").write_text(
    "".join(
        f"- model_id: {name}\n  model_name: {model}\n  api_base: {os.environ['OPENAI_BASE_URL']}\n"
        f"  api_key_name: entraide\n  supports_tools: true\n  supports_schema: true\n{more}"
        for name, model, more in (
            (MODEL, MODEL, ""),
            ("by-responses", MODEL, "  responses: true\n"),
            ("wrong", "gpt-4o", ""),
        )
    )
)


def run(*arguments: str) -> str:
    """Runs the command; returns what it printed."""
    command = [str(Path(sys.executable).parent / "llm"), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return done.stdout.decode().strip()


run("keys", "set", "entraide", "--value", os.environ["ENTRAIDE_KEY"])
model = llm.get_model(MODEL)


def chat() -> Any:
    """A whole answer, by the command."""
    return {"text": run(*PLAIN, "--no-stream", QUESTION)}


def usage() -> Any:
    """The tokens of an answer, whole and streamed."""
    whole = model.prompt(QUESTION, stream=False, temperature=0, max_tokens=int(TOKENS))
    whole.text()
    streamed = model.prompt(QUESTION, temperature=0, max_tokens=int(TOKENS))
    streamed.text()
    assert (whole.input_tokens, whole.output_tokens) == (
        streamed.input_tokens,
        streamed.output_tokens,
    )
    return [whole.input_tokens, whole.output_tokens]


def stream() -> Any:
    """The pieces of an answer; the command prints the same."""
    answer = model.prompt(QUESTION, temperature=0, max_tokens=int(TOKENS))
    pieces = [piece for piece in answer if piece]
    assert "".join(pieces).strip() == run(*PLAIN, QUESTION)
    return {"text": "".join(pieces), "pieces": len(pieces), "tokens": answer.output_tokens}


def tools() -> Any:
    """A function that the model calls, and the answer after its result."""
    after = run(*PLAIN, "--functions", FUNCTION, "Gaspé")
    logged = json.loads(run("logs", "list", "-n", "0", "--json"))
    calls = [call for turn in logged for call in turn.get("tool_calls") or ()]
    return {"name": calls[0]["name"], "arguments": calls[0]["arguments"], "after": after}


def structured() -> Any:
    """An answer that follows a schema, by the command."""
    schema = json.dumps({
        "type": "object", "properties": {"ville": {"enum": ["Gaspé", "Rimouski"]}},
        "required": ["ville"], "additionalProperties": False,
    })  # fmt: skip
    return json.loads(run(*PLAIN, "--schema", schema, "Gaspé"))


def responses() -> Any:
    """The same question through the Responses API."""
    answer = llm.get_model("by-responses").prompt(QUESTION, temperature=0)
    return {"text": answer.text()}


def errors() -> Any:
    """The exceptions for a wrong model, a wrong field and a wrong key."""
    raised = []
    for asked, fields in (
        ("wrong", {}), (MODEL, {"max_tokens": 0}), (MODEL, {"key": "ent_wrong"}),
    ):  # fmt: skip
        try:
            llm.get_model(asked).prompt(QUESTION, **fields).text()
        except openai.APIStatusError as error:
            raised.append([type(error).__name__, error.code, error.message])
    return raised


def asyncio_client() -> Any:
    """Whole and streamed at once, under asyncio."""
    asking = llm.get_async_model(MODEL)

    async def ask() -> Any:
        answer = asking.prompt(QUESTION, stream=False, temperature=0, max_tokens=int(TOKENS))
        pieces = asking.prompt(QUESTION, temperature=0, max_tokens=int(TOKENS))
        return list(await asyncio.gather(answer.text(), pieces.text()))

    return asyncio.run(ask())


CHECKS = {
    "chat": chat, "usage": usage, "stream": stream, "tools": tools, "structured": structured,
    "responses": responses, "errors": errors, "asyncio": asyncio_client,
}  # fmt: skip

if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: check() for name, check in CHECKS.items()}))
