"""One run in one line of the table: what it trained, how, and how far it got."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnstudio.core.files import read_regular
from cnnstudio.core.parameters import parameters, values_to_json
from cnnstudio.data.versions.evaluations import evaluation_count
from cnnstudio.design.file import MAXIMUM_BYTES, DesignError, nodes_to_json, parse_design
from cnnstudio.design.network import Network
from cnnstudio.runs.epochs.saved_best import saved_best_epoch
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.library.curve import LogSummary, Point, pack_points, summarize_log, unpack_points
from cnnstudio.runs.library.label import NO_LABEL, RunLabel, read_label
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, Run, Status
from cnnstudio.training.recipe.recipe import Recipe, RecipeError

_MAX_RECIPE_BYTES = 2**20
_MAX_DESIGN_FIELDS = 400
"""Values of layers that are kept of one design; a design of more layers is compared by its first ones."""
_DEFAULT_VALUES = values_to_json(Recipe())

Value = str | int | float | bool
Values = Mapping[str, Value]


@dataclass(frozen=True)
class RunSummary:
    """What the table shows. Accuracies are fractions, and of the validation images unless it says so."""

    folder: Path
    name: str
    """The network's name when it was trained."""
    status: Status
    created: float
    """When it was started, in Unix seconds."""
    data: str
    """The name or folder of its images."""
    recipe_name: str
    seed: int
    epochs: int
    """The planned number of epochs."""
    settings: Values
    """The fields of the recipe that have another value than by default."""
    design: str
    """The same text for the same layers and input, whatever the network's name."""
    design_values: Values
    """The input, and each layer's parameters that differ from the defaults: `conv2d_1 filters` -> 32."""
    parameters: int | None = None
    best_epoch: int | None = None
    best_accuracy: float | None = None
    last_epoch: int | None = None
    last_accuracy: float | None = None
    last_loss: float | None = None
    test_accuracy: float | None = None
    seconds: float = 0.0
    parent: str = ""
    """The id of the run from whose weights it started; empty for none."""
    label: RunLabel = NO_LABEL
    training: str = ""
    """The training loss over the epochs, packed; see `training_curve`."""
    validation: str = ""
    data_version: str = ""
    """The id of the version of its images; empty if it does not say."""
    is_chosen_on_test: bool = False
    """Whether the test images were the validation images too, so that the best epoch is the best on them."""
    evaluations: int = 0
    """How often the test images of that version have been evaluated by now; 0 if that is not known."""

    @cached_property
    def id(self) -> str:
        return self.folder.name

    @property
    def title(self) -> str:
        """What the user calls it, or else the network's name."""
        return self.label.title or self.name

    @property
    def is_running(self) -> bool:
        return self.status == "running"

    @cached_property
    def training_curve(self) -> tuple[Point, ...]:
        """(epoch, loss), at most 96 points."""
        return unpack_points(self.training)

    @cached_property
    def validation_curve(self) -> tuple[Point, ...]:
        """(epoch, loss), at most 96 points."""
        return unpack_points(self.validation)

    def setting(self, name: str) -> Value:
        """The value of a field of the recipe."""
        return self.settings.get(name, _DEFAULT_VALUES[name])


