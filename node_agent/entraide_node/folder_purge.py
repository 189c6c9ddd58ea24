"""Folder purge: removes the files that Entraide wrote into a node's folder.

Input: the folder. ``entraide node leave --purge`` removes the files that are named in
``OWN_FILES``; any other file stays, because it may belong to somebody else.
"""

import contextlib
import shutil
from pathlib import Path

from entraide.catalogue.model_store import LOCKS_FOLDER, SPEEDS_NAME
from entraide_node import keys
from entraide_node.config import CONFIG_NAME
from entraide_node.logs import ERRORS_NAME, LOG_NAME
from entraide_node.machine_setup import RATES_NAME
from entraide_node.model_manager.catalogue_source import (
    CATALOGUE_NAME,
    LOADED_FOLDER,
    MODELS_FOLDER,
    SIGNATURE_NAME,
)
from entraide_node.models.model_files import CHECKSUMS_NAME
from entraide_node.owner import files as owner_files
from entraide_node.owner.lent_time import LENT_NAME
from entraide_node.owner.terms_file import TERMS_NAME
from entraide_node.report_outbox import REPORTS_NAME
from entraide_node.update_command import TRUSTED

NAMES_SHOWN_MAX = 12  # in a sentence

OWN_FILES = (
    CONFIG_NAME, CHECKSUMS_NAME, CATALOGUE_NAME, SIGNATURE_NAME, TERMS_NAME, RATES_NAME, LOG_NAME,
    ERRORS_NAME, REPORTS_NAME, keys.IDENTITY_NAME, *keys.OWN_KEY_NAMES, keys.CA_NAME,
    keys.POOL_KEY_NAME, owner_files.PAUSE_NAME, owner_files.ENERGY_NAME, owner_files.STATUS_NAME,
    owner_files.STOPPED_NAME, LENT_NAME,
)  # fmt: skip


def purge_folder(folder: Path) -> None:
    """Removes Entraide's files from a node's folder, and the folder if it is then empty."""
    for name in OWN_FILES:
        for path in (folder / name, *folder.glob(f"{name}.[0-9]*"), folder / f"{name}.part"):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    for name in (LOADED_FOLDER, TRUSTED):
        shutil.rmtree(folder / name, ignore_errors=True)
    models = folder / MODELS_FOLDER
    shutil.rmtree(models / LOCKS_FOLDER, ignore_errors=True)
    (models / SPEEDS_NAME).unlink(missing_ok=True)
    for empty in (models, folder):
        with contextlib.suppress(OSError):
            empty.rmdir()


def list_remaining(folder: Path) -> list[str]:
    """Returns the names of the remaining files, at most ``NAMES_SHOWN_MAX``."""
    if not folder.is_dir():
        return []
    names = sorted(path.name for path in folder.iterdir())
    return names if len(names) <= NAMES_SHOWN_MAX else [*names[:NAMES_SHOWN_MAX], "…"]
