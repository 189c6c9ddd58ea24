"""Compiled statements: the statements of each job, compiled once per dialect, for whole groups.

SQLAlchemy keeps compiled statements too, but prepares each execution and each row of it anew. Here
the driver gets the text and the rows (tuples) directly; a failure is still SQLAlchemy's exception.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Delete, Insert, Select, Table, Update, insert
from sqlalchemy.engine import Dialect


class CompiledStatement:
    """A statement whose values come in a fixed order.

    No value is converted, so the columns must be of types that the drivers take as they are: text,
    bytes, integers, floats.
    """

    def __init__(
        self, statement: Insert | Update | Delete | Select[Any], parameters: Sequence[str]
    ) -> None:
        """Describes a statement; it is compiled at its first execution.

        Args:
            statement: any statement of SQLAlchemy Core.
            parameters: names of its parameters in the order of its text.
        """
        self._statement = statement
        self._parameters = list(parameters)
        self._texts: dict[str, str] = {}

    def execute(
        self, connection: Connection, values: tuple[Any, ...] | list[tuple[Any, ...]]
    ) -> CursorResult[Any]:
        """Executes it with one tuple of values, or once for each tuple of a list.

        Raises:
            SQLAlchemyError: as ``Connection.execute``.
            ValueError: the parameters are not those of the statement, in their order.
        """
        dialect = connection.dialect
        text = self._texts.get(dialect.name)
        if text is None:
            text = self._texts[dialect.name] = self._compile(dialect)
        return connection.exec_driver_sql(text, values)

    def _compile(self, dialect: Dialect) -> str:
        compiled = dialect.statement_compiler(
            dialect, self._statement, column_keys=self._parameters
        )
        if compiled.positiontup != self._parameters:
            raise ValueError(f"{compiled} takes {compiled.positiontup}, not {self._parameters}")
        return str(compiled)


def insert_into(table: Table) -> CompiledStatement:
    """Returns the statement that inserts whole rows, with values in the order of the columns."""
    return CompiledStatement(insert(table), [column.name for column in table.columns])
