"""Facts builder: the facts of a request for the core, which contain no text of the client.

In: a parsed request, its caller and options. Out: ``RequestFacts``. Session names and idempotency
keys become keyed hashes with one key per co-op or person, so that none can probe the values of
another; of the text, only its length, the code of its language and the digests of its beginnings
are kept.
"""

import hashlib
import hmac
import time

from msgspec import json, structs

from entraide.models import ALIASES, EMBEDDINGS, OpennessClass
from entraide.types import (
    Basis,
    Control,
    DataClass,
    JobClass,
    JobKind,
    RequestFacts,
    ServerPlace,
    Task,
)
from entraide.units import UG_PER_G, round_half_up
from entraide_scheduler.gateway.jobs.language_detector import LanguageDetector
from entraide_scheduler.gateway.jobs.options import (
    PREFIX_OFF,
    Caller,
    JobIdGenerator,
    Options,
    Submission,
    check_options,
    find_deadline,
    with_body_options,
)
from entraide_scheduler.gateway.jobs.partitions import Asker, Partitions
from entraide_scheduler.gateway.jobs.prefix_digests import list_prefix_keys
from entraide_scheduler.gateway.jobs.resumption import is_resumable
from entraide_scheduler.gateway.jobs.token_estimator import TokenEstimator
from entraide_scheduler.gateway.requests import ParsedRequest


def _printable(model: str) -> str:
    """Returns a model's name; with signs that no name has it becomes another, unknown one."""
    return model if model.isprintable() else "".join(filter(str.isprintable, model)) or "?"


class FactsBuilder:
    """Builds the facts of requests, with this gateway's name and its place.

    What a request does not name stays empty: the core has the policy's defaults.
    """

    def __init__(
        self,
        *,
        gateway: str,
        kept_gateway: str,
        place: ServerPlace,
        secret: bytes,
        token_estimator: TokenEstimator,
        partitions: Partitions,
        language: str = "fr",
        language_detector: LanguageDetector | None = None,
    ) -> None:
        """Makes a builder.

        Args:
            gateway: which gateway has the body of a live request.
            kept_gateway: which one has that of a kept request.
            place: where this gateway's server stands.
            secret: of the keyed hashes.
            token_estimator: learns the tokens of a text.
            partitions: makes the keys of the digests of prompts.
            language: the pool's, which counts where the text shows none.
            language_detector: finds the language of questions; by default one of its own.
        """
        self._gateways = {JobKind.LIVE: gateway, JobKind.KEPT: kept_gateway}
        self._places = (place,)
        self._secret = secret
        self._token_estimator = token_estimator
        self._partitions = partitions
        self._language = language
        self._language_detector = language_detector or LanguageDetector()
        self._ids = JobIdGenerator()

    def begin_loading(self) -> None:
        """Begins to load what finds the language of a question, in a thread."""
        self._language_detector.begin_loading()

    async def wait_for_tables(self) -> None:
        """Waits while it is being loaded, for a bounded time."""
        await self._language_detector.wait_until_loaded()

    async def stop(self) -> None:
        """Waits for the thread."""
        await self._language_detector.stop()

    def hash_text(self, scope: str, text: str) -> str:
        """Returns a keyed hash of a client's text, or "" for none; see ``Caller.scope``."""
        if not text:
            return ""
        key = hmac.digest(self._secret, scope.encode(), "sha256")
        return hashlib.blake2b(text.encode(), digest_size=12, key=key).hexdigest()

    def build_live_facts(
        self, parsed: ParsedRequest, caller: Caller, submission: Submission
    ) -> RequestFacts:
        """Returns the facts of a live request; see ``build_facts``."""
        facts = self.build_facts(parsed, caller, submission.options, JobKind.LIVE)
        if not facts.idempotency:
            return facts
        request = self._hash_request(caller, submission)
        return structs.replace(facts, idempotency=facts.idempotency + request)

    def _hash_request(self, caller: Caller, submission: Submission) -> str:
        """Returns a keyed hash of a request's path, body and options.

        Its key contains the client's idempotency key, which is stored nowhere: who has the pool's
        secret cannot guess at the request.
        """
        options = structs.asdict(submission.options)
        del options["names"]
        scope = f"{caller.scope}\0{options.pop('idempotency')}"
        key = hmac.digest(self._secret, scope.encode(), "sha256")
        digest = hashlib.blake2b(digest_size=8, key=key)
        for part in (submission.path.encode(), json.encode(options), submission.body):
            digest.update(len(part).to_bytes(8) + part)
        return digest.hexdigest()

    def build_facts(
        self, parsed: ParsedRequest, caller: Caller, options: Options, kind: JobKind
    ) -> RequestFacts:
        """Returns the facts of a request for the core.

        Raises:
            Refused: an option is invalid or contradicted, or the deadline has passed.
        """
        now = time.time()
        options = with_body_options(options, parsed.pool_fields, now)
        check_options(options, now)
        grams = options.max_gco2e
        language, language_basis = self._find_language(parsed, options)
        return RequestFacts(
            job=self._ids.next_id(kind, now),
            coop=caller.coop,
            project=caller.project,
            key=caller.key,
            gateway=self._gateways[kind],
            kind=kind,
            job_class=JobClass(options.job_class or JobClass.INTERACTIVE),
            data_class=DataClass(options.data_class or DataClass.INTERNAL),
            jurisdiction=options.jurisdiction,
            model=_printable(parsed.model),
            input_tokens_est=self._token_estimator.estimate_input_tokens(parsed),
            input_tokens_max=parsed.input_tokens_max,
            output_tokens_max=parsed.output_tokens_max,
            choices=parsed.choices,
            features=parsed.features,
            stream=parsed.stream and kind is JobKind.LIVE,
            session=self.hash_text(caller.scope, options.session),
            prefix_keys=self._list_prefix_keys(parsed, caller, options, now),
            deadline_at=find_deadline(options.deadline, now),
            max_carbon_ug=None if grams is None else round_half_up(grams * UG_PER_G),
            idempotency=self.hash_text(caller.scope, options.idempotency),
            controlled_by=Control(options.controlled_by),
            longest_input_est=self._token_estimator.estimate_longest_input(parsed),
            resumable=is_resumable(parsed, kind),
            places=self._places,
            max_wait_s=options.max_wait_s,
            effort=parsed.thinking.effort,
            thinking_budget_tokens=parsed.thinking.budget_tokens,
            task=Task(options.task) if options.task else None,
            language=language,
            language_basis=language_basis,
            openness=OpennessClass(options.openness),
        )

    def _list_prefix_keys(
        self, parsed: ParsedRequest, caller: Caller, options: Options, now: float
    ) -> tuple[int, ...]:
        if options.prefix == PREFIX_OFF:
            return ()
        asker = Asker(caller.coop, caller.key, parsed.user, parsed.cache_key)
        return list_prefix_keys(parsed.request, self._partitions.make_digest_key(asker, now))

    def _find_language(self, parsed: ParsedRequest, options: Options) -> tuple[str, Basis]:
        """Returns the language of a question and its basis; "" where no choice depends on it."""
        if options.language or parsed.model not in ALIASES or EMBEDDINGS in parsed.features:
            return options.language, Basis.DECLARED
        language = self._language_detector.find(parsed.questions)
        return (language, Basis.ESTIMATED) if language else (self._language, Basis.DEFAULT)
