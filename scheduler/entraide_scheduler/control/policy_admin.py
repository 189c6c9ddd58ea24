"""Policy administration: the Admin service's calls about the policy and the journal.

A document is TOML. A change names the version that its document was made from; it is refused if
another version is in force, because the new document would undo what that version changed.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from entraide.errors import PoolError
from entraide.v1 import admin_pb2
from entraide_scheduler.control.errors import Context, language
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.control.policy_in_force import PolicyInForce, PolicyRefused
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.driver import write_recording
from entraide_scheduler.policy_versions.documents import (
    PolicyDocument,
    fault_line,
    read_document,
    write_document,
)
from entraide_scheduler.policy_versions.naming import next_version
from entraide_scheduler.store.journal import JournalExtent, Retention
from entraide_scheduler.store.rows import PolicyRow
from entraide_scheduler.store.store import Store

DAY_S = 86_400.0
VERSIONS_MAX = 10_000  # listed
FAULTS_MAX = 1_000  # listed
PART_BYTES = 512 * 1024


class PolicyAdmin:
    """The calls about the policy and the journal.

    Args:
        access: checks the operator's key.
        policies: the policy in force.
        store: holds the versions and the journal.
        store_url: address of the store, for an export.
        folder: an export is written here before it is sent.
        retention: how much of the journal is kept.
        lang: language of callers that name none.
    """

    def __init__(
        self,
        *,
        access: OperatorAccess,
        policies: PolicyInForce,
        store: Store,
        store_url: str,
        folder: Path,
        retention: Retention,
        lang: str = "fr",
    ) -> None:
        self._access = access
        self._policies = policies
        self._store = store
        self._store_url = store_url
        self._folder = folder
        self._retention = retention
        self._lang = lang
        self._exporting = asyncio.Lock()

    async def GetPolicy(
        self, request: admin_pb2.GetPolicyRequest, context: Context
    ) -> admin_pb2.PolicyVersion:
        """Returns a version with its document."""
        version = request.version or self._policies.policy.version
        policy, row = await self._find_version(version, context)
        message = self._version_message(row)
        message.document = write_document(policy).encode()
        return message

    async def ListPolicies(
        self, _: admin_pb2.ListPoliciesRequest, _context: Context
    ) -> admin_pb2.PolicyHistory:
        """Lists the versions, newest first."""
        rows = await self._store.list_policies()
        return admin_pb2.PolicyHistory(
            versions=[self._version_message(row) for row in rows[:VERSIONS_MAX]],
            journal=journal_message(await self._store.get_journal_extent(), self._retention),
        )

    async def CheckPolicy(
        self, request: admin_pb2.CheckPolicyRequest, context: Context
    ) -> admin_pb2.PolicyCheck:
        """Returns the faults of a document, and whether it may be applied now."""
        document = read_document(request.document)
        lang = language(context, self._lang)
        return admin_pb2.PolicyCheck(
            faults=[fault_line(fault, lang) for fault in document.faults[:FAULTS_MAX]],
            in_force=self._policies.policy.version,
            base_version=await self._find_base(document, request.base_version),
        )

    async def ApplyPolicy(
        self, request: admin_pb2.ApplyPolicyRequest, context: Context
    ) -> admin_pb2.PolicyVersion:
        """Puts a document into force as a new version."""
        await self._access.check_signature(
            request.author, request.reason, context, is_required=True
        )
        document = read_document(request.document)
        policy = document.policy
        for fault in document.faults:
            await self._access.refuse_policy(fault, context)
        assert policy is not None
        async with self._policies.changing:
            base = await self._find_base(document, request.base_version)
            in_force = self._policies.policy.version
            if not request.overwrite and base != in_force:
                code = "policy_changed" if base else "policy_base_unknown"
                await self._access.abort(context, code, base=base, in_force=in_force)
            return await self._replace(policy, request.author, request.reason, context)

    async def RollBackPolicy(
        self, request: admin_pb2.RollBackPolicyRequest, context: Context
    ) -> admin_pb2.PolicyVersion:
        """Puts an earlier version's content into force, as a new version."""
        await self._access.check_signature(
            request.author, request.reason, context, is_required=True
        )
        policy, _ = await self._find_version(request.version, context)
        async with self._policies.changing:
            in_force = self._policies.policy
            if msgspec.structs.replace(policy, version=in_force.version) == in_force:
                values = {"version": request.version, "in_force": in_force.version}
                await self._access.abort(context, "policy_unchanged", **values)
            taken = {row.version for row in await self._store.list_policies()}
            named = msgspec.structs.replace(policy, version=next_version(in_force.version, taken))
            return await self._replace(named, request.author, request.reason, context)

    async def ExportJournal(
        self, request: admin_pb2.ExportJournalRequest, context: Context
    ) -> AsyncIterator[admin_pb2.JournalPart]:
        """Sends the journal, as it is on disk now, in parts; one export runs at a time."""
        since = self._policies.now() - request.days * DAY_S if request.days > 0.0 else 0.0
        async with self._exporting:
            with tempfile.TemporaryDirectory(dir=self._folder, prefix=".export-") as folder:
                path = Path(folder) / "journal"
                try:
                    await asyncio.to_thread(write_recording, self._store_url, path, since=since)
                except PoolError as problem:
                    await self._access.abort(context, problem.code, **problem.values)
                with path.open("rb") as file:
                    while data := await asyncio.to_thread(file.read, PART_BYTES):
                        yield admin_pb2.JournalPart(data=data)

    async def _replace(
        self, policy: Policy, author: str, reason: str, context: Context
    ) -> admin_pb2.PolicyVersion:
        """Puts a policy into force; the caller holds ``changing``."""
        try:
            row = await self._policies.replace(policy, author=author, reason=reason)
        except PolicyRefused as problem:
            await self._access.refuse_policy(problem.fault, context)
        return self._version_message(row)

    async def _find_base(self, document: PolicyDocument, named: str) -> str:
        """Returns the version that a document was made from; "" if it is not known."""
        version = document.policy.version if document.policy is not None else ""
        if named or not version:
            return named or document.base
        known = {row.version for row in await self._store.list_policies()}
        return version if version in known else document.base

    async def _find_version(self, version: str, context: Context) -> tuple[Policy, PolicyRow]:
        rows = await self._store.list_policies()
        row = next((row for row in rows if row.version == version), None)
        policy = await self._store.get_policy(version) if row is not None else None
        if row is None or policy is None:
            newest = ", ".join(row.version for row in rows[:10])
            await self._access.abort(context, "unknown_policy", version=version, versions=newest)
        return policy, row

    def _version_message(self, row: PolicyRow) -> admin_pb2.PolicyVersion:
        return admin_pb2.PolicyVersion(
            version=row.version,
            at=row.at,
            author=row.author,
            reason=row.reason,
            in_force=row.version == self._policies.policy.version,
        )


def journal_message(extent: JournalExtent, retention: Retention) -> admin_pb2.JournalKept:
    """Returns how much of the journal is kept."""
    return admin_pb2.JournalKept(
        since=extent.since,
        events=extent.events,
        bytes=extent.bytes,
        keep_days=retention.keep_s / DAY_S,
        events_max=retention.events_max,
    )
