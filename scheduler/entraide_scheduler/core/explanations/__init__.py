# mypy: implicit-reexport
"""Explanations: why a job was placed, waits or was refused, as codes and values.

Input: a ``PlacementResult``, its ``PlacementRequest`` and the state. Output: an ``Explanation``:
the decision and its reason, what was predicted for each candidate, the rule that excluded each
other node, and what would have to change for another outcome.

The package decides nothing and writes no sentence: the message catalogue has a sentence for each
code, in both languages. A counterfactual ("could have gone to X if Y") is stated only if the rule
was evaluated again with that one limit lifted. Above the policy's ``explained_nodes`` only the best
nodes, and a count and an example for each rule, are listed.

``explain`` builds explanations; ``alias_values`` says why an alias means a model,
``warm_values`` what a prompt read in part saves; ``counterfactuals`` checks what could have been
otherwise; ``renaming`` puts a number in the place of a node's name.
"""

from entraide_scheduler.core.explanations.counterfactuals import (
    is_only_obstacle,
    nearest_exclusions,
)
from entraide_scheduler.core.explanations.explain import (
    count_by_rule,
    explain_placement,
    explain_refusal,
    explain_wait,
    most_common_rule,
)
from entraide_scheduler.core.explanations.renaming import rename_node
