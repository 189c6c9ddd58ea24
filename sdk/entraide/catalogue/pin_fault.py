"""Pin fault: why weights cannot be pinned or gathered; a value, not an exception."""

from msgspec import Struct


class PinFault(Struct, frozen=True):
    """Why an artefact cannot be pinned or gathered.

    Attributes:
        code: of a selection: ``nothing`` (no file matches), ``several`` (several match).
            Of the hub: ``hub`` (it refused), ``gated`` (it asks for accepted terms), ``gone`` (no
            such repository, revision or file), ``unreachable`` (it did not answer),
            ``interrupted`` (the connection broke; the part that arrived is kept), ``no_library``.
            Of files: ``no_folder`` (a folder or a file cannot be read), ``broken`` (a file is
            damaged or incomplete), ``name`` (the catalogue does not allow a file's name),
            ``checksum`` (other bytes than the expected ones), ``no_source`` (the file is nowhere),
            ``no_repository`` (no file is here, and the catalogue names no repository).
            Of the model: ``thinking`` (its template is not told as the catalogue declares).
            Of the disk: ``disk_full``, ``unwritable``.
        detail: names of files, the hub's address, or the message of the hub or of the system.
    """

    code: str
    detail: str
