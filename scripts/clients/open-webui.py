"""Open WebUI: its server, asked as its page asks, two turns, one with a tool of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PORT = 18_080
URL = f"http://127.0.0.1:{PORT}"
READY_S = 240.0


def call(path: str, body: Any = None, token: str = "") -> bytes:
    """Asks the server."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers)  # noqa: S310 - the loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return bytes(answer.read())


def wait_until_ready() -> None:
    """Waits until the server answers."""
    until = time.monotonic() + READY_S
    while True:
        try:
            call("/health")
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(1.0)
        else:
            return


def ask(token: str, messages: list[Any], **fields: Any) -> bytes:
    """Asks as the page does."""
    params = {"temperature": 0.2, "top_k": 40, "min_p": 0.1, "max_tokens": 64, "seed": 7,
              "stop": ["FIN"]}  # fmt: skip
    body = {
        "model": "petit", "messages": messages, "params": params, "features": {},
        "variables": {"{{USER_NAME}}": "Jo"}, "background_tasks": {}, **fields,
    }  # fmt: skip
    return call("/api/chat/completions", body, token)


environment = {
    **os.environ, "DATA_DIR": str(Path(os.environ["HOME"]) / "data"), "WEBUI_SECRET_KEY": "none",
    "OFFLINE_MODE": "true", "HF_HUB_OFFLINE": "1", "RAG_EMBEDDING_ENGINE": "openai",
    "ENABLE_OLLAMA_API": "false", "OPENAI_API_BASE_URL": os.environ["ENTRAIDE_URL"],
    "OPENAI_API_BASE_URLS": os.environ["ENTRAIDE_URL"], "BYPASS_MODEL_ACCESS_CONTROL": "true",
    "ENABLE_PERSISTENT_CONFIG": "false", "ENABLE_VERSION_UPDATE_CHECK": "false",
}  # fmt: skip
program = Path(sys.executable).parent / "open-webui"
server = subprocess.Popen(
    [program, "serve", "--host", "127.0.0.1", "--port", str(PORT)], env=environment
)
try:
    wait_until_ready()
    person = {"name": "Jo", "email": "jo@example.org", "password": "motdepasse-9"}
    token = json.loads(call("/api/v1/auths/signup", person))["token"]
    call("/api/models", token=token)
    turns: list[Any] = [
        {"role": "system", "content": "Réponds en français."},
        {"role": "user", "content": "Quel temps à Lévis ?"},
    ]
    print(ask(token, turns, stream=True, stream_options={"include_usage": True}))
    turns += [
        {"role": "assistant", "content": "Il fait 12 °C."},
        {"role": "user", "content": [
            {"type": "text", "text": "Et sur cette image ?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]},
    ]  # fmt: skip
    ask(token, turns, stream=False)
    tool = {"type": "function", "function": {"name": "meteo", "parameters": {
        "type": "object", "properties": {"ville": {"type": "string"}}}}}  # fmt: skip
    completion = json.loads(ask(token, turns[:2], stream=False, tools=[tool]))
    answer = completion["choices"][0]["message"]
    result = {"role": "tool", "tool_call_id": "call_abc123", "content": "12 °C"}
    ask(token, [*turns[:2], answer, result], stream=False, tools=[tool])
    call(
        "/api/v1/tasks/title/completions",
        {"model": "petit", "messages": turns[:2], "stream": False},
        token,
    )
finally:
    server.terminate()
    server.wait()