@dataclass
class SummaryReader:
    """Reads runs one after the other. Runs of the same design and recipe share them, and parse them once."""

    _designs: dict[bytes, tuple[str, Values]] = field(default_factory=dict)
    _recipes: dict[bytes, tuple[Recipe, Values]] = field(default_factory=dict)

    def read(self, folder: Path) -> RunSummary:
        """Raises RunError for a folder without a readable run."""
        run = Run.open(folder)
        run.validate()
        design, design_values = self._design(folder)
        recipe, settings = self._recipe(folder)
        log = _log(folder)
        test, count = run.test, run.metadata.get("parameters")
        version = run.data_version
        seconds: Any = run.metadata.get("seconds")
        status = run.status
        best_epoch = _best_epoch(run, status, log)
        return RunSummary(
            folder=folder,
            name=run.name,
            status=status,
            created=run.created.timestamp(),
            data=run.dataset_name,
            recipe_name=recipe.name,
            seed=recipe.seed,
            epochs=recipe.epochs,
            settings=settings,
            design=design,
            design_values=design_values,
            parameters=count if type(count) is int else log.parameters,
            best_epoch=best_epoch,
            best_accuracy=None if best_epoch is None else log.accuracies.get(best_epoch),
            last_epoch=log.last_epoch,
            last_accuracy=log.last_accuracy,
            last_loss=log.last_loss,
            test_accuracy=test.accuracy if test is not None else None,
            seconds=float(seconds) if type(seconds) in (int, float) and 0 <= seconds < 1e15 else log.seconds,
            parent=run.continued_from,
            label=read_label(folder),
            training=pack_points(log.training),
            validation=pack_points(log.validation),
            data_version=version,
            is_chosen_on_test=not recipe.validation_share and not run.has_own_validation,
            evaluations=evaluation_count(version) if test is not None else 0,
        )

    def _design(self, folder: Path) -> tuple[str, Values]:
        try:
            data = read_regular(folder / DESIGN_FILE, MAXIMUM_BYTES)
            digest = hashlib.sha256(data).digest()
            if digest not in self._designs:
                network = parse_design(data.decode("utf-8-sig"))
                self._designs[digest] = design_key(network), design_values(network)
        except (OSError, UnicodeDecodeError, DesignError) as error:
            raise RunError(f"Cannot read the design of the run in {folder}: {error}") from None
        return self._designs[digest]

    def _recipe(self, folder: Path) -> tuple[Recipe, Values]:
        try:
            data = read_regular(folder / RECIPE_FILE, _MAX_RECIPE_BYTES)
            if data not in self._recipes:
                recipe = Recipe.from_json(json.loads(data))
                self._recipes[data] = recipe, settings_of(recipe)
        except (OSError, ValueError, RecursionError, RecipeError) as error:
            raise RunError(f"Cannot read the recipe of the run in {folder}: {error}") from None
        return self._recipes[data]


def _best_epoch(run: Run, status: Status, log: LogSummary) -> int | None:
    """The best epoch; once nothing trains any more, only one whose weights were saved."""
    if status == "running":
        return log.best_epoch
    if status == "interrupted":
        return saved_best_epoch(run)
    # Programs that write less than this one leave it out.
    return run.best_epoch if "best_epoch" in run.metadata else log.best_epoch


def _log(folder: Path) -> LogSummary:
    try:
        return summarize_log(folder / EVENTS_FILE)
    except OSError as error:
        raise RunError(f"Cannot read the events of the run in {folder}: {error.strerror}.") from None


def settings_of(recipe: Recipe) -> Values:
    """The fields of the recipe that have another value than by default."""
    values = values_to_json(recipe)
    return {name: value for name, value in values.items() if value != _DEFAULT_VALUES[name]}


def design_key(network: Network) -> str:
    """The same text for networks with the same layers and input."""
    content = [network.input.dims, nodes_to_json(network.nodes)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def design_values(network: Network) -> Values:
    """The input, and the parameters of the layers that differ from their type's defaults.

    `{"input": "3 × 32 × 32", "conv2d_1": "Conv2D", "conv2d_1 filters": 32}`; a disabled layer is left out.
    """
    found: dict[str, Value] = {"input": str(network.input)}
    for top in network.nodes:
        for node in top.walk_active():
            if len(found) >= _MAX_DESIGN_FIELDS:
                return found
            found[node.id] = node.layer.type_name()
            for parameter in parameters(node.layer):
                value = getattr(node.layer, parameter.name)
                if value != parameter.default:
                    shown = parameter.to_json(value)
                    is_plain = isinstance(shown, str | int | float)
                    found[f"{node.id} {parameter.name}"] = shown if is_plain else parameter.text(value)
    return found
