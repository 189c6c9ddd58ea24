"""Attached engine: a server that the owner runs and that implements OpenAI's API.

Input: its address. Output: an ``Engine``. It finds out whether the server serves the model, and
which model it is if the owner named none; it does not start or stop the server. The server is ready
if ``/v1/models`` lists the model. A server with an empty list (mlx-lm without a cache) is asked
once for one token, and for the list after that.

At the start, after an absence and every ``CHECK_EVERY_S`` it must show that it keeps no prompt; a
server that does not gets public data only (``retention``).

At the start it is asked for an embedding. A model that answers, and writes no text, computes
embeddings only. One that does both answers requests for embeddings if its owner declared that:
servers compute them with any model, and those of a model for text find little.

With the same frequency as it must show that it keeps no prompt, it is asked for a short answer
without a thought. A model that thinks all the same is marked. Budgets that its owner declares need
a server that keeps them.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from entraide.models import (
    ALWAYS_THINKS,
    EMBEDDINGS,
    EMBEDDINGS_ONLY,
    PUBLIC_ONLY,
    THINKING_BUDGET,
)
from entraide.resuming import RESUME
from entraide.types import Outcome, Rates
from entraide_node.core.step_times import StepTimes
from entraide_node.engines.base import (
    CHAT,
    EMBEDDING_FEATURES,
    EMBEDDINGS_PATH,
    ENGINE_CRASHED,
    ChunkReceiver,
    EngineEnd,
    EngineFacts,
    EngineMetrics,
    EngineProblem,
    EngineRequest,
    HeldPrefixes,
)
from entraide_node.engines.engine_client import EngineClient, EngineEndpoint
from entraide_node.engines.engine_metrics import parse_metrics
from entraide_node.engines.model_listing import OPENAI, ModelListing, dialect_of, parse_listing
from entraide_node.engines.retention import PromptRetention, find_retention
from entraide_node.engines.thought_control import PROBE, has_thought
from entraide_node.engines.untrusted_json import parse_object

NAME = "openai"
UNNAMED_MODEL = "default_model"  # mlx-lm's name of the model that it was started with
PROBE_TIMEOUT_S = 5.0
ONE_TOKEN = {"messages": [{"role": "user", "content": "?"}], "max_tokens": 1}
FIRST_TOKEN_TIMEOUT_S = 120.0
CHECK_EVERY_S = 600.0  # its owner may start it again with other settings at any time


class AttachConfig(Struct, frozen=True, kw_only=True):
    """How to connect to the server.

    Attributes:
        url: base address without ``/v1``.
        model: its name of the model; "" for the only one that it serves.
        key: bearer key, or "".
        alias: public name; "" for the server's name.
        slots: concurrent sequences.
        context_tokens: longest prompt plus answer; the server's own value is preferred.
        features: features beyond text that the owner declares.
        first_event_timeout_s, stall_timeout_s: see ``engine_client``.
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


