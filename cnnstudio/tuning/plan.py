"""What a search varies and how long, as a value and as a file from which another search can be started."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.files import FileError, read_json
from cnnstudio.core.parameters import (
    describe_value,
    flag,
    integer,
    shorten,
    validate_parameters,
    values_to_json,
)
from cnnstudio.design.network import Network
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.space import Dimension, Space, find_setting, make_choices, make_range

FORMAT = "cnnstudio.search"
VERSION = 1

_KEYS = {"format", "version", "vary", "trials", "prune"}
_RANGE_KEYS, _CHOICES_KEYS = {"parameter", "from", "to", "step", "scale"}, {"parameter", "values"}


@dataclass(frozen=True)
class Plan:
    """What is varied, how many trials are made, and whether poor ones end early. Raises SearchError."""

    space: Space
    trials: int = integer(
        20, maximum=10_000, help="number of trials, including the first with unchanged settings"
    )
    prune: bool = flag(True, help="end trials early that are worse than the median")

    def __post_init__(self) -> None:
        try:
            validate_parameters(self)
        except ParameterError as error:
            raise SearchError(str(error)) from None

    def replace(self, **values: Any) -> Plan:
        """This plan with other values. Raises SearchError."""
        return dataclasses.replace(self, **values)

    def to_json(self) -> dict[str, Any]:
        """The content of a search file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "vary": [dimension.to_json() for dimension in self.space.dimensions],
            **values_to_json(self),
        }


def read_plan(path: Path, network: Network) -> Plan:
    """The plan in a file, for the layers of this network. Raises SearchError, which names the location."""
    try:
        content = read_json(path)
    except FileError as error:
        raise SearchError(str(error)) from None
    try:
        return plan_from_json(content, network)
    except SearchError as error:
        raise SearchError(f"{path.name}: {error}") from None


def plan_from_json(content: Any, network: Network) -> Plan:
    """The plan in a file's content; missing keys take the defaults. Raises SearchError."""
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise SearchError(f'not a search file: it must be a JSON object with "format": "{FORMAT}"')
    version = content.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SearchError(f"version: must be an integer of at least 1, got {describe_value(version)}")
    if version > VERSION:
        raise SearchError(
            f"version: the file has version {version}, but this program reads only up to {VERSION}: update it"
        )
    _refuse_unknown_keys(content, _KEYS)
    entries = content.get("vary")
    if not isinstance(entries, list) or not entries:
        raise SearchError(f"vary: must be a list of the settings to vary, got {describe_value(entries)}")
    space = Space(tuple(_dimension(entry, network, f"vary[{index}]") for index, entry in enumerate(entries)))
    return Plan(space, **{key: content[key] for key in ("trials", "prune") if key in content})


def _dimension(entry: Any, network: Network, location: str) -> Dimension:
    try:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("parameter"), str):
            raise SearchError(f'must be an object with a "parameter", got {describe_value(entry)}')
        location = f"{location} ({shorten(entry['parameter'])})"
        _refuse_unknown_keys(entry, _CHOICES_KEYS if "values" in entry else _RANGE_KEYS)
        setting = find_setting(network, entry["parameter"])
        if "values" in entry:
            if not isinstance(entry["values"], list):
                raise SearchError(f"values: must be a list, got {describe_value(entry['values'])}")
            return make_choices(setting, entry["values"])
        scale = entry.get("scale")
        if scale not in (None, "log", "linear"):
            raise SearchError(f"scale: must be log or linear, got {describe_value(scale)}")
        return make_range(setting, entry.get("from"), entry.get("to"), entry.get("step"), scale)
    except SearchError as error:
        raise SearchError(f"{location}: {error}") from None


def _refuse_unknown_keys(content: Mapping[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            raise SearchError(f"{shorten(key)}: unknown key; valid keys are {', '.join(sorted(known))}")
