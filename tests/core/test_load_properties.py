"""Random events where nodes load models: every invariant holds after each, memory among them.

The same events as in ``test_properties``, and with them jobs for models that are loaded when they
are asked for, loads that come, fail or come to nothing, and an operator who interferes.
"""

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from tests.core.builders import GB, Pool, card, catalogue, entry, facts, loadable, replica
from tests.core.test_properties import COOPS, NODES, ZONES, AnyOrder, mostly

from entraide.models import ModelSize
from entraide.types import DataClass, JobKind
from entraide_scheduler.core import events
from entraide_scheduler.core.policy.policy import Limits, ModelTerms

WANTED = ("grand", "rare")
HASTE = ModelTerms(2.0, 2.0, 2.0, loads_per_hour=20, retry_s=1.0, half_life_s=5.0)

offers = st.builds(
    loadable,
    st.sampled_from(WANTED),
    context_tokens=mostly(4_096, 512),
    memory_bytes=st.integers(1, 6).map(lambda size: size * GB),
    fetch_bytes=st.sampled_from((0, GB)),
    load_s=st.floats(0, 20),
)
offering = st.builds(
    card,
    st.sampled_from(NODES),
    st.sampled_from(COOPS),
    mostly("CA-QC", *ZONES),
    replicas=mostly((), (replica(slots=1),)),
    loadable=st.lists(offers, min_size=1, max_size=2).map(tuple),
    loading=mostly((), ("grand",)),
    models_bytes=mostly(8 * GB, 0, 3 * GB),
)


class AnyLoad(AnyOrder):
    """Feeds random events to a pool that loads models."""

    @initialize()
    def begin(self) -> None:
        self.pool = Pool(*COOPS, limits=Limits(queued_per_coop=12, attempts=3), models=HASTE)
        self.jobs: list[str] = []
        self.incarnation = 1
        self.pool.tell(
            events.CatalogueChanged, catalogue(entry("rare"), entry("grand", ModelSize.LARGE))
        )
        could = (loadable("grand"), loadable("rare", memory_bytes=5 * GB))
        node_card = card("n1", replicas=(), loadable=could, models_bytes=8 * GB)
        self.pool.join(node_card)
        self.pool.tell(events.LoadAsked, "n1", "grand")
        self.pool.join(msgspec.structs.replace(node_card, replicas=(replica("grand"),)))
        self.pool.wait(3.0, seen=("n1",))

    @rule(
        model=st.sampled_from((*WANTED, "auto", "grand", "small")),
        coop=st.sampled_from(COOPS),
        kind=st.sampled_from(JobKind),
        data_class=mostly(DataClass.INTERNAL, DataClass.RESTRICTED),
        times=st.integers(1, 4),
    )
    def want(self, model: str, coop: str, kind: JobKind, data_class: DataClass, times: int) -> None:
        for _ in range(times):
            job = f"j{len(self.jobs)}"
            self.jobs.append(job)
            wanted = facts(job, coop, model=model, kind=kind, data_class=data_class)
            self.pool.tell(events.JobRequested, wanted)

    @rule(node_card=offering, accepting=mostly(True, False))
    def offer(self, node_card, accepting: bool) -> None:  # type: ignore[no-untyped-def]
        self.pool.tell(events.NodeJoined, node_card, accepting, "" if accepting else "paused")

    @rule(node=st.sampled_from(NODES), again=st.booleans())
    def follow_command(self, node: str, again: bool) -> None:
        """A node's card shows that it carried out its commands."""
        node_record = self.pool.core._state.fleet.nodes.get(node)
        if node_record is None or not node_record.orders:
            return
        states = {model: order.state.value for model, order in node_record.orders.items()}
        kept = [
            node_card
            for node_card in node_record.card.replicas
            if states.get(node_card.model) != "unloading"
        ]
        come = [replica(model) for model, state in states.items() if state == "loading"]
        here = msgspec.structs.replace(node_record.card, replicas=(*kept, *come), loading=())
        for _ in range(1 + again):
            self.pool.tell(events.NodeJoined, here, True, "")

    @rule(
        node=st.sampled_from(NODES),
        model=st.sampled_from(WANTED),
        code=mostly("engine_failed", "load_resting"),
    )
    def fail(self, node: str, model: str, code: str) -> None:
        self.pool.tell(events.LoadFailed, node, model, code)

    @rule(
        kind=st.sampled_from((events.LoadAsked, events.UnloadAsked)),
        node=st.sampled_from(NODES),
        model=st.sampled_from(WANTED),
    )
    def interfere(self, kind: type, node: str, model: str) -> None:
        self.pool.tell(kind, node, model)


AnyLoad.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class TestAnyLoad(AnyLoad.TestCase):
    """Every invariant holds after any sequence of events with loads and unloads."""
