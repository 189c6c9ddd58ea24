"""Decoding: JSON, MessagePack and TOML from untrusted bytes, with one exception per format.

For invalid bytes, msgspec raises three unrelated exceptions (``DecodeError``,
``UnicodeDecodeError``, and ``RecursionError`` for deep nesting), and tomllib as many. A caller that
forgets one of them can be crashed. Here JSON and MessagePack raise ``msgspec.DecodeError`` only,
and TOML ``tomllib.TOMLDecodeError`` only. ``tests/house`` checks that no other module decodes these
formats.
"""

import json
import tomllib
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Generic, TypeVar, overload

import msgspec

T = TypeVar("T")

NOT_TEXT = "a text that is not UTF-8"
NO_KEY = "an object as the key of an object"
TOO_DEEP = "lists or objects nested too deep"
NO_NUMBER = "a number whose exponent is out of range"


class JsonDecoder(Generic[T]):
    """Decodes JSON into one type."""

    __slots__ = ("_inner",)

    def __init__(self, kind: Any, *, float_hook: Callable[[str], Any] | None = None) -> None:
        """Prepares a decoder for a type; the hook reads each untyped number that is no integer."""
        self._inner: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind, float_hook=float_hook)

    def decode(self, data: bytes | bytearray | str) -> T:
        """Returns the value.

        Raises:
            msgspec.DecodeError: the bytes are not a value of the type.
        """
        try:
            return self._inner.decode(data)
        except UnicodeDecodeError:
            raise msgspec.DecodeError(NOT_TEXT) from None
        except RecursionError:
            raise msgspec.DecodeError(TOO_DEEP) from None


class MsgpackDecoder(Generic[T]):
    """Decodes MessagePack into one type."""

    __slots__ = ("_inner",)

    def __init__(self, kind: Any) -> None:
        """Prepares a decoder for a type."""
        self._inner: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def decode(self, data: bytes) -> T:
        """Returns the value.

        Raises:
            msgspec.DecodeError: the bytes are not a value of the type.
        """
        try:
            return self._inner.decode(data)
        except UnicodeDecodeError:
            raise msgspec.DecodeError(NOT_TEXT) from None
        except RecursionError:
            raise msgspec.DecodeError(TOO_DEEP) from None
        except TypeError:
            raise msgspec.DecodeError(NO_KEY) from None


@overload
def decode_json(data: bytes | bytearray | str) -> Any: ...
@overload
def decode_json(data: bytes | bytearray | str, *, type: type[T]) -> T: ...
@overload
def decode_json(data: bytes | bytearray | str, *, type: Any) -> Any: ...
def decode_json(data: bytes | bytearray | str, *, type: Any = Any) -> Any:  # noqa: A002
    """Returns the value of a JSON document.

    Raises:
        msgspec.DecodeError: the bytes are not a value of the type.

    >>> decode_json(b'{"n": 1}')
    {'n': 1}
    """
    return _json_decoder(type).decode(data)


class RepeatedName(msgspec.DecodeError):
    """An object has a name twice: programs differ in which of its values they read."""


def decode_json_exactly(data: bytes) -> Any:
    """Returns the value of a JSON document, with each number that is no integer as a ``Decimal``.

    Raises:
        msgspec.DecodeError: the bytes are not JSON; as ``RepeatedName``, they say a name twice.

    >>> decode_json_exactly(b'{"n": 1.50}')
    {'n': Decimal('1.50')}
    """
    decoder: JsonDecoder[Any] = JsonDecoder(Any, float_hook=Decimal)
    try:
        value = decoder.decode(data)
    except InvalidOperation:
        raise msgspec.DecodeError(NO_NUMBER) from None
    try:  # only the standard library's decoder shows every name; its numbers stay texts
        json.loads(data, object_pairs_hook=_refuse_repeated, parse_int=str, parse_float=str)
    except RecursionError:
        raise msgspec.DecodeError(TOO_DEEP) from None
    return value


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise RepeatedName("a name twice in one object")


@overload
def decode_msgpack(data: bytes) -> Any: ...
@overload
def decode_msgpack(data: bytes, *, type: type[T]) -> T: ...
@overload
def decode_msgpack(data: bytes, *, type: Any) -> Any: ...
def decode_msgpack(data: bytes, *, type: Any = Any) -> Any:  # noqa: A002
    """Returns the value of a MessagePack document.

    Raises:
        msgspec.DecodeError: the bytes are not a value of the type.
    """
    return _msgpack_decoder(type).decode(data)


@cache
def _json_decoder(kind: Any) -> JsonDecoder[Any]:
    """The decoder of a type, prepared once."""
    return JsonDecoder(kind)


@cache
def _msgpack_decoder(kind: Any) -> MsgpackDecoder[Any]:
    """The same for MessagePack."""
    return MsgpackDecoder(kind)


def decode_toml(text: str) -> dict[str, Any]:
    """Returns the table of a TOML document.

    Raises:
        tomllib.TOMLDecodeError: the text is not TOML.

    >>> decode_toml("n = 1")
    {'n': 1}
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError(TOO_DEEP) from None
    except ValueError as problem:  # an integer of thousands of digits, an impossible date
        raise tomllib.TOMLDecodeError(str(problem)) from None
