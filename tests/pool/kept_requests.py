"""Kept work for a founded pool, sent to each of its gateways, and what they say to it."""

import http.client
import json
import ssl
from contextlib import closing
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from msgspec import Struct
from tests.pool.support import HOST, RunningPool, entraide

from entraide.v1 import pool_pb2, pool_pb2_grpc

CHAT = "/v1/chat/completions"
KINDS = ("/v1/jobs", "/v1/files", "/v1/batches")
LIMIT = "limite"
FORM = (
    f'--{LIMIT}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    f'--{LIMIT}\r\nContent-Disposition: form-data; name="file"; filename="lot.jsonl"\r\n\r\n'
    f"{{}}\n\r\n--{LIMIT}--\r\n"
)
TIMEOUT_S = 60.0


class Reply(Struct, frozen=True):
    """What a gateway says: status, error code ("" for none), wait and the body."""

    status: int
    code: str
    retry_after: str
    body: Any


class Sender:
    """A client with a key of its own; ``ports`` are those of the pool's gateways."""

    def __init__(self, pool: RunningPool, coop: str) -> None:
        self._pool = pool
        self.ports = [pool.config.http.port]
        self.ports += [pool.config.http.gateway_port + n for n in range(pool.config.gateways - 1)]
        made = entraide("keys", "create", "--coop", coop, "--json", "--state", str(pool.state))
        assert made.returncode == 0, made
        self._key = json.loads(made.stdout)["secret"]
        self._file = ""

    def post(self, port: int, path: str, lang: str = "en") -> Reply:
        """Posts a request to one gateway, a batch with the file that was accepted last."""
        kind, body = self._body(path)
        headers = {
            "Authorization": f"Bearer {self._key}", "Accept-Language": lang, "Content-Type": kind,
        }  # fmt: skip
        context = ssl.create_default_context(cadata=self._pool.ca)
        with closing(
            http.client.HTTPSConnection(HOST, port, timeout=TIMEOUT_S, context=context)
        ) as connection:
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            content = json.loads(answer.read())
        if path == "/v1/files" and answer.status == 200:
            self._file = content["id"]
        error = content.get("error") or {}
        code = error.get("code", "")
        return Reply(answer.status, code, answer.getheader("Retry-After", ""), content)

    def post_kept(self) -> list[Reply]:
        """Posts kept work of each kind to each gateway."""
        return [self.post(port, path) for port in self.ports for path in KINDS]

    def submit(self) -> tuple[str, str]:
        """Submits a kept job over gRPC; returns the status's name and the error's code."""
        request = pool_pb2.InferenceRequest(
            model="petit", messages=[pool_pb2.ChatMessage(role="user", content="Bonjour")]
        )
        trust = grpc.ssl_channel_credentials(self._pool.ca.encode())
        with grpc.secure_channel(self._pool.file.grpc, trust) as channel:
            try:
                pool_pb2_grpc.PoolStub(channel).Submit(
                    pool_pb2.SubmitRequest(request=request),
                    timeout=TIMEOUT_S,
                    metadata=(("authorization", f"Bearer {self._key}"),),
                )
            except grpc.RpcError as problem:
                info = error_details_pb2.ErrorInfo()
                rpc_status.from_call(problem).details[0].Unpack(info)
                return problem.code().name, info.reason
        return "OK", ""

    def _body(self, path: str) -> tuple[str, bytes]:
        chat = {"model": "petit", "messages": [{"role": "user", "content": "Bonjour"}]}
        if path == "/v1/files":
            return f"multipart/form-data; boundary={LIMIT}", FORM.encode()
        bodies: dict[str, Any] = {
            CHAT: chat,
            "/v1/jobs": {"request": chat},
            "/v1/batches": {
                "input_file_id": self._file, "endpoint": CHAT, "completion_window": "24h",
            },
        }  # fmt: skip
        return "application/json", json.dumps(bodies[path]).encode()
