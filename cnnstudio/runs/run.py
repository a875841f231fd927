"""A run as it stands in its folder, finished or still being written. Needs torch for its weights alone."""

from __future__ import annotations

import contextlib
import re
import time
import unicodedata
from datetime import datetime
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cnnstudio.core.files import FileError, exists, read_json
from cnnstudio.core.parameters import shorten
from cnnstudio.core.paths import home
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import DesignError, read_design
from cnnstudio.design.network import Network
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_log import read_events
from cnnstudio.runs.heartbeat import SILENT_SECONDS, is_held, last_pulse, this_host
from cnnstudio.runs.snapshots import Snapshot, snapshot_epochs, snapshot_path
from cnnstudio.training.distributed.ranks import launch
from cnnstudio.training.events import EpochEnded, Event, Scores
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

__all__ = ["Run", "RunError", "find_run", "list_runs", "new_folder", "runs_folder"]

FORMAT = "cnnstudio.run"
VERSION = 1
RUN_FILE, DESIGN_FILE, RECIPE_FILE, EVENTS_FILE = "run.json", "design.cnn.json", "recipe.json", "events.jsonl"

_HUGE = 1e30
"""No number in a description is that large; NaN is not below it either."""

Status = Literal["running", "completed", "stopped", "failed", "interrupted"]


def runs_folder() -> Path:
    """Where runs stand that were given no other place."""
    return home() / "runs"


