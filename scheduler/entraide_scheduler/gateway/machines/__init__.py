"""Machines: what a gateway serves to members' machines.

Input: requests of machines that join, and of approved nodes. Output: the installer, weights,
statements.

``install`` has the page, the script, the wheels and the builds of Python; ``node_passes`` knows a
node, for ``weights`` and for ``node_statements``.
"""

from entraide_scheduler.gateway.machines import install, weights
from entraide_scheduler.gateway.machines.install import (
    FOLDER,
    PYTHON_SUFFIX,
    TARGETS,
    InstallServer,
    InstallSource,
)
from entraide_scheduler.gateway.machines.node_passes import NodePasses
from entraide_scheduler.gateway.machines.node_statements import NodeStatements
from entraide_scheduler.gateway.machines.weights import WeightServer

__all__ = [
    "FOLDER",
    "PYTHON_SUFFIX",
    "TARGETS",
    "InstallServer",
    "InstallSource",
    "NodePasses",
    "NodeStatements",
    "WeightServer",
    "install",
    "weights",
]
