"""The files that a person gives to the simulator: scenarios, sheets, traces, series, recordings."""

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path

import msgspec
from tests.data.recorded import DATA
from tests.hostile.decoders.case import Case
from tests.hostile.decoders.of_pool import POLICY, from_file
from tests.hostile.mutations import binary_like, json_like, text_like

from entraide.errors import PoolError, RequestError
from entraide_scheduler.core.policy import Policy
from entraide_scheduler.core.recording import RecordingHead, UnreadableRecording, read_parts
from entraide_sim.building import scenario_reader
from entraide_sim.fleet import energy_inputs
from entraide_sim.grid import read_forecasts, read_series
from entraide_sim.planning import policy_variants
from entraide_sim.recordings import recording
from entraide_sim.replay import policy_comparison
from entraide_sim.runs import sweep
from entraide_sim.scenario import spreadsheet
from entraide_sim.workload import read_azure, read_mooncake, servegen

HOURS = 2
START_AT = 1_767_225_600.0  # 2026-01-01
BLOCK = 1 << 16


def first_parts(path: Path, count: int) -> bytes:
    """The unpacked beginning of a recording, with its head and some lines."""
    with gzip.open(path) as file:
        data = file.read(1 << 18)
    size = 0
    try:
        for _ in itertools.islice(read_parts([data]), count):
            size += 1
    except UnreadableRecording:
        pass
    return data


def read_recording(data: bytes, _: Path) -> None:
    """Reads the parts of a recording and restores the core at its beginning."""
    for part in read_parts([data[:BLOCK], data[BLOCK:]]):
        if isinstance(part, RecordingHead):
            recording.restore_core(Path("x"), part)


def scenario_of(name: str) -> bytes:
    """A scenario that ships."""
    return (Path(scenario_reader.__file__).parents[1] / "scenarios" / f"{name}.toml").read_bytes()


def all_of(reader: Callable[[Path], object]) -> Callable[[Path], object]:
    """Reads to the end of what a reader yields."""
    return lambda path: list(reader(path))  # type: ignore[call-overload]


def both_tables(path: Path) -> object:
    """Reads one file as the table of rates and as that of lengths."""
    return servegen.read_servegen(path, path)


def read_scenario(data: bytes, folder: Path) -> None:
    """Reads a scenario, then the spreadsheet that it names."""
    scenario_reader.parse_scenario(data.decode("utf-8", "replace"), path="s.toml", home=folder)


SHEET = (
    b"name,site,device,count,hours,present\nn,home,mac-mini-m4,2,mon-fri 08:00-18:00|sat 1,yes\n"
)
TRACE = b"arrival_s,input_tokens,output_tokens,client\n0.5,10,20,a\n1.5,3,4,b\n"
MOONCAKE = b'{"timestamp":0,"input_length":5,"output_length":6,"hash_ids":[1,2]}'
SERIES = b"utc,d,l\n2026-01-01T00:00:00,1.5,2\n2026-01-01T01:00:00,1,2\n2026-01-01T02:00:00,1,2\n"
SURPLUS = b"utc,surplus_w\n2026-01-01T00:00:00+00:00,50\n2026-01-01T01:00:00+00:00,60\n"
FORECASTS = (
    b"issued_utc,utc,forecast_ci_direct_g_per_kwh\n"
    b"2026-01-01T00:00:00,2026-01-01T00:00:00,5\n2026-01-01T00:00:00,2026-01-01T01:00:00,-5\n"
)
QUANTILES = ",".join(f"{kind}_{name}" for kind in ("in", "out") for name in servegen.QUANTILES)
SERVEGEN = (
    f"client,window_start_s,rate_req_per_s,interarrival_family,param1,{QUANTILES}\n"
    f"a,0,1.5,gamma,0.5{',9' * 2 * len(servegen.QUANTILES)}\n"
).encode()
JOURNAL = first_parts(DATA / "journal-base.gz", 3)
BASE = Policy(version="1")
NO_FILE = (ValueError,)

CASES: dict[str, Case] = {
    "a scenario": Case(
        read_scenario,
        text_like(scenario_of("quartier"), scenario_of("province")),
        (RequestError,),
        (
            "entraide_sim.building.scenario_reader:parse_scenario",
            "entraide_sim.building.scenario_reader:_convert_scenario",
        ),
    ),
    "a spreadsheet of machines": Case(
        from_file("s.csv", spreadsheet.read_machines),
        text_like(SHEET),
        (spreadsheet.SpreadsheetError,),
        (
            "entraide_sim.scenario.spreadsheet:read_machines",
            "entraide_sim.building.scenario_reader:_merge_spreadsheet",
        ),
    ),
    "Azure's trace": Case(
        from_file("t.csv", all_of(read_azure)),
        text_like(TRACE),
        NO_FILE,
        ("entraide_sim.files.csv_rows:numbered_rows",),
    ),
    "Mooncake's trace": Case(
        from_file("t.jsonl", all_of(read_mooncake)),
        json_like(MOONCAKE),
        NO_FILE,
        ("entraide_sim.workload.arrivals:read_mooncake",),
    ),
    "ServeGen's tables": Case(from_file("g.csv", both_tables), text_like(SERVEGEN), NO_FILE),
    "a series of the simulator": Case(
        from_file(
            "i.csv",
            lambda path: read_series(
                path, zone="CA-QC", column="d", lifecycle_column="l", start_at=START_AT, hours=HOURS
            ),
        ),
        text_like(SERIES),
        NO_FILE,
        ("entraide_sim.files.csv_rows:parse_moment",),
    ),
    "forecasts of the simulator": Case(
        from_file("f.csv", lambda path: read_forecasts(path, zone="CA-QC")),
        text_like(FORECASTS),
        NO_FILE,
    ),
    "a surplus": Case(
        from_file("u.csv", lambda path: energy_inputs._read_surplus(path, START_AT, HOURS)),
        text_like(SURPLUS),
        NO_FILE,
    ),
    "policies to compare": Case(
        from_file("c.toml", lambda path: policy_variants.read_variants([str(path)])),
        text_like(POLICY),
        (RequestError,),
        ("entraide_sim.planning.policy_variants:read_variants",),
    ),
    "a policy for a replay, TOML": Case(
        from_file("r.toml", lambda path: policy_comparison.read_policy(str(path), BASE)),
        text_like(POLICY),
        (PoolError,),
        (
            "entraide_sim.replay.policy_comparison:read_policy",
            "entraide_sim.replay.policy_comparison:_read_keys",
        ),
    ),
    "a policy for a replay, JSON": Case(
        from_file("r.json", lambda path: policy_comparison.read_policy(str(path), BASE)),
        json_like(b'{"picker":"greenest","coops":[{"coop":"a"}]}'),
        (PoolError,),
    ),
    "a recording": Case(
        read_recording,
        binary_like(JOURNAL),
        (UnreadableRecording, RequestError),
        (
            "entraide_scheduler.core.recording:",
            "entraide_scheduler.core.recording:_split_parts",
            "entraide_scheduler.core.snapshot:read",
        ),
    ),
    "a packed recording": Case(
        from_file("j.gz", recording.read_head),
        binary_like(gzip.compress(JOURNAL[:4_096])),
        (RequestError,),
    ),
    "a kept outcome": Case(
        lambda data, folder: (
            (folder / "k.run").write_bytes(data),
            sweep.load_outcome(folder, "k", tables=False),
        ),
        binary_like(msgspec.msgpack.encode({"a": 1})),
        (),
        ("entraide_sim.runs.sweep:load_outcome",),
    ),
}
