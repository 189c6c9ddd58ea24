"""Engine: continuous batching on one machine, in closed form.

One step of the engine decodes one token of each of the ``b`` sequences in the batch and prefills
at most one chunk of prompt: of the one at the head of the line, or, where the engine reads them
``together``, of as many as the chunk holds. It takes ``t0 + t1 * b`` plus the chunk over the
prefill rate; without a batch, ``alone_s`` (nothing unless told) instead of the first part; or what
was measured by the size of the batch. The step that ends a prompt yields its first token.
Between two changes of the batch all steps are alike, so time jumps over them: a *phase* is a run of
steps that nothing disturbs. Who arrives in the middle of a step joins at its end.

A prompt enters the batch in order of arrival, when a slot is free and the KV memory will hold all
that is in it at every later step, were each answer as long as it may be; a prompt that finds no
room is looked at again when the batch changes, and every ``RETRY_STEPS`` steps. Nothing is ever
thrown out. It knows neither the pool nor virtual time: moments are told, seconds.
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from entraide_sim.hardware import Hardware, Run
from entraide_sim.heat import COOLED, Cooling

RETRY_STEPS = 10


def _steady() -> float:
    return 1.0


class Engine:
    """The engine of one machine.

    Attributes:
        hardware: as fast as it is now, limits and heat counted.
        next_at: when the present phase ends; infinite at rest.
        heat_w: how warm it is (``heat``); 0 where it is never too warm.
        slow: factor on all times (2 is half as fast), read when a phase begins.
        beside: engines that share its machine's speed and power, itself among them; read when a
            phase begins.
        total_j, total_g: all that running added, over all runs, joules and grams.
        batch_s: sequence-seconds in the batch, for the mean batch.
    """

    def __init__(
        self, hardware: Hardware, *, at: float, noise: Callable[[], float] = _steady
    ) -> None:
        self.hardware = hardware
        self._allowed = hardware  # as its owner lets it run, when it is not too warm
        self.heat_w = 0.0
        self._warm = False
        self.next_at = inf
        self.slow = 1.0
        self.beside = 1
        self.total_j = 0.0
        self.total_g = 0.0
        self.batch_s = 0.0
        self._noise = noise
        self._line: deque[Run] = deque()
        self._heads: list[Run] = []  # prompts that are read; the first may take several steps
        self._batch: list[tuple[int, int, Run]] = []  # (last step, serial, run), a heap
        self._serial = 0
        self._used_tokens = 0  # memory promised to the batch and the heads, at their longest
        self._stops = False
        self._sleeps = hardware.wake_s > 0.0 or hardware.wake_j > 0.0
        self._rests_since = -inf
        self._step = 0  # steps done when the phase began
        self._began_at = at
        self._step_s = 0.0
        self._factor = 1.0
        self._steps = 0
        self._parts: list[int] = []  # of the heads' prompts, tokens in this phase
        self._settles = False  # the last step read a prompt
        self._seen_at = at
        self._sequence_w = 0.0
        self._head_w = 0.0
        self._sum_j = 0.0  # of one sequence, had it been in the batch from the beginning
        self._sum_g = 0.0

    @property
    def draw_w(self) -> float:
        """What running adds to the machine's power now, watts."""
        return self._sequence_w * len(self._batch) + self._head_w

    @property
    def _machine_w(self) -> float:
        """What all engines of its machine draw, taken to draw as much as this one."""
        return self.draw_w * self.beside

    @property
    def holds(self) -> int:
        """How many runs it has, in line or in the batch."""
        return len(self._line) + len(self._batch) + len(self._heads)

    def runs(self) -> list[Run]:
        """Returns the runs it has, in no order that means anything but always the same."""
        return [*(run for _, _, run in self._batch), *self._heads, *self._line]

    def used(self, run: Run) -> tuple[float, float]:
        """Returns what a run has used so far, joules, and what was emitted for it, grams."""
        energy_j = run.prefill_j + run.decode_j + run.wake_j
        if run.first_at == 0.0:
            return energy_j, run.carbon_g
        return energy_j + self._sum_j - run.mark_j, run.carbon_g + self._sum_g - run.mark_g

    def produced(self, run: Run, at: float) -> int:
        """Returns how many output tokens a run has by now."""
        if run.first_at == 0.0:
            return 0
        done = int((at - self._began_at) / self._step_s) if self._step_s > 0.0 else 0
        done = self._step + min(done, self._steps)
        return min(done - run.began + 1, run.output_tokens)

    # What happens to it. Each needs the energy's grams per joule since the last time.

    def account(self, at: float, g_per_j: float) -> None:
        """Counts energy and emissions up to now, at one intensity."""
        passed_s = at - self._seen_at
        if passed_s <= 0.0:
            return
        self._seen_at = at
        cooling = self._allowed.cooling
        if cooling is not None:
            self.heat_w = cooling.warmed(self.heat_w, self._machine_w, passed_s)
        count, heads = len(self._batch), self._heads
        if count:
            energy_j = self._sequence_w * passed_s
            self._sum_j += energy_j
            self._sum_g += energy_j * g_per_j
            self.total_j += energy_j * count
            self.total_g += energy_j * count * g_per_j
            self.batch_s += count * passed_s
        if heads:
            energy_j = self._head_w * passed_s
            self.total_j += energy_j
            self.total_g += energy_j * g_per_j
            if len(heads) > 1:
                energy_j /= sum(self._parts)
                for head, tokens in zip(heads, self._parts, strict=True):
                    head.prefill_j += energy_j * tokens
                    head.carbon_g += energy_j * tokens * g_per_j
            else:
                heads[0].prefill_j += energy_j
                heads[0].carbon_g += energy_j * g_per_j

    def add(self, run: Run, at: float, g_per_j: float) -> None:
        """Puts a run in line; ``next_at`` may come nearer."""
        run.left = run.input_tokens - run.cached_tokens
        self._line.append(run)
        if self.next_at < inf:
            # Heads keep the steps as they are; a batch alone stops for the newcomer.
            if not self._heads and self._batch:
                self._cut(at)
            return
        hardware = self.hardware
        asleep = self._sleeps and at - self._rests_since >= hardware.sleep_after_s
        self._seen_at = at
        if asleep:
            run.wake_j = hardware.wake_j
            run.carbon_g += hardware.wake_j * g_per_j
            self.total_j += hardware.wake_j
            self.total_g += hardware.wake_j * g_per_j
        self._rest(at)
        self.next_at = at + hardware.wake_s if asleep else at

    def stop(self, run: Run, at: float) -> bool:
        """Cancels a run; returns whether it is over at once (it had not begun).

        One that has begun is over at the end of the present step.
        """
        run.stopped = True
        if run.first_at == 0.0 and run not in self._heads:
            self._line.remove(run)
            return True
        self._stops = True
        self._cut(at)
        return False

    def allow(self, hardware: Hardware, at: float) -> None:
        """Lets it run as this hardware from the end of the present step on."""
        self._allowed = hardware
        self._cut(at)

    def share(self, beside: int, at: float) -> None:
        """Shares its machine with so many engines, itself among them, from the next step on."""
        if beside != self.beside:
            self.beside = beside
            self._cut(at)

    def advance(self, at: float) -> tuple[list[Run], list[Run]]:
        """Ends the phase and begins the next; ``account`` comes first.

        Returns:
            The runs whose first token came now, and the runs that are over now.
        """
        self._step += self._steps
        first, over = self._end_prompts(at), self._end_answers()
        if self._stops:
            over += self._end_stopped()
        for run in over:
            if run.first_at > 0.0:
                run.decode_j += self._sum_j - run.mark_j
                run.carbon_g += self._sum_g - run.mark_g
            self._used_tokens -= run.input_tokens + run.output_tokens_max
        self._plan(at)
        return first, over

    def lose(self) -> list[Run]:
        """Loses all runs, as they are, and rests; ``account`` comes first."""
        lost = self.runs()
        for run in lost:
            if run.first_at > 0.0:
                run.decode_j += self._sum_j - run.mark_j
                run.carbon_g += self._sum_g - run.mark_g
        self._line.clear()
        self._batch.clear()
        self._heads.clear()
        self._used_tokens = 0
        self._rest(self._seen_at)
        self.next_at = inf
        return lost

    # Ends.

    def _end_prompts(self, at: float) -> list[Run]:
        heads = self._heads
        if not heads:
            return []
        self._settles = self._steps > 0
        for head, tokens in zip(heads, self._parts, strict=True):
            head.left -= tokens
        read = [head for head in heads if head.left <= 0]
        for head in read:
            head.first_at = at
            head.began = self._step
            head.mark_j, head.mark_g = self._sum_j, self._sum_g
            self._serial += 1
            heappush(self._batch, (self._step + head.output_tokens - 1, self._serial, head))
        self._heads = [head for head in heads if head.left > 0] if len(read) < len(heads) else []
        return read

    def _end_answers(self) -> list[Run]:
        batch, step, over = self._batch, self._step, []
        while batch and batch[0][0] <= step:
            run = heappop(batch)[2]
            run.produced = run.output_tokens
            over.append(run)
        return over

    def _end_stopped(self) -> list[Run]:
        self._stops = False
        over = [run for _, _, run in self._batch if run.stopped]
        for run in over:
            run.produced = self._step - run.began + 1
        self._batch = [entry for entry in self._batch if not entry[2].stopped]
        heapify(self._batch)
        over += [head for head in self._heads if head.stopped]
        self._heads = [head for head in self._heads if not head.stopped]
        return over

    # Plans.

    def _plan(self, at: float) -> None:
        """Begins a phase at a step's boundary."""
        if self._allowed is not self.hardware or self._allowed.cooling is not None:
            self._pace()
        self._enter()
        heads, batch, hardware = self._heads, self._batch, self.hardware
        count = len(batch)
        if not heads and not count:
            self._rest(at)
            self.next_at = inf
            return
        base_s = hardware.step_s(count)
        until = batch[0][0] - self._step if count else 0
        if not heads:
            blocked = self._line and count < hardware.slots
            steps, tokens = min(until, RETRY_STEPS) if blocked else until, 0
            if self._settles:
                self._settles = False
                if hardware.settle_s:
                    steps, base_s = 1, base_s + hardware.settle_s
            long_s = steps * base_s
            self._step_s = base_s
        else:
            steps, tokens = self._read(until if count else inf)
            if count:
                base_s += hardware.mixed_s
            chunk_s = min(hardware.chunk_tokens, tokens) / hardware.rates.prefill_tokens_per_s
            self._step_s = base_s + chunk_s
            long_s = steps * base_s + tokens / hardware.rates.prefill_tokens_per_s
        self._sequence_w = steps * hardware.decode_j[count] / long_s if count else 0.0
        self._head_w = tokens * hardware.prefill_j / long_s if heads else 0.0
        self._steps, self._began_at = steps, at
        # A machine that is slow draws the same power for longer.
        self._factor = factor = self.slow * self._noise()
        if self.beside > 1:
            factor *= self.beside
            self._sequence_w /= self.beside
            self._head_w /= self.beside
        self._step_s *= factor
        self.next_at = at + long_s * factor
        if hardware.cooling is not None:
            self._stop_when_warm(hardware.cooling)

    def _enter(self) -> None:
        """Lets prompts into the next step, in order of arrival, as far as it holds them."""
        heads, line, hardware = self._heads, self._line, self.hardware
        room = hardware.chunk_tokens - heads[0].left if heads else hardware.chunk_tokens
        while line and room > 0 and (hardware.together or not heads) and self._has_room(line[0]):
            head = line.popleft()
            self._used_tokens += head.input_tokens + head.output_tokens_max
            heads.append(head)
            room -= head.left

    def _read(self, until: float) -> tuple[int, int]:
        """Shares the next steps among the heads' prompts; returns how many, and tokens read.

        A prompt longer than a chunk has steps to itself, until so many are done; what is left of it
        shares a step with others where they are read together.
        """
        heads, chunk = self._heads, self.hardware.chunk_tokens
        tokens = heads[0].left
        if len(heads) > 1 or (tokens <= chunk and self.hardware.together):
            room = chunk
            self._parts = []
            for head in heads:
                self._parts.append(min(head.left, room))
                room -= self._parts[-1]
            return 1, chunk - room
        steps = -(-tokens // chunk)
        if self.hardware.together and tokens % chunk:
            steps, tokens = steps - 1, tokens - tokens % chunk
        if until < steps:
            steps = int(until)
            tokens = steps * chunk
        self._parts = [tokens]
        return steps, tokens

    def _pace(self) -> None:
        """Sets how fast it is from now on: as its owner allows, or slower where it is warm."""
        allowed = self._allowed
        self.hardware = allowed
        if allowed.cooling is None or allowed.warm is None:
            return
        most_w = allowed.cooling.sustained_w * (COOLED if self._warm else 1.0)
        self._warm = self.heat_w >= most_w
        if self._warm:
            self.hardware = allowed.warm

    def _stop_when_warm(self, cooling: Cooling) -> None:
        """Ends the phase with the step in which the machine becomes too warm."""
        left_s = cooling.time_left_s(self.heat_w, self._machine_w)
        steps = inf if left_s == inf else left_s // self._step_s + 1.0
        if steps < self._steps:
            self._shorten(int(steps), self._began_at)

    def _rest(self, at: float) -> None:
        """Nothing runs from now on, or nothing yet."""
        self._rests_since = self._began_at = at
        self._steps = 0
        self._settles = False
        self._step_s = self._sequence_w = self._head_w = 0.0
        self._sum_j = self._sum_g = 0.0  # nobody holds a mark: keep the sums small and exact

    def _cut(self, at: float) -> None:
        """Ends the phase at the end of the step that is under way."""
        if self._step_s <= 0.0:
            return
        passed = (at - self._began_at) / self._step_s
        steps = int(passed)
        if steps < passed:
            steps += 1
        if steps < self._steps:
            self._shorten(steps, at)

    def _shorten(self, steps: int, at: float) -> None:
        """Ends the phase after so many steps; what is drawn from then on is reckoned anew."""
        hardware = self.hardware
        self._steps = steps
        self.next_at = max(at, self._began_at + steps * self._step_s)
        if not self._heads:
            return
        tokens = steps * hardware.chunk_tokens
        self._parts = [tokens, *(0 for _ in self._heads[1:])]
        rest_s = self.next_at - at
        if rest_s > 0.0:
            # The last chunk, shorter than the others, falls away: so does its part of the mean.
            passed_s, factor = at - self._began_at, self._factor
            step_j = hardware.decode_j[len(self._batch)] * factor
            prefill_j = tokens * hardware.prefill_j * factor
            self._sequence_w = (steps * step_j - self._sequence_w * passed_s) / rest_s
            self._head_w = (prefill_j - self._head_w * passed_s) / rest_s

    def _has_room(self, run: Run) -> bool:
        """Tells whether a run may enter the batch now and never bring it beyond the memory."""
        hardware = self.hardware
        if len(self._batch) + len(self._heads) >= hardware.slots:
            return False
        want = run.input_tokens + run.output_tokens_max
        if self._used_tokens + want <= hardware.pool_tokens:
            return True
        return self._peak_tokens(run) <= hardware.pool_tokens

    def _peak_tokens(self, run: Run) -> int:
        """Returns the most memory that the batch and a run can come to hold.

        Each sequence grows by a token a step until it has its longest answer; the newcomer begins
        once it is prefilled, and is counted as growing from now. So the sum is largest when one of
        them ends: those with as many steps left or more have grown as many tokens.
        """
        chunk = self.hardware.chunk_tokens
        holders = [
            (
                other.output_tokens_max - (self._step - other.began + 1),
                other.input_tokens + self._step - other.began + 1,
            )
            for _, _, other in self._batch
        ]
        holders += [
            (one.output_tokens_max + -(-one.left // chunk), one.input_tokens)
            for one in (*self._heads, run)
        ]
        holders.sort(reverse=True)
        peak = held = 0
        for count, (left, has) in enumerate(holders, 1):
            held += has
            peak = max(peak, held + left * count)
        return peak
