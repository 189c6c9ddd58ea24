"""Configuration, the owner's files, and the reports on disk."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from entraide.errors import RequestError
from entraide.types import Basis, Outcome, Usage
from entraide.wire.messages import UsageReport
from entraide_node import owner, reports
from entraide_node.config import Attach, EnergyConfig, NodeConfig, dump, load
from entraide_node.reports import Reports

CONFIG = NodeConfig(node="mini", coop="boreale", zone="CA-QC", nats_urls=("nats://127.0.0.1:4222",))
USAGE = Usage(1, 0, 2, Basis.MEASURED, 3, 4, Basis.DEFAULT, 0.1, 0.2)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(
            CONFIG, engine=Attach(url="http://127.0.0.1:1", model='a "b"', features=("tools",))
        ),
        replace(CONFIG, energy=EnergyConfig(surplus_w=1.5, evidence="panneaux « du toit »")),
    ],
)
def test_there_and_back(config: NodeConfig, tmp_path: Path) -> None:
    """What is written is read again, with the folder made absolute."""
    path = tmp_path / "node.toml"
    path.write_text(dump(config), "utf-8")

    assert replace(config, dir=str(tmp_path.resolve())) == load(path)


WRONG = {
    "an unknown key": ("surprise = 1", "surprise"),
    "an unknown key in a table": ("[engine]\nkind = 'llama.cpp'\nlayers = 3", "layers"),
    "an engine that we do not have": ("[engine]\nkind = 'abacus'", "abacus"),
    "no slots": ("[engine]\nkind = 'llama.cpp'\nslots = 0", "engine.slots"),
    "half a power": ("[power]\nidle_w = 3.0", "idle_w and active_w"),
    "a negative surplus": ("[energy]\nsurplus_w = -1.0", "energy.surplus_w"),
    "not TOML": ("[", ""),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    """A file that says something we do not know is refused, naming file and key."""
    lines, key = WRONG[name]
    path = tmp_path / "node.toml"
    head, _, _ = dump(CONFIG).partition("\n\n[")
    path.write_text(f"{head}\n{lines}\n", "utf-8")
    with pytest.raises(RequestError) as refused:
        load(path)

    assert "config_refused" == refused.value.code
    assert str(path) in refused.value.message
    assert key in refused.value.message


def report(n: int) -> UsageReport:
    return UsageReport(f"job-{n}", 1, Outcome.COMPLETED, "", delivered=True, usage=USAGE)


def test_reports_survive(tmp_path: Path) -> None:
    """Reports without an acknowledgement are there again after a restart, in their order."""
    before = Reports(tmp_path)
    for n in range(4):
        before.add(report(n))
    before.acknowledged("job-1", 1)
    before.acknowledged("job-9", 1)
    with (tmp_path / reports.REPORTS_NAME).open("ab") as file:
        file.write(b'["usage","job-5",1')

    assert (report(0), report(2), report(3)) == Reports(tmp_path).waiting()


def test_reports_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest report goes first when there are too many, and the file is written anew."""
    monkeypatch.setattr(reports, "REPORTS_MAX", 3)
    monkeypatch.setattr(reports, "LINES_MAX", 6)
    kept = Reports(tmp_path)
    for n in range(20):
        kept.add(report(n))
        kept.acknowledged(f"job-{n - 2}", 1) if n % 2 else None
    lines = (tmp_path / reports.REPORTS_NAME).read_bytes().splitlines()

    assert len(kept) <= 3
    assert len(lines) <= 7
    assert kept.waiting() == Reports(tmp_path).waiting()
    assert report(19) == kept.waiting()[-1]


def test_a_declaration_is_renewed(tmp_path: Path) -> None:
    """A standing declaration stays the same until half its time, then is renewed; it may end."""
    standing = EnergyConfig(surplus_w=4.0, ttl_s=100.0, until=1_120.0)
    declaration = owner.Declaration(tmp_path, standing)
    first, same = declaration.at(1_000.0), declaration.at(1_049.0)
    renewed, over = declaration.at(1_051.0), declaration.at(1_120.0)

    assert first is not None
    assert (1_000.0, 1_100.0) == (first.measured_at, first.expires_at)
    assert first == same
    assert renewed is not None
    assert (1_051.0, 1_120.0) == (renewed.measured_at, renewed.expires_at)
    assert over is None
