"""The engine's definition, step by step: what the closed form must come to."""

from dataclasses import dataclass, field

from entraide_sim.engine import RETRY_STEPS
from entraide_sim.hardware import Hardware


@dataclass
class Asked:
    """A run asked of an engine; ``stop_at`` cancels it."""

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


class Brute:
    """One engine that takes every step there is."""

    def __init__(self, hardware: Hardware, asked: list[Asked]) -> None:
        self.hardware = hardware
        self.to_come = sorted(asked, key=lambda one: one.at)
        self.line: list[Asked] = []
        self.head: Asked | None = None
        self.batch: list[Asked] = []
        self.now = 0.0
        self.most_tokens = 0  # ever held in memory

    def run(self) -> None:
        look_again, since = True, 0
        while self.to_come or self.line or self.batch or self.head:
            look_again |= self.arrive()
            if self.head is None and (look_again or since >= RETRY_STEPS):
                self.enter()
                look_again, since = False, 0
            if self.head is None and not self.batch:
                if self.to_come:
                    self.now = self.to_come[0].at
                continue
            look_again |= self.step()
            since += 1

    def arrive(self) -> bool:
        """Lets those in line that came by now join; tells whether any did."""
        came = [one for one in self.to_come if one.at <= self.now]
        self.to_come = self.to_come[len(came) :]
        self.line += came
        stopped = [one for one in self.line if one.stop_at <= self.now]
        for one in stopped:
            self.line.remove(one)
            one.end_at = one.stop_at
        return bool(came)

    def enter(self) -> None:
        if self.line and len(self.batch) < self.hardware.slots and self.fits(self.line[0]):
            self.head = self.line.pop(0)

    def fits(self, new: Asked) -> bool:
        """Plays the future, each answer as long as it may be."""
        wanted = [*self.batch, new]
        if sum(o.input_tokens + o.output_tokens_max for o in wanted) <= self.hardware.pool_tokens:
            return True
        steps = -(-new.left // self.hardware.chunk_tokens)
        left = {id(o): o.output_tokens_max - o.produced for o in self.batch}
        left[id(new)] = new.output_tokens_max + steps
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
        """Takes one step; tells whether the batch changed."""
        hardware, count, head = self.hardware, len(self.batch), self.head
        rates = hardware.rates
        long_s = (
            rates.tpot_base_s + rates.tpot_per_sequence_s * count if count else hardware.alone_s
        )
        if head is not None:
            chunk = min(hardware.chunk_tokens, head.left)
            long_s += chunk / rates.prefill_tokens_per_s
            head.left -= chunk
            head.energy_j += chunk * hardware.prefill_j
        self.now += long_s
        for one in self.batch:
            one.produced += 1
            one.energy_j += hardware.decode_j[count]
        changed = False
        if head is not None and head.left == 0:
            head.first_at, head.produced = self.now, 1
            self.batch.append(head)
            self.head, changed = None, True
        held = [*self.batch, *([self.head] if self.head else [])]
        self.most_tokens = max(self.most_tokens, sum(o.input_tokens + o.produced for o in held))
        for one in held:
            if one.produced >= one.output_tokens or one.stop_at <= self.now:
                one.end_at = self.now
                changed = True
        self.batch = [one for one in self.batch if one.end_at == 0.0]
        if self.head is not None and self.head.end_at:
            self.head = None
        return changed
