"""Records what other people's clients send to an OpenAI-compatible server, for the tests.

    python scripts/record_clients.py FOLDER [CLIENT ...]

FOLDER holds one environment for each client, made beforehand (`python -m venv FOLDER/langchain`,
`FOLDER/langchain/bin/pip install langchain-openai`; for `openai-js`, `npm install openai` in
FOLDER/js; for `opencode`, `npm install opencode-ai` in FOLDER/oc). Each client asks a server on the
loopback interface that calls a tool in the first turn and answers with text in the second, and
computes embeddings and responses. Its requests are written to `tests/data/clients/CLIENT.json`: the
bodies, with texts over 240 characters truncated, and the names of the headers. No
test and no check runs this.
"""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "tests/data/clients"
CLIENTS = Path(__file__).resolve().parent / "clients"
TEXT_MAX = 240
TIMEOUT_S = 300

# By client: its environment, the package whose version is recorded, and its script.
PYTHON = {
    "openai-python": ("openai", "openai"),
    "langchain": ("langchain", "langchain-openai"),
    "llama-index": ("llamaindex", "llama-index-llms-openai-like"),
    "llm": ("llm", "llm"),
    "litellm": ("litellm", "litellm"),
    "open-webui": ("owui", "open-webui"),
    "aider": ("aider", "aider-chat"),
}
NODE = {"openai-js": ("js", "openai"), "opencode": ("oc", "opencode-ai")}


class Recorder(BaseHTTPRequestHandler):
    """Server that answers like a model and records the requests."""

    protocol_version = "HTTP/1.1"
    requests: ClassVar[list[dict[str, Any]]] = []

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""

    def do_GET(self) -> None:
        """Lists one model."""
        model = {"id": "petit", "object": "model", "created": 0, "owned_by": "pool"}
        self._answer({"object": "list", "data": [model]})

    def do_POST(self) -> None:
        """Records a request and answers it."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        names = sorted(name.lower() for name in self.headers)
        self.requests.append({"path": self.path, "headers": names, "body": cut(body)})
        whole = answer(self.path, body)
        if body.get("stream"):
            self._stream(whole)
        else:
            self._answer(whole)

    def _answer(self, document: dict[str, Any]) -> None:
        payload = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self, whole: dict[str, Any]) -> None:
        choice = whole["choices"][0]
        delta = dict(choice.get("message", {}))
        if calls := delta.get("tool_calls"):
            delta["tool_calls"] = [{"index": n, **call} for n, call in enumerate(calls)]
        head = {key: whole[key] for key in ("id", "created", "model")}
        head["object"] = "chat.completion.chunk"
        last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
        chunks = [
            {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**head, "choices": [last]},
            {**head, "choices": [], "usage": whole["usage"]},
        ]
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        payload = ("".join(lines) + "data: [DONE]\n\n").encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


def answer(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Returns the answer to a request: a call of its first tool, or a text."""
    if path.endswith("/embeddings"):
        return embeddings_for(body)
    if path.endswith("/responses"):
        return response_for(body)
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
    whole = {"id": "r-1", "object": "chat.completion", "created": 1, "model": "petit"}
    if not path.endswith("/chat/completions"):
        choice: dict[str, Any] = {"index": 0, "text": "une fois", "finish_reason": "stop"}
        return {**whole, "object": "text_completion", "choices": [choice], "usage": usage}
    message: dict[str, Any] = {"role": "assistant", "content": text_for(body)}
    finish = "stop"
    if body.get("tools") and body["messages"][-1]["role"] != "tool":
        name = tool_for(body["tools"])
        call = {"id": "call_abc123", "type": "function"}
        call["function"] = {"name": name, "arguments": arguments_for(body["tools"], name)}
        message |= {"content": None, "tool_calls": [call]}
        finish = "tool_calls"
    message |= {"reasoning_content": "Il demande le temps."}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return {**whole, "choices": [choice], "usage": usage}


def embeddings_for(body: dict[str, Any]) -> dict[str, Any]:
    """Returns a short embedding for each input, in the form that the request asks for."""
    count = len(body["input"]) if isinstance(body["input"], list) else 1
    vector: Any = [0.5, -0.5]
    if body.get("encoding_format") == "base64":
        vector = base64.b64encode(struct.pack("<2f", *vector)).decode()
    entries = [{"object": "embedding", "index": n, "embedding": vector} for n in range(count)]
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return {"object": "list", "model": body["model"], "data": entries, "usage": usage}


