"""Source configuration: where one number of a site or a machine is read.

Input: a table of ``node.toml``. Output: one struct per kind of source, and the first fault of a
table. Secrets are not in the configuration: a file or an environment variable holds them.
"""

import re

import jmespath
from jmespath.exceptions import JMESPathError
from msgspec import Struct

SCHEMES = ("http://", "https://")
PORT_MAX = 65_535
UNIT_MAX = 247  # of Modbus
TOPIC_CHARS_MAX = 1_024
PATH_CHARS_MAX = 1_024

# JMESPath of the power in watts in the documents of known makers; newer devices first.
SHAPES = {
    "shelly": "apower || total_act_power || power || emeters[].power || meters[].power",
    "tasmota": "ENERGY.Power || StatusSNS.ENERGY.Power",
    "zigbee2mqtt": "power",
    "number": "@",
}


class Sunspec(
    Struct, frozen=True, tag_field="kind", tag="sunspec", forbid_unknown_fields=True, kw_only=True
):
    """An inverter, meter or battery with SunSpec over Modbus/TCP.

    Attributes:
        host, port: its address.
        unit: its Modbus unit.
        scale: factor on its value; -1 reverses its sign.
    """

    host: str
    port: int = 502
    unit: int = 1
    scale: float = 1.0


class HomeAssistant(
    Struct,
    frozen=True,
    tag_field="kind",
    tag="home_assistant",
    forbid_unknown_fields=True,
    kw_only=True,
):
    """A sensor of Home Assistant over its REST API; W, kW and MW are converted by its unit.

    Attributes:
        url: base address, without ``/api``.
        entity: for example ``sensor.solar_power``.
        token_file, token_env: a file or a variable with a long-lived access token.
        scale: factor on its value.
    """

    url: str
    entity: str
    token_file: str = ""
    token_env: str = ""
    scale: float = 1.0


class Mqtt(
    Struct, frozen=True, tag_field="kind", tag="mqtt", forbid_unknown_fields=True, kw_only=True
):
    """A topic of an MQTT broker.

    Attributes:
        host, port: address of the broker.
        topic: without wildcards.
        shape: ``shelly``, ``tasmota``, ``zigbee2mqtt`` or ``number``; "" if ``path`` is given.
        path: JMESPath expression on the payload's JSON.
        username, password_file, password_env: credentials; the password is in a file or a variable.
        tls: whether the broker uses TLS.
        scale: factor on its value.
    """

    host: str
    topic: str
    port: int = 1883
    shape: str = ""
    path: str = ""
    username: str = ""
    password_file: str = ""
    password_env: str = ""
    tls: bool = False
    scale: float = 1.0


class Http(
    Struct, frozen=True, tag_field="kind", tag="http", forbid_unknown_fields=True, kw_only=True
):
    """A JSON document over HTTP.

    Attributes:
        url: of the document.
        shape: ``shelly``, ``tasmota`` or ``number``; "" if ``path`` is given.
        path: JMESPath expression on the document.
        token_file, token_env: a file or a variable with a bearer token, if one is needed.
        scale: factor on its value.
    """

    url: str
    shape: str = ""
    path: str = ""
    token_file: str = ""
    token_env: str = ""
    scale: float = 1.0


class CsvFile(
    Struct, frozen=True, tag_field="kind", tag="csv", forbid_unknown_fields=True, kw_only=True
):
    """The last row of a CSV file that another program appends to.

    Attributes:
        file: path; relative to the agent's folder.
        column: column of the value.
        time_column: column of its time, ISO 8601; UTC if it has no zone.
        scale: factor on its value.
    """

    file: str
    column: str
    time_column: str = "utc"
    scale: float = 1.0


SourceConfig = Sunspec | HomeAssistant | Mqtt | Http | CsvFile


class ConfigFault(Struct, frozen=True):
    """A fault of a table: its key, a stable code, and the value."""

    key: str
    fault: str
    value: str = ""


def find_fault(source: SourceConfig) -> ConfigFault | None:
    """Returns the fault of a source's configuration, or None; the source is not read."""
    match source:
        case Sunspec():
            if not 0 <= source.unit <= UNIT_MAX:
                return ConfigFault("unit", "unit_range", str(source.unit))
            return _find_address_fault(source.host, source.port)
        case HomeAssistant():
            if not re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+", source.entity):
                return ConfigFault("entity", "no_entity", source.entity)
            if bool(source.token_file) is bool(source.token_env):
                return ConfigFault("token_file", "one_token")
            return _find_url_fault(source.url)
        case Mqtt():
            if not 0 < len(source.topic) <= TOPIC_CHARS_MAX or set("+#") & set(source.topic):
                return ConfigFault("topic", "no_topic", source.topic)
            return _find_address_fault(source.host, source.port) or _find_expression_fault(source)
        case Http():
            return _find_url_fault(source.url) or _find_expression_fault(source)
        case CsvFile():
            return None if source.file and source.column else ConfigFault("file", "no_column")


def value_expression(source: Mqtt | Http) -> str:
    """Returns the JMESPath expression of a source's value."""
    return source.path or SHAPES[source.shape or "number"]


def _find_address_fault(host: str, port: int) -> ConfigFault | None:
    if not host or "/" in host:
        return ConfigFault("host", "no_host", host)
    return None if 0 < port <= PORT_MAX else ConfigFault("port", "port_range", str(port))


def _find_url_fault(url: str) -> ConfigFault | None:
    return None if url.startswith(SCHEMES) else ConfigFault("url", "no_url", url)


def _find_expression_fault(source: Mqtt | Http) -> ConfigFault | None:
    if source.shape and source.shape not in SHAPES:
        return ConfigFault("shape", "no_shape", source.shape)
    if source.shape and source.path:
        return ConfigFault("path", "shape_and_path", source.shape)
    if len(source.path) > PATH_CHARS_MAX:
        return ConfigFault("path", "no_path", source.path[:40])
    try:
        jmespath.compile(value_expression(source))
    except JMESPathError:
        return ConfigFault("path", "no_path", source.path)
    return None
