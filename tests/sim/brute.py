"""A step-by-step simulation of the engine, the reference for its closed form."""

from dataclasses import dataclass, field

from entraide_sim.machines.engine import RETRY_STEPS
from entraide_sim.machines.hardware import EngineParameters


@dataclass
class StepRequest:
    """A requested run; it is cancelled at ``stop_at``."""

    at: float
    input_tokens: int
    output_tokens: int
    output_tokens_max: int
    stop_at: float = float("inf")
    left: int = field(init=False)
    first_at: float = 0.0
    end_at: float = 0.0
    produced: int = 0
    energy_j: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.input_tokens


class StepwiseEngine:
    """An engine that simulates every step."""

    def __init__(self, hardware: EngineParameters, asked: list[StepRequest]) -> None:
        self.hardware = hardware
        self.to_come = sorted(asked, key=lambda run: run.at)
        self.line: list[StepRequest] = []
        self.heads: list[StepRequest] = []
        self.settles = False
        self.batch: list[StepRequest] = []
        self.now = 0.0
        self.most_tokens = 0  # ever held in memory

    def run(self) -> None:
        look_again, since = True, 0
        while self.to_come or self.line or self.batch or self.heads:
            look_again |= self.arrive()
            shares = bool(self.heads) and self.hardware.batches_prefill
            if shares or (not self.heads and (look_again or since >= RETRY_STEPS)):
                self.enter()
                look_again, since = False, 0
            if not self.heads and not self.batch:
                if self.to_come:
                    self.now = self.to_come[0].at
                continue
            look_again |= self.step()
            since += 1

    def arrive(self) -> bool:
        """Queues the arrived runs; returns whether there were any."""
        came = [run for run in self.to_come if run.at <= self.now]
        self.to_come = self.to_come[len(came) :]
        self.line += came
        stopped = [run for run in self.line if run.stop_at <= self.now]
        for run in stopped:
            self.line.remove(run)
            run.end_at = run.stop_at
        return bool(came)

    def enter(self) -> None:
        """Admits prompts to the next step: one, or as many as chunk and slots hold."""
        hardware = self.hardware
        while self.line and len(self.batch) + len(self.heads) < hardware.slots:
            room = hardware.chunk_tokens - sum(head.left for head in self.heads)
            if self.heads and (not hardware.batches_prefill or room <= 0):
                return
            if not self.fits(self.line[0]):
                return
            self.heads.append(self.line.pop(0))

    def fits(self, new: StepRequest) -> bool:
        """Simulates the memory of all later steps with answers of maximum length."""
        wanted = [*self.batch, *self.heads, new]
        if sum(o.input_tokens + o.output_tokens_max for o in wanted) <= self.hardware.pool_tokens:
            return True
        left = {id(o): o.output_tokens_max - o.produced for o in self.batch}
        for prompt in (*self.heads, new):
            left[id(prompt)] = prompt.output_tokens_max + -(
                -prompt.left // self.hardware.chunk_tokens
            )
        has = {id(o): o.input_tokens + o.produced for o in wanted}
        while left:
            has = {key: tokens + 1 for key, tokens in has.items()}
            left = {key: steps - 1 for key, steps in left.items()}
            if sum(has.values()) > self.hardware.pool_tokens:
                return False
            over = [key for key, steps in left.items() if steps == 0]
            for key in over:
                del left[key], has[key]
        return True

    def step(self) -> bool:
        """Simulates one step; returns whether the batch changed, or settled."""
        hardware, count = self.hardware, len(self.batch)
        long_s = hardware.step_s(count)
        if count and self.heads:
            long_s += hardware.mixed_s
        changed = not self.heads and self.settles and hardware.settle_s > 0.0
        if changed:
            long_s += hardware.settle_s
        self.settles = bool(self.heads)
        room = hardware.chunk_tokens
        for head in self.heads:
            tokens = min(room, head.left)
            room -= tokens
            head.left -= tokens
            head.energy_j += tokens * hardware.prefill_j
            long_s += tokens / hardware.rates.prefill_tokens_per_s
        self.now += long_s
        for run in self.batch:
            run.produced += 1
            run.energy_j += hardware.decode_j[count]
        for head in [head for head in self.heads if head.left == 0]:
            head.first_at, head.produced = self.now, 1
            self.batch.append(head)
            self.heads.remove(head)
            changed = True
        held = [*self.batch, *self.heads]
        self.most_tokens = max(self.most_tokens, sum(o.input_tokens + o.produced for o in held))
        for run in held:
            if run.produced >= run.output_tokens or run.stop_at <= self.now:
                run.end_at = self.now
                changed = True
        self.batch = [run for run in self.batch if run.end_at == 0.0]
        self.heads = [head for head in self.heads if head.end_at == 0.0]
        return changed
