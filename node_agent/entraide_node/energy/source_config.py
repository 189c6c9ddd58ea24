"""Sources: where one number of a site or a machine is read, as its owner writes it down.

It decides the keys of each kind and what is wrong with them; how a source is asked, its own module
knows. A secret never stands here: the file or the variable that holds it does.
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

# Where known makers put power, watts, as JMESPath. What a maker's older devices say comes later.
SHAPES = {
    "shelly": "apower || total_act_power || power || emeters[].power || meters[].power",
    "tasmota": "ENERGY.Power || StatusSNS.ENERGY.Power",
    "zigbee2mqtt": "power",
    "number": "@",
}


class Sunspec(
    Struct, frozen=True, tag_field="kind", tag="sunspec", forbid_unknown_fields=True, kw_only=True
):
    """An inverter, meter or battery that speaks SunSpec over Modbus/TCP.

    Attributes:
        host, port: where it listens.
        unit: its Modbus unit.
        scale: what its value is multiplied with; -1 turns its sign.
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
    """A sensor of Home Assistant, over its REST API. W, kW and MW are told apart by its unit.

    Attributes:
        url: base address, without ``/api``.
        entity: for instance ``sensor.solar_power``.
        token_file, token_env: where its long-lived access token is: a file, or a variable.
        scale: what its value is multiplied with.
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
        host, port: where the broker listens.
        topic: which topic; wildcards are not allowed.
        shape: ``shelly``, ``tasmota``, ``zigbee2mqtt`` or ``number``; "" when ``path`` says it.
        path: JMESPath expression over the payload's JSON.
        username, password_file, password_env: how to sign in; the password in a file or variable.
        tls: whether the broker speaks TLS.
        scale: what its value is multiplied with.
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
    """Any page that answers with JSON.

    Attributes:
        url: the page.
        shape: ``shelly``, ``tasmota`` or ``number``; "" when ``path`` says it.
        path: JMESPath expression over its JSON.
        token_file, token_env: a bearer token, in a file or a variable, if it needs one.
        scale: what its value is multiplied with.
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
    """The last row of a CSV file that something else appends to.

    Attributes:
        file: path; relative to the agent's own folder.
        column: column of the value.
        time_column: column of when it held, ISO 8601; without a zone it is UTC.
        scale: what its value is multiplied with.
    """

    file: str
    column: str
    time_column: str = "utc"
    scale: float = 1.0


SourceConfig = Sunspec | HomeAssistant | Mqtt | Http | CsvFile


class ConfigFault(Struct, frozen=True):
    """What is wrong in a table: the key below it, a stable code, and what stands there."""

    key: str
    fault: str
    value: str = ""


def find_fault(source: SourceConfig) -> ConfigFault | None:
    """Returns what is wrong with a source, or None; whether it answers is not asked."""
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
    """Returns the JMESPath expression that finds a source's value."""
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