def response_for(body: dict[str, Any]) -> dict[str, Any]:
    """Returns a whole response with a text."""
    form = (body.get("text") or {}).get("format") or {"type": "text"}
    text = "Il fait 12 °C." if form["type"] == "text" else '{"ville": "Lévis", "celsius": 12}'
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": "msg-1", "role": "assistant", "status": "completed"}
    return {
        "id": "resp-1", "object": "response", "created_at": 1, "model": "petit",
        "status": "completed", "output": [{**message, "content": content}], "tools": [],
        "parallel_tool_calls": True, "tool_choice": "auto",
        "usage": {
            "input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 12,
        },
    }  # fmt: skip


def text_for(body: dict[str, Any]) -> str:
    """Returns a text, or JSON if the request asks for it."""
    kind = (body.get("response_format") or {}).get("type", "text")
    return "Il fait 12 °C." if kind == "text" else '{"ville": "Lévis", "celsius": 12}'


def tool_for(tools: list[dict[str, Any]]) -> str:
    """Returns the tool to call: one that only reads, if there are several."""
    names = [tool["function"]["name"] for tool in tools]
    return next((name for name in names if name in ("glob", "list", "read")), names[0])


def arguments_for(tools: list[dict[str, Any]], name: str) -> str:
    """Returns arguments for a tool's required parameters."""
    tool = next(tool["function"] for tool in tools if tool["function"]["name"] == name)
    parameters = tool.get("parameters", {})
    kinds = {"number": 12, "integer": 12, "boolean": True, "array": [], "object": {}}
    arguments = {
        field: kinds.get(parameters["properties"][field].get("type"), "Lévis")
        for field in parameters.get("required", [])
    }
    return json.dumps(arguments, ensure_ascii=False)


def cut(value: Any) -> Any:
    """Returns a value with its long texts truncated."""
    if isinstance(value, str):
        return value if len(value) <= TEXT_MAX else value[:TEXT_MAX] + "…"
    if isinstance(value, list):
        return [cut(item) for item in value]
    if isinstance(value, dict):
        return {key: cut(item) for key, item in value.items()}
    return value


def version_of(folder: Path, client: str) -> str:
    """Returns the version of a client's package."""
    if client in NODE:
        place, package = NODE[client]
        facts = folder / place / "node_modules" / package / "package.json"
        return str(json.loads(facts.read_text())["version"])
    place, package = PYTHON[client]
    code = f"from importlib.metadata import version; print(version({package!r}))"
    process = subprocess.run(
        [folder / place / "bin/python", "-c", code], check=True, capture_output=True, text=True
    )
    return process.stdout.strip()


def record(folder: Path, client: str) -> None:
    """Runs one client against the recorder, and writes its requests."""
    Recorder.requests = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    if client in NODE:
        place = NODE[client][0]
        command = ["node", str(CLIENTS / f"{client}.mjs")]
    else:
        place = PYTHON[client][0]
        command = [str(folder / place / "bin/python"), "-P", str(CLIENTS / f"{client}.py")]
    with tempfile.TemporaryDirectory() as home:
        names = {"HOME": home, "ENTRAIDE_URL": url, "CLIENT_FOLDER": str(folder / place)}
        names |= {"OPENAI_API_KEY": "sk-none", "OPENAI_BASE_URL": url, "OPENAI_API_BASE": url}
        environment = {**os.environ, **names}
        try:
            subprocess.run(command, check=True, cwd=home, env=environment, timeout=TIMEOUT_S)
        finally:
            server.shutdown()
    version = version_of(folder, client)
    lines = ",\n".join(json.dumps(asked, ensure_ascii=False) for asked in Recorder.requests)
    head = f'{{"client": "{client}", "version": "{version}", "requests": [\n'
    text = f"{head}{lines}\n]}}\n"
    (OUT / f"{client}.json").write_text(text, "utf-8")
    print(f"{client} {version}: {len(Recorder.requests)} requests, {len(text)} characters")


def main() -> int:
    """Records the clients given, or all."""
    folder = Path(sys.argv[1])
    for client in sys.argv[2:] or [*PYTHON, *NODE]:
        record(folder, client)
    return 0


if __name__ == "__main__":
    sys.exit(main())
