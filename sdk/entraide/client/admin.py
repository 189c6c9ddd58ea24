"""``AdminClient``: the operator's calls of the gRPC service ``Admin``.

It returns the contract's own messages, which the operator's command line prints; no other program
is meant to hold the admin key.
"""

from collections.abc import Iterator
from typing import Any, Self

from google.protobuf.message import Message

from entraide import i18n
from entraide.client._constants import RETRIES, TIMEOUT_S
from entraide.client._retries import call_with_retries
from entraide.client.transport import GrpcTransport, Transport

READ_TIMEOUT_S = 3_600.0  # of an answer in parts

# Idempotent methods: they may be repeated when a reply is lost.
REPEATABLE = frozenset(
    {
        "ListNodes",
        "ApproveNode",
        "RevokeNode",
        "ListCoops",
        "SetCoop",
        "ListKeys",
        "RevokeKey",
        "ClearKey",
        "GetStatus",
        "GetStatement",
        "GetStatementPdf",
        "ListModels",
        "ListPoolJobs",
        "GetCatalogue",
        "PlanModels",
        "GetPolicy",
        "ListPolicies",
        "CheckPolicy",
        "ListPeople",
        "ChangePerson",
        "DisablePerson",
        "ListGrid",
        "ImportGrid",
        "SetGridSource",
        "ForgetPerson",
        "ListIncidents",
        "ListFindings",
        "GetOperation",
        "CancelOperation",
    }
)


class AdminClient:
    """Client for the operator of a pool.

    Args:
        url: the pool's web address, or ``host:port`` of its gRPC service.
        key: the pool's admin key.
        ca_pem: certificate authority of the pool, PEM; "" for the system's.
        lang: language of the errors' sentences.
        transport: transport of the calls; gRPC by default.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        ca_pem: str = "",
        lang: str = i18n.DEFAULT_LANG,
        transport: Transport | None = None,
    ) -> None:
        self._transport = transport or GrpcTransport(url, key, ca_pem=ca_pem)
        self._lang = lang

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def call(self, name: str, request: Message) -> Any:
        """Makes one call of the Admin service, for instance ``ListNodes``."""
        return call_with_retries(
            lambda left_s: self._transport.call(
                f"Admin/{name}", request, timeout_s=left_s, lang=self._lang
            ),
            timeout_s=TIMEOUT_S,
            retries=RETRIES if name in REPEATABLE else 0,
        )

    def read(self, name: str, request: Message) -> Iterator[Any]:
        """Makes one call whose answer comes in parts, for instance ``ExportJournal``."""
        yield from self._transport.read(
            f"Admin/{name}", request, timeout_s=READ_TIMEOUT_S, lang=self._lang
        )
