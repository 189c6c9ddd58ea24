"""What the decisions benchmark times: placements at once, and placements that are turns."""

from benchmarks.decisions import ASKED, IDLE, SLOTS, WAITING, CoreBench, placements

from entraide_scheduler.core.commands import Place


def test_every_placement_with_jobs_in_line_is_a_turn_of_the_fair_queue() -> None:
    """A request joins the line, and the end of a run places one of those that waited."""
    bench = CoreBench(2, 300, WAITING)
    answers = bench.core.handle(bench.request())
    took = placements(bench, 0.05)

    assert len(bench.running) == 2 * SLOTS
    assert not [command for command in answers if isinstance(command, Place)]
    assert 0 < took.turns == len(took.placing_s) == len(took.other_s)


def test_a_turn_places_a_job_that_waited() -> None:
    """The job that a run's end places came before the latest request, which joined the line."""
    bench = CoreBench(2, 300, WAITING)
    before = set(bench.core._state.jobs)
    request = bench.request()
    bench.core.handle(request)
    commands = [
        command
        for event in bench.finish_job(bench.running.popleft())
        for command in bench.core.handle(event)
    ]
    (place,) = (command for command in commands if isinstance(command, Place))

    assert place.job in before
    assert request.facts.job in bench.core._state.jobs
    assert ASKED == request.facts.model


def test_an_idle_model_takes_no_turn() -> None:
    """With free slots and nobody in line for the model, the request itself is placed."""
    bench = CoreBench(4, 300, IDLE)
    took = placements(bench, 0.05)

    assert 0 == took.turns < len(took.placing_s)
