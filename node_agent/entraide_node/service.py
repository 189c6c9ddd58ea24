"""Service: the agent as a service of its owner's account.

Input: the node's folder and the drain time. Output: the service that ``entraide.system_service``
installs. The agent runs at low priority and has time to end its runs.
"""

import sys
from pathlib import Path

from entraide.system_service.units import ServiceUnit, folder_mark

UNIT = "entraide-node"
LABEL = "coop.entraide.node"
STOP_MARGIN_S = 15  # for the last reports and the goodbye, in addition to the drain time
NICE = 5


def make_service(
    folder: Path, *, node: str, drain_s: float, default: Path, logs: bool
) -> ServiceUnit:
    """Returns the service of a node's folder.

    Args:
        folder: of the node.
        node: its identifier.
        drain_s: how long runs may continue after the agent was asked to stop.
        default: folder whose service has no suffix in its name.
        logs: whether the agent writes its log into its folder, because the system keeps none.
    """
    folder = folder.resolve()
    mark = "" if folder == default.resolve() else folder_mark(folder)
    command = (sys.executable, "-P", "-m", "entraide_node", "run", "--dir", str(folder))
    return ServiceUnit(
        name=f"{UNIT}-{mark}" if mark else UNIT,
        label=f"{LABEL}.{mark}" if mark else LABEL,
        description=f"Entraide node agent ({node})",
        command=(*command, "--log") if logs else command,
        folder=folder,
        stop_s=int(drain_s) + STOP_MARGIN_S,
        errors=folder / "agent.err",
        nice=NICE,
    )
