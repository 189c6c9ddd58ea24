"""Source factory: builds the source that an owner configured."""

from pathlib import Path

from entraide_node.energy.source_config import (
    CsvFile,
    HomeAssistant,
    Http,
    Mqtt,
    SourceConfig,
    Sunspec,
)
from entraide_node.energy.source_values import ValueSource


def make_source(config: SourceConfig, *, role: str, folder: Path) -> ValueSource:
    """Returns a source that has not been read yet.

    Args:
        config: of the source.
        role: name of its table: ``generation``, ``use``, ``grid``, ``surplus``, ``battery``,
            ``charge``, or ``meter`` for the machine's own.
        folder: base of relative paths.
    """
    # A library is imported only if its source is configured.
    match config:
        case Sunspec():
            from entraide_node.energy.sunspec_source import SunspecSource  # noqa: PLC0415

            return SunspecSource(config, role)
        case HomeAssistant():
            from entraide_node.energy.http_source import HomeAssistantSource  # noqa: PLC0415

            return HomeAssistantSource(config, folder)
        case Http():
            from entraide_node.energy.http_source import HttpSource  # noqa: PLC0415

            return HttpSource(config, folder)
        case Mqtt():
            from entraide_node.energy.mqtt_source import MqttSource  # noqa: PLC0415

            return MqttSource(config, folder)
        case CsvFile():
            from entraide_node.energy.csv_source import CsvSource  # noqa: PLC0415

            return CsvSource(config, folder)
