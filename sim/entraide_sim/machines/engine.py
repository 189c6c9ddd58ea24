"""Engine: continuous batching on one machine, in closed form.

One step decodes one token of each of the ``b`` sequences in the batch and prefills at most one
chunk of prompt tokens: of the first prompt in the queue, or, with ``batches_prefill``, of as many
prompts as fit in the chunk. A step takes ``t0 + t1 * b`` plus the chunk over the prefill rate; with
an empty batch, ``alone_s`` replaces ``t0 + t1 * b``; where the step time was measured by batch
size, ``steps_s`` replaces both. The last prefill step of a prompt yields its first output token.
Steps between two changes of the batch are identical: they form a *phase*, simulated at once. A run
that arrives during a step joins at the end of that step.

Prompts are admitted in order of arrival when a slot is free and the KV memory can hold all admitted
sequences at every later step, each at its maximum length. A prompt that does not fit is tested
again when the batch changes and every ``RETRY_STEPS`` steps. No sequence is evicted. Times are in
seconds.
"""

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from entraide_sim.machines.hardware import EngineParameters, Run
from entraide_sim.machines.thermal import RECOVERY_PART, ThermalModel

RETRY_STEPS = 10


def _no_noise() -> float:
    return 1.0


class Engine:
    """The engine of one machine.

    Attributes:
        hardware: current speed, with power cap and throttling applied.
        next_at: end of the current phase; infinite when idle.
        heat_w: heat (see ``thermal``); 0 for a machine that never throttles.
        slowdown: factor on all times (2 is half as fast), read when a phase begins.
        sharing_engines: number of engines that share the machine's speed and power, this one
            included; read when a phase begins.
        total_j, total_g: energy and emissions of all runs, joules and grams.
        batch_s: sequence-seconds in the batch, for the mean batch size.
    """

    def __init__(
        self, hardware: EngineParameters, *, at: float, noise: Callable[[], float] = _no_noise
    ) -> None:
        self.hardware = hardware
        self._full_hardware = hardware  # with the power cap, without throttling
        self.heat_w = 0.0
        self._throttled = False
        self.next_at = inf
        self.slowdown = 1.0
        self.sharing_engines = 1
        self.total_j = 0.0
        self.total_g = 0.0
        self.batch_s = 0.0
        self._noise = noise
        self._queue: deque[Run] = deque()
        self._prefilling: list[Run] = []  # prompts in prefill; the first may take several steps
        self._batch: list[tuple[int, int, Run]] = []  # (last step, serial, run), a heap
        self._serial = 0
        self._reserved_tokens = 0  # of the batch and prefill, at maximum length
        self._has_cancelled = False
        self._can_sleep = hardware.wake_s > 0.0 or hardware.wake_j > 0.0
        self._idle_since = -inf
        self._began_at = at
        self._slept: list[tuple[float, float]] = []
        self._step = 0  # steps completed when the phase began
        self._phase_began_at = at
        self._step_s = 0.0
        self._phase_factor = 1.0
        self._phase_steps = 0
        self._phase_tokens: list[int] = []  # by run in prefill: prompt tokens in this phase
        self._after_prefill = False  # the last step included prefill
        self._accounted_at = at
        self._sequence_w = 0.0
        self._prefill_w = 0.0
        self._sequence_sum_j = 0.0  # per sequence in the batch, since the engine was idle
        self._sequence_sum_g = 0.0

    @property
    def draw_w(self) -> float:
        """Power that running adds to the machine now, watts."""
        return self._sequence_w * len(self._batch) + self._prefill_w

    @property
    def _machine_w(self) -> float:
        """Power of all engines of the machine, each assumed to draw as much as this one."""
        return self.draw_w * self.sharing_engines

    @property
    def run_count(self) -> int:
        """Number of runs in the queue, in prefill and in the batch."""
        return len(self._queue) + len(self._batch) + len(self._prefilling)

    def runs(self) -> list[Run]:
        """Returns all runs, in an arbitrary but deterministic order."""
        return [*(run for _, _, run in self._batch), *self._prefilling, *self._queue]

    def run_usage(self, run: Run) -> tuple[float, float]:
        """Returns the energy (joules) and emissions (grams) of a run so far."""
        energy_j = run.prefill_j + run.decode_j + run.wake_j
        if run.first_at == 0.0:
            return energy_j, run.carbon_g
        return (
            energy_j + self._sequence_sum_j - run.joined_sum_j,
            run.carbon_g + self._sequence_sum_g - run.joined_sum_g,
        )

    def output_tokens(self, run: Run, at: float) -> int:
        """Returns how many output tokens a run has at a moment."""
        if run.first_at == 0.0:
            return 0
        done = int((at - self._phase_began_at) / self._step_s) if self._step_s > 0.0 else 0
        done = self._step + min(done, self._phase_steps)
        return min(done - run.first_token_step + 1, run.output_tokens)

    def sleep_spans(self, at: float) -> tuple[tuple[float, float], ...]:
        """Returns the intervals in which it slept until a moment, ascending."""
        sleeps = self._can_sleep and self.next_at == inf and at > self._asleep_since
        return (*self._slept, *(((self._asleep_since, at),) if sleeps else ()))

    @property
    def _asleep_since(self) -> float:
        """When an idle engine that can sleep falls asleep; it starts asleep."""
        return max(self._began_at, self._idle_since + self.hardware.sleep_after_s)

    # Inputs. ``g_per_j`` is the carbon intensity since the last call, grams per joule.

    def account_energy(self, at: float, g_per_j: float) -> None:
        """Adds energy and emissions since the last call, at one intensity."""
        passed_s = at - self._accounted_at
        if passed_s <= 0.0:
            return
        self._accounted_at = at
        thermal_model = self._full_hardware.thermal
        if thermal_model is not None:
            self.heat_w = thermal_model.heat_after(self.heat_w, self._machine_w, passed_s)
        count, prefilling = len(self._batch), self._prefilling
        if count:
            energy_j = self._sequence_w * passed_s
            self._sequence_sum_j += energy_j
            self._sequence_sum_g += energy_j * g_per_j
            self.total_j += energy_j * count
            self.total_g += energy_j * count * g_per_j
            self.batch_s += count * passed_s
        if prefilling:
            energy_j = self._prefill_w * passed_s
            self.total_j += energy_j
            self.total_g += energy_j * g_per_j
            if len(prefilling) > 1:
                energy_j /= sum(self._phase_tokens)
                for run, tokens in zip(prefilling, self._phase_tokens, strict=True):
                    run.prefill_j += energy_j * tokens
                    run.carbon_g += energy_j * tokens * g_per_j
            else:
                prefilling[0].prefill_j += energy_j
                prefilling[0].carbon_g += energy_j * g_per_j

    def add_run(self, run: Run, at: float, g_per_j: float) -> None:
        """Queues a run; ``next_at`` may become earlier."""
        run.prefill_left_tokens = run.input_tokens - run.cached_tokens
        self._queue.append(run)
        if self.next_at < inf:
            # A phase with prefill goes on; a phase without ends with the current step.
            if not self._prefilling and self._batch:
                self._cut_phase(at)
            return
        hardware = self.hardware
        asleep = self._can_sleep and at - self._idle_since >= hardware.sleep_after_s
        self._accounted_at = at
        if asleep:
            self._slept.append((self._asleep_since, at))
            run.wake_j = hardware.wake_j
            run.carbon_g += hardware.wake_j * g_per_j
            self.total_j += hardware.wake_j
            self.total_g += hardware.wake_j * g_per_j
        self._become_idle(at)
        self.next_at = at + hardware.wake_s if asleep else at

    def cancel_run(self, run: Run, at: float) -> bool:
        """Cancels a run; returns whether it ended at once because it had not started.

        A run that has started ends with the current step.
        """
        run.cancelled = True
        if run.first_at == 0.0 and run not in self._prefilling:
            self._queue.remove(run)
            return True
        self._has_cancelled = True
        self._cut_phase(at)
        return False

    def set_hardware(self, hardware: EngineParameters, at: float) -> None:
        """Changes the hardware at the end of the current step."""
        self._full_hardware = hardware
        self._cut_phase(at)

    def set_sharing(self, engine_count: int, at: float) -> None:
        """Sets how many engines share the machine, this one included, from the next step on."""
        if engine_count != self.sharing_engines:
            self.sharing_engines = engine_count
            self._cut_phase(at)

    def advance(self, at: float) -> tuple[list[Run], list[Run]]:
        """Ends the phase and starts the next; call ``account_energy`` first.

        Returns:
            The runs whose first token is ready, and the runs that have ended.
        """
        self._step += self._phase_steps
        first, ended = self._finish_prefills(at), self._finish_decodes()
        if self._has_cancelled:
            ended += self._finish_cancelled()
        for run in ended:
            if run.first_at > 0.0:
                run.decode_j += self._sequence_sum_j - run.joined_sum_j
                run.carbon_g += self._sequence_sum_g - run.joined_sum_g
            self._reserved_tokens -= run.input_tokens + run.output_tokens_max
        self._start_phase(at)
        return first, ended

    def drop_runs(self) -> list[Run]:
        """Drops all runs and becomes idle; call ``account_energy`` first."""
        lost = self.runs()
        for run in lost:
            if run.first_at > 0.0:
                run.decode_j += self._sequence_sum_j - run.joined_sum_j
                run.carbon_g += self._sequence_sum_g - run.joined_sum_g
        self._queue.clear()
        self._batch.clear()
        self._prefilling.clear()
        self._reserved_tokens = 0
        self._become_idle(self._accounted_at)
        self.next_at = inf
        return lost

    # Ends of runs.

    def _finish_prefills(self, at: float) -> list[Run]:
        prefilling = self._prefilling
        if not prefilling:
            return []
        self._after_prefill = self._phase_steps > 0
        for run, tokens in zip(prefilling, self._phase_tokens, strict=True):
            run.prefill_left_tokens -= tokens
        completed = [run for run in prefilling if run.prefill_left_tokens <= 0]
        for run in completed:
            run.first_at = at
            run.first_token_step = self._step
            run.joined_sum_j, run.joined_sum_g = self._sequence_sum_j, self._sequence_sum_g
            self._serial += 1
            heappush(self._batch, (self._step + run.output_tokens - 1, self._serial, run))
        self._prefilling = (
            [run for run in prefilling if run.prefill_left_tokens > 0]
            if len(completed) < len(prefilling)
            else []
        )
        return completed

    def _finish_decodes(self) -> list[Run]:
        batch, step, ended = self._batch, self._step, []
        while batch and batch[0][0] <= step:
            run = heappop(batch)[2]
            run.produced_tokens = run.output_tokens
            ended.append(run)
        return ended

    def _finish_cancelled(self) -> list[Run]:
        self._has_cancelled = False
        ended = [run for _, _, run in self._batch if run.cancelled]
        for run in ended:
            run.produced_tokens = self._step - run.first_token_step + 1
        self._batch = [entry for entry in self._batch if not entry[2].cancelled]
        heapify(self._batch)
        ended += [run for run in self._prefilling if run.cancelled]
        self._prefilling = [run for run in self._prefilling if not run.cancelled]
        return ended

    # Phases.

    def _start_phase(self, at: float) -> None:
        """Starts a phase at a step boundary."""
        if self._full_hardware is not self.hardware or self._full_hardware.thermal is not None:
            self._apply_thermal_state()
        self._admit_prompts()
        prefilling, batch, hardware = self._prefilling, self._batch, self.hardware
        count = len(batch)
        if not prefilling and not count:
            self._become_idle(at)
            self.next_at = inf
            return
        base_s = hardware.step_s(count)
        until = batch[0][0] - self._step if count else 0
        if not prefilling:
            blocked = self._queue and count < hardware.slots
            steps, tokens = min(until, RETRY_STEPS) if blocked else until, 0
            if self._after_prefill:
                self._after_prefill = False
                if hardware.settle_s:
                    steps, base_s = 1, base_s + hardware.settle_s
            phase_s = steps * base_s
            self._step_s = base_s
        else:
            steps, tokens = self._plan_prefill(until if count else inf)
            if count:
                base_s += hardware.mixed_s
            chunk_s = min(hardware.chunk_tokens, tokens) / hardware.rates.prefill_tokens_per_s
            self._step_s = base_s + chunk_s
            phase_s = steps * base_s + tokens / hardware.rates.prefill_tokens_per_s
        self._sequence_w = steps * hardware.decode_j[count] / phase_s if count else 0.0
        self._prefill_w = tokens * hardware.prefill_j / phase_s if prefilling else 0.0
        self._phase_steps, self._phase_began_at = steps, at
        # A slowed machine draws the same power for longer.
        self._phase_factor = factor = self.slowdown * self._noise()
        if self.sharing_engines > 1:
            factor *= self.sharing_engines
            self._sequence_w /= self.sharing_engines
            self._prefill_w /= self.sharing_engines
        self._step_s *= factor
        self.next_at = at + phase_s * factor
        if hardware.thermal is not None:
            self._end_phase_at_thermal_limit(hardware.thermal)

    def _admit_prompts(self) -> None:
        """Admits prompts to the next step in order of arrival, as many as fit."""
        prefilling, queue, hardware = self._prefilling, self._queue, self.hardware
        room = (
            hardware.chunk_tokens - prefilling[0].prefill_left_tokens
            if prefilling
            else hardware.chunk_tokens
        )
        while (
            queue
            and room > 0
            and (hardware.batches_prefill or not prefilling)
            and self._has_room(queue[0])
        ):
            run = queue.popleft()
            self._reserved_tokens += run.input_tokens + run.output_tokens_max
            prefilling.append(run)
            room -= run.prefill_left_tokens

    def _plan_prefill(self, until: float) -> tuple[int, int]:
        """Plans prefill for the next steps; returns the number of steps and of prompt tokens.

        A prompt longer than a chunk is read alone, in at most ``until`` steps; where the engine
        batches prefill, its remainder shares a step with other prompts.
        """
        prefilling, chunk = self._prefilling, self.hardware.chunk_tokens
        tokens = prefilling[0].prefill_left_tokens
        if len(prefilling) > 1 or (tokens <= chunk and self.hardware.batches_prefill):
            room = chunk
            self._phase_tokens = []
            for run in prefilling:
                self._phase_tokens.append(min(run.prefill_left_tokens, room))
                room -= self._phase_tokens[-1]
            return 1, chunk - room
        steps = -(-tokens // chunk)
        if self.hardware.batches_prefill and tokens % chunk:
            steps, tokens = steps - 1, tokens - tokens % chunk
        if until < steps:
            steps = int(until)
            tokens = steps * chunk
        self._phase_tokens = [tokens]
        return steps, tokens

    def _apply_thermal_state(self) -> None:
        """Sets the speed of the next phase: full, or throttled when too warm."""
        allowed = self._full_hardware
        self.hardware = allowed
        if allowed.thermal is None or allowed.throttled is None:
            return
        limit_w = allowed.thermal.sustained_w * (RECOVERY_PART if self._throttled else 1.0)
        self._throttled = self.heat_w >= limit_w
        if self._throttled:
            self.hardware = allowed.throttled

    def _end_phase_at_thermal_limit(self, thermal_model: ThermalModel) -> None:
        """Ends the phase with the step in which the machine reaches its thermal limit."""
        left_s = thermal_model.time_left_s(self.heat_w, self._machine_w)
        steps = inf if left_s == inf else left_s // self._step_s + 1.0
        if steps < self._phase_steps:
            self._shorten_phase(int(steps), self._phase_began_at)

    def _become_idle(self, at: float) -> None:
        """Resets the phase and the sums; no run refers to the sums any more."""
        self._idle_since = self._phase_began_at = at
        self._phase_steps = 0
        self._after_prefill = False
        self._step_s = self._sequence_w = self._prefill_w = 0.0
        self._sequence_sum_j = self._sequence_sum_g = 0.0  # keeps later differences exact

    def _cut_phase(self, at: float) -> None:
        """Ends the phase with the current step."""
        if self._step_s <= 0.0:
            return
        steps_passed = (at - self._phase_began_at) / self._step_s
        steps = int(steps_passed)
        if steps < steps_passed:
            steps += 1
        if steps < self._phase_steps:
            self._shorten_phase(steps, at)

    def _shorten_phase(self, steps: int, at: float) -> None:
        """Ends the phase after ``steps`` steps, and corrects the power for its remaining time."""
        hardware = self.hardware
        self._phase_steps = steps
        self.next_at = max(at, self._phase_began_at + steps * self._step_s)
        if not self._prefilling:
            return
        tokens = steps * hardware.chunk_tokens
        self._phase_tokens = [tokens, *(0 for _ in self._prefilling[1:])]
        rest_s = self.next_at - at
        if rest_s > 0.0:
            # The last, shorter chunk is no longer part of the phase, nor of its mean power.
            passed_s, factor = at - self._phase_began_at, self._phase_factor
            step_j = hardware.decode_j[len(self._batch)] * factor
            prefill_j = tokens * hardware.prefill_j * factor
            self._sequence_w = (steps * step_j - self._sequence_w * passed_s) / rest_s
            self._prefill_w = (prefill_j - self._prefill_w * passed_s) / rest_s

    def _has_room(self, run: Run) -> bool:
        """Returns whether a run fits in the memory now and at every later step."""
        hardware = self.hardware
        if len(self._batch) + len(self._prefilling) >= hardware.slots:
            return False
        needed_tokens = run.input_tokens + run.output_tokens_max
        if self._reserved_tokens + needed_tokens <= hardware.pool_tokens:
            return True
        return self._peak_tokens(run) <= hardware.pool_tokens

    def _peak_tokens(self, run: Run) -> int:
        """Returns the peak memory of the batch with one more run, tokens.

        Each sequence grows by one token per step up to its maximum length; the new run is counted
        as growing from now. The sum has its maximum at the end of a sequence with ``left`` steps:
        the ``count`` sequences with at least ``left`` steps have then grown by ``left`` tokens.
        """
        chunk = self.hardware.chunk_tokens
        sequences = [
            (
                other.output_tokens_max - (self._step - other.first_token_step + 1),
                other.input_tokens + self._step - other.first_token_step + 1,
            )
            for _, _, other in self._batch
        ]
        sequences += [
            (
                waiting.output_tokens_max + -(-waiting.prefill_left_tokens // chunk),
                waiting.input_tokens,
            )
            for waiting in (*self._prefilling, run)
        ]
        sequences.sort(reverse=True)
        peak = stored_sum = 0
        for count, (left, stored) in enumerate(sequences, 1):
            stored_sum += stored
            peak = max(peak, stored_sum + left * count)
        return peak
