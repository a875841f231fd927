"""A search as it stands in its folder: what it began with, its plan, its trials, each a run of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path

from cnnstudio.core.files import FileError, exists, is_folder, read_json, write_json
from cnnstudio.core.paths import home
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.file import DesignError, read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.runs.heartbeat import LOCK_FILE, RunLock
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe, RecipeError
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.plan import Plan, read_plan
from cnnstudio.tuning.trial import Trial, rank

FORMAT = "cnnstudio.study"
VERSION = 1
STUDY_FILE, PLAN_FILE = "study.json", "search.json"
BASE_DESIGN, BASE_RECIPE = "base.cnn.json", "base.recipe.json"
BEST_DESIGN, BEST_RECIPE = "best.cnn.json", "best.recipe.json"

SET_ASIDE = 0.1
"""Of the training images, for the validation, where the recipe sets none aside."""


def searches_folder() -> Path:
    """Where searches stand that were given no other place."""
    return home() / "searches"


class Study:
    """A search's folder. `network` and `recipe` are what it was begun with.

    `images` is the name or folder by which they are found again, `fingerprint` tells whether they changed.
    """

    def __init__(
        self,
        folder: Path,
        network: Network,
        recipe: Recipe,
        plan: Plan,
        images: str,
        fingerprint: str,
        trials: Iterable[Trial] = (),
    ) -> None:
        self.folder = folder
        self.network = network
        self.recipe = recipe
        self.plan = plan
        self.images = images
        self.fingerprint = fingerprint
        self._trials = {trial.number: trial for trial in trials}

    @classmethod
    def open(cls, folder: Path) -> Study:
        """The one in that folder. Raises SearchError."""
        path = folder / STUDY_FILE
        if not exists(path):
            raise SearchError(f"there is no search in {folder}: it is a folder with a {STUDY_FILE} in it")
        try:
            content = read_json(path)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise SearchError(f"{path} does not describe a search of CNN Studio")
            if content.get("version") != VERSION:
                raise SearchError(
                    f"the search in {folder} was written by a newer CNN Studio: update the program to go on"
                )
            network, recipe = read_design(folder / BASE_DESIGN), read_recipe(folder / BASE_RECIPE)
            plan = read_plan(folder / PLAN_FILE, network)
            source, fingerprint = str(content["data"]["source"]), str(content["data"]["fingerprint"])
            trials = [Trial.from_json(entry, plan.space) for entry in content["trials"]]
        except (FileError, DesignError, RecipeError) as error:
            raise SearchError(f"the search in {folder} cannot be read: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SearchError(
                f"the search in {folder} is damaged: {STUDY_FILE} does not say what it should"
            ) from None
        return cls(folder, network, recipe, plan, source, fingerprint, trials)

    @property
    def trials(self) -> list[Trial]:
        """In the order in which they were made."""
        return list(self._trials.values())

    @property
    def ended(self) -> list[Trial]:
        """Those that will not change any more."""
        return [trial for trial in self.trials if trial.state != "unfinished"]

    @property
    def base(self) -> Trial | None:
        """The one in which nothing is changed."""
        return self._trials.get(1)

    @property
    def ranked(self) -> list[Trial]:
        """Those that came to their end, the best first; of several that are equally good, the earlier."""
        completed = [
            (rank(trial.best), trial) for trial in self.trials if trial.state == "completed" and trial.best
        ]
        return [trial for _, trial in sorted(completed, key=itemgetter(0), reverse=True)]

    @property
    def best(self) -> Trial | None:
        """The first of `ranked`."""
        return next(iter(self.ranked), None)

    def setting(self, trial: Trial) -> tuple[Network, Recipe]:
        """What the trial trains: with images set aside, so that the test images stay unseen.

        Raises UserError for values that do not go together.
        """
        network, recipe = self.plan.space.applied(self.network, self.recipe, trial.values)
        return network, searched(recipe)

    def place(self, trial: Trial) -> Path:
        """The folder of the trial's run."""
        return self.folder / f"trial-{trial.number:03d}"

    def place_of_seeds(self, trial: Trial) -> Path:
        """The folder of its repeats."""
        return self.folder / f"trial-{trial.number:03d}-seeds"

    def run(self, trial: Trial) -> Run:
        """The trial's run. Raises RunError."""
        return Run.open(self.place(trial))

    def keep(self, trial: Trial) -> None:
        """Writes the trial down, and what is the best now. Raises FileError."""
        before = self.best
        self._trials[trial.number] = trial
        self._write_trials()
        if self.best is not None and self.best != before:
            network, recipe = self.plan.space.applied(self.network, self.recipe, self.best.values)
            write_design(self.folder / BEST_DESIGN, network)
            write_json(self.folder / BEST_RECIPE, recipe.to_json())

    def write(self) -> None:
        """Writes down everything but the runs. Raises FileError."""
        write_design(self.folder / BASE_DESIGN, self.network)
        write_json(self.folder / BASE_RECIPE, self.recipe.to_json())
        write_json(self.folder / PLAN_FILE, self.plan.to_json())
        # Last of all, because it is what makes the folder a search.
        self._write_trials()

    def _write_trials(self) -> None:
        write_json(
            self.folder / STUDY_FILE,
            {
                "format": FORMAT,
                "version": VERSION,
                "name": self.network.name,
                "data": {"source": self.images, "fingerprint": self.fingerprint},
                "trials": [trial.to_json(self.plan.space) for trial in self.trials],
            },
        )

    def require_design(self, network: Network) -> None:
        """Raises SearchError for another design than the search's."""
        if (network.input, network.nodes) != (self.network.input, self.network.nodes):
            raise SearchError(
                f"the search in {self.folder} was begun with another design: give {self.folder / BASE_DESIGN}"
            )

    def require_images(self, dataset: Dataset) -> None:
        """Raises SearchError for other images than the search's."""
        if dataset.fingerprint != self.fingerprint:
            raise SearchError(f"the search in {self.folder} was begun with other images than {dataset.title}")


def searched(recipe: Recipe) -> Recipe:
    """The recipe with images set aside to choose by, so that the test images stay unseen."""
    return recipe.replace(validation_share=recipe.validation_share or SET_ASIDE)


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Makes the folder, and inside keeps other programs from searching there. Raises SearchError."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(RunLock(folder))
        except BlockingIOError:
            raise SearchError(f"the search in {folder} is being made by another program") from None
        except OSError as error:
            raise SearchError(f"the search cannot be written to {folder}: {error.strerror}") from None
        yield


def require_empty(folder: Path) -> None:
    """Raises SearchError where a new search cannot have the folder."""
    if exists(folder / STUDY_FILE):
        raise SearchError(
            f"there is a search in {folder} already: let it go on with --resume, or give another folder"
        )
    if exists(folder) and not is_folder(folder):
        raise SearchError(f"{folder} is a file: a search needs a folder")
    try:
        occupied = exists(folder) and any(path.name != LOCK_FILE for path in folder.iterdir())
    except OSError as error:
        raise SearchError(f"the search cannot be written to {folder}: {error.strerror}") from None
    if occupied:
        raise SearchError(f"{folder} holds other files: a search needs a folder of its own")
