"""SunSpec source: power or charge of an inverter, a meter or a battery over Modbus/TCP.

Input: the device's registers. Output: one number. The first device model that provides the number
is searched once in the device's list of models; then one block is read each time. Offsets are
counted from the model's first register (SunSpec Device Information Model Specification).
"""

import math
import struct
import time

from msgspec import Struct
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from entraide_node.energy.source_config import Sunspec
from entraide_node.energy.source_values import (
    UNAVAILABLE,
    UNREACHABLE,
    UNREADABLE,
    MissingValue,
    SourceValue,
)

BASES = (40_000, 0, 50_000)  # possible begin of the list of models
SUNSPEC_MARKER = (0x5375, 0x6E53)  # "SunS"
END_OF_LIST = 0xFFFF
MODELS_MAX = 64
REGISTERS_MAX = 125  # of one request
TIMEOUT_S = 3.0

ABSENT_INT, ABSENT_UINT = 0x8000, 0xFFFF


class RegisterLayout(Struct, frozen=True):
    """Position of a number in a model.

    Attributes:
        at: offset of the number.
        scale_at: offset of its power of ten; 0 for a float in two registers.
        signed: whether it may be negative.
    """

    at: int
    scale_at: int = 0
    signed: bool = True


INVERTERS = {
    **dict.fromkeys((101, 102, 103), RegisterLayout(14, 15)),
    **dict.fromkeys((111, 112, 113), RegisterLayout(22)),
    701: RegisterLayout(10, 116),
}
METERS = {
    **dict.fromkeys((201, 202, 203, 204), RegisterLayout(18, 22)),
    **dict.fromkeys((211, 212, 213, 214), RegisterLayout(28)),
}
BATTERIES = {802: RegisterLayout(47, 63)}
CHARGES = {124: RegisterLayout(8, 22, signed=False), 713: RegisterLayout(4, 8, signed=False),
           802: RegisterLayout(11, 56, signed=False)}  # fmt: skip

# Models that provide the number of each table in the owner's file.
MODELS = {
    "generation": INVERTERS, "surplus": METERS, "use": METERS, "grid": METERS, "meter": METERS,
    "battery": BATTERIES, "charge": CHARGES,
}  # fmt: skip


class _RequestRefused(Exception):
    """The device refused a request, or its answer is too short."""


class SunspecSource:
    """One number of a device."""

    kind = "sunspec"

    def __init__(self, config: Sunspec, role: str) -> None:
        self._config = config
        self._layouts = MODELS[role]
        self._client: AsyncModbusTcpClient | None = None
        self._model_at: tuple[int, int] | None = None  # register and number of the model

    async def read(self) -> SourceValue | MissingValue:
        """Reads the device."""
        try:
            client = await self._connected()
            if client is None:
                return MissingValue(UNREACHABLE)
            if self._model_at is None:
                self._model_at = await self._find_model(client)
            if self._model_at is None:
                return MissingValue(UNAVAILABLE, "no such model")
            return await self._number(client, *self._model_at)
        except (ModbusException, OSError, TimeoutError, _RequestRefused) as problem:
            await self.close()
            return MissingValue(UNREACHABLE, type(problem).__name__)

    async def close(self) -> None:
        """Disconnects; the next reading searches the model again."""
        self._model_at = None
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _connected(self) -> AsyncModbusTcpClient | None:
        if self._client is None or not self._client.connected:
            await self.close()
            self._client = AsyncModbusTcpClient(
                self._config.host,
                port=self._config.port,
                timeout=TIMEOUT_S,
                retries=0,
                reconnect_delay=0,
            )
            if not await self._client.connect():
                await self.close()
                return None
        return self._client

    async def _find_model(self, client: AsyncModbusTcpClient) -> tuple[int, int] | None:
        """Finds the first model in the device's list that provides the number."""
        for base in BASES:
            try:
                mark = await self._registers(client, base, 2)
            except _RequestRefused:
                continue  # it has no registers there
            if tuple(mark) != SUNSPEC_MARKER:
                continue
            at = base + 2
            for _ in range(MODELS_MAX):
                model = (await self._registers(client, at, 1))[0]
                if model == END_OF_LIST:
                    return None
                if model in self._layouts:
                    return at, model
                at += 2 + (await self._registers(client, at + 1, 1))[0]
        return None

    async def _number(
        self, client: AsyncModbusTcpClient, at: int, model: int
    ) -> SourceValue | MissingValue:
        layout = self._layouts[model]
        count = max(layout.at + (1 if layout.scale_at else 2), layout.scale_at + 1)
        block = await self._registers(client, at, count)
        if block[0] != model:
            self._model_at = None
            return MissingValue(UNREADABLE, "the device changed its models")
        number = _decode_number(block, layout)
        if number is None:
            return MissingValue(UNAVAILABLE, "not implemented")
        return SourceValue(number * self._config.scale, time.time())

    async def _registers(self, client: AsyncModbusTcpClient, at: int, count: int) -> list[int]:
        assert count <= REGISTERS_MAX
        answer = await client.read_holding_registers(at, count=count, device_id=self._config.unit)
        if answer.isError() or len(answer.registers) != count:
            raise _RequestRefused
        return list(answer.registers)


def _decode_number(block: list[int], layout: RegisterLayout) -> float | None:
    """Returns the number in a model's registers; None if the device does not implement it."""
    raw = block[layout.at]
    if not layout.scale_at:
        (number,) = struct.unpack(">f", struct.pack(">HH", raw, block[layout.at + 1]))
        return float(number) if math.isfinite(number) else None
    power = block[layout.scale_at]
    power = 0 if power == ABSENT_INT else _signed(power)
    if raw == (ABSENT_INT if layout.signed else ABSENT_UINT) or not -10 <= power <= 10:
        return None
    number = _signed(raw) if layout.signed else raw
    return float(number * 10**power) if power >= 0 else number / 10**-power


def _signed(register: int) -> int:
    return register - 0x1_0000 if register >= 0x8000 else register
