"""Pin operation: ``entraide models pin`` for one model, from the hub that its entry names.

In the directory of a founded pool the weights are fetched, too; elsewhere the command records the
checksums only.
"""

from pathlib import Path

from msgspec import Struct

from entraide.cli.pool_access import ADMIN_KEY_VARIABLE, POOL_FILE
from entraide.client._constants import URL_VARIABLE
from entraide.printable import printable
from entraide_scheduler.operations.bounded_child import ProcessLimits
from entraide_scheduler.operations.bounded_process import run_bounded
from entraide_scheduler.operations.operation_runner import OperationResult
from entraide_scheduler.operations.replay_operation import GIB, fault_sentence

PIN_LIMITS = ProcessLimits(wall_s=12 * 3_600.0, cpu_s=4 * 3_600, memory_bytes=4 * GIB)
LINES_MAX = 40


class PinWish(Struct, frozen=True):
    """What to pin, and how the command reaches the pool.

    Attributes:
        model: public name.
        format: of its weights; "" for all.
        revision: branch, tag or commit; "" for the main branch.
        home: the pool's directory.
        grpc: ``host:port`` of the Admin service, for a directory without ``pool.json``.
        admin_key: the operator's key, likewise.
        lang: language of what the command says.
    """

    model: str
    format: str
    revision: str
    home: Path
    grpc: str
    admin_key: str
    lang: str


async def run_pin(wish: PinWish, _folder: Path) -> OperationResult:
    """Pins the model; the command itself changes the catalogue."""
    arguments = ["models", "pin", wish.model]
    arguments += ["--format", wish.format] if wish.format else []
    arguments += ["--revision", wish.revision] if wish.revision else []
    variables: dict[str, str] = {}
    if (wish.home / POOL_FILE).is_file():
        arguments += ["--state", str(wish.home)]
    else:
        variables = {URL_VARIABLE: wish.grpc, ADMIN_KEY_VARIABLE: wish.admin_key}
    finished = await run_bounded(arguments, PIN_LIMITS, lang=wish.lang, variables=variables)
    if finished.status:
        return OperationResult(fault=fault_sentence(finished, wish.lang))
    said = f"{finished.output}\n{finished.errors}".splitlines()
    lines = [printable(line) for line in said if line.strip()]
    return OperationResult(said="\n".join(lines[-LINES_MAX:]))
