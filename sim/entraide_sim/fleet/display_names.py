"""Display names: what people call the parts of a scenario.

Input: the ``title`` keys of a scenario. Output: a title for each kind of part, name and language.
A part without a title is called by its name, a co-op by the policy's name for it, and a group of
machines by its device and site.
"""

import re
from collections.abc import Mapping
from typing import Any

from entraide import i18n
from entraide.i18n import text
from entraide_sim import catalogue
from entraide_sim.scenario import NodeGroup, Scenario, Title, identifier_of

# By kind of part, name and language.
Titles = dict[str, dict[str, dict[str, str]]]

PARTS = {
    "site": "sites",
    "coop": "coops",
    "model": "models",
    "group": "nodes",
    "workload": "workloads",
}
# Translatable phrases in the catalogue's device names.
DEVICE_PHRASES = (
    ("sim-device-cores", r"(?P<count>\d+)-core GPU"),
    ("sim-device-desktop", r"in a desktop"),
    ("sim-device-processor", r", processor only"),
)
DETAILS = re.compile(r" \(|, ")  # begin the details of a device name
# Values of messages that are the name of a part, and the kind of part.
NAME_VALUES = {
    "site": "site",
    "coop": "coop",
    "model": "model",
    "machines": "group",
    "workload": "workload",
}


def scenario_titles(scenario: Scenario) -> Titles:
    """Returns the titles of a scenario's parts; each group of machines has one."""
    parts: dict[str, tuple[Any, ...]] = {
        kind: getattr(scenario, field) for kind, field in PARTS.items()
    }
    titles = {
        kind: {
            identifier_of(part): title_by_language(title)
            for part in listed
            if (title := part.title or (part.name if kind == "coop" else ""))
        }
        for kind, listed in parts.items()
    }
    groups = (*scenario.nodes, *scenario.plan.purchases)
    for alternative in scenario.alternatives:
        groups += alternative.nodes
    for group in groups:
        titles["group"].setdefault(
            group.name, title_by_language(group.title) or _group_title(group, titles)
        )
    return {kind: named for kind, named in titles.items() if named}


def _group_title(group: NodeGroup, titles: Titles) -> dict[str, str]:
    """Returns the device and the site of machines as their title."""
    known = catalogue.devices().get(group.device)  # a replayed journal may have any device
    device = known.name if known is not None else group.device
    return {
        str(lang): f"{device_name(device, lang)}, {display_name(titles, 'site', group.site, lang)}"
        for lang in i18n.LANGUAGES
    }


def title_by_language(title: Title) -> dict[str, str]:
    """Returns a title by language; a single text is the title in each language."""
    if isinstance(title, str):
        return {str(lang): title for lang in i18n.LANGUAGES if title}
    return title


def display_name(titles: Mapping[str, Any], kind: str, name: str, lang: str) -> str:
    """Returns what people call a part.

    Args:
        titles: of ``scenario_titles``.
        kind: ``site``, ``coop``, ``model``, ``group`` or ``workload``.
        name: of the part.
        lang: of the reader; another language's title is used where this one has none.
    """
    by_language = titles.get(kind, {}).get(name, {})
    known = (by_language.get(language) for language in (i18n.lang_of(lang), *i18n.LANGUAGES))
    return next((title for title in known if title), name)


def device_name(name: str, lang: str) -> str:
    """Returns a device name with its phrases translated.

    >>> device_name("Mac mini M4 (10-core GPU)", "fr")
    'Mac mini M4 (GPU à 10 cœurs)'
    """
    for code, pattern in DEVICE_PHRASES:
        match = re.search(pattern, name)
        if match:
            name = name.replace(match[0], text(code, lang, **match.groupdict()))
    return name


def short_device_name(name: str, lang: str) -> str:
    """Returns a device name without its details.

    >>> short_device_name("Mac mini M4 (10-core GPU)", "fr")
    'Mac mini M4'
    """
    return DETAILS.split(device_name(name, lang))[0]


def displayed_values(
    titles: Mapping[str, Any], values: Mapping[str, i18n.Value], lang: str
) -> dict[str, i18n.Value]:
    """Returns the values of a message, with devices and parts as people call them."""
    shown = dict(values)
    for key, value in values.items():
        if key == "device":
            shown[key] = device_name(str(value), lang)
        elif key in NAME_VALUES:
            shown[key] = display_name(titles, NAME_VALUES[key], str(value), lang)
    return shown
