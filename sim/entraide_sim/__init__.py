"""The simulator: the very decisions of the pool, in a world of virtual time.

How to run one::

    policy = Policy("try", (CoopTerms("alpha"), CoopTerms("beta")), timing=quiet(60.0))
    grid = Grid([profile("CA-QC", 1.3, start_at=start_at, hours=48)])
    nodes = [NodeSpec(card=card, curve=SERVER, pool_tokens=16_384)]
    records = Records(policy)
    world = World(
        Driver(Core(), start_at=start_at),
        policy=policy,
        nodes=nodes,
        grid=grid,
        heartbeat_s=60.0,
        progress_s=5.0,
        recorder=records,
    )
    arrivals = read_azure(path)
    world.run(requests(arrivals, Wish("petit"), start_at=start_at, coops=("alpha", "beta")))
    print(summary(records, world))

- ``Driver(core, start_at=, watch=)``: the clock; ``core`` is a ``Core`` or anything that has
  ``handle`` and ``next_deadline``, such as a scheduler to compare with. Of a ``Place`` only job,
  epoch, node and ``output_tokens_max`` are read.
- ``World(driver, policy=, nodes=, grid=, ...)``: ``run(requests, until=)``.
- ``NodeSpec(card=, ...)``: a machine; what is true of it where the card is not (``rates``,
  ``extra_w``, ``noise``), its energy ``curve`` (``FLAT``, ``SERVER``, ``LINEAR`` or points).
  ``SiteSpec``: own generation. ``Fault``: what goes wrong.
- ``Grid(series, forecasts)`` of ``read_series``, ``profile``, ``constant``; ``read_forecasts``,
  ``forecasts_of``.
- Arrivals: ``read_azure``, ``read_mooncake``, ``tiled``, ``thinned``; ``generated`` of ``Client``
  with windows by ``steady``, ``on_off``, ``rising``; ``servegen.generated(read_servegen(...))``.
- ``requests(arrivals, Wish(...), start_at=, coop_of=, coops=)``; ``coops_of``; ``merged``.
- ``Records(policy)``: ``column(name)``; ``summary(records, world)``.

The same seeds give the same bytes. Heartbeats cost an event each ``heartbeat_s``: for days of
virtual time take a long one and the ``quiet`` timing that goes with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from entraide_sim.arrivals import (
        Arrival,
        Client,
        Lengths,
        Window,
        between,
        fixed,
        generated,
        on_off,
        read_azure,
        read_mooncake,
        rising,
        steady,
        thinned,
        tiled,
    )
    from entraide_sim.driver import Driver
    from entraide_sim.energy import FLAT, LINEAR, SERVER, Curve
    from entraide_sim.grid import (
        Forecast,
        Grid,
        Series,
        constant,
        forecasts_of,
        profile,
        read_forecasts,
        read_series,
    )
    from entraide_sim.jobs import Job
    from entraide_sim.nodes import NodeSpec, SiteSpec
    from entraide_sim.records import Records, summary
    from entraide_sim.servegen import read_servegen
    from entraide_sim.surroundings import Fault
    from entraide_sim.workload import Request, Wish, coops_of, merged, requests
    from entraide_sim.world import World, quiet

__all__ = [
    "FLAT",
    "LINEAR",
    "SERVER",
    "Arrival",
    "Client",
    "Curve",
    "Driver",
    "Fault",
    "Forecast",
    "Grid",
    "Job",
    "Lengths",
    "NodeSpec",
    "Records",
    "Request",
    "Series",
    "SiteSpec",
    "Window",
    "Wish",
    "World",
    "between",
    "constant",
    "coops_of",
    "fixed",
    "forecasts_of",
    "generated",
    "merged",
    "on_off",
    "profile",
    "quiet",
    "read_azure",
    "read_forecasts",
    "read_mooncake",
    "read_series",
    "read_servegen",
    "requests",
    "rising",
    "steady",
    "summary",
    "thinned",
    "tiled",
]

# Which module has which names; each is imported when one of its names is asked for, so that the
# command line starts without numpy.
_MODULES = {
    "arrivals": (
        "Arrival Client Lengths Window between fixed generated on_off read_azure read_mooncake "
        "rising steady thinned tiled"
    ),
    "driver": "Driver",
    "energy": "FLAT LINEAR SERVER Curve",
    "grid": "Forecast Grid Series constant forecasts_of profile read_forecasts read_series",
    "jobs": "Job",
    "nodes": "NodeSpec SiteSpec",
    "records": "Records summary",
    "servegen": "read_servegen",
    "surroundings": "Fault",
    "workload": "Request Wish coops_of merged requests",
    "world": "World quiet",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"entraide_sim.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'entraide_sim' has no attribute {name!r}")
