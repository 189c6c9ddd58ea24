"""What a thought takes: tokens and energy of the same questions with the thought off, on, bounded.

    python -m benchmarks.thinking [--rounds N]

A pool on this machine serves the tests' model, whose chat template opens a thought, by a real
llama.cpp on one node; model and template are the tests'. Each question is asked in each setting in
turn, greedily, one at a time: no answer begins while another runs. Prints JSON: for each setting
the mean tokens of thought, of answer and in all, the mean energy of a receipt as its node reported
it and the thought's part of it (Wh, with the bases that occurred), and tokens and energy as ratios
to the thought off. Exits with 1 if an answer without a thought has a token of one, or a budget does
not hold.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from msgspec import Struct, to_builtins
from tests.engines.thinking_model import ALIAS, CLOSING_TOKENS, thinking_model
from tests.integration.local_pool import RunningPool, up

NODE_LIVE_S = 180.0
OUTPUT_TOKENS_MAX = 100
BEFORE = "Please answer this question of a visitor, in a few words only. "
QUESTIONS = (
    "Name three animals of Canada.",
    "Name two vegetables.",
    "Name a country of Europe.",
    "Name a tool of a carpenter.",
    "Name a season of the year.",
    "Name a day of the week.",
    "Say goodbye to a friend.",
    "Say thank you.",
    "What is the colour of the sky?",
    "What do bees make?",
    "What do we drink in the morning?",
    "What do birds have?",
    "Give a word that means big.",
    "Give a word that means fast.",
    "Where do fish live?",
    "When does the sun rise?",
)
SETTINGS: dict[str, dict[str, Any]] = {
    "off": {"reasoning_effort": "none"},
    "on": {"reasoning_effort": "medium"},
    "budget 16": {"reasoning_effort": "medium", "thinking_budget_tokens": 16},
    "budget 4": {"reasoning_effort": "medium", "thinking_budget_tokens": 4},
}


class Row(Struct, frozen=True):
    """A setting's answers; means over them. Tokens, watt-hours, ratios to the thought off."""

    setting: str
    answers: int
    thought_tokens: float
    thought_tokens_most: int
    answer_tokens: float
    tokens: float
    wh: float
    thought_wh: float
    energy_basis: list[str]
    tokens_over_off: float
    wh_over_off: float


def ask(pool: RunningPool, question: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Asks one question; returns the answer's receipt."""
    messages = [{"role": "user", "content": BEFORE + question}]
    body = {"model": ALIAS, "messages": messages, "max_tokens": OUTPUT_TOKENS_MAX, "temperature": 0}
    status, _, answer = pool.http("/v1/chat/completions", body | fields)
    if status != 200:
        sys.exit(f"thinking: {answer}")
    receipt: dict[str, Any] = answer["entraide"]
    return receipt


def make_rows(receipts: dict[str, list[dict[str, Any]]]) -> list[Row]:
    """Returns the means of each setting's receipts; the thought off is the reference."""
    means = {
        setting: (
            fmean(receipt["reasoning_tokens"] for receipt in given),
            fmean(receipt["output_tokens"] for receipt in given),
            fmean(receipt["energy_wh"] for receipt in given),
            fmean(receipt["reasoning_wh"] for receipt in given),
        )
        for setting, given in receipts.items()
    }
    _, tokens_off, wh_off, _ = means["off"]
    return [
        Row(
            setting,
            len(receipts[setting]),
            round(thought, 1),
            max(receipt["reasoning_tokens"] for receipt in receipts[setting]),
            round(tokens - thought, 1),
            round(tokens, 1),
            round(wh, 6),
            round(thought_wh, 6),
            sorted({receipt["energy_basis"] for receipt in receipts[setting]}),
            round(tokens / tokens_off, 2),
            round(wh / wh_off, 2),
        )
        for setting, (thought, tokens, wh, thought_wh) in means.items()
    ]


def is_held(row: Row) -> bool:
    """Whether a setting's thoughts are no longer than it allows."""
    if row.setting == "off":
        return row.thought_tokens_most == 0
    budget = SETTINGS[row.setting].get("thinking_budget_tokens")
    return budget is None or row.thought_tokens_most <= budget + CLOSING_TOKENS


def main() -> int:
    """Asks every question in every setting, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2, help="times that each question is asked")
    rounds = parser.parse_args().rounds
    receipts: dict[str, list[dict[str, Any]]] = {setting: [] for setting in SETTINGS}
    with tempfile.TemporaryDirectory() as folder:
        pool = up(Path(folder) / "pool", "--nodes", "1", "--model", str(thinking_model()))
        try:
            pool.until(lambda: bool(pool.live()), "the machine is live", within_s=NODE_LIVE_S)
            ask(pool, QUESTIONS[0], SETTINGS["off"])  # the first answer also reads the model
            for _ in range(rounds):
                for question in QUESTIONS:
                    for setting, fields in SETTINGS.items():
                        receipts[setting].append(ask(pool, question, fields))
        finally:
            pool.entraide("down")
    rows = make_rows(receipts)
    print(json.dumps(to_builtins(rows), indent=2))
    return 0 if all(map(is_held, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
