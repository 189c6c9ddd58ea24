"""Shared fields: makes a struct from another by the fields that both have.

Input: two struct types. Output: a function that makes a struct of the second type from one of the
first; its caller gives the rest by name. The names are compared once, and the function is compiled
from them, as a data class compiles its constructor: a call costs what a line that names each field
would cost. A field that is added to both types is copied without a further line.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

__all__ = ["make_copier"]

Target = TypeVar("Target", bound=Struct)


def make_copier(
    source: type[Struct], target: type[Target], *, own: tuple[str, ...] = ()
) -> Callable[..., Target]:
    """Returns a function that makes a struct of one type from a struct of another.

    The function takes the source, and the target's other fields as keyword arguments with the
    target's defaults.

    Args:
        source: type of the struct that is read.
        target: type of the struct that is made.
        own: shared names whose values the caller gives.

    Raises:
        ValueError: the types share no other field, or a name in ``own`` is not shared.

    >>> from entraide.types import Basis, Loadable, Rates, Replica
    >>> serve = make_copier(Loadable, Replica, own=("slots",))
    >>> offer = Loadable("petit", "sha256:1", "vllm", 4096, 8, (), 10, 0, 2.0)
    >>> replica = serve(offer, slots=2, rates=Rates(1.0, 1.0, 0.0, Basis.DEFAULT))
    >>> replica.model, replica.context_tokens, replica.slots
    ('petit', 4096, 2)
    """
    shared = [name for name in target.__struct_fields__ if name in source.__struct_fields__]
    copied = {name for name in shared if name not in own}
    if not copied or not set(own) <= set(shared):
        raise ValueError(f"{source.__name__} and {target.__name__} share {shared}, not {own}")
    parameters, arguments, names = [], [], {"_target": target}
    for field in fields(target):
        if field.name in copied:
            arguments.append(f"{field.name}=_source.{field.name}")
            continue
        arguments.append(f"{field.name}={field.name}")
        parameters.append(field.name)
        if field.default is not NODEFAULT:
            parameters[-1] += f"=_default_{field.name}"
            names[f"_default_{field.name}"] = field.default
    head = ", ".join(["_source", *(["*", *parameters] if parameters else [])])
    text = f"def copy({head}):\n    return _target({', '.join(arguments)})\n"
    exec(compile(text, f"<{target.__name__} from {source.__name__}>", "exec"), names)  # noqa: S102  (names of fields alone)
    copier: Any = names["copy"]
    return copier  # type: ignore[no-any-return]
