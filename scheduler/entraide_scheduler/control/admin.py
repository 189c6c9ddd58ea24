"""Admin: the gRPC service of the operator, authenticated by one bearer key.

It changes the pool's record in the store and then feeds an event to the core.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec
import structlog

import entraide
from entraide import catalogue as documents
from entraide.catalogue import InvalidCatalogue, find
from entraide.coop_names import names_of, typed_name
from entraide.errors import EntraideError
from entraide.models import Catalogue
from entraide.printable import is_printable, shortened
from entraide.statements import Statement
from entraide.types import UNKNOWN_PLACE, ServerPlace
from entraide.v1 import admin_pb2, pool_pb2
from entraide.wire import messages as m
from entraide.wire import subjects
from entraide.wire.cards import ModelCard
from entraide_scheduler.books import make_statement
from entraide_scheduler.catalogue import PoolCatalogue
from entraide_scheduler.control import convert, plans
from entraide_scheduler.control.corrections import correction_fault, correction_fields
from entraide_scheduler.control.errors import Context, language
from entraide_scheduler.control.membership import Membership
from entraide_scheduler.control.operator_access import OperatorAccess
from entraide_scheduler.control.policy_admin import journal_message
from entraide_scheduler.control.policy_in_force import PolicyInForce, PolicyRefused
from entraide_scheduler.control.vouching import find_token_fault, find_vouching_fault
from entraide_scheduler.core import events as e
from entraide_scheduler.core.model_loading import PlanStep
from entraide_scheduler.core.policy import CoopTerms, Policy
from entraide_scheduler.core.records import SenderKind
from entraide_scheduler.core.views import NodeView
from entraide_scheduler.driver import LiveDriver
from entraide_scheduler.gateways import GatewayStatus
from entraide_scheduler.nats.claims import is_user_key
from entraide_scheduler.nats.identity import PoolIdentity
from entraide_scheduler.nodes import APPROVED, REVOKED, NodeListener, NodeRegistry
from entraide_scheduler.store import people
from entraide_scheduler.store.journal import NO_RETENTION, Retention
from entraide_scheduler.store.rows import KeyRow, NodeRow
from entraide_scheduler.store.store import Store

LABEL_MAX = 200
JOBS_DEFAULT, JOBS_MAX = 50, 1_000  # jobs that one call lists


class AdminService:
    """The Admin service but for the calls that other parts serve.

    Args:
        policies: the policy in force.
        catalogue: the pool's model catalogue.
        access: checks the operator's key.
        membership: brings machines and co-ops into the pool and out of it.
        node_listener: holds the sessions and the failed loads of nodes.
        on_keys_changed: called after a key was created.
        broadcast_revocation: tells every gateway of a revoked key or node.
        list_gateways: returns the gateways of their own.
        list_models: returns the models that clients may name.
        render_statement: returns a statement as PDF in a language.
        retention: how much of the journal is kept.
        timezone: time zone of statements.
    """

    def __init__(
        self,
        *,
        store: Store,
        driver: LiveDriver,
        registry: NodeRegistry,
        identity: PoolIdentity,
        policies: PolicyInForce,
        catalogue: PoolCatalogue,
        access: OperatorAccess,
        membership: Membership,
        node_listener: NodeListener,
        on_keys_changed: Callable[[], None],
        broadcast_revocation: Callable[[m.Revocation], None],
        list_gateways: Callable[[], list[GatewayStatus]],
        list_models: Callable[[], Awaitable[Sequence[ModelCard]]],
        render_statement: Callable[[Statement, str], Awaitable[bytes]],
        retention: Retention = NO_RETENTION,
        timezone: str = "UTC",
        place: ServerPlace = UNKNOWN_PLACE,
    ) -> None:
        self._store = store
        self._place = place
        self._zone = ZoneInfo(timezone)
        self._driver = driver
        self._registry = registry
        self._identity = identity
        self._policies = policies
        self._catalogue = catalogue
        self._access = access
        self._retention = retention
        self._membership = membership
        self._listener = node_listener
        self._on_keys_changed = on_keys_changed
        self._broadcast_revocation = broadcast_revocation
        self._list_gateways = list_gateways
        self._list_models = list_models
        self._render_statement = render_statement
        self._log = structlog.get_logger("entraide.admin")

    async def ListNodes(
        self, _: admin_pb2.ListNodesRequest, _context: Context
    ) -> admin_pb2.ListNodesResponse:
        """Lists every node that ever joined, with its present state."""
        return admin_pb2.ListNodesResponse(nodes=self._list_nodes())

    async def ApproveNode(self, request: admin_pb2.NodeRequest, context: Context) -> admin_pb2.Node:
        """Approves a node; a node whose key was revoked must join again with a new key.

        The approval ends a quarantine; the node's next heartbeat is answered with HelloRequest.
        """
        row = await self._find_node(request.node, context)
        if self._identity.is_revoked(row.public_key):
            await self._access.abort(context, "node_key_revoked", node=row.node)
        changed = await self._registry.set_approval(row.node, APPROVED)
        assert changed is not None
        if await self._clear_quarantine(SenderKind.NODE, row.node, context):
            self._listener.remove_session(row.node)
        return self._describe_node(changed)

    async def RevokeNode(self, request: admin_pb2.NodeRequest, context: Context) -> admin_pb2.Node:
        """Revokes a node at once, by name or key; its jobs are placed again on other nodes.

        A key of which the pool has no record is revoked all the same.
        """
        if self._registry.find_by_key(request.node) is None and is_user_key(request.node):
            await self._membership.revoke_key(request.node)
            return admin_pb2.Node(public_key=request.node, approval=REVOKED)
        row = await self._find_node(request.node, context)
        return self._describe_node(await self._membership.revoke_node(row))

    async def ForgetNode(self, request: admin_pb2.NodeRequest, context: Context) -> admin_pb2.Node:
        """Deletes the record of a node that is revoked or not connected; the books stay."""
        row = await self._find_node(request.node, context)
        if self._membership.is_connected(row):
            await self._access.abort(context, "node_live", node=row.node)
        described = self._describe_node(row)
        await self._membership.forget_node(row)
        return described

    async def VouchNode(
        self, request: admin_pb2.VouchNodeRequest, context: Context
    ) -> admin_pb2.Node:
        """Changes what the operator vouches for a node; it counts at once, and is on disk."""
        await self._access.check_signature(request.author, "", context)
        row = await self._find_node(request.node, context)
        if fault := find_vouching_fault(request):
            await self._access.abort(context, "invalid_request", **fault)
        changed = await self._membership.vouch_for(row, request)
        if changed is None:
            await self._access.abort(context, "internal")
        return self._describe_node(changed)

    async def CreateJoinToken(
        self, request: admin_pb2.CreateJoinTokenRequest, context: Context
    ) -> admin_pb2.JoinToken:
        """Creates a one-time token with which one machine of a co-op joins."""
        await self._check_coop(request.coop, context)
        if fault := find_token_fault(request):
            await self._access.abort(context, "invalid_request", **fault)
        return await self._membership.create_token(request)

    async def ListCoops(
        self, _: admin_pb2.ListCoopsRequest, _context: Context
    ) -> admin_pb2.ListCoopsResponse:
        """Lists the members with their quotas and balances."""
        coops = [self._describe_coop(terms) for terms in self._policies.policy.coops]
        return admin_pb2.ListCoopsResponse(coops=coops)

    async def SetCoop(self, request: admin_pb2.Coop, context: Context) -> admin_pb2.Coop:
        """Creates a co-op or changes its terms, in a new version of the policy."""
        await self._access.check_signature(request.author, request.reason, context)
        async with self._policies.changing:
            policy = self._policies.policy
            try:
                terms = convert.read_coop_terms(request, policy.coops)
                subjects.checked(terms.coop)
            except ValueError as problem:
                await self._access.abort(context, "invalid_request", detail=str(problem))
            if terms not in policy.coops:  # a call that is repeated makes no second version
                await self._replace_policy(_with_coop(policy, terms), request, context)
        return self._describe_coop(terms)

    async def RemoveCoop(
        self, request: admin_pb2.RemoveCoopRequest, context: Context
    ) -> admin_pb2.RemovedCoop:
        """Takes a co-op out of the policy, and revokes its keys and nodes; the books stay."""
        await self._access.check_signature(request.author, request.reason, context)
        await self._check_coop(request.coop, context)
        async with self._policies.changing:
            policy = self._policies.policy
            await self._replace_policy(_without_coop(policy, request.coop), request, context)
        self._on_keys_changed()
        return await self._membership.remove_coop(request.coop)

    async def ListKeys(
        self, request: admin_pb2.ListKeysRequest, context: Context
    ) -> admin_pb2.ListKeysResponse:
        """Lists the API keys of a co-op, or all."""
        rows = await self._store.list_keys(request.coop or None)
        if request.coop and not rows:
            await self._check_coop(request.coop, context)
        return admin_pb2.ListKeysResponse(keys=[self._describe_key(row) for row in rows])

    async def CreateKey(
        self, request: admin_pb2.CreateKeyRequest, context: Context
    ) -> admin_pb2.Key:
        """Creates an API key; its secret is returned only here, and its hash is stored."""
        await self._check_coop(request.coop, context)
        project = request.project or "default"
        for param, text in (("project", project), ("label", request.label)):
            values: dict[str, str | int] = {"param": param}
            if len(text) > LABEL_MAX:
                values |= {"fault": "too_long", "limit": LABEL_MAX}
                await self._access.abort(context, "invalid_request", **values)
            if not is_printable(text):
                await self._access.abort(
                    context, "invalid_request", **values, fault="control_signs"
                )
        secret = f"ent_{secrets.token_urlsafe(24)}"
        row = KeyRow(f"key-{secrets.token_hex(6)}", request.coop, project, request.label)
        await self._store.create_key(row, hashlib.sha256(secret.encode()).hexdigest())
        self._on_keys_changed()
        return convert.key_message(row, secret)

    async def RevokeKey(
        self, request: admin_pb2.RevokeKeyRequest, context: Context
    ) -> admin_pb2.Key:
        """Revokes an API key permanently."""
        row = await self._store.revoke_key(request.key)
        if row is None:
            await self._access.abort(context, "unknown_key", key=request.key)
        self._broadcast_revocation(m.KeyRevoked(row.key))
        return self._describe_key(row)

    async def ClearKey(self, request: admin_pb2.ClearKeyRequest, context: Context) -> admin_pb2.Key:
        """Ends the quarantine of an API key or of a person, if there is one."""
        row = await self._find_sender(request.key)
        if row is None:
            await self._access.abort(context, "unknown_key", key=request.key)
        await self._clear_quarantine(SenderKind.KEY, row.key, context)
        return self._describe_key(row)

    async def GetStatus(self, _: admin_pb2.GetStatusRequest, _context: Context) -> admin_pb2.Status:
        """Returns the pool's status."""
        core = self._driver.core
        return admin_pb2.Status(
            version=entraide.__version__,
            policy_version=self._policies.policy.version,
            queued=sum(core.queue_lengths().values()),
            running=core.count_running(),
            nodes=self._list_nodes(),
            settled=await self._store.count_settled(),
            journal=journal_message(await self._store.get_journal_extent(), self._retention),
            gateways=[convert.gateway_message(each) for each in self._list_gateways()],
        )

    async def GetStatement(
        self, request: admin_pb2.GetStatementRequest, context: Context
    ) -> admin_pb2.Statement:
        """Returns a co-op's statement of a month; former members are included."""
        return convert.statement_message(await self._make_statement(request, context))

    async def GetStatementPdf(
        self, request: admin_pb2.GetStatementRequest, context: Context
    ) -> admin_pb2.StatementPdf:
        """Returns the same statement as the document that the treasurer files."""
        statement = await self._make_statement(request, context)
        try:
            document = await self._render_statement(statement, language(context))
        except EntraideError as problem:
            await self._access.abort(context, problem.code)
        return admin_pb2.StatementPdf(document=document)

    async def _make_statement(
        self, request: admin_pb2.GetStatementRequest, context: Context
    ) -> Statement:
        try:
            statement = await make_statement(
                self._store,
                request.coop,
                request.month,
                zone=self._zone,
                now=self._driver.now(),
                place=self._place,
            )
        except (ValueError, OverflowError):
            await self._access.abort(
                context,
                "invalid_request",
                param="month",
                fault="wrong_form",
                form="2026-11",
                found=shortened(request.month, LABEL_MAX),
            )
        jobs = statement.own.jobs + statement.given.jobs + statement.received.jobs
        if not jobs and not statement.corrections:
            await self._check_coop(request.coop, context)
        return statement

    async def ListModels(
        self, _: pool_pb2.ListModelsRequest, _context: Context
    ) -> pool_pb2.ListModelsResponse:
        """Lists the models that clients may name, as their own service does."""
        models = map(convert.model_message, await self._list_models())
        return pool_pb2.ListModelsResponse(models=models)

    async def ListPoolJobs(
        self, request: admin_pb2.ListPoolJobsRequest, context: Context
    ) -> admin_pb2.ListPoolJobsResponse:
        """Lists the jobs that are open or ended lately, newest first, without their senders."""
        if request.coop:
            await self._check_coop(request.coop, context)
        views = self._driver.core.jobs(request.coop)
        views.sort(key=lambda view: view.requested_at, reverse=True)
        limit = min(request.limit or JOBS_DEFAULT, JOBS_MAX)
        return admin_pb2.ListPoolJobsResponse(jobs=map(convert.job_message, views[:limit]))

    async def PostCorrection(
        self, request: admin_pb2.Correction, context: Context
    ) -> admin_pb2.Correction:
        """Posts a correction of the ledger; it is on disk on return."""
        fault = correction_fault(request, {terms.coop for terms in self._policies.policy.coops})
        if fault:
            await self._access.abort(context, "invalid_request", detail=fault)
        if await self._store.is_corrected(request.correction):
            await self._access.abort(context, "already_exists", name=request.correction)
        await self._feed(context, e.LedgerCorrected(*e.UNNUMBERED, **correction_fields(request)))
        await self._driver.committed()
        self._log.warning("ledger.corrected", correction=request.correction)
        posted = admin_pb2.Correction()
        posted.CopyFrom(request)
        posted.posted_at = self._driver.now()
        return posted

    async def GetCatalogue(
        self, request: admin_pb2.GetCatalogueRequest, _context: Context
    ) -> admin_pb2.ModelCatalogue:
        """Returns the signed model catalogue, or the one that Entraide ships with."""
        if request.shipped:
            return admin_pb2.ModelCatalogue(document=documents.write(documents.shipped()))
        return convert.catalogue_message(self._catalogue.message)

    async def SetCatalogue(
        self, request: admin_pb2.SetCatalogueRequest, context: Context
    ) -> admin_pb2.ModelCatalogue:
        """Replaces the catalogue, unless it has changed since ``base_version``."""
        try:
            put = self._catalogue.replace(request.document, base_version=request.base_version)
        except InvalidCatalogue as problem:
            await self._access.abort(context, "catalogue_refused", detail=str(problem)[:LABEL_MAX])
        if put is None:
            await self._access.abort(context, "catalogue_changed")
        self._log.info("catalogue.changed", version=self._catalogue.catalogue.version)
        return convert.catalogue_message(put)

    async def PlanModels(
        self, request: admin_pb2.ModelOnNode, context: Context
    ) -> admin_pb2.ModelPlan:
        """Returns the planned loads and unloads; with a model, the step that would place it."""
        core = self._driver.core
        if not request.model:
            return plans.plan_message(core, core.plan(), at=self._driver.now())
        step = await self._plan_placement(request, context)
        return plans.plan_message(core, [step], at=self._driver.now())

    async def PlaceModel(
        self, request: admin_pb2.ModelOnNode, context: Context
    ) -> admin_pb2.ModelPlan:
        """Makes a node load a model without demand."""
        step = await self._plan_placement(request, context)
        await self._feed(context, e.LoadAsked(*e.UNNUMBERED, node=step.node, model=step.model))
        return plans.plan_message(self._driver.core, [], at=self._driver.now())

    async def UnloadModel(
        self, request: admin_pb2.ModelOnNode, context: Context
    ) -> admin_pb2.ModelPlan:
        """Makes a node unload a model that the scheduler loaded."""
        loaded = {(o.node, o.model) for o in self._driver.core.model_loads() if o.state == "loaded"}
        if (request.node, request.model) not in loaded:
            why = {"model": request.model, "node": request.node, "why": "not_ours"}
            await self._access.abort(context, "placement_refused", **why)
        await self._feed(
            context, e.UnloadAsked(*e.UNNUMBERED, node=request.node, model=request.model)
        )
        return plans.plan_message(self._driver.core, [], at=self._driver.now())

    async def _plan_placement(self, request: admin_pb2.ModelOnNode, context: Context) -> PlanStep:
        step = self._driver.core.preview_load(request.model, request.node)
        if isinstance(step, str):
            if step in ("not_loadable", "no_node"):
                step = _why_not_offered(self._catalogue.catalogue, request.model) or step
            why = {"model": request.model, "node": request.node, "why": step}
            await self._access.abort(context, "placement_refused", **why)
        return step

    async def _find_sender(self, name: str) -> KeyRow | None:
        """Returns a key; a person in the form of one."""
        person = await self._store.read(lambda c: people.get_person(c, name))
        if person is not None:
            disabled = person.disabled_at > 0.0
            return KeyRow(person.person, person.coop, person.project, person.name, disabled)
        rows = await self._store.list_keys(None)
        return next((row for row in rows if row.key == name), None)

    async def _find_node(self, name: str, context: Context) -> NodeRow:
        row = self._registry.get(name) or self._registry.find_by_key(name)
        if row is None:
            await self._access.abort(context, "unknown_node", node=name)
        return row

    async def _check_coop(self, name: str, context: Context) -> None:
        members = self._policies.policy.coops
        known = sorted(terms.coop for terms in members)
        if name not in known:
            names = names_of(members)
            coops = ", ".join(typed_name(coop, names) for coop in known)
            await self._access.abort(context, "unknown_coop", coop=name, coops=coops)

    async def _feed(self, context: Context, event: e.Event) -> None:
        """Feeds an event of the operator; aborts the call if the core raised on it."""
        if not self._driver.feed(event):
            await self._access.abort(context, "internal")

    async def _replace_policy(
        self,
        policy: Policy,
        request: admin_pb2.Coop | admin_pb2.RemoveCoopRequest,
        context: Context,
    ) -> None:
        try:
            await self._policies.replace(policy, author=request.author, reason=request.reason)
        except PolicyRefused as problem:
            await self._access.refuse_policy(problem.fault, context)

    async def _clear_quarantine(self, kind: SenderKind, name: str, context: Context) -> bool:
        """Ends a sender's quarantine, on disk on return; returns False if there was none."""
        if self._driver.core.quarantine(kind, name) is None:
            return False
        await self._feed(context, e.QuarantineCleared(*e.UNNUMBERED, kind=kind, name=name))
        await self._driver.committed()
        self._log.warning("quarantine.cleared", kind=kind.value, name=name)
        return True

    def _list_nodes(self) -> list[admin_pb2.Node]:
        views = {view.card.node: view for view in self._driver.core.nodes()}
        return [self._as_message(row, views) for row in self._registry.list_nodes()]

    def _describe_node(self, row: NodeRow) -> admin_pb2.Node:
        views = {view.card.node: view for view in self._driver.core.nodes()}
        return self._as_message(row, views)

    def _as_message(self, row: NodeRow, views: Mapping[str, NodeView]) -> admin_pb2.Node:
        quarantine = self._driver.core.quarantine(SenderKind.NODE, row.node)
        refusals = self._listener.load_refusals(row.node)
        return convert.node_message(row, views.get(row.node), quarantine, refusals=refusals)

    def _describe_key(self, row: KeyRow) -> admin_pb2.Key:
        quarantine = self._driver.core.quarantine(SenderKind.KEY, row.key)
        return convert.key_message(row, quarantine=quarantine)

    def _describe_coop(self, terms: CoopTerms) -> admin_pb2.Coop:
        core = self._driver.core
        balances = core.balances().get(terms.coop, {})
        return convert.coop_message(terms, core.quota_left(terms.coop), balances)


def _with_coop(policy: Policy, terms: CoopTerms) -> Policy:
    """Returns a policy with new terms for one co-op."""
    others = tuple(other for other in policy.coops if other.coop != terms.coop)
    coops = tuple(sorted((*others, terms), key=lambda coop_terms: coop_terms.coop))
    return msgspec.structs.replace(policy, coops=coops)


def _without_coop(policy: Policy, coop: str) -> Policy:
    """Returns a policy without a co-op and its exceptions."""
    coops = tuple(terms for terms in policy.coops if terms.coop != coop)
    reasoning = policy.reasoning.without_coop(coop)
    return msgspec.structs.replace(policy, coops=coops, reasoning=reasoning)


def _why_not_offered(catalogue: Catalogue, model: str) -> str:
    """Returns why the catalogue lets no node offer a model; "" if the nodes are the reason."""
    entry = find(catalogue, model)
    if entry is None:
        return "not_in_catalogue"
    return "" if any(artefact.is_pinned for artefact in entry.artefacts) else "unpinned"
