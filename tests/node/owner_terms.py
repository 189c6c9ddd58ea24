"""An owner's terms of which each differs from its default."""

from entraide.types import DataClass
from entraide_node.core.owner_terms import (
    OwnerTerms,
    PrefixMemory,
    PresencePolicy,
    ReasonNotice,
    ResourceCaps,
    UnknownPresencePolicy,
    WeeklyHours,
)

FULL_TERMS = OwnerTerms(
    hours=(WeeklyHours((0, 1, 2, 3, 4), 1_080, 480), WeeklyHours((5, 6), 0, 1_440)),
    present=PresencePolicy.OWN,
    idle_min=7.5,
    unseen=UnknownPresencePolicy.ABSENT,
    on_battery=True,
    charge_min_percent=40.0,
    temperature_max_c=85.0,
    load_max_percent=25.0,
    memory_free_min_gb=2.0,
    programs=("blender", "obs"),
    surplus_only=True,
    own_first=True,
    data_classes=(DataClass.PUBLIC, DataClass.RESTRICTED),
    give_back_s=20.0,
    settle_s=45.0,
    caps_idle=ResourceCaps(memory_gb=12.0),
    caps_present=ResourceCaps(memory_gb=4.0, power_w=60.0),
    tell_pool=ReasonNotice.STATE,
    keep_awake=False,
    prefix=PrefixMemory(memory_part=0.2),
)
