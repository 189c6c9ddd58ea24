# mypy: implicit-reexport
"""Fleet: the nodes of the pool, their replicas, and the indexes by which they are searched.

Input: node cards, heartbeats, owners' terms, intensities, and leases as they open and close.
Output: the nodes that pass the permanent rules for a shape, the replicas that can take work now,
and changes of the co-ops' own capacity.

The fleet owns the nodes' records: a method for each kind of change updates each index that depends
on it, and records in ``Changes`` what others must follow. Small models are kept as a list of
views, large ones also as columns of numbers, for the vectorised search.

``fleet`` adds, updates and removes nodes; ``replica_index`` keeps views by model;
``replica_table`` and ``replica_tables`` the columns; ``loadable_index`` the models that nodes could
load; ``eligibility`` the nodes that may serve jobs with the same needs.
"""

from entraide_scheduler.core.fleet.eligibility import Columns, EligibleNodes
from entraide_scheduler.core.fleet.fleet import MOST, Fleet, is_sound_card
from entraide_scheduler.core.fleet.replica_index import is_open
from entraide_scheduler.core.fleet.replica_table import (
    NO_ROWS,
    Codes,
    Rows,
    first_codes,
    min_value,
    smallest_rows,
)
from entraide_scheduler.core.fleet.replica_tables import ReplicaView
