"""The fairness benchmark's parts: the artifact's figures, workloads, plain VTC, max-min."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.support import vtc_metrics, vtc_workloads
from benchmarks.support.max_min import max_min
from benchmarks.support.vtc_metrics import REFUSED, Response, fairness_figures, light_clients
from benchmarks.support.vtc_queue import FirstComeScheduler, VtcScheduler
from benchmarks.support.vtc_simulation import (
    HOST,
    OUTPUT_TOKENS_MAX,
    START_AT,
    VtcNode,
    client_requests,
    make_policy,
    serve_requests,
    size_node,
)
from msgspec import structs
from tests.cases import all_cases

from entraide.types import Basis, Rates
from entraide_scheduler.core import commands, events
from entraide_sim import Arrival

ARTIFACT = Path(__file__).resolve().parents[2].parent / "shared/bench/vtc_metrics.py"
RATES = Rates(2_000.0, 0.03, 0.001, Basis.MEASURED)


def some_responses() -> list[Response]:
    """Three clients, one answer of no length in time, one refusal."""
    rows = [
        Response(
            f"c{number % 3}",
            50 + number * 7 % 90,
            20 + number * 11 % 200,
            number * 1.7,
            0.5 + number % 5,
            9.0 + number % 13,
        )
        for number in range(120)
    ]
    return [
        *rows,
        Response("c0", 10, 10, 30.0, REFUSED, REFUSED),
        Response("c1", 10, 1, 31.0, 2.0, 2.0),
    ]


def artifact_row(responses: list[Response], folder: Path) -> list[str]:
    """What the tool that reads the artifact's records prints for these."""
    file = folder / "one.jsonl"
    rows = [
        {
            "adapter_dir": response.client,
            "prompt_len": response.prompt_len,
            "output_len": response.output_len,
            "req_time": response.req_time,
            "first_token_latency": response.first_token_latency,
            "request_latency": response.request_latency,
        }
        for response in responses
    ]
    file.write_text(json.dumps(rows), "utf-8")
    command = [sys.executable, str(ARTIFACT), str(file)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [cell.strip() for cell in said.splitlines()[-1].strip("|").split("|")][1:]


@pytest.mark.shared_data
def test_figures_are_the_artifacts(tmp_path: Path) -> None:
    """Our figures of a run are those of the tool that reads the artifact's own records."""
    responses = some_responses()
    figures = fairness_figures(responses)
    waits = ", ".join(f"{p50:.0f}/{p99:.0f}" for p50, p99 in figures["ttft"].values())
    mine = [
        f"{figures['clients']}",
        f"{figures['n']}",
        f"{figures['refused']}",
        f"{figures['max_diff']:.1f}",
        f"{figures['avg_diff']:.1f}",
        f"{figures['diff_var']:.0f}",
        f"{figures['acc_gap_max']:.0f}",
        f"{figures['acc_gap_end']:.0f}",
        f"{figures['tok_s']:.0f}",
        waits,
    ]

    assert artifact_row(responses, tmp_path) == mine


def test_a_steady_gap_is_what_one_computes_by_hand() -> None:
    """One client gets 4 tokens/s, the other 1 of the 3 that it asks for: the gap is 2."""
    served = [Response("fed", 0, 20, second, 0.0, 10.0) for second in range(0, 400, 10)]
    hungry = [Response("hungry", 10, 10, second + 5.0, 0.0, 30.0) for second in range(0, 400, 10)]
    starved = [
        Response("hungry", 10, 0, second + 5.0, 400.0, 430.0) for second in range(0, 360, 10)
    ]
    figures = fairness_figures([*served, *hungry])
    late = fairness_figures([*served, *starved])

    assert figures["avg_diff"] == pytest.approx(0.0, abs=0.5)
    assert late["avg_diff"] == pytest.approx(1.0, abs=0.2)


def test_weights_divide_service() -> None:
    """Twice the service for twice the weight is no gap at all."""
    responses = [Response("one", 10, 10, second * 1.0, 0.0, 5.0) for second in range(300)]
    responses += [Response("two", 20, 20, second * 1.0, 0.0, 5.0) for second in range(300)]

    assert fairness_figures(responses, weights={"two": 2.0})["acc_gap_max"] == pytest.approx(0.0)
    assert fairness_figures(responses)["acc_gap_max"] > 1_000.0


def test_light_clients_ask_for_least() -> None:
    """The lighter half of the clients is found by what they ask for, not by how often."""
    many = [Response("many", 1, 1, 0.0, 0.0, 1.0)] * 5

    assert ("many",) == light_clients([*many, Response("long", 100, 100, 0.0, 0.0, 1.0)])


@all_cases(
    ("name", "client", "times", "rate", "lengths"),
    [
        ("overload", 1, (0, 360), 1.5, (256, 256)),
        ("overload", 2, (0, 360), 3.0, (256, 256)),
        ("overload-multi", 3, (0, 360), 0.4, (256, 256)),
        ("overload-multi", 8, (0, 360), 0.6, (256, 256)),
        ("overload-weighted", 4, (0, 360), 1.6, (256, 256)),
        ("proportional", 1, (0, 600), 0.25, (256, 256)),
        ("on_off_less", 1, (0, 60), 0.5, (256, 256)),
        ("on_off_less", 1, (60, 120), 0.0, (256, 256)),
        ("on_off_overload", 2, (0, 600), 3.0, (256, 256)),
        ("poisson_short_long", 1, (0, 600), 8.0, (64, 64)),
        ("poisson_short_long", 2, (0, 600), 1.5, (256, 256)),
        ("poisson_short_long_2", 1, (0, 600), 8.0, (512, 32)),
        ("poisson_short_long_2", 2, (0, 600), 1.5, (32, 512)),
        ("poisson_on_off_overload", 2, (0, 600), 2.0, None),
        ("poisson_on_off_overload", 1, (60, 120), 0.0, None),
        ("increase", 2, (0, 60), 0.29, (256, 256)),
        ("increase", 2, (540, 600), 1.91, (256, 256)),
        ("dist_shift", 1, (60, 120), 0.0, (256, 256)),
        ("dist_shift", 2, (0, 300), 2.0, (256, 256)),
        ("dist_shift", 1, (300, 600), 1.0, (256, 256)),
        ("dist_shift", 2, (600, 900), 1.5, (256, 256)),
    ],
)
def test_workloads_have_the_tabled_parameters(
    name: str,
    client: int,
    times: tuple[float, float],
    rate: float,
    lengths: tuple[int, int] | None,
) -> None:
    """Each client of a workload sends at its rate, with its lengths, in its time."""
    (workload,) = [
        workload_row
        for workload_row in vtc_workloads.synthetic_workloads()
        if workload_row.name == name
    ]
    mine = [arrival for arrival in workload.arrivals(7) if arrival.client == f"client-{client:02}"]
    begin, end = times
    rate_per_s = len([arrival for arrival in mine if begin <= arrival.at_s < end]) / (end - begin)
    sizes = {(arrival.input_tokens, arrival.output_tokens) for arrival in mine}

    assert rate_per_s == pytest.approx(rate, rel=0.12, abs=0.02)
    if lengths is not None:
        assert {lengths} == sizes
    else:
        assert all(16 <= length <= 512 for pair in sizes for length in pair)
        assert len(sizes) > 50


@pytest.mark.parametrize("name", ["overload-unknown", "overload-long-tail"])
def test_unknown_answers_are_as_long_as_those_of_overload_on_average(name: str) -> None:
    """Clients send as in ``overload``, but the length of each answer is drawn anew."""
    (overload,) = [
        workload for workload in vtc_workloads.synthetic_workloads() if workload.name == "overload"
    ]
    (workload,) = [
        workload for workload in vtc_workloads.unknown_length_workloads() if workload.name == name
    ]
    known, asked = overload.arrivals(7), workload.arrivals(7)
    answers = [request.output_tokens for request in asked]

    assert [arrival.input_tokens for arrival in known] == [
        request.input_tokens for request in asked
    ]
    assert [arrival.client for arrival in known] == [request.client for request in asked]
    assert 256 == pytest.approx(sum(answers) / len(answers), rel=0.08)
    assert 1 == len({arrival.output_tokens for arrival in known}) < 100 < len(set(answers))
    assert max(answers) <= OUTPUT_TOKENS_MAX


def test_the_large_workloads_ask_for_equal_service() -> None:
    """The three sizes of the large node's workloads ask for the same tokens in all."""
    asked = {
        sum(arrival.input_tokens + arrival.output_tokens for arrival in workload.arrivals(1))
        // 10_000
        for workload in vtc_workloads.large_node_workloads()
    }

    assert len(asked) == 1


def small_arrivals(seconds: int = 60) -> list[Arrival]:
    """Two clients that both ask for more than a small node gives, with lengths that vary."""
    return [
        Arrival(second / 2.0, f"c{number}", 40 + second * 13 % 100, 30 + second * 17 % 120)
        for second in range(seconds)
        for number in range(1, 3)
        for _ in range(number)
    ]


class Watched(VtcScheduler):
    """Plain VTC that looks at the paper's invariant after each event."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[float] = []

    def handle(self, event: events.Event) -> list[commands.Command]:
        asked = super().handle(event)
        waiting = [self.counters[coop] for coop in self.queued]
        if len(waiting) > 1:
            self.seen.append(max(waiting) - min(waiting))
        return asked


def test_plain_vtc_keeps_the_papers_invariant() -> None:
    """Waiting clients' counters differ by max(w_in longest prompt, w_out full batch) at most."""
    arrivals, slots, core = small_arrivals(), 6, Watched()
    policy = make_policy({arrival.client: 1.0 for arrival in arrivals})
    machine = VtcNode(RATES, 20_000, slots)
    serve_requests(
        client_requests(arrivals), lambda _: core, policy=policy, machine=machine, seed=1
    )
    longest = max(arrival.input_tokens for arrival in arrivals)
    full_batch = slots * max(arrival.output_tokens for arrival in arrivals)
    bound = max(1.0 * longest, 2.0 * full_batch)

    assert len(core.seen) > 200
    assert 0.0 < max(core.seen) <= bound


def test_plain_vtc_charges_what_was_served() -> None:
    """A client that is alone ends with its prompts plus twice its answers on its counter."""
    core = VtcScheduler()
    arrivals = [arrival for arrival in small_arrivals(20) if arrival.client == "c1"]
    policy, machine = make_policy({"c1": 1.0}), VtcNode(RATES, 20_000, 4)
    serve_requests(
        client_requests(arrivals), lambda _: core, policy=policy, machine=machine, seed=1
    )

    assert {
        "c1": float(sum(arrival.input_tokens + 2 * arrival.output_tokens for arrival in arrivals))
    } == core.counters


def place_order(core: FirstComeScheduler, *events: events.Event) -> list[str]:
    """The jobs that a scheduler places, in order."""
    return [
        command.job
        for event in events
        for command in core.handle(event)
        if isinstance(command, commands.Place)
    ]


def told_of(number: int, client: str, tokens: int) -> events.JobRequested:
    """A request, as a scheduler hears of it."""
    (request,) = client_requests([Arrival(0.0, client, tokens, 10)])
    return events.JobRequested(
        number, START_AT, structs.replace(request.facts, job=f"{client}-{number}")
    )


def joined(slots: int) -> events.NodeJoined:
    """A node says hello."""
    return events.NodeJoined(1, START_AT, VtcNode(RATES, 20_000, slots).spec().card, True, "")


def test_vtc_takes_the_least_counter_and_charges_by_weight() -> None:
    """With one weight twice the other, the heavier gets two turns of equal jobs for one."""
    core = VtcScheduler()
    core.handle(events.PolicyChanged(0, START_AT, make_policy({"a": 2.0, "b": 1.0})))
    requests = [told_of(number, "ab"[number % 2], 100) for number in range(2, 20)]
    placed = place_order(core, *requests, joined(9))

    assert "abaabaaba" == "".join(job[0] for job in placed)


def test_vtc_lifts_a_client_that_returns() -> None:
    """A client that was away is lifted to those that wait: idle time buys nothing."""
    core = VtcScheduler()
    core.handle(events.PolicyChanged(0, START_AT, make_policy({"a": 1.0, "b": 1.0})))
    place_order(core, *[told_of(number, "a", 100) for number in range(2, 10)], joined(4))
    core.handle(told_of(20, "b", 100))

    assert core.counters["a"] == 400.0
    assert core.counters["b"] == 400.0


def test_the_oracle_charges_answers_ahead() -> None:
    """With lengths known, a client with long answers waits from its first turn on."""
    core = VtcScheduler({"a-2": 500, "a-4": 500, "b-3": 10, "b-5": 10, "b-7": 10})
    core.handle(events.PolicyChanged(0, START_AT, make_policy({"a": 1.0, "b": 1.0})))
    requests = [told_of(number, "ba"[number % 2 == 0], 100) for number in (2, 3, 4, 5, 7)]

    assert ["a-2", "b-3", "b-5", "b-7"] == place_order(core, *requests, joined(4))


def test_first_come_is_first_served() -> None:
    """The baseline without fairness serves in order of arrival."""
    requests = [told_of(number, "ab"[number % 2], 100) for number in range(2, 8)]
    placed = place_order(FirstComeScheduler(), *requests, joined(3))

    assert ["a-2", "b-3", "a-4"] == placed


def test_the_artifacts_node_serves_as_it_did() -> None:
    """On overload the node holds about twenty sequences and serves about 890 tokens/s."""
    workload = vtc_workloads.synthetic_workloads()[0]
    arrivals = workload.arrivals(1)
    machine = size_node(arrivals, workload.pool_tokens)
    policy = make_policy({arrival.client: 1.0 for arrival in arrivals})
    responses = serve_requests(
        client_requests(arrivals),
        lambda _: FirstComeScheduler(),
        policy=policy,
        machine=machine,
        seed=1,
    )

    assert 18 <= machine.slots <= 24
    assert fairness_figures(responses)["tok_s"] == pytest.approx(890.0, rel=0.02)
    assert all(response.output_len <= OUTPUT_TOKENS_MAX for response in responses)


def test_nobody_is_owed_the_node() -> None:
    """The node belongs to a co-op that asks for nothing."""
    arrivals = small_arrivals()

    assert HOST not in {request.facts.coop for request in client_requests(arrivals)}
    assert HOST == VtcNode(RATES, 1_000, 2).spec().card.coop


def test_max_min_divides_one_machine_by_weight() -> None:
    """Where all can use the same machine, it is divided by weight."""
    shares = max_min({"a": 1.0, "b": 3.0}, {"a": {"n"}, "b": {"n"}}, {"n": 8.0})

    assert {"a": 2.0, "b": 6.0} == shares


def test_max_min_gives_more_to_those_who_can_use_more() -> None:
    """One that can use a second machine leaves the crowded one to the others."""
    eligible = {"a": {"n"}, "b": {"n"}, "c": {"n", "m"}}
    shares = max_min(dict.fromkeys("abc", 1.0), eligible, {"n": 4.0, "m": 6.0})

    assert {"a": 2.0, "b": 2.0, "c": 6.0} == shares


def test_max_min_levels_where_it_can() -> None:
    """A machine that only some can use raises all, as far as work can be moved."""
    eligible = {"a": {"n"}, "b": {"n", "m"}, "c": {"m"}}
    shares = max_min(dict.fromkeys("abc", 1.0), eligible, {"n": 3.0, "m": 6.0})

    assert {"a": 3.0, "b": 3.0, "c": 3.0} == {coop: round(x, 9) for coop, x in shares.items()}


def test_max_min_refuses_too_many() -> None:
    """Sets are enumerated: a crowd is refused rather than waited for."""
    crowd = {f"c{number}": 1.0 for number in range(13)}

    with pytest.raises(ValueError, match="more than 12"):
        max_min(crowd, {coop: {"n"} for coop in crowd}, {"n": 1.0})


def test_windows_are_those_of_the_paper() -> None:
    """Nineteen moments, and 30 s on each side of them."""

    assert (19, 60.0) == (vtc_metrics.MOMENTS, vtc_metrics.WINDOW_S)
