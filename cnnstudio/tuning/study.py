"""The folder of a search: the original design and recipe, the plan, and the trials, each with its own run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from pathlib import Path

from cnnstudio.core.files import FileError, exists, is_folder, read_json, write_json
from cnnstudio.core.locking import FileLock
from cnnstudio.core.paths import home
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.sources import current_fingerprint
from cnnstudio.design.file import DesignError, read_design, write_design
from cnnstudio.design.network import Network
from cnnstudio.runs.heartbeat import LOCK_FILE
from cnnstudio.runs.run import Run
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe, RecipeError
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.plan import Plan, read_plan
from cnnstudio.tuning.trial import Trial, score_key

FORMAT = "cnnstudio.study"
VERSION = 1
STUDY_FILE, PLAN_FILE = "study.json", "search.json"
BASE_DESIGN, BASE_RECIPE = "base.cnn.json", "base.recipe.json"
BEST_DESIGN, BEST_RECIPE = "best.cnn.json", "best.recipe.json"

DEFAULT_VALIDATION_SHARE = 0.1
"""The fraction of the training images to validate on if the recipe sets none aside."""


def searches_folder() -> Path:
    """The default folder for searches."""
    return home() / "searches"


class Study:
    """A search's folder. `network` and `recipe` are the ones that it starts from, unchanged."""

    def __init__(
        self,
        folder: Path,
        network: Network,
        recipe: Recipe,
        plan: Plan,
        source: str,
        fingerprint: str,
        trials: Iterable[Trial] = (),
    ) -> None:
        """`source` is the name or folder of the data set, `fingerprint` identifies its images."""
        self.folder = folder
        self.network = network
        self.recipe = recipe
        self.plan = plan
        self.source = source
        self.fingerprint = fingerprint
        self._trials = {trial.number: trial for trial in trials}

    @classmethod
    def open(cls, folder: Path) -> Study:
        """The search in that folder. Raises SearchError."""
        path = folder / STUDY_FILE
        if not exists(path):
            raise SearchError(
                f"there is no search in {folder}: a search is a folder that contains {STUDY_FILE}"
            )
        try:
            content = read_json(path)
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise SearchError(f"{path} does not describe a CNN Studio search")
            if content.get("version") != VERSION:
                raise SearchError(
                    f"the search in {folder} was written by a newer version of CNN Studio: update the "
                    "program to resume it"
                )
            network, recipe = read_design(folder / BASE_DESIGN), read_recipe(folder / BASE_RECIPE)
            plan = read_plan(folder / PLAN_FILE, network)
            source, fingerprint = str(content["data"]["source"]), str(content["data"]["fingerprint"])
            fingerprint = current_fingerprint(fingerprint)
            trials = [Trial.from_json(entry, plan.space) for entry in content["trials"]]
        except (FileError, DesignError, RecipeError) as error:
            raise SearchError(f"the search in {folder} cannot be read: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise SearchError(
                f"the search in {folder} is damaged: {STUDY_FILE} has missing or invalid values"
            ) from None
        return cls(folder, network, recipe, plan, source, fingerprint, trials)

    @property
    def trials(self) -> list[Trial]:
        """All trials, in the order in which they were made."""
        return list(self._trials.values())

    @property
    def ended(self) -> list[Trial]:
        """The trials that have ended, whatever their result."""
        return [trial for trial in self.trials if trial.state != "unfinished"]

    @property
    def baseline(self) -> Trial | None:
        """The trial with the settings unchanged."""
        return self._trials.get(1)

    @property
    def ranked(self) -> list[Trial]:
        """The completed trials, best first; of equally good ones the earlier first."""
        completed = [
            (score_key(trial.best_scores), trial)
            for trial in self.trials
            if trial.state == "completed" and trial.best_scores
        ]
        return [trial for _, trial in sorted(completed, key=itemgetter(0), reverse=True)]

    @property
    def best(self) -> Trial | None:
        """The best completed trial."""
        return next(iter(self.ranked), None)

    def configuration(self, trial: Trial) -> tuple[Network, Recipe]:
        """The network and recipe that the trial trains, with a validation split.

        Raises UserError if the values make an invalid network or recipe.
        """
        network, recipe = self.plan.space.apply(self.network, self.recipe, trial.values)
        return network, with_validation_split(recipe)

    def trial_folder(self, trial: Trial) -> Path:
        """The folder of the trial's run."""
        return self.folder / f"trial-{trial.number:03d}"

    def seeds_folder(self, trial: Trial) -> Path:
        """The folder of the trial's runs with other seeds."""
        return self.folder / f"trial-{trial.number:03d}-seeds"

    def run(self, trial: Trial) -> Run:
        """The trial's run. Raises RunError."""
        return Run.open(self.trial_folder(trial))

    def record(self, trial: Trial) -> None:
        """Adds or replaces the trial and saves; also the best design and recipe if they changed.

        Raises FileError.
        """
        before = self.best
        self._trials[trial.number] = trial
        self._write_trials()
        if self.best is not None and self.best != before:
            network, recipe = self.plan.space.apply(self.network, self.recipe, self.best.values)
            write_design(self.folder / BEST_DESIGN, network)
            write_json(self.folder / BEST_RECIPE, recipe.to_json())

    def save(self) -> None:
        """Saves everything but the runs. Raises FileError."""
        write_design(self.folder / BASE_DESIGN, self.network)
        write_json(self.folder / BASE_RECIPE, self.recipe.to_json())
        write_json(self.folder / PLAN_FILE, self.plan.to_json())
        # Last, because its presence makes the folder a search.
        self._write_trials()

    def _write_trials(self) -> None:
        write_json(
            self.folder / STUDY_FILE,
            {
                "format": FORMAT,
                "version": VERSION,
                "name": self.network.name,
                "data": {"source": self.source, "fingerprint": self.fingerprint},
                "trials": [trial.to_json(self.plan.space) for trial in self.trials],
            },
        )

    def require_design(self, network: Network) -> None:
        """Raises SearchError if the network is not the search's."""
        if (network.input, network.nodes) != (self.network.input, self.network.nodes):
            raise SearchError(
                f"the search in {self.folder} was started with another design: use "
                f"{self.folder / BASE_DESIGN}"
            )

    def require_dataset(self, dataset: Dataset) -> None:
        """Raises SearchError if the images are not the search's."""
        if dataset.fingerprint != self.fingerprint:
            raise SearchError(
                f"the search in {self.folder} was started with other images than those of {dataset.title}"
            )


