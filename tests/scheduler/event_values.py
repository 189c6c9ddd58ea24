"""One event of each kind, for a core with nodes ``n1`` and ``n2`` and a job that runs."""

from typing import Any

from tests.core.builders import START, card, facts, policy, usage

from entraide.models import Catalogue
from entraide.types import Control, Outcome, SurplusEvidence
from entraide_scheduler.core import events
from entraide_scheduler.core.policy import Period
from entraide_scheduler.core.records import DeadlineKind, SenderKind

RUNS = "j-runs"  # on n1

VALUES: dict[type, tuple[Any, ...]] = {
    events.PolicyChanged: (policy("alpha", "beta"),),
    events.PeriodBegan: (Period.DAY, START + 3_600.0),
    events.IntensityChanged: ("CA-QC", 2.0, 3.0, "measured", START + 1e6),
    events.ForecastIssued: ("CA-QC", START, START, (1.0, 2.0)),
    events.LedgerCorrected: ("c1", "alpha", "beta", 5, 0, 0, "meter"),
    events.CatalogueChanged: (Catalogue(2, START, ()),),
    events.LoadAsked: ("n1", "other"),
    events.UnloadAsked: ("n1", "other"),
    events.NodeJoined: (card("n1", "beta"), True, ""),
    events.NodeChanged: ("n1", False, "paused", None),
    events.NodesSeen: (("n1", "n2"),),
    events.NodeDisconnected: ("n1",),
    events.BusLost: (),
    events.NodeLeft: ("n1", "goodbye"),
    events.NodeForgotten: ("n1", "node-0123456789ab"),
    events.NodeVouched: ("n1", Control.MEMBER, SurplusEvidence.CONTRACT),
    events.GatewayLost: ("gw",),
    events.JobRequested: (facts("j-new"),),
    events.BatchStated: (facts("batch-1", deadline_at=START + 9e4), 5),
    events.JobCancelled: (RUNS, "client_gone"),
    events.Woke: (),
    events.RunAccepted: (RUNS, 1, "n1"),
    events.RunDeclined: (RUNS, 1, "n1", "full", {}),
    events.RunProgressed: (RUNS, 1, "n1", 5),
    events.NodeBeat: ("n1", ((RUNS, 1, 5),)),
    events.RunReported: (RUNS, 1, "n1", Outcome.COMPLETED, "", True, usage()),
    events.RunExceeded: (RUNS, 1, "n1", "stream_bytes", 5),
    events.JobAbandoned: (RUNS, 1, "stream_broken"),
    events.AnswerResumed: (RUNS, 1, ((1, 5),)),
    events.LoadFailed: ("n1", "other", "no_room"),
    events.SenderQuarantined: (SenderKind.KEY, "key-beta", "engines_ended"),
    events.QuarantineCleared: (SenderKind.NODE, "n2"),
    events.DeadlineDropped: (DeadlineKind.NODE_SILENCE, "n1"),
}
