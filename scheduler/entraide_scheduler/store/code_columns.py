"""Code columns: values of the vocabulary as text, several of them with commas between."""

from sqlalchemy import Dialect, String, TypeDecorator

from entraide.types import Control, DataClass, SurplusEvidence

Code = Control | SurplusEvidence


class CodeColumn(TypeDecorator[Code]):
    """A value of an enumeration of the vocabulary as its code.

    Args:
        kind: the enumeration.
    """

    impl = String
    cache_ok = True

    def __init__(self, kind: type[Control] | type[SurplusEvidence]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Code | None, _dialect: Dialect) -> str | None:
        """Returns the text to store."""
        return None if value is None else value.value

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Code | None:
        """Returns the value of a stored text."""
        return None if value is None else self.kind(value)


class DataClassesColumn(TypeDecorator[tuple[DataClass, ...]]):
    """Data classes as their codes with commas between; none is the empty text."""

    impl = String
    cache_ok = True

    def process_bind_param(
        self, value: tuple[DataClass, ...] | None, _dialect: Dialect
    ) -> str | None:
        """Returns the text to store."""
        return None if value is None else ",".join(code.value for code in value)

    def process_result_value(
        self, value: str | None, _dialect: Dialect
    ) -> tuple[DataClass, ...] | None:
        """Returns the values of a stored text."""
        return None if value is None else tuple(map(DataClass, filter(None, value.split(","))))
