"""The simulator: the pool's own decision core, driven in virtual time around simulated machines.

How to run one::

    terms = (CoopTerms("alpha"), CoopTerms("beta"))
    policy = Policy("try", terms, timing=slow_heartbeat_timing(60.0))
    grid = Grid([synthetic_series("CA-QC", 1.3, start_at=start_at, hours=48)])
    nodes = [NodeSpec(card=card, curve=SERVER, pool_tokens=16_384)]
    records = JobRecords(policy)
    world = World(
        Core(),
        start_at=start_at,
        policy=policy,
        nodes=nodes,
        grid=grid,
        heartbeat_s=60.0,
        progress_s=5.0,
        recorder=records,
    )
    template = RequestTemplate("petit")
    coops = ("alpha", "beta")
    world.run(make_requests(read_azure(path), template, start_at=start_at, coops=coops))
    print(summarize_run(records, world))

- ``World(core, start_at=, watch=, policy=, nodes=, grid=, ...)``: ``run(requests, until=)``.
  ``core`` is a ``Core``, or a scheduler to compare with it: any object with ``handle`` and
  ``next_deadline``. The simulator reads only job, epoch, node and ``output_tokens_max`` of a
  ``Place`` command. ``Driver(core, start_at=, execute=, watch=)`` is its clock.
- ``NodeSpec(card=, ...)``: a machine. Fields beside the card give its true values where the card is
  wrong (``rates``, ``extra_w``, ``noise``) and its power ``curve`` (``FLAT``, ``SERVER``,
  ``LINEAR`` or points). ``SiteSpec``: own generation of a site. ``Fault``: a failure to inject.
- ``Grid(series, forecasts)``: from ``read_series``, ``synthetic_series`` or ``constant_series``;
  ``read_forecasts`` or ``synthetic_forecasts``.
- Arrivals: ``read_azure``, ``read_mooncake``, ``repeat_trace``, ``sample_trace``;
  ``generate_arrivals`` of ``ClientSpec`` with windows by ``steady_rate``, ``on_off_rate``,
  ``rising_rate``; ``servegen.generate_servegen(read_servegen(...))``.
- ``make_requests(arrivals, RequestTemplate(...), start_at=, coop_of=, coops=)``;
  ``assign_coops``; ``merge_requests``.
- ``JobRecords(policy)``: ``column(name)``; ``summarize_run(records, world)``.

The same seeds give the same bytes. Each heartbeat costs one event per ``heartbeat_s``: for days of
virtual time, choose a long interval and the ``slow_heartbeat_timing`` that belongs to it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entraide_sim.driver import Driver
    from entraide_sim.grid import (
        Grid,
        IntensitySeries,
        PublishedForecast,
        constant_series,
        read_forecasts,
        read_series,
        synthetic_forecasts,
        synthetic_series,
    )
    from entraide_sim.machines import FLAT, LINEAR, SERVER, NodeSpec, PowerCurve, SiteSpec
    from entraide_sim.workload import (
        Arrival,
        ClientSpec,
        LengthDistribution,
        RateWindow,
        Request,
        RequestTemplate,
        assign_coops,
        fixed_length,
        generate_arrivals,
        make_requests,
        merge_requests,
        on_off_rate,
        read_azure,
        read_mooncake,
        read_servegen,
        repeat_trace,
        rising_rate,
        sample_trace,
        steady_rate,
        uniform_length,
    )
    from entraide_sim.world import (
        Fault,
        Job,
        JobRecords,
        World,
        slow_heartbeat_timing,
        summarize_run,
    )

__all__ = [
    "FLAT",
    "LINEAR",
    "SERVER",
    "Arrival",
    "ClientSpec",
    "Driver",
    "Fault",
    "Grid",
    "IntensitySeries",
    "Job",
    "JobRecords",
    "LengthDistribution",
    "NodeSpec",
    "PowerCurve",
    "PublishedForecast",
    "RateWindow",
    "Request",
    "RequestTemplate",
    "SiteSpec",
    "World",
    "assign_coops",
    "constant_series",
    "fixed_length",
    "generate_arrivals",
    "make_requests",
    "merge_requests",
    "on_off_rate",
    "read_azure",
    "read_forecasts",
    "read_mooncake",
    "read_series",
    "read_servegen",
    "repeat_trace",
    "rising_rate",
    "sample_trace",
    "slow_heartbeat_timing",
    "steady_rate",
    "summarize_run",
    "synthetic_forecasts",
    "synthetic_series",
    "uniform_length",
]

# Which package has which names; each is imported when one of its names is asked for, so that the
# command line starts without numpy.
_MODULES = {
    "workload": (
        "Arrival ClientSpec LengthDistribution RateWindow fixed_length generate_arrivals "
        "on_off_rate read_azure read_mooncake repeat_trace rising_rate sample_trace "
        "steady_rate uniform_length read_servegen Request RequestTemplate assign_coops "
        "make_requests merge_requests"
    ),
    "driver": "Driver",
    "machines": "FLAT LINEAR SERVER PowerCurve NodeSpec SiteSpec",
    "grid": (
        "Grid PublishedForecast IntensitySeries constant_series read_forecasts read_series "
        "synthetic_forecasts synthetic_series"
    ),
    "world": "Fault Job JobRecords World slow_heartbeat_timing summarize_run",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(f"entraide_sim.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'entraide_sim' has no attribute {name!r}")
