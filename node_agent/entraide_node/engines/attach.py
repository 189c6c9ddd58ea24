"""An engine that its owner runs: any server that speaks OpenAI's API, by its address.

It decides only whether that server serves the model now. It starts and stops nothing. Readiness
is what ``/v1/models`` lists; a server that lists nothing (mlx-lm without a cache answers with an
empty body) is asked for one token, once, and after that for the list again.
"""

import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.types import Outcome
from entraide_node.engines.base import (
    CHAT,
    EngineChunk,
    EngineEnd,
    EngineFacts,
    EngineMetrics,
    EngineProblem,
    EngineRequest,
)
from entraide_node.engines.chat_stream import ChatStream, Target
from entraide_node.engines.load import metrics_of

NAME = "openai"
PROBE_TIMEOUT_S = 5.0
FIRST_TOKEN_TIMEOUT_S = 120.0


class AttachConfig(Struct, frozen=True, kw_only=True):
    """How to reach the engine.

    Attributes:
        url: base address without ``/v1``.
        model: name by which it knows the model.
        key: bearer key, or "".
        alias: public name; "" for the engine's own.
        slots: sequences that it is given at once.
        context_tokens: longest prompt plus answer; the engine's own word goes before it.
        features: what it can do beyond text, as its owner says.
        first_event_timeout_s, stall_timeout_s: see ``chat_stream``.
    """

    url: str
    model: str
    key: str = ""
    alias: str = ""
    slots: int = 4
    context_tokens: int = 4096
    features: tuple[str, ...] = ("logprobs",)
    first_event_timeout_s: float = 300.0
    stall_timeout_s: float = 60.0


class Attached:
    """The engine; see ``base.Engine``."""

    def __init__(
        self, config: AttachConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._has_answered = False
        self._stream = ChatStream(
            Target(
                base_url=config.url.rstrip("/").removesuffix("/v1"),
                model=config.model,
                api_key=config.key,
                first_event_timeout_s=config.first_event_timeout_s,
                stall_timeout_s=config.stall_timeout_s,
            ),
            clock=clock,
        )
        self._facts = EngineFacts(
            name=NAME,
            version="unknown",
            model_alias=config.alias or config.model,
            model_revision="unknown",
            context_tokens=config.context_tokens,
            slots=config.slots,
            threads=0,
            features=tuple(sorted(config.features)),
            api_base=config.url,
        )

    @property
    def facts(self) -> EngineFacts:
        """What it serves, as far as its owner and itself say."""
        return self._facts

    async def start(self) -> EngineProblem | None:
        """Asks whether it serves; returns why not, after which it is stopped."""
        problem = await self.ready()
        if problem is not None:
            await self.stop()
            return problem
        answer = await self._stream.get("/version", timeout_s=PROBE_TIMEOUT_S)
        version = _object(answer[1]).get("version") if answer and answer[0] == 200 else None
        if isinstance(version, str):
            self._facts = replace(self._facts, version=version)
        return None

    async def ready(self) -> EngineProblem | None:
        """Asks whether it serves the model now; None when it does."""
        url = self._config.url
        answer = await self._stream.get("/v1/models", timeout_s=PROBE_TIMEOUT_S)
        if answer is None:
            return EngineProblem("engine_unreachable", {"url": url})
        status, payload = answer
        if status in (401, 403):
            return EngineProblem("engine_key_refused", {"url": url})
        models = _object(payload).get("data") if status == 200 else None
        if not isinstance(models, list) or not models:
            return await self._ask_for_a_token()
        listed = [model for model in models if isinstance(model, dict)]
        mine = next((model for model in listed if model.get("id") == self._config.model), None)
        if mine is None:
            names = ", ".join(str(model.get("id")) for model in listed[:8])
            values: dict[str, str | int | float] = {"model": self._config.model, "models": names}
            return EngineProblem("engine_lacks_model", values)
        self._learn(mine)
        return None

    def run(self, request: EngineRequest) -> AsyncGenerator[EngineChunk | EngineEnd, None]:
        """Runs one request; see ``base.Engine.run``."""
        return self._stream.run(request)

    def cancel(self, job: str) -> bool:
        """Makes a run end at once, as cancelled; False when it is unknown."""
        return self._stream.cancel(job)

    async def metrics(self) -> EngineMetrics | None:
        """Asks for its load; None when it tells none."""
        answer = await self._stream.get("/metrics", timeout_s=PROBE_TIMEOUT_S)
        return metrics_of(answer[1]) if answer is not None and answer[0] == 200 else None

    async def stop(self) -> None:
        """Hangs up, and ends every run; the engine itself goes on. May be called again."""
        await self._stream.close()

    def _learn(self, model: dict[str, Any]) -> None:
        """Takes the context from where vLLM and llama.cpp tell it."""
        meta = model.get("meta")
        told = model.get("max_model_len") or (meta.get("n_ctx") if isinstance(meta, dict) else None)
        if isinstance(told, int) and told > 0:
            self._facts = replace(self._facts, context_tokens=told)

    async def _ask_for_a_token(self) -> EngineProblem | None:
        if self._has_answered:
            return None
        body = {"messages": [{"role": "user", "content": "?"}], "max_tokens": 1}
        request = EngineRequest(
            job="readiness", path=CHAT, body=msgspec.json.encode(body), stream=True,
            model=self._facts.model_alias, first_event_timeout_s=FIRST_TOKEN_TIMEOUT_S,
        )  # fmt: skip
        async for item in self._stream.run(request):
            if isinstance(item, EngineEnd):
                self._has_answered = item.outcome is Outcome.COMPLETED
        if self._has_answered:
            return None
        return EngineProblem("engine_lacks_model", {"model": self._config.model})


def _object(payload: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return said if isinstance(said, dict) else {}
