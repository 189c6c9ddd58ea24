"""Newcomers: a new machine gets a bounded part of the other co-ops' ``internal`` text.

Input: joins, placements, ended runs, faults. Output: each node's ``Probation``, which the rule
``newcomer`` reads. A node is a newcomer if, when it comes, another has ended the policy's number of
runs: in a pool that begins, nobody is. It stays one until it has ended as many for other co-ops
(runs for its own show them nothing) since its last fault: a quarantine, or a message that no honest
node sends. Meanwhile it is given a prompt of
another co-op only while its part of all such prompts, since it came, stays below the policy's; one
prompt may exceed that. A forgotten node that returns is the same one, and goes on; a revoked one
is not.
"""

from entraide.types import DataClass, NodeState, RequestFacts
from entraide_scheduler.core.records import Lease, Node, Probation
from entraide_scheduler.core.state import State

FORGOTTEN_MAX = 4_096  # forgotten nodes whose probation is kept; the oldest is dropped first
REVOKED = "revoked"  # why a node left whose machine comes again as another one


def admit_node(state: State, node: Node) -> None:
    """Begins the probation of a node that comes, or goes on with that of a forgotten one."""
    probation = state.probations.pop(node.card.node, None)
    if probation is None:
        probation = Probation(limited=state.has_established and state.policy.newcomer.runs > 0)
    _set_probation(state, node, probation)


def remember_node(state: State, node: Node) -> None:
    """Keeps the probation of a node that is forgotten."""
    state.fleet.newcomers.pop(node.card.node, None)
    if node.reason != REVOKED:
        state.probations[node.card.node] = node.probation
        while len(state.probations) > FORGOTTEN_MAX:
            state.probations.pop(next(iter(state.probations)))


def note_run_ended(state: State, lease: Lease) -> None:
    """Counts a run that a node ended, and whose report was believed."""
    node = state.fleet.nodes.get(lease.terms.node)
    if node is None:
        return
    node.probation.runs += 1
    node.probation.lent_runs += lease.foreign
    if node.probation.runs >= state.policy.newcomer.runs:
        state.has_established = True
    if node.probation.limited:
        _end_if_known(state, node)


def note_fault(state: State, name: str) -> None:
    """Counts a node's runs from 0 again."""
    node = state.fleet.nodes.get(name)
    if node is not None:
        node.probation.runs = node.probation.lent_runs = 0


def count_prompt(state: State, facts: RequestFacts, name: str) -> None:
    """Counts the prompt that a node is given, for every newcomer to whose owner it is another's."""
    if facts.data_class is not DataClass.INTERNAL:
        return
    tokens = max(1, facts.input_tokens_est)
    for newcomer, node in state.fleet.newcomers.items():
        if node.card.coop != facts.coop and node.state is NodeState.LIVE:
            node.probation.others_tokens += tokens
            node.probation.own_tokens += tokens if newcomer == name else 0
            _update(state, node)


def apply_policy(state: State) -> None:
    """Follows a change of the policy's terms."""
    for node in list(state.fleet.newcomers.values()):
        _end_if_known(state, node)
        _update(state, node)


def _end_if_known(state: State, node: Node) -> None:
    probation = node.probation
    if probation.lent_runs >= state.policy.newcomer.runs:
        known = Probation(runs=probation.runs, lent_runs=probation.lent_runs)
        _set_probation(state, node, known)


def _set_probation(state: State, node: Node, probation: Probation) -> None:
    state.fleet.set_probation(node, probation)
    _update(state, node)
    state.fleet.refresh_node(node, state.now, opened=True)


def _update(state: State, node: Node) -> None:
    """Computes again whether a node has had its part, before its next prompt."""
    probation, part = node.probation, state.policy.newcomer.internal_part
    is_full = probation.limited and (
        probation.own_tokens + 1 > part * (probation.others_tokens + 1)
    )
    if is_full != probation.full:
        probation.full = is_full
        state.fleet.refresh_node(node, state.now, opened=not is_full)
