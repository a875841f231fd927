"""A run folder, read while it is being written or after it has ended. Only `Run.model` needs torch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cnnstudio.core.files import FileError, exists, read_json
from cnnstudio.core.parameters import shorten
from cnnstudio.data.dataset import RESIZE_MODES, ResizeMode
from cnnstudio.data.sources import current_fingerprint
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import DesignError, read_design
from cnnstudio.design.network import Network
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_check import MAX_EPOCHS
from cnnstudio.runs.event_log import E, read_events
from cnnstudio.runs.heartbeat import HEARTBEAT_TIMEOUT, is_held, last_heartbeat, this_host
from cnnstudio.runs.snapshots import Snapshot, snapshot_epochs, snapshot_path
from cnnstudio.training.events import EpochEnded, Event, EventError, Scores, ValidationSource, event_from_json
from cnnstudio.training.pretrained.catalog import PRETRAINED
from cnnstudio.training.recipe.files import read_recipe
from cnnstudio.training.recipe.recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from cnnstudio.training.model import Model

__all__ = ["Run", "RunError"]

FORMAT = "cnnstudio.run"
VERSION = 1
RUN_FILE, DESIGN_FILE, RECIPE_FILE, EVENTS_FILE = "run.json", "design.cnn.json", "recipe.json", "events.jsonl"

_HUGE = 1e30
"""Numbers in `run.json` have to be below it. NaN and infinity are not, so one comparison rejects them too."""

Status = Literal["running", "completed", "stopped", "failed", "interrupted"]


class Run:
    """A run folder. Its properties are those of `run.json` when it was opened; the rest is read on demand.

    `run.json` may come from a stranger: each property checks its own value and raises RunError, so that one
    damaged field does not make the others unreadable.
    """

    def __init__(self, folder: Path, metadata: dict[str, Any]) -> None:
        self.folder = folder
        self.metadata = metadata

    @classmethod
    def open(cls, folder: Path) -> Run:
        """The run in that folder. Raises RunError."""
        path = folder / RUN_FILE
        if not exists(path):
            raise RunError(f"There is no run in {folder}: a run is a folder that contains {RUN_FILE}.")
        try:
            metadata = read_json(path)
        except FileError as error:
            raise RunError(f"The run in {folder} cannot be read: {error}") from None
        version = metadata.get("version") if isinstance(metadata, dict) else None
        if not isinstance(version, int) or metadata.get("format") != FORMAT:
            raise RunError(f"{path} does not describe a CNN Studio run.")
        if version > VERSION:
            raise RunError(
                f"The run in {folder} was written by a newer version of CNN Studio (format {version}; this "
                f"version reads up to {VERSION}): update the program to open it."
            )
        return cls(folder, metadata)

    def validate(self) -> None:
        """Raises RunError if anything that a list of runs shows is damaged."""
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
        """When it was started, with its UTC offset, so that any two runs can be compared."""
        try:
            created = datetime.fromisoformat(self._get("created", str))
            # Raises for a time that this machine cannot represent, such as one in the year 1.
            return created if created.utcoffset() is not None else created.astimezone()
        except (ValueError, OverflowError, OSError):
            raise self._damaged("created") from None

    @property
    def status(self) -> Status:
        """How it ended; or "running"; or "interrupted", if its process is gone without having written an end.

        The lock shows whether a process on this machine is writing. For one on another machine, the heartbeat
        may have to.
        """
        status = self._get("status", str)
        if status in ("completed", "stopped", "failed"):
            return status  # type: ignore[no-any-return]  # one of the three
        return "running" if is_held(self.folder) or self._has_heartbeat else "interrupted"

    @property
    def _has_heartbeat(self) -> bool:
        # Two clocks are compared here, the drive's and this machine's. RunWatcher, which sees several
        # heartbeats, does without.
        beat = None if self.is_of_this_machine else last_heartbeat(self.folder)
        return beat is not None and time.time() - beat < HEARTBEAT_TIMEOUT

    @property
    def host(self) -> str:
        """The name of the machine that trains it, or trained it last; empty if unknown."""
        return str(self.metadata.get("host", ""))

    @property
    def is_of_this_machine(self) -> bool:
        return self.host == this_host()

    @property
    def hardware(self) -> tuple[str | None, int | None]:
        """The device and the number of CPU threads it was trained with; None for what is unknown.

        For a run of several processes both are.
        """
        device, threads = self.metadata.get("device"), self.metadata.get("threads")
        if self.metadata.get("ranks", 1) != 1:
            return None, None
        return device if isinstance(device, str) else None, threads if type(threads) is int else None

    @property
    def has_checkpoint(self) -> bool:
        """Whether it was saved, so that it may be resumed."""
        return exists(self.folder / "checkpoints" / "last.json")

    @property
    def reason(self) -> str:
        """How it ended, in one sentence; empty while it is running."""
        return str(self.metadata.get("reason", ""))

    @property
    def test(self) -> Scores | None:
        """The scores of the best weights on the test set; None if it was not evaluated."""
        found = self.metadata.get("test")
        if found is None:
            return None
        if not isinstance(found, dict) or not {"loss", "accuracy"} <= found.keys():
            raise self._damaged("test")
        loss, accuracy = self._numbers("test", [found["loss"], found["accuracy"]])
        if loss < 0 or not 0 <= accuracy <= 1:
            raise self._damaged("test")
        return Scores(loss, accuracy)

    @property
    def best_epoch(self) -> int | None:
        found = self.metadata.get("best_epoch")
        if found is not None and (type(found) is not int or not 1 <= found <= MAX_EPOCHS):
            raise self._damaged("best_epoch")
        return found

    @property
    def dataset_name(self) -> str:
        """The name or folder by which `find_source` finds the images again."""
        return str(self._get("data", dict).get("source", ""))

    @property
    def dataset_fingerprint(self) -> str:
        """Of the images that it was trained on, also if an earlier version gave them another one."""
        return current_fingerprint(str(self._get("data", dict).get("fingerprint", "")))

    @property
    def data_version(self) -> str:
        """The id of the version of the images that it was trained on; empty if it does not say."""
        return shorten(str(self._get("data", dict).get("version", "")), 64)

    @property
    def resize(self) -> ResizeMode:
        """How its images were resized, and new ones have to be."""
        found = self._get("data", dict).get("resize")
        return next((mode for mode in RESIZE_MODES if mode == found), "fill")

    @property
    def validation_source(self) -> ValidationSource:
        """Where the validation images come from."""
        if self.has_own_validation:
            return "own"
        return "share" if self.recipe.validation_share else "test"

    @property
    def is_chosen_on_test(self) -> bool:
        """Whether its best epoch is the best on the test images; of a damaged recipe that is not known."""
        with contextlib.suppress(RunError):
            return self.validation_source == "test"
        return False

    @property
    def has_own_validation(self) -> bool:
        """Whether the data set brought its validation images."""
        return bool(self._get("data", dict).get("validation_source") == "own")

    @property
    def test_images(self) -> int:
        """The number of test images; 0 if unknown."""
        return self._count("test")

    @property
    def train_images(self) -> int:
        """The number of images that it was trained on; 0 if unknown."""
        return self._count("train")

    def _count(self, split: str) -> int:
        found = self._get("data", dict).get(split, 0)
        if type(found) is not int or not 0 <= found < _HUGE:
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
            raise RunError(f"Cannot read the run's design. {error}") from None

    @cached_property
    def recipe(self) -> Recipe:
        """The settings that it was trained with. Raises RunError."""
        try:
            return read_recipe(self.folder / RECIPE_FILE)
        except RecipeError as error:
            raise RunError(f"Cannot read the run's recipe. {error}") from None

    def events(self) -> list[Event]:
        """All events so far. Raises RunError."""
        return self.events_of(Event)

    def events_of(self, kind: type[E]) -> list[E]:
        """The events of that class so far. Raises RunError."""
        try:
            return read_events(self.folder / EVENTS_FILE, kind)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"Cannot read the run's events: {error.strerror}.") from None

    @property
    def history(self) -> tuple[EpochEnded, ...]:
        """The epochs finished so far."""
        return tuple(self.events_of(EpochEnded))

    @property
    def snapshot_epochs(self) -> list[int]:
        """The epochs that have a snapshot; 0 is before training."""
        return snapshot_epochs(self.folder)

    def latest_snapshot_epoch(self, epoch: int) -> int | None:
        """The last epoch up to `epoch` that has a snapshot; None if there is none."""
        if exists(snapshot_path(self.folder, epoch)):
            # Without a look at all files of a long run.
            return epoch
        return max((each for each in self.snapshot_epochs if each <= epoch), default=None)

    def snapshot(self, epoch: int) -> Snapshot:
        """What the layers computed for the example images after that epoch. Raises RunError if not saved."""
        path = snapshot_path(self.folder, epoch)
        if not exists(path):
            raise RunError(f"The run has no snapshot of epoch {epoch}.")
        return Snapshot(path, epoch)

    def model(self, which: str = "best") -> Model:
        """The network with the weights of the checkpoint "best", "last" or "previous", in evaluation mode.

        Raises RunError or CheckpointError.
        """
        from cnnstudio.training.checkpoints.store import CheckpointStore, restore_weights

        checkpoints = CheckpointStore(self.folder / "checkpoints", self.require_own)
        if which not in checkpoints:
            raise RunError(f"The run {self.id} has no saved weights: it ended before its first checkpoint.")
        model = self.untrained_model()
        restore_weights(model, checkpoints.load(which).weights)
        return model

    @property
    def normalization(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation per channel with which images are normalized. Raises RunError."""
        mean, std = self._per_channel("mean"), self._per_channel("std")
        if min(std) <= 0:
            raise self._damaged("std")
        return tuple(mean), tuple(std)

    @property
    def start_weights(self) -> str | None:
        """The run, file or name of the weights that it started from; None for random ones."""
        found = self.metadata.get("weights")
        source = found.get("source") if isinstance(found, dict) else None
        return source if isinstance(source, str) and source else None

    @property
    def continued_from(self) -> str:
        """The id of the run whose last checkpoint it started from; empty for none."""
        found = self.metadata.get("continues")
        return shorten(found, 255) if isinstance(found, str) else ""

    def require_repeatable(self) -> None:
        """Raises RunError if the same training cannot begin again, because it did not begin here."""
        if self.continued_from:
            raise RunError(
                f"The run {self.id} continued the run {self.continued_from} from a checkpoint, so the same "
                "training cannot start again from its beginning: repeat that run, or start from its weights."
            )

    @property
    def weights_notice(self) -> str:
        """Under which terms the weights are that the run started from; empty for random ones."""
        found = self.metadata.get("weights")
        notice = found.get("notice") if isinstance(found, dict) else None
        if isinstance(notice, str) and notice:
            return shorten(notice, 300)
        # A run that continues another one names them in its design.
        known = PRETRAINED.get(self.network.weights or "")
        return known.notice if known else ""

    def untrained_model(self) -> Model:
        """The network with initial weights, in evaluation mode. Raises RunError."""
        import torch

        from cnnstudio.training.model import build_model

        problems = analyze(self.network, classes=len(self.classes)).problems
        if problems:
            raise RunError(f"The run in {self.folder} is damaged: {problems[0].full_message}.")
        mean, std = self.normalization
        # A training in the same thread must not miss the random numbers that initial weights take.
        with torch.random.fork_rng(devices=()):
            model = build_model(self.network)
        model.set_normalization(mean, std)
        return model.eval()

    def require_own(self, info: Mapping[str, Any]) -> None:
        """Raises CheckpointError if a checkpoint with that metadata belongs to another run.

        It does if it was trained with another recipe, but for what may change while a run trains, or if its
        first epoch ended with other scores than the run's. A run of the same design, images and recipe has
        the same weights.
        """
        from cnnstudio.training.checkpoints.store import CheckpointError
        from cnnstudio.training.recipe.live_changes import CHANGEABLE_WHILE_TRAINING, differences

        with contextlib.suppress(RecipeError):
            asked = Recipe.from_json(info["asked"]) if "asked" in info else self.recipe
            for name, before, now in differences(asked, self.recipe):
                if name not in CHANGEABLE_WHILE_TRAINING:
                    raise CheckpointError(
                        f"The checkpoint in {self.folder} belongs to another run: that was trained with "
                        f"{name} {before}, this one with {now}."
                    )
        with contextlib.suppress(EventError, RunError):
            entries = info.get("history", ())
            known = {epoch.epoch: epoch for epoch in self.history}
            for entry in map(event_from_json, entries if isinstance(entries, list) else ()):
                own = known.get(entry.epoch) if isinstance(entry, EpochEnded) else None
                if own is not None and isinstance(entry, EpochEnded):
                    if (own.train, own.validation) != (entry.train, entry.validation):
                        raise CheckpointError(
                            f"The checkpoint in {self.folder} belongs to another run: its epoch "
                            f"{own.epoch:,} has other scores."
                        )
                    break

    def _get(self, key: str, kind: type) -> Any:
        value = self.metadata.get(key)
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
        return RunError(
            f"The run in {self.folder} is damaged: “{key}” in {RUN_FILE} is missing or has an invalid value."
        )
