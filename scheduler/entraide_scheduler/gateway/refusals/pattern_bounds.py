"""Pattern bounds: limits of regular expressions in a JSON schema, before an engine compiles them.

llama.cpp follows all possible matches at once, and their number grows exponentially with repeated
groups that may be empty: ``((a{0,10}b?){0,10}){0,10}`` occupied an engine for more than 25 s before
the first token. Length, nesting and repetitions are bounded, and a counted repetition of an
expression that may be empty is refused. The pattern is read as a list of pieces, not parsed fully.
"""

import re

from msgspec import Struct

from entraide_scheduler.gateway.refusals.field_faults import show_value
from entraide_scheduler.gateway.refusals.refusals import ErrorReply, Refused

PATTERN_CHARS_MAX = 512
PATTERN_GROUPS_MAX = 8  # nested groups
REPETITIONS_MAX = 1_000  # of one keyword; llama.cpp refuses 2,000
OPTIONAL_MAX = 32  # optional pieces; a hundred in a row took 16 s for eight tokens
NESTED_REPETITIONS_MAX = 100  # product of nested repetitions
NUMBER_MAX = 2**53

# A class or an escape counts as one character; a group's head (``(?:``) as its bracket.
_ESCAPED = re.compile(r"\\.|\[(?:\\.|[^\]])*\]", re.DOTALL)
_HEAD = re.compile(r"\(\?(?:[:=!]|<[=!]|P?<\w*>)")
_PIECES = re.compile(r"\{\d*(?:,\d*)?\}|.", re.DOTALL)
_DIGITS = re.compile(r"\d+")


class _Group(Struct):
    """A group that is being read.

    Attributes:
        times: largest product of repetitions inside the group so far.
        empty: whether the present alternative may match the empty text so far.
        empty_before: whether an earlier alternative may.
        last_times, last_empty: the same for the last piece.
    """

    times: int = 1
    empty: bool = True
    empty_before: bool = False
    last_times: int = 1
    last_empty: bool = True

    def settle(self) -> None:
        """Adds the last piece to the group; a quantifier no longer applies to it."""
        self.empty = self.empty and self.last_empty
        self.times = max(self.times, self.last_times)
        self.last_times, self.last_empty = 1, True


def check_pattern(pattern: str, param: str) -> int:
    """Checks a pattern; returns its total of counted repetitions.

    Raises:
        Refused: ``invalid_request``.
    """
    if len(pattern) > PATTERN_CHARS_MAX:
        raise _refused(param, "schema_pattern_long", limit=PATTERN_CHARS_MAX, size=len(pattern))
    plain = _HEAD.sub("(", _ESCAPED.sub("c", pattern))
    optional = sum(plain.count(sign) for sign in ("?", "*", "{0", "{,"))
    if optional > OPTIONAL_MAX:
        raise _refused(param, "schema_pattern_optional", limit=OPTIONAL_MAX, size=optional)
    open_groups = [_Group()]
    counted = 0
    for piece in _PIECES.findall(plain):
        group = open_groups[-1]
        if piece == "(":
            group.settle()
            open_groups.append(_Group())
            if len(open_groups) - 1 > PATTERN_GROUPS_MAX:
                raise _refused(param, "schema_pattern_groups", limit=PATTERN_GROUPS_MAX)
        elif piece == ")" and len(open_groups) > 1:
            group.settle()
            open_groups.pop()
            outer = open_groups[-1]
            outer.last_times, outer.last_empty = group.times, group.empty or group.empty_before
        elif piece == "|":
            group.settle()
            group.empty, group.empty_before = True, group.empty or group.empty_before
        elif piece.startswith("{") and len(piece) > 1:
            counted += _repeat(group, piece, param)
        elif piece in "*?+":
            group.last_empty = group.last_empty or piece != "+"
        else:
            group.settle()
            group.last_empty = piece in "^$"
    return counted


def _repeat(group: _Group, piece: str, param: str) -> int:
    """Applies a counted repetition to the last piece; returns the product of repetitions."""
    numbers = [int(digits) if len(digits) < 10 else NUMBER_MAX for digits in _DIGITS.findall(piece)]
    times = max([1, *numbers])
    if times > 1 and group.last_empty:
        raise _refused(param, "schema_pattern_empty")
    limit = REPETITIONS_MAX if group.last_times == 1 else NESTED_REPETITIONS_MAX
    group.last_times *= times
    if group.last_times > limit:
        raise _refused(
            param,
            "schema_keyword",
            keyword="pattern",
            limit=limit,
            found=show_value(group.last_times),
        )
    group.last_empty = not numbers or numbers[0] == 0 or piece.startswith("{,")
    return group.last_times


def _refused(param: str, fault: str, **values: str | float) -> Refused:
    return Refused(ErrorReply("invalid_request", {"param": param, "fault": fault, **values}))
