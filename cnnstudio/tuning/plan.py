"""What a search does, as a value and as a file that another search can be made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.files import FileError, read_json
from cnnstudio.core.parameters import check_all, flag, integer, shorten, shown, values_to_json
from cnnstudio.design.network import Network
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.space import Dimension, Space, find_target, make_choices, make_range

FORMAT = "cnnstudio.search"
VERSION = 1

_KEYS = {"format", "version", "vary", "trials", "prune"}
_RANGE, _CHOICES = {"parameter", "from", "to", "step", "scale"}, {"parameter", "values"}


@dataclass(frozen=True)
class Plan:
    """What is varied, how often, and whether hopeless trials end early. Raises SearchError."""

    space: Space
    trials: int = integer(20, maximum=10_000, help="trainings all together, the first with nothing changed")
    prune: bool = flag(True, help="ends trials early that are worse than half of the others")

    def __post_init__(self) -> None:
        try:
            check_all(self)
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
    """The plan in a file, for the layers of this design. Raises SearchError, which names the place."""
    try:
        content = read_json(path)
    except FileError as error:
        raise SearchError(str(error)) from None
    try:
        return plan_from_json(content, network)
    except SearchError as error:
        raise SearchError(f"{path.name}: {error}") from None


def plan_from_json(content: Any, network: Network) -> Plan:
    """The plan of a file's content; what is missing takes the defaults. Raises SearchError."""
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise SearchError(f'this is no search: a search is a JSON object with "format": "{FORMAT}"')
    version = content.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise SearchError(f"version: a whole number from 1 is needed, not {shown(version)}")
    if version > VERSION:
        raise SearchError(
            f"version: this search is of version {version}; this program reads up to {VERSION}, so update"
        )
    _refuse_unknown(content, _KEYS)
    marks = content.get("vary")
    if not isinstance(marks, list) or not marks:
        raise SearchError(f"vary: a list of what is varied is needed, not {shown(marks)}")
    space = Space(tuple(_dimension(mark, network, f"vary[{index}]") for index, mark in enumerate(marks)))
    return Plan(space, **{key: content[key] for key in ("trials", "prune") if key in content})


def _dimension(mark: Any, network: Network, place: str) -> Dimension:
    try:
        if not isinstance(mark, Mapping) or not isinstance(mark.get("parameter"), str):
            raise SearchError(f'an object with a "parameter" is needed, not {shown(mark)}')
        place = f"{place} ({shorten(mark['parameter'])})"
        _refuse_unknown(mark, _CHOICES if "values" in mark else _RANGE)
        target = find_target(network, mark["parameter"])
        if "values" in mark:
            if not isinstance(mark["values"], list):
                raise SearchError(f"values: a list is needed, not {shown(mark['values'])}")
            return make_choices(target, mark["values"])
        scale = mark.get("scale")
        if scale not in (None, "log", "linear"):
            raise SearchError(f"scale: log or linear is needed, not {shown(scale)}")
        return make_range(target, mark.get("from"), mark.get("to"), mark.get("step"), scale)
    except SearchError as error:
        raise SearchError(f"{place}: {error}") from None


def _refuse_unknown(content: Mapping[str, Any], known: set[str]) -> None:
    for key in content:
        if key not in known:
            raise SearchError(f"{shorten(key)}: this is not known here; {', '.join(sorted(known))} are")
