"""What engines lose when they resume an answer: facts that the gateway decides by.

An answer is resumed by a second engine, which reads the prompt and the text that the client already
has, and continues. Options of a request whose state is not in that text are lost at this point; an
answer with such an option is not resumed. ``docs/concepts/resuming.md`` has the table, and the
tests with real engines that it rests on.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

RESUME = "resume"  # feature of a replica whose engine can resume an answer
RESUME_UNSUPPORTED = "resume_unsupported"  # a node declines a resumed run with this code

ENGINE = "engine"  # stands for the engine itself, which resumes no answer

# Fields that no engine continues: several answers, and a grammar or a call begun half.
_LOST_BY_ALL = frozenset({"n", "tools", "response_format"})

# Fields whose effect depends on the output before, of which the engine sees none after the seam.
# mlx-lm is not among the engines: it removes a space before the first word that it writes.
_LOST: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "llama.cpp": frozenset(),  # its penalties count the prompt too
        "vllm": frozenset({"frequency_penalty", "presence_penalty"}),  # count its output only
    }
)


def lost_options(engine: str, options: Collection[str]) -> tuple[str, ...]:
    """Returns the options of a request that an engine would lose at the seam, sorted.

    Args:
        engine: as in ``Terms.engine``: its name, or name and version (``llama.cpp/1``).
        options: names of the request's fields that are set to more than their neutral value.

    >>> lost_options("vllm/0.33.0", {"stop", "presence_penalty"})
    ('presence_penalty',)
    """
    lost = _LOST.get(engine.partition("/")[0])
    if lost is None:
        return (ENGINE,)
    return tuple(sorted((lost | _LOST_BY_ALL) & set(options)))
