"""Place: where a server of the pool stands, and who controls it, as its operator states it."""

import re

from msgspec import Struct

from entraide.form_faults import FormFault
from entraide.shared_fields import make_copier
from entraide.types import UNKNOWN, Control, ServerPlace
from entraide_scheduler.config.value_faults import choice_fault, value_fault

ZONE = r"[A-Z0-9][A-Z0-9-]{1,31}"
CONTROLS = (*filter(None, Control), UNKNOWN)


class PlaceConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """A place.

    Attributes:
        zone: zone of the power grid, which is the jurisdiction (``CA-QC``), or ``unknown``.
        controlled_by: ``member``, ``canadian``, ``other`` or ``unknown``.
        invented: whether the place is only for show, as in a demonstration.
    """

    zone: str = UNKNOWN
    controlled_by: str = UNKNOWN
    invented: bool = False

    @property
    def place(self) -> ServerPlace:
        """The same in the vocabulary's type."""
        return _place(self)

    @property
    def is_known(self) -> bool:
        """Whether both the zone and the control are known."""
        return UNKNOWN not in (self.zone, self.controlled_by)

    @property
    def fault(self) -> str:
        """Name of the first field with an invalid value, or ""."""
        if self.zone != UNKNOWN and not re.fullmatch(ZONE, self.zone):
            return "zone"
        return "" if self.controlled_by in CONTROLS else "controlled_by"

    @property
    def form_fault(self) -> FormFault | None:
        """The same with its value, as a fault of the file's form; None without one."""
        if self.fault == "zone":
            return value_fault("place.zone", self.zone, "no_zone")
        if self.fault:
            return choice_fault(f"place.{self.fault}", self.controlled_by, CONTROLS)
        return None


_place = make_copier(PlaceConfig, ServerPlace)
