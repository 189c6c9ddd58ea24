"""A real gRPC server with scripted services, against which SDK and command line are tested."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from msgspec.structs import replace
from tests.sdk import mock_answers

from entraide import catalogue, i18n
from entraide.errors import CODES
from entraide.v1 import admin_pb2, admin_pb2_grpc, common_pb2, pool_pb2, pool_pb2_grpc

KEYS = {"key-boreale": "boreale", "key-soleil": "soleil"}
ADMIN_KEY = "key-admin"
OWNERS = {"job-1": "soleil"}

Context = grpc.ServicerContext


def heard(context: Context) -> dict[str, str]:
    """The metadata of a call."""
    return {key: str(value) for key, value in context.invocation_metadata()}


def refuse(
    context: Context, code: str, *, job: str = "", retry_after_s: float = 0.0, **values: Any
) -> NoReturn:
    """Ends a call as the pool does: a status, the code and its values, and the wait."""
    info = error_details_pb2.ErrorInfo(
        reason=code,
        domain="entraide",
        metadata={"job": job, **{name: str(value) for name, value in values.items()}},
    )
    details = [any_pb2.Any()]
    details[0].Pack(info)
    if retry_after_s:
        wait = duration_pb2.Duration()
        wait.FromNanoseconds(round(retry_after_s * 1e9))
        details.append(any_pb2.Any())
        details[1].Pack(error_details_pb2.RetryInfo(retry_delay=wait))
    lang = i18n.lang_of_header(heard(context).get("accept-language"))
    context.abort_with_status(
        rpc_status.to_status(
            status_pb2.Status(
                code=grpc.StatusCode[CODES[code].grpc].value[0],
                message=i18n.error(code, lang, values),
                details=details,
            )
        )
    )
    raise AssertionError("abort raises")


class Pool(pool_pb2_grpc.PoolServicer):
    """A pool with one job, ``job-1``, that belongs to the co-op ``soleil``.

    Attributes:
        asked: the requests of ``Stream``, in order.
        gone: whether a caller left a stream before its end.
    """

    def __init__(self) -> None:
        self.asked: list[pool_pb2.InferenceRequest] = []
        self.gone: list[str] = []

    def _coop(self, context: Context) -> str:
        key = heard(context).get("authorization", "").removeprefix("Bearer ")
        if key not in KEYS:
            refuse(context, "unauthorised")
        return KEYS[key]

    def _owned(self, request: pool_pb2.JobRequest, context: Context) -> None:
        if OWNERS.get(request.job) != self._coop(context):
            refuse(context, "unknown_job", job=request.job)

    def Stream(
        self, request: pool_pb2.InferenceRequest, context: Context
    ) -> Iterator[pool_pb2.StreamEvent]:
        """Answers, refuses a model that is not there, or never ends."""
        self._coop(context)
        self.asked.append(request)
        if request.model == "absent":
            refuse(context, "unknown_model", model="absent", models="smollm2-135m")
        if request.model == "spent":
            refuse(context, "quota_tokens", retry_after_s=3_600.0, limit=1_000, left=0, needed=9)
        if request.model == "endless":
            context.add_callback(lambda: self.gone.append(request.model))
            while context.is_active():
                yield mock_answers.delta("encore ")
            return
        if request.model == "waiting":
            yield mock_answers.answer("")[0]
            wait = pool_pb2.Waiting(reason="no_node_live", position=1, message="Elle attend.")
            yield pool_pb2.StreamEvent(waiting=wait)
        if request.model == "broken":
            yield mock_answers.answer("")[0]
            yield mock_answers.delta("Bon")
            refuse(context, "stream_broken", job="job-1")
        if request.inputs:
            yield from mock_answers.embeddings(
                *([0.5, -1.0, 2.0, 3.0, 4.0] for _ in request.inputs)
            )
            return
        yield from mock_answers.answer("Bonjour", " à toi")

    def Get(self, request: pool_pb2.JobRequest, context: Context) -> pool_pb2.Job:
        """Returns the one job."""
        self._owned(request, context)
        return mock_answers.job("completed", model="smollm2-135m", receipt=mock_answers.RECEIPT)

    def Cancel(self, request: pool_pb2.CancelRequest, context: Context) -> pool_pb2.Job:
        """Cannot cancel it any more."""
        self._owned(request, context)
        refuse(context, "job_ended", job=request.job)

    def ListJobs(
        self, request: pool_pb2.ListJobsRequest, context: Context
    ) -> pool_pb2.ListJobsResponse:
        """Lists it for its owner."""
        if self._coop(context) != "soleil":
            return pool_pb2.ListJobsResponse()
        job = mock_answers.job("completed", model="smollm2-135m", submitted_at=1_000.0)
        return pool_pb2.ListJobsResponse(jobs=[job][: request.limit])

    def Explain(self, request: pool_pb2.JobRequest, context: Context) -> common_pb2.Explanation:
        """Explains it."""
        self._owned(request, context)
        full = common_pb2.Exclusion(
            node="ab-1",
            coop="prairie",
            zone="CA-AB",
            rule="no_free_slot",
            values=mock_answers.values(slots=4),
            waiting_helps=True,
        )
        return mock_answers.explanation([full])

    def ListModels(
        self, request: pool_pb2.ListModelsRequest, context: Context
    ) -> pool_pb2.ListModelsResponse:
        """Lists the one model."""
        self._coop(context)
        return mock_answers.MODELS


class Admin(admin_pb2_grpc.AdminServicer):
    """The operator's side, with one node, one co-op and one key.

    Attributes:
        coop: the co-op as it is now.
        quarantine: of the node and of the key.
        tokens: what was asked of ``CreateJoinToken``.
        vouched, vouchings: what is vouched for the node, and what was asked of ``VouchNode``.
        plan: of models on machines.
        catalogue: of models, as it is now.
    """

    def __init__(self) -> None:
        self.coop = admin_pb2.Coop(
            coop="boreale",
            shares=1.0,
            quotas=[admin_pb2.Quota(kind="requests", limit=50, period="minute", used=7)],
            balance_tokens=-1_234,
            lend=admin_pb2.Lend(part=0.5, limited=True, energy_wh_per_day=800),
        )
        self.plan = admin_pb2.ModelPlan()
        self.catalogue = catalogue.shipped()
        self.corrections: list[admin_pb2.Correction] = []
        self.quarantine = admin_pb2.Quarantine()
        self.approval = "approved"
        self.load_refusals: list[admin_pb2.LoadRefusal] = []
        self.models_bytes = 0
        self.policy = b'version = "1"\n[quality]\nleast = 0.8\n'
        self.tokens: list[admin_pb2.CreateJoinTokenRequest] = []
        self.vouched = admin_pb2.Node(controlled_by="member", zone="CA-ON")
        self.vouchings: list[admin_pb2.VouchNodeRequest] = []

    def GetCatalogue(
        self, request: admin_pb2.GetCatalogueRequest, context: Context
    ) -> admin_pb2.ModelCatalogue:
        """The catalogue as it is now."""
        self._check(context)
        return admin_pb2.ModelCatalogue(document=catalogue.write(self.catalogue))

    def SetCatalogue(
        self, request: admin_pb2.SetCatalogueRequest, context: Context
    ) -> admin_pb2.ModelCatalogue:
        """Takes another one, made of the one that is in force."""
        self._check(context)
        if request.base_version != self.catalogue.version:
            refuse(context, "catalogue_changed")
        asked = catalogue.read(request.document)
        self.catalogue = replace(asked, version=self.catalogue.version + 1)
        return admin_pb2.ModelCatalogue(document=catalogue.write(self.catalogue))

    def GetStatement(
        self, request: admin_pb2.GetStatementRequest, context: Context
    ) -> admin_pb2.Statement:
        """A statement with one other co-op, and the corrections posted."""
        self._check(context)
        given = admin_pb2.Amounts(
            jobs=3, tokens=1_500, energy_wh=0.25, direct_gco2e=0.0012, lifecycle_gco2e=0.008
        )
        return admin_pb2.Statement(
            coop=request.coop,
            month=request.month or "2027-01",
            given=given,
            others=[admin_pb2.Exchange(coop="soleil", given=given)],
            corrections=self.corrections,
            coop_names={"soleil": "Le Soleil"},
        )

    def PostCorrection(
        self, request: admin_pb2.Correction, context: Context
    ) -> admin_pb2.Correction:
        """Keeps a correction."""
        self._check(context)
        self.corrections.append(request)
        return request

    def _check(self, context: Context) -> None:
        if heard(context).get("authorization") != f"Bearer {ADMIN_KEY}":
            refuse(context, "forbidden")

    def _node(self) -> admin_pb2.Node:
        return admin_pb2.Node(
            node="on-1",
            coop="soleil",
            site=self.vouched.site or "Sudbury",
            zone=self.vouched.zone,
            said_zone="CA-ON",
            approval=self.approval,
            state="live",
            accepting=False,
            reason="paused",
            models=["smollm2-135m"],
            slots=4,
            running=1,
            surplus_w=400.0,
            controlled_by=self.vouched.controlled_by,
            surplus_evidence=self.vouched.surplus_evidence,
            evidence_document=self.vouched.evidence_document,
            vouched_at=self.vouched.vouched_at,
            vouched_by=self.vouched.vouched_by,
            data_classes=["public", "internal"],
            device="mac-mini-m4",
            active_w=40.0,
            power_basis="default",
            seen_at=1_000.0,
            agent="0.1.0",
            prefill_tokens_per_s=900.0,
            quarantine=self.quarantine,
            load_refusals=self.load_refusals,
            models_bytes=self.models_bytes,
        )

    def ListPoolJobs(
        self, request: admin_pb2.ListPoolJobsRequest, context: Context
    ) -> admin_pb2.ListPoolJobsResponse:
        """Lists a job that took two seconds."""
        self._check(context)
        job = admin_pb2.PoolJob(job="job-1", submitted_at=100.0, ended_at=102.0)
        return admin_pb2.ListPoolJobsResponse(jobs=[job])

    def GetPolicy(
        self, request: admin_pb2.GetPolicyRequest, context: Context
    ) -> admin_pb2.PolicyVersion:
        """The policy in force."""
        self._check(context)
        return admin_pb2.PolicyVersion(version="1", in_force=True, document=self.policy)

    def ApplyPolicy(
        self, request: admin_pb2.ApplyPolicyRequest, context: Context
    ) -> admin_pb2.PolicyVersion:
        """Keeps the document."""
        self._check(context)
        self.policy = request.document
        return admin_pb2.PolicyVersion(version="2", in_force=True, document=self.policy)

    def ListNodes(
        self, request: admin_pb2.ListNodesRequest, context: Context
    ) -> admin_pb2.ListNodesResponse:
        """Lists the one node."""
        self._check(context)
        return admin_pb2.ListNodesResponse(nodes=[self._node()])

    def RevokeNode(self, request: admin_pb2.NodeRequest, context: Context) -> admin_pb2.Node:
        """Revokes it."""
        self._check(context)
        if request.node != "on-1":
            refuse(context, "unknown_node", node=request.node)
        self.approval = "revoked"
        return self._node()

    def VouchNode(self, request: admin_pb2.VouchNodeRequest, context: Context) -> admin_pb2.Node:
        """Keeps what is vouched for the one node."""
        self._check(context)
        self.vouchings.append(request)
        for name in ("zone", "site"):
            if request.HasField(name):
                setattr(self.vouched, name, getattr(request, name))
        if request.HasField("controlled_by"):
            self.vouched.controlled_by = request.controlled_by
        if request.HasField("evidence"):
            self.vouched.surplus_evidence = request.evidence
            self.vouched.evidence_document = request.document
        self.vouched.vouched_at, self.vouched.vouched_by = 1_000.0, request.author
        return self._node()

    def ApproveNode(self, request: admin_pb2.NodeRequest, context: Context) -> admin_pb2.Node:
        """Approves it."""
        self._check(context)
        self.approval = "approved"
        return self._node()

    def CreateJoinToken(
        self, request: admin_pb2.CreateJoinTokenRequest, context: Context
    ) -> admin_pb2.JoinToken:
        """Makes a token."""
        self._check(context)
        self.tokens.append(request)
        link = "https://parc.coop/install#jeton-1"
        return admin_pb2.JoinToken(token="jeton-1", expires_at=90_000.0, link=link)

    def ForgetNode(self, request: admin_pb2.NodeRequest, context: Context) -> admin_pb2.Node:
        """Forgets it, unless it works."""
        self._check(context)
        if self.approval != "revoked":
            refuse(context, "node_live", node=request.node)
        return self._node()

    def RemoveCoop(
        self, request: admin_pb2.RemoveCoopRequest, context: Context
    ) -> admin_pb2.RemovedCoop:
        """Removes it, with its key and its node."""
        self._check(context)
        return admin_pb2.RemovedCoop(coop=request.coop, keys=["k-1"], nodes=["on-1"])

    def PlanModels(self, request: admin_pb2.ModelOnNode, context: Context) -> admin_pb2.ModelPlan:
        """Plans what the test says."""
        self._check(context)
        return self.plan

    def ListCoops(
        self, request: admin_pb2.ListCoopsRequest, context: Context
    ) -> admin_pb2.ListCoopsResponse:
        """Lists the one co-op."""
        self._check(context)
        return admin_pb2.ListCoopsResponse(coops=[self.coop])

    def SetCoop(self, request: admin_pb2.Coop, context: Context) -> admin_pb2.Coop:
        """Changes it."""
        self._check(context)
        self.coop = request
        return request

    def ListKeys(
        self, request: admin_pb2.ListKeysRequest, context: Context
    ) -> admin_pb2.ListKeysResponse:
        """Lists the one key."""
        self._check(context)
        key = admin_pb2.Key(key="k-1", coop="boreale", project="accueil", label="bureau")
        key.quarantine.CopyFrom(self.quarantine)
        return admin_pb2.ListKeysResponse(keys=[key])

    def CreateKey(self, request: admin_pb2.CreateKeyRequest, context: Context) -> admin_pb2.Key:
        """Makes a key."""
        self._check(context)
        return admin_pb2.Key(key="k-2", coop=request.coop, label=request.label, secret="secret-2")

    def RevokeKey(self, request: admin_pb2.RevokeKeyRequest, context: Context) -> admin_pb2.Key:
        """Revokes a key."""
        self._check(context)
        return admin_pb2.Key(key=request.key, coop="boreale", revoked=True)

    def ClearKey(self, request: admin_pb2.ClearKeyRequest, context: Context) -> admin_pb2.Key:
        """Takes a key out of quarantine."""
        self._check(context)
        return admin_pb2.Key(key=request.key, coop="boreale")


@contextmanager
def serving(pool: Pool, admin: Admin) -> Iterator[str]:
    """Serves both on a free port of this machine; gives ``host:port``."""
    with ThreadPoolExecutor(4) as threads:
        server = grpc.server(threads)
        pool_pb2_grpc.add_PoolServicer_to_server(pool, server)
        admin_pb2_grpc.add_AdminServicer_to_server(admin, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()
