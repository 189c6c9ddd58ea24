"""An evaluation on a pool: sends the items of each round as a batch, and records the answers.

Inputs: a member's client, the state of an evaluation, and the file that keeps it. The state is
written before a batch is sent and after its identifier is known; a batch whose identifier was lost
is found by its metadata. So nothing is asked twice, whenever the command ends.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct

from entraide.catalogue import CHECKSUM
from entraide.decoding import decode_json
from entraide.enums import Basis
from entraide.evaluation import rounds
from entraide.evaluation.checkers import PassageCheck, is_right
from entraide.evaluation.rounds import Evaluation, ItemOutcome
from entraide.evaluation.templates import Item
from entraide.files import write_private

if TYPE_CHECKING:
    from entraide.client import Batch, Client

SHORT_TOKENS_MAX, PASSAGE_TOKENS_MAX = 64, 256  # of an answer
REASONING_FACTOR = 8  # more tokens for a model that always thinks first
ENERGY_MAX_WH = 1e6  # of one answer
BATCHES_LOOKED_AT = 100  # newest batches among which a lost one is sought


class _Receipt(Struct, frozen=True):
    """What is read of an answer's receipt."""

    job: Annotated[str, Meta(max_length=64)] = ""
    node: str = ""
    engine: Annotated[str, Meta(pattern="^[ -~]{0,64}$")] = ""
    model_revision: Annotated[str, Meta(pattern=f"^({CHECKSUM.pattern})$")] = ""
    energy_wh: Annotated[float, Meta(ge=0.0, le=ENERGY_MAX_WH)] = 0.0
    energy_basis: Basis = Basis.DEFAULT
    output_tokens: Annotated[int, Meta(ge=0, le=10**9)] = 0
    queue_ms: Annotated[float, Meta(ge=0.0, le=1e12)] = 0.0


class _Body(Struct, frozen=True):
    entraide: _Receipt = _Receipt()


def read_state(path: Path) -> Evaluation | None:
    """Returns the evaluation that a file keeps; None if there is none."""
    try:
        return decode_json(path.read_bytes(), type=Evaluation)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def write_state(path: Path, state: Evaluation) -> None:
    """Keeps an evaluation in a file."""
    write_private(path, msgspec.json.encode(state))


def run_round(
    client: "Client",
    state: Evaluation,
    path: Path,
    devices: Mapping[str, str],
    *,
    list_times: Callable[[], Mapping[str, float]],
    reasoning: bool,
    on_progress: Callable[["Batch"], object],
) -> "Batch":
    """Runs a round, or what is left of the one under way, and records its answers.

    Args:
        client: of the co-op that asks.
        state: the evaluation; it is changed.
        path: file that keeps it.
        devices: kind of machine by node.
        list_times: returns how long each job took that ended lately, seconds; called once, after
            the round.
        reasoning: whether the model always thinks before an answer.
        on_progress: called with the batch after each look.

    Returns:
        The round's batch; ``counts.completed`` of it is 0 if nothing was answered.
    """
    items = rounds.list_round(state)
    if not state.is_open:
        state.round, state.is_open = state.round + 1, True
        write_state(path, state)
    if not state.batch:
        state.batch = _find_batch(client, state) or _send(client, state, items, reasoning=reasoning)
        write_state(path, state)
    batch = client.batches.wait(state.batch, on_progress=on_progress)
    if batch.counts.completed:
        rounds.record(state, items, _read_outcomes(client, batch, items, devices, list_times()))
        write_state(path, state)
    return batch


def _metadata(state: Evaluation) -> dict[str, str]:
    return {"evaluation": state.evaluation, "round": str(state.round)}


def _find_batch(client: "Client", state: Evaluation) -> str:
    """Returns the batch of the round under way, if it was sent before; else ""."""
    for batch in client.batches.list(BATCHES_LOOKED_AT):
        if batch.metadata == _metadata(state):
            return batch.batch
    return ""


def _send(client: "Client", state: Evaluation, items: list[Item], *, reasoning: bool) -> str:
    requests = {item.name: make_request(item, reasoning=reasoning) for item in items}
    batch = client.batches.create(
        requests, model=state.model, metadata=_metadata(state), data_class="public"
    )
    return batch.batch


def make_request(item: Item, *, reasoning: bool) -> dict[str, Any]:
    """Returns the request of an item; thinking is off, and equal items get equal answers."""
    is_passage = isinstance(item.check, PassageCheck)
    tokens_max = PASSAGE_TOKENS_MAX if is_passage else SHORT_TOKENS_MAX
    return {
        "messages": [{"role": "user", "content": item.prompt}],
        "max_tokens": tokens_max * (REASONING_FACTOR if reasoning else 1),
        "temperature": 0.0,
        "reasoning_effort": "none",
    }


def _read_outcomes(
    client: "Client",
    batch: "Batch",
    items: list[Item],
    devices: Mapping[str, str],
    times: Mapping[str, float],
) -> Iterator[ItemOutcome]:
    by_name = {item.name: item for item in items}
    for result in client.batches.results(batch):
        item = by_name.get(result.custom_id)
        if item is None or result.body is None:
            continue
        receipt = _read_receipt(result.body)
        time_s = times.get(receipt.job, 0.0) - receipt.queue_ms / 1_000
        yield ItemOutcome(
            item.name,
            is_right(item.check, result.text, question=item.prompt, language=item.language),
            devices.get(receipt.node) or "unknown",
            receipt.engine.partition("/")[0] or "unknown",
            receipt.model_revision,
            receipt.energy_wh,
            receipt.energy_basis,
            receipt.output_tokens,
            time_s if time_s > 0.0 else None,
        )


def _read_receipt(body: dict[str, Any]) -> _Receipt:
    try:
        return msgspec.convert(body, _Body).entraide
    except msgspec.ValidationError:
        return _Receipt()
