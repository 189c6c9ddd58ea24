"""Prediction records: predicted and measured latencies of each placement.

Compares the picked candidate of the explanation with the latencies at the gateway, and with the
prediction of the card alone for the same queue and batch. Uses events and commands only, as a
journal does.
"""

from collections.abc import Mapping

from msgspec import Struct

from entraide.types import JobState, NodeCard
from entraide_scheduler.core.commands import Command, Place
from entraide_scheduler.core.events import (
    Event,
    JobRequested,
    RunDeclined,
    RunProgressed,
    RunReported,
)
from entraide_sim import Job


class PredictionRecord(Struct, frozen=True):
    """Predicted and measured times of one request, from its placement, at the gateway.

    Attributes:
        device: of the node that ran it.
        predicted_ttft_s, predicted_ttft_upper_s, predicted_tpot_s: by the core.
        card_ttft_s, card_tpot_s: by the node's card, without learning.
        rtt_s: the round trip to the node.
        ttft_s, tpot_s: measured; ``tpot_s`` is 0 for an answer of one token.
    """

    device: str
    predicted_ttft_s: float
    predicted_ttft_upper_s: float
    predicted_tpot_s: float
    card_ttft_s: float
    card_tpot_s: float
    rtt_s: float
    ttft_s: float
    tpot_s: float


class Prediction(Struct, frozen=True):
    """Predictions at the placement of a job."""

    ttft_s: float
    ttft_upper_s: float
    tpot_s: float
    card_ttft_s: float
    card_tpot_s: float


class PredictionRecorder:
    """Records predictions and measurements of a simulation.

    Attributes:
        records: each request that completed at its first placement, in the order in which they
            ended.
    """

    def __init__(self, cards: Mapping[str, NodeCard]) -> None:
        """Begins with nothing under way.

        Args:
            cards: of the nodes by name; each serves one model.
        """
        self.records: list[PredictionRecord] = []
        self._cards = cards
        self._prompt_tokens: dict[str, int] = {}
        self._predictions: dict[str, Prediction] = {}
        # By node: the prompt tokens of each job whose first token is still to come.
        self._waiting: dict[str, dict[str, int]] = {name: {} for name in cards}
        self._running: dict[str, set[str]] = {name: set() for name in cards}

    def observe(self, event: Event, commands: list[Command]) -> None:
        """Processes an event and its commands."""
        match event:
            case JobRequested():
                self._prompt_tokens[event.facts.job] = event.facts.input_tokens_est
            case RunProgressed() if event.output_tokens:
                self._waiting[event.node].pop(event.job, None)
            case RunReported() | RunDeclined():
                self._waiting[event.node].pop(event.job, None)
                self._running[event.node].discard(event.job)
            case _:
                pass
        for command in commands:
            if isinstance(command, Place):
                self._record_placement(command)

    def _record_placement(self, place: Place) -> None:
        card = self._cards[place.node]
        rates = card.replicas[0].rates
        waiting, running = self._waiting[place.node], self._running[place.node]
        tokens = sum(waiting.values()) + self._prompt_tokens[place.job]
        picked = next(
            candidate for candidate in place.explanation.candidates if candidate.node == place.node
        )
        self._predictions[place.job] = Prediction(
            picked.ttft_s,
            picked.ttft_upper_s,
            picked.tpot_s,
            card.rtt_s + tokens / rates.prefill_tokens_per_s,
            rates.tpot_base_s + rates.tpot_per_sequence_s * (len(running) + 1),
        )
        waiting[place.job] = self._prompt_tokens[place.job]
        running.add(place.job)

    def record_job(self, job: Job) -> None:
        """Records a finished job."""
        name = job.request.facts.job
        if job.node is None or job.state is not JobState.COMPLETED or job.placements != 1:
            self.drop_job(name)
            return
        self.record_measurement(
            name,
            job.node.card,
            ttft_s=job.first_at - job.placed_at,
            decode_s=job.end_at - job.first_at,
            output_tokens=job.output_tokens,
        )

    def drop_job(self, name: str) -> None:
        """Drops a job that is not compared."""
        self._predictions.pop(name, None)
        del self._prompt_tokens[name]

    def record_measurement(
        self, name: str, card: NodeCard, *, ttft_s: float, decode_s: float, output_tokens: int
    ) -> None:
        """Compares what was predicted of a job with what was measured; both from its placement.

        Args:
            name: of the job, which completed at its first placement.
            card: of the node that ran it.
            ttft_s: until its first token.
            decode_s: from its first token to its end.
            output_tokens: of its answer.
        """
        guess = self._predictions.pop(name, None)
        del self._prompt_tokens[name]
        if guess is None:
            return
        steps = output_tokens - 1
        self.records.append(
            PredictionRecord(
                card.power.device,
                guess.ttft_s,
                guess.ttft_upper_s,
                guess.tpot_s,
                guess.card_ttft_s,
                guess.card_tpot_s,
                card.rtt_s,
                ttft_s,
                decode_s / steps if steps else 0.0,
            )
        )
