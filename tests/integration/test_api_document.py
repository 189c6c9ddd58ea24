"""A running pool answers as its OpenAPI document says, whatever Schemathesis sends.

``ENTRAIDE_API_FUZZ_S`` is the time in seconds; without it, a few seeded requests to each operation.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.house.source import ROOT
from tests.integration.local_pool import RunningPool

FUZZ_S = int(os.environ.get("ENTRAIDE_API_FUZZ_S", "0"))
SHORT = ("--phases", "examples,fuzzing", "--max-examples", "2", "--generation-deterministic")
LONG = ("--phases", "examples,coverage,fuzzing,stateful", "--max-time", str(FUZZ_S))
# Not among them: a 5xx has its code, and a wrong key that comes too often a 429.
CHECKS = (
    "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "missing_required_header", "unsupported_method",
    "allow_header_conformance", "is_no_internal_error",
)  # fmt: skip
ENDLESS = "/v1/pool/events"

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300 + 2 * FUZZ_S)]


def test_each_answer_is_documented(pool: RunningPool, tmp_path: Path) -> None:
    """Status, media type, headers and schema of each answer are those of the document."""
    program = Path(sys.executable).with_name("schemathesis")
    command = [
        program, "run", f"{pool.file.http}/openapi.json", "--seed", "1", "--no-color",
        "--checks", ",".join(CHECKS), "--exclude-path", ENDLESS, "--request-timeout", "60",
        "--header", f"Authorization: Bearer {pool.file.keys['boreale']}",
        "--workers", "2", "--continue-on-failure", *(LONG if FUZZ_S else SHORT),
    ]  # fmt: skip
    named = {"SCHEMATHESIS_HOOKS": "tests.integration.api_checks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, **named},
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout[-20_000:]
    assert "Tested:" in done.stdout
