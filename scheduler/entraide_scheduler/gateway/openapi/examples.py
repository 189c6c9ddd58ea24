"""Examples: requests and answers of the main operations, as the document shows them.

Tests hold each to its schema.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

JOB = "job-01a120c3f2b10a2b3c4d5e00000001"
KEPT_JOB = "kept-01a120c3f2b10a2b3c4d5e00000002"
AT = 1_795_612_841.25
QUESTION = [{"role": "user", "content": "Bonjour"}]

RECEIPT: Mapping[str, Any] = MappingProxyType(
    {
        "job": JOB, "coop": "boreale", "node": "qc-1", "node_coop": "soleil", "site": "gaspe",
        "province": "CA-QC", "engine": "llama.cpp/2026.10.11549", "model": "qwen3-4b-instruct",
        "model_revision": "sha256:2f0c", "job_class": "interactive", "promise": "kept",
        "at_risk": False, "queue_ms": 3.1, "ttft_ms": 212.0, "input_tokens": 11,
        "cached_tokens": 0, "output_tokens": 24, "tokens_basis": "measured", "energy_wh": 0.021,
        "energy_basis": "measured", "carbon_gco2e": 0.00003, "carbon_lifecycle_gco2e": 0.0006,
        "intensity_g_per_kwh": 1.3, "intensity_basis": "measured", "surplus_basis": None,
        "policy_version": "v1", "settled": False, "issued_at": AT, "key": "9f86d081884c7d65",
        "signature": "c2lnbmF0dXJl…", "smaller": None, "controlled_by": "member",
        "surplus_evidence": "", "runs": [], "further_places": [],
        "coop_names": {"soleil": "Coop Soleil"},
        "place": {"zone": "CA-QC", "controlled_by": "member", "invented": False},
        "node_key": "UBLG5YDTFBDFMNG35MOFIJLJIQPV2C5M3MMHBQMLHOEM3XEKSSZJKV2T",
        "reasoning_tokens": 0, "reasoning_wh": 0.0, "always_thinks": False, "larger": None,
    }
)  # fmt: skip

# By the handler's name.
REQUEST_EXAMPLES: Mapping[str, Any] = MappingProxyType(
    {
        "chat": {
            "model": "moyen",
            "messages": QUESTION,
            "max_tokens": 200,
            "stream": False,
            "entraide": {"job_class": "standard", "jurisdiction": "CA-QC", "explain": True},
        },
        "completion": {"model": "petit", "prompt": "Il était une fois", "max_tokens": 50},
        "embeddings": {"model": "embeddinggemma-300m", "input": ["une forge", "un moulin"]},
        "responses": {"model": "moyen", "input": "Bonjour", "instructions": "Réponds en vers."},
        "messages": {"model": "moyen", "max_tokens": 200, "messages": QUESTION},
        "count_tokens": {"model": "moyen", "messages": QUESTION},
        "submit_job": {
            "path": "/v1/chat/completions",
            "request": {"model": "moyen", "messages": QUESTION, "max_tokens": 200},
            "keep_s": 3_600,
        },
        "create_batch": {
            "input_file_id": "file-01a120c3f2b10a2b3c4d5e6f",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"projet": "archives"},
            "entraide": {"data_class": "public", "max_gco2e": 500},
        },
    }
)
ANSWER_EXAMPLES: Mapping[str, Any] = MappingProxyType(
    {
        "chat": {
            "id": JOB,
            "object": "chat.completion",
            "created": int(AT),
            "model": "qwen3-4b-instruct",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Bonjour !"},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 11, "completion_tokens": 24, "total_tokens": 35},
            "entraide": dict(RECEIPT),
        },
        "job_receipt": {**RECEIPT, "settled": True},
        "submit_job": {
            "id": KEPT_JOB,
            "object": "job",
            "kind": "kept",
            "state": "queued",
            "model": "moyen",
            "job_class": "interactive",
            "submitted_at": AT,
        },
    }
)
