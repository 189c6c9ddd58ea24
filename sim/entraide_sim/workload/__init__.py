"""Workload: which requests arrive when.

Input: traces, or the parameters of clients. Output: arrivals and requests, in order of time.

``arrivals`` reads and generates them, ``servegen`` reads ServeGen's clients, ``workload`` makes
requests.
"""

from entraide_sim.workload.arrivals import (
    REQUESTS_MAX,
    TOKENS_MAX,
    Arrival,
    ClientSpec,
    LengthDistribution,
    RateWindow,
    Rng,
    fixed_length,
    generate_arrivals,
    make_rng,
    on_off_rate,
    read_azure,
    read_mooncake,
    repeat_trace,
    rising_rate,
    sample_trace,
    steady_rate,
    uniform_length,
)
from entraide_sim.workload.servegen import read_servegen
from entraide_sim.workload.workload import (
    GATEWAY,
    Request,
    RequestTemplate,
    assign_coops,
    make_requests,
    merge_requests,
)

__all__ = [
    "GATEWAY",
    "REQUESTS_MAX",
    "TOKENS_MAX",
    "Arrival",
    "ClientSpec",
    "LengthDistribution",
    "RateWindow",
    "Request",
    "RequestTemplate",
    "Rng",
    "assign_coops",
    "fixed_length",
    "generate_arrivals",
    "make_requests",
    "make_rng",
    "merge_requests",
    "on_off_rate",
    "read_azure",
    "read_mooncake",
    "read_servegen",
    "repeat_trace",
    "rising_rate",
    "sample_trace",
    "steady_rate",
    "uniform_length",
]
