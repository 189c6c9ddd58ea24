"""Vocabulary of thinking: whether a model thinks before it answers, how long, and how it is told.

A thought is text that a model writes for itself before its answer. It takes several times the
tokens and the energy of the answer, so a model thinks only if the request or the policy asks for
it. The catalogue says how a model's chat template is told; a model that cannot be told always
thinks.
"""

from enum import StrEnum

from msgspec import Struct

# Variables of chat templates that turn a thought on or off: Qwen3's and others', Granite's and
# DeepSeek's. A template ignores the variable that it does not have.
TEMPLATE_ARGUMENTS = ("enable_thinking", "thinking")
BUDGET_TOKENS_MAX = 1 << 24


class Effort(StrEnum):
    """How long a model thinks, as a request or the policy asks for it."""

    UNSTATED = ""  # the policy decides
    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def thinks(self) -> bool:
        """Whether a thought is asked for."""
        return self not in (Effort.UNSTATED, Effort.NONE)


class Thinking(StrEnum):
    """How a model's chat template is told whether the model thinks."""

    NEVER = "never"  # it has no thought
    ARGUMENT = "argument"  # by one of ``TEMPLATE_ARGUMENTS``
    SIGN = "sign"  # by a sign at the end of the instructions
    ALWAYS = "always"  # it cannot be told


class ThinkingSigns(Struct, frozen=True, gc=False):
    """The signs of a template that is told by ``Thinking.SIGN``."""

    on: str = "/think"
    off: str = "/no_think"


class ThinkingTerms(Struct, frozen=True, gc=False, omit_defaults=True):
    """Whether and how the model of a lease thinks.

    Attributes:
        effort: as the request or the policy asks for it.
        budget_tokens: limit on the thought; 0 for none but the answer's own.
        sign: what the request's instructions end with; "" where the template needs no sign.
        always: whether the model thinks although it cannot be asked for that.
    """

    effort: Effort = Effort.NONE
    budget_tokens: int = 0
    sign: str = ""
    always: bool = False


def find_terms(
    effort: Effort, budget_tokens: int, thinking: Thinking, signs: ThinkingSigns
) -> ThinkingTerms | None:
    """Returns how a model thinks in one run; None where it does not, and needs no sign.

    Args:
        effort: what is asked for.
        budget_tokens: limit on the thought; 0 for none.
        thinking: how the model's template is told.
        signs: of that template.
    """
    sign = ""
    if thinking is Thinking.SIGN:
        sign = signs.on if effort.thinks else signs.off
    always = thinking is Thinking.ALWAYS
    if effort.thinks and thinking is not Thinking.NEVER:
        return ThinkingTerms(effort, budget_tokens, sign, always)
    return ThinkingTerms(sign=sign, always=always) if sign or always else None