def new_folder(name: str, parent: Path) -> Path:
    """A folder that is not there yet, such as `20261123-014500-lesson-cnn`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "run"
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{words}"
    numbered = (parent / (f"{stem}-{number}" if number > 1 else stem) for number in count(1))
    return next(folder for folder in numbered if not folder.exists())


class Run:
    """A run folder. What is said of it here is what `run.json` said when it was opened."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        self.folder = folder
        self.about = about

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in that folder. Raises RunError."""
        path = folder / RUN_FILE
        if not exists(path):
            raise RunError(f"There is no run in {folder}: a run is a folder with a {RUN_FILE} in it.")
        try:
            about = read_json(path)
        except FileError as error:
            raise RunError(f"The run in {folder} cannot be read: {error}") from None
        version = about.get("version") if isinstance(about, dict) else None
        if not isinstance(version, int) or about.get("format") != FORMAT:
            raise RunError(f"{path} does not describe a run of CNN Studio.")
        if version > VERSION:
            raise RunError(
                f"The run in {folder} was written by a newer CNN Studio (format {version}; this one reads up "
                f"to {VERSION}): update the program to open it."
            )
        return cls(folder, about)

    def check(self) -> None:
        """Raises RunError where what a list of runs shows of it is not as it should be."""
        _ = (self.name, self.created, self.status, self.test, self.best_epoch, self.dataset_name)

    @property
    def id(self) -> str:
        return self.folder.name

    @property
    def name(self) -> str:
        """The network's name when it was trained."""
        return str(self._get("name", str))

    @property
    def created(self) -> datetime:
        try:
            return datetime.fromisoformat(self._get("created", str))
        except ValueError:
            raise self._damaged("created") from None

    @property
    def status(self) -> Status:
        """How it ended, or "running"; "interrupted" where its process is gone and never said how it ended.

        A lock tells of processes on this machine; of one on another machine its pulse may have to.
        """
        status = self._get("status", str)
        if status in ("completed", "stopped", "failed"):
            return status  # type: ignore[no-any-return]  # one of the three
        return "running" if is_held(self.folder) or self._has_pulse else "interrupted"

    @property
    def _has_pulse(self) -> bool:
        pulse = None if self.is_of_this_machine else last_pulse(self.folder)
        return pulse is not None and time.time() - pulse < SILENT_SECONDS

    @property
    def host(self) -> str:
        """The name of the machine that trains it, or did last; empty where that was not noted."""
        return str(self.about.get("host", ""))

    @property
    def is_of_this_machine(self) -> bool:
        return self.host == this_host()

    @property
    def reason(self) -> str:
        """One sentence on how it ended; empty while it runs."""
        return str(self.about.get("reason", ""))

    @property
    def test(self) -> Scores | None:
        """The scores of the best weights on the test images."""
        found = self.about.get("test")
        if found is None:
            return None
        if not isinstance(found, dict) or not {"loss", "accuracy"} <= found.keys():
            raise self._damaged("test")
        return Scores(*self._numbers("test", [found["loss"], found["accuracy"]]))

    @property
    def best_epoch(self) -> int | None:
        found = self.about.get("best_epoch")
        if found is not None and type(found) is not int:
            raise self._damaged("best_epoch")
        return found

    @property
    def dataset_name(self) -> str:
        """By which `find_source` finds the images again."""
        return str(self._get("data", dict).get("source", ""))

    @property
    def dataset_fingerprint(self) -> str:
        return str(self._get("data", dict).get("fingerprint", ""))

    @property
    def test_images(self) -> int:
        """How many images it was tested on; 0 where that was not noted."""
        found = self._get("data", dict).get("test", 0)
        if type(found) is not int:
            raise self._damaged("data")
        return found

    @property
    def classes(self) -> tuple[str, ...]:
        found = self._get("classes", list)
        if not all(isinstance(name, str) for name in found):
            raise self._damaged("classes")
        return tuple(found)

    @cached_property
    def network(self) -> Network:
        """The design that was trained. Raises RunError."""
        try:
            return read_design(self.folder / DESIGN_FILE)
        except DesignError as error:
            raise RunError(f"The run's design cannot be read. {error}") from None

    @cached_property
    def recipe(self) -> Recipe:
        """How it was trained. Raises RunError."""
        try:
            return read_recipe(self.folder / RECIPE_FILE)
        except RecipeError as error:
            raise RunError(f"The run's recipe cannot be read. {error}") from None

    def events(self) -> list[Event]:
        """What was said until now; of a line that is only half written nothing is given. Raises RunError."""
        try:
            return read_events(self.folder / EVENTS_FILE)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"The run's events cannot be read ({error.strerror}).") from None

    @property
    def history(self) -> tuple[EpochEnded, ...]:
        """The end of each epoch until now."""
        return tuple(event for event in self.events() if isinstance(event, EpochEnded))

    @property
    def snapshot_epochs(self) -> list[int]:
        """The epochs that `snapshot` can show; 0 is before the training."""
        return snapshot_epochs(self.folder)

    def snapshot(self, epoch: int) -> Snapshot:
        """What the layers made of the example images then. Raises RunError where there is none."""
        path = snapshot_path(self.folder, epoch)
        if not exists(path):
            raise RunError(f"The run has no snapshot of epoch {epoch}.")
        return Snapshot(path, epoch)

    def model(self, which: str = "best") -> Model:
        """The network with the weights of "best", "last" or "previous", ready to answer.

        Raises RunError or CheckpointError.
        """
        from cnnstudio.training.checkpoints.store import Checkpoints, restore_weights
        from cnnstudio.training.model import build_model

        problems = analyze(self.network, classes=len(self.classes)).problems
        if problems:
            raise RunError(f"The run in {self.folder} is damaged: {problems[0].sentence}.")
        mean, std = self._per_channel("mean"), self._per_channel("std")
        if min(std) <= 0:
            raise self._damaged("std")
        checkpoints = Checkpoints(self.folder / "checkpoints")
        if which not in checkpoints:
            raise RunError(f"The run {self.id} has no weights yet: it learned nothing, or could not save it.")
        model = build_model(self.network)
        restore_weights(model, checkpoints.load(which).weights)
        model.set_normalization(mean, std)
        return model.eval()

    def _get(self, key: str, kind: type) -> Any:
        value = self.about.get(key)
        if not isinstance(value, kind):
            raise self._damaged(key)
        return value

    def _per_channel(self, key: str) -> list[float]:
        found = self._numbers(key, self._get(key, list))
        if len(found) != self.network.input.channels:
            raise self._damaged(key)
        return found

    def _numbers(self, key: str, values: list[Any]) -> list[float]:
        if not all(type(value) in (int, float) and abs(value) < _HUGE for value in values):
            raise self._damaged(key)
        return list(map(float, values))

    def _damaged(self, key: str) -> RunError:
        return RunError(f"The run in {self.folder} is damaged: {RUN_FILE} does not say “{key}” as it should.")


def list_runs(folder: Path | None = None) -> list[Run]:
    """All runs that can be read, the newest first."""
    found = []
    with contextlib.suppress(OSError):
        for place in (folder or runs_folder()).iterdir():
            with contextlib.suppress(RunError):
                run = Run.open(place)
                run.check()
                found.append((run.created.timestamp(), run.id, run))
    return [run for _, _, run in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def launched_run(folder: Path | None, seed: int) -> Path | None:
    """Where the run stands that this launch of several processes began in `folder`, or in a place of its own.

    None where it has not come to that.
    """
    if folder is not None:
        return folder if exists(folder / RUN_FILE) else None
    for run in list_runs():
        if (run.about.get("launch"), run.about.get("seed")) == (launch(), seed):
            return run.folder
    return None


def find_run(id_or_folder: str | Path) -> Run:
    """The run of that id, or in that folder. Raises RunError."""
    place = Path(id_or_folder)
    if exists(place / RUN_FILE):
        return Run.open(place)
    if place.name == str(id_or_folder) and exists(runs_folder() / place / RUN_FILE):
        return Run.open(runs_folder() / place)
    known = ", ".join(run.id for run in list_runs()[:3]) or "none yet"
    raise RunError(
        f"There is no run “{shorten(str(id_or_folder), 200)}”: give a run's folder, or the name of one in "
        f"{runs_folder()} (the newest: {known})."
    )
