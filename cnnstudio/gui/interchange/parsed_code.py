"""What code says: the network, the training settings and the data set, and how the dialog words it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cnnstudio.core.formatting import pluralize
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.network import Network
from cnnstudio.gui.designer.paste_code import recipe_from_code
from cnnstudio.gui.widgets.plain_text import plain_entry
from cnnstudio.interchange.data_sets import FOLDER, NamedData
from cnnstudio.interchange.reading import ImportedDesign, read_code
from cnnstudio.training.recipe.recipe import Recipe, split_valid_fields

if TYPE_CHECKING:
    from cnnstudio.data.sources import Source

_MAXIMUM_SETTINGS = 7
_FIRST_SETTINGS = ("optimizer", "learning_rate", "epochs", "batch_size")


@dataclass(frozen=True)
class ParsedCode:
    """The design and the recipe in the code, and the analysis of the design for the current data set."""

    imported: ImportedDesign
    analysis: Analysis
    recipe: Recipe | None
    recipe_errors: tuple[str, ...]
    """The errors about training settings that are no valid recipe values."""
    source: Source | None
    """The data set that the code names, if the program knows it."""

    def with_network(self, network: Network, classes: int | None) -> ParsedCode:
        """The same with another network, analyzed for so many classes."""
        analysis = analyze(network, self.analysis, classes=classes)
        return replace(self, imported=replace(self.imported, network=network), analysis=analysis)

    def describe_recipe(self) -> str:
        """The offer to take over the training settings in the code."""
        given = split_valid_fields(self.imported.recipe)[0]
        return plain_entry(f"Use the training settings in the code: {_describe_settings(given)}", 160)

    @property
    def has_data(self) -> bool:
        """Whether the data set that the code names can be used now."""
        return self.source is not None and self.source.available()

    def describe_data(self) -> str:
        """The offer to take over the data set that the code names, or why that is not possible."""
        data, source = self.imported.data, self.source
        if data is None:
            return ""
        place = f"(line {data.line})"
        if source is not None and self.has_data:
            return plain_entry(f"Use the data set in the code: {source.title} {place}", 100)
        if source is not None:
            return f"The code trains on {source.title} {place}, which has not been downloaded yet."
        if data.name == FOLDER:
            return f"The code trains on a folder of images {place}: add it under Data sets."
        return f"The code trains on {data.name} {place}, which is not one of your data sets."


def parse_code(text: str, chosen: str, name: str, classes: int | None) -> ParsedCode:
    """Reads code, never executes it; raises CodeError.

    `chosen` is the name of one of several networks in it, empty for the default. A network without a name
    gets `name`. `classes` is how many the current data set has, None if it is not known.
    """
    imported = read_code(text, chosen).with_default_name(name)
    analysis = analyze(imported.network, classes=classes)
    return ParsedCode(imported, analysis, *recipe_from_code(imported), _source(imported.data))


def _describe_settings(values: Mapping[str, Any]) -> str:
    """The training settings in the code, and no others: `adam, learning rate 0.001, 10 epochs`."""
    names = [name for name in _FIRST_SETTINGS if name in values]
    names += [name for name in values if name not in _FIRST_SETTINGS]
    texts = [_describe_setting(name, values[name]) for name in names]
    more = f" and {len(texts) - _MAXIMUM_SETTINGS} more" if len(texts) > _MAXIMUM_SETTINGS else ""
    return ", ".join(texts[:_MAXIMUM_SETTINGS]) + more


def _describe_setting(name: str, value: Any) -> str:
    if name == "optimizer":
        return str(value)
    if name == "epochs":
        return pluralize(int(value), "epoch")
    if isinstance(value, float):
        value = f"{value:g}"
    elif isinstance(value, int):
        value = f"{value:,}"
    return f"{name.replace('_', ' ')} {value}"


def _source(data: NamedData | None) -> Source | None:
    """The data set of that name, None if the program does not know it."""
    from cnnstudio.data.sources import sources

    return next((each for each in sources() if data is not None and each.name == data.name), None)
