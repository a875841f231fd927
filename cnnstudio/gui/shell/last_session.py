"""What the window shows at its next start: the last design, data set, recipe and run."""

from __future__ import annotations

import json
from pathlib import Path

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.core.paths import home
from cnnstudio.data.sources import find_source
from cnnstudio.design.file import read_design, write_design
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.document.settings import Settings
from cnnstudio.training.recipe.files import known_recipes
from cnnstudio.training.recipe.recipe import Recipe

_DESIGN, _RECIPE, _DATASET, _RUN, _START = "design", "recipe", "dataset", "run", "startWeights"
_UNSAVED_FILE = "last.cnn.json"
"""Holds a design that has no file of its own, such as a template."""


class LastSession:
    """Written when the window closes. Whatever cannot be read at the next start is left out."""

    def __init__(self, project: Project, settings: Settings) -> None:
        self._project = project
        self._settings = settings

    @property
    def run_to_show(self) -> Path | None:
        """The run that was shown last, if its folder is still there."""
        name = self._settings.text(_RUN)
        return Path(name) if name and exists(Path(name) / "run.json") else None

    def restore_design(self) -> bool:
        """Opens the design that was open last; False if there is none that can be read."""
        name = self._settings.text(_DESIGN)
        path = Path(name) if name else home() / _UNSAVED_FILE
        try:
            network = read_design(path)
        except UserError:
            return False
        if not name and not network.nodes:
            # Nothing is lost with an empty design, and the lesson's can be trained.
            return False
        self._project.open_network(network, path if name else None)
        return True

    def restore_recipe(self) -> None:
        """Chooses the recipe that was chosen last, by its name or with its values."""
        text = self._settings.text(_RECIPE)
        try:
            recipe = known_recipes().get(text) or (Recipe.from_json(json.loads(text)) if text else None)
        except (UserError, ValueError, RecursionError):
            return
        if recipe is not None:
            self._project.set_recipe(recipe)

    def dataset(self) -> str:
        """The data set that was chosen last if it is still there, else CIFAR-10 if it is, else Shapes."""
        for name in (self._settings.text(_DATASET), "cifar10"):
            try:
                if name and find_source(name).available():
                    return name
            except UserError:
                continue
        return "shapes"

    @property
    def start_weights(self) -> str:
        """What the next training was to start from, as `StartFrom.to_text` wrote it; empty for none."""
        return self._settings.text(_START)

    def save(self, run: Path | None, start_weights: str = "") -> None:
        """Remembers what is shown now; `run` is the folder of the run on show."""
        project, settings = self._project, self._settings
        if project.path is not None:
            settings.set_text(_DESIGN, str(project.path.absolute()))
        else:
            settings.remove(_DESIGN)
            self._write_unsaved()
        recipe = project.recipe
        is_known = known_recipes().get(recipe.name) == recipe
        settings.set_text(_RECIPE, recipe.name if is_known else json.dumps(recipe.to_json()))
        settings.set_text(_DATASET, project.dataset_name)
        if start_weights:
            settings.set_text(_START, start_weights)
        else:
            settings.remove(_START)
        if run is not None:
            settings.set_text(_RUN, str(run))

    def _write_unsaved(self) -> None:
        network = self._project.saved_network
        if network is not None:
            try:
                write_design(home() / _UNSAVED_FILE, network)
            except UserError:
                # The next start opens the lesson's network instead.
                return