class AttachedEngine:
    """The engine; see ``base.Engine``.

    Attributes:
        retention: what it was last shown to keep of prompts.
    """

    def __init__(
        self, config: AttachConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._clock = clock
        self._has_answered = False
        self._model = config.model
        self._program = ""
        self._step_times = StepTimes()
        self.retention = PromptRetention.UNSHOWN
        self._checked_at: float | None = None  # None: to be checked before it serves
        self._has_started = False
        self._stream = self._open_client(OPENAI)
        self._facts = EngineFacts(
            name=NAME,
            version="unknown",
            model_alias=config.alias or config.model,
            model_revision="unknown",
            context_tokens=config.context_tokens,
            slots=config.slots,
            threads=0,
            features=tuple(sorted({*config.features} - {RESUME})),  # its dialect is not known
            api_base=config.url,
        )

    @property
    def facts(self) -> EngineFacts:
        """What it serves, as its owner and the server report."""
        return self._facts

    async def start(self) -> EngineProblem | None:
        """Asks whether it serves; returns why not, and then disconnects."""
        problem = await self.ready()
        if problem is not None:
            await self.stop()
            return problem
        answer = await self._stream.get("/version", timeout_s=PROBE_TIMEOUT_S)
        version = parse_object(answer[1]).get("version") if answer and answer[0] == 200 else None
        if isinstance(version, str):
            self._facts = replace(self._facts, version=version)
        problem = self._check_budget() or await self._check_embeddings()
        if problem is None:
            await self._check_behaviour()
            self._has_started = True
        return problem

    def _check_budget(self) -> EngineProblem | None:
        """Returns why the server keeps no limit on a thought, if its owner says that it does."""
        declared = THINKING_BUDGET in self._config.features
        if not declared or dialect_of(self._program).budget_field:
            return None
        values = {"engine": self._config.url, "feature": THINKING_BUDGET}
        return EngineProblem("engine_no_thinking_budget", dict(values))

    async def _check_embeddings(self) -> EngineProblem | None:
        """Finds out whether the model computes embeddings; returns why not if its owner says so."""
        declared = EMBEDDINGS in self._config.features
        embedding = {"input": "?"}
        computes = not self._has_answered and await self._answers(EMBEDDINGS_PATH, embedding)
        if declared and not computes:
            return EngineProblem(
                "engine_no_embeddings",
                {"engine": self._config.url, "model": self._facts.model_alias},
            )
        if computes and not await self._answers(CHAT, ONE_TOKEN):
            features = {*EMBEDDING_FEATURES, *self._facts.features}
            self._facts = replace(self._facts, features=tuple(sorted(features)))
        return None

    async def ready(self) -> EngineProblem | None:
        """Asks whether it serves the model now; None if it does."""
        problem = await self._find_problem()
        if problem is not None:
            self._checked_at = None
        elif self._has_started and (
            self._checked_at is None or self._clock() - self._checked_at >= CHECK_EVERY_S
        ):
            await self._check_behaviour()
        return problem

    async def _check_behaviour(self) -> None:
        """Finds out what the server keeps of prompts, and whether it thinks unasked; marks both."""
        features = {*self._facts.features} - {PUBLIC_ONLY, ALWAYS_THINKS}
        self.retention = await find_retention(
            self._stream,
            program=self._program,
            model=self._model or UNNAMED_MODEL,
            url=self._config.url,
            shows_text=EMBEDDINGS_ONLY not in features,
        )
        self._checked_at = self._clock()
        if self.retention is not PromptRetention.NOTHING:
            features.add(PUBLIC_ONLY)
        if EMBEDDINGS_ONLY not in features and has_thought(await self._ask(CHAT, PROBE)):
            features.add(ALWAYS_THINKS)
        self._facts = replace(self._facts, features=tuple(sorted(features)))

    async def _find_problem(self) -> EngineProblem | None:
        url = self._config.url
        answer = await self._stream.get("/v1/models", timeout_s=PROBE_TIMEOUT_S)
        if answer is None:
            return EngineProblem("engine_unreachable", {"url": url})
        status, payload = answer
        if status in (401, 403):
            return EngineProblem("engine_key_refused", {"url": url})
        listing = parse_listing(payload if status == 200 else b"")
        if not listing.models:
            return await self._request_token()
        return await self._match_model(listing)

    async def run(self, request: EngineRequest, receive: ChunkReceiver) -> EngineEnd:
        """Runs one request; see ``base.Engine.run``."""
        end = await self._stream.run(request, receive)
        if end.failure is not None and end.failure.code == ENGINE_CRASHED:
            self._checked_at = None  # it may be another server that answers next
        return end

    def cancel(self, job: str) -> bool:
        """Ends a run at once as cancelled; False if it is unknown."""
        return self._stream.cancel(job)

    def expect_rates(self, rates: Rates) -> None:
        """Sets how long a step takes by the benchmark; see ``core.step_times``."""
        full_batch_s = rates.tpot_base_s + self._facts.slots * rates.tpot_per_sequence_s
        self._step_times.expect(rates.prefill_tokens_per_s, full_batch_s)

    async def metrics(self) -> EngineMetrics | None:
        """Reads its load; None if it reports none."""
        answer = await self._stream.get("/metrics", timeout_s=PROBE_TIMEOUT_S)
        return parse_metrics(answer[1]) if answer is not None and answer[0] == 200 else None

    def limit_prefixes(self, rest_bytes_max: int | None) -> None:
        """Does nothing: the server finds no prompt again, see ``retention``."""

    def forget_prefixes(self, owner: bytes) -> None:
        """Does nothing."""

    def held_prefixes(self) -> HeldPrefixes:
        """Returns that it holds nothing."""
        return HeldPrefixes()

    async def stop(self) -> None:
        """Disconnects and ends every run; the server continues. May be called again."""
        await self._stream.close()

    async def _match_model(self, listing: ModelListing) -> EngineProblem | None:
        """Whether the model is listed; adopts its context and name."""
        if not self._model and len(listing.models) > 1:
            values: dict[str, str | int | float] = {"models": listing.names}
            return EngineProblem("engine_choose_model", values)
        name = self._model or listing.models[0].name
        listed_model = next((model for model in listing.models if model.name == name), None)
        if listed_model is None:
            return EngineProblem("engine_lacks_model", {"model": name, "models": listing.names})
        if (name, listing.program) != (self._model, self._program):
            self._model, self._program = name, listing.program
            await self._stream.close()
            self._stream = self._open_client(listing.program)
        context_tokens = listed_model.context_tokens or self._config.context_tokens
        alias = self._config.alias or name
        if (alias, context_tokens) != (self._facts.model_alias, self._facts.context_tokens):
            self._facts = replace(self._facts, model_alias=alias, context_tokens=context_tokens)
        return None

    def _open_client(self, program: str) -> EngineClient:
        config, dialect = self._config, dialect_of(program)
        target = EngineEndpoint(
            base_url=config.url.rstrip("/").removesuffix("/v1"),
            model=self._model or UNNAMED_MODEL,
            api_key=config.key,
            extra=dialect.extra,
            counted_each_event=dialect.counted_each_event,
            salted=dialect.salted,
            budget_field=dialect.budget_field,
            off_fields=dialect.off_fields,
            first_event_timeout_s=config.first_event_timeout_s,
            stall_timeout_s=config.stall_timeout_s,
        )
        client = EngineClient(target, clock=self._clock)
        client.silence.times = self._step_times
        return client

    async def _request_token(self) -> EngineProblem | None:
        if self._has_answered:
            return None
        if not self._facts.model_alias:
            return EngineProblem("engine_name_model", {"url": self._config.url})
        self._has_answered = await self._answers(CHAT, ONE_TOKEN)
        if self._has_answered:
            return None
        return EngineProblem("engine_lacks_model", {"model": self._model or UNNAMED_MODEL})

    async def _answers(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the model answers a small request."""
        return (await self._ask(path, body)).outcome is Outcome.COMPLETED

    async def _ask(self, path: str, body: dict[str, Any]) -> EngineEnd:
        """Asks the model something small; the answer is not streamed."""
        request = EngineRequest(
            job="readiness", path=path, body=msgspec.json.encode(body), stream=False,
            model=self._facts.model_alias, first_event_timeout_s=FIRST_TOKEN_TIMEOUT_S,
        )  # fmt: skip
        return await self._stream.run(request, lambda _chunk: None)
