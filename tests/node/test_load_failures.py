"""What the owner is told of a model that could not be loaded: by the page and ``node status``."""

import re
import time
from pathlib import Path

import psutil
import pytest

from entraide_node.core.owner_terms import OwnerTerms
from entraide_node.owner import files as owner_files
from entraide_node.page.machine_summary import summarise_now
from entraide_node.status_output import print_status


@pytest.mark.parametrize(
    ("lang", "reason"), [("fr", "n’a pas pu être téléchargé"), ("en", "could not be downloaded")]
)
def test_why_a_model_could_not_be_loaded_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: str, reason: str
) -> None:
    """Both give the reason, with what the pool or a source wrote bounded."""
    me, now = psutil.Process(), time.time()
    values = {"file": "m.gguf", "source": "10.0.0.1", "detail": "404" + "9" * 9_000}
    status = owner_files.NodeStatus(
        node="mini", coop="boreale", zone="CA-QC", pool="demo", pid=me.pid,
        started_at=me.create_time(), state="ready", values={}, written_at=now,
        models=(
            owner_files.ModelStatus("petit", "failed", 0, "fetch_failed", values),
            owner_files.ModelStatus("gros", "failed"),
        ),
    )  # fmt: skip
    owner_files.write_status(tmp_path, status)
    print_status(tmp_path, "mini", lang, as_json=False)
    printed = capsys.readouterr().out
    summary = summarise_now(
        status, OwnerTerms(), node="mini", data_classes=(), paused=False, why_stopped="",
        now=now, lang=lang,
    )  # fmt: skip

    for text in (printed, "\n".join(summary.details)):
        assert re.search(f"petit.*m.gguf {reason}.*10.0.0.1.*404", text)
        assert "9" * 250 not in text
    assert re.search("^gros.*(chargé|loaded)$", printed, re.M)