def with_validation_split(recipe: Recipe) -> Recipe:
    """The recipe with some training images set aside for validation, if it has not.

    Without them a run validates on the test images. Choosing among trials by these would fit the search to
    them, and no images would be left to judge the result by.
    """
    return recipe.replace(validation_share=recipe.validation_share or DEFAULT_VALIDATION_SHARE)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Creates the folder and, inside, keeps other programs from searching there. Raises SearchError."""
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / LOCK_FILE))
        except BlockingIOError:
            raise SearchError(f"the search in {folder} is in progress in another program") from None
        except OSError as error:
            raise SearchError(f"cannot write the search to {folder}: {error.strerror}") from None
        yield


def require_empty(folder: Path) -> None:
    """Raises SearchError if a new search cannot be written to the folder."""
    if exists(folder / STUDY_FILE):
        raise SearchError(
            f"{folder} already contains a search: resume it with --resume or choose another folder"
        )
    if exists(folder) and not is_folder(folder):
        raise SearchError(f"{folder} is a file: a search needs a folder")
    try:
        occupied = exists(folder) and any(path.name != LOCK_FILE for path in folder.iterdir())
    except OSError as error:
        raise SearchError(f"cannot write the search to {folder}: {error.strerror}") from None
    if occupied:
        raise SearchError(f"{folder} contains other files: choose an empty or a new folder for the search")
