"""Writes a run's folder while it trains."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, exists, open_regular, write_json
from cnnstudio.core.locking import FileLock
from cnnstudio.core.parameters import shorten
from cnnstudio.data.versions.evaluations import count_evaluation
from cnnstudio.design.file import write_design
from cnnstudio.runs.epochs.weight_keeper import WeightKeeper
from cnnstudio.runs.errors import RunError, describe_full_disk
from cnnstudio.runs.event_log import EventLog, iterate_events, truncate_after
from cnnstudio.runs.heartbeat import LOCK_FILE, Heartbeat
from cnnstudio.runs.run import DESIGN_FILE, EVENTS_FILE, RECIPE_FILE, RUN_FILE, Run
from cnnstudio.runs.snapshot_recorder import SnapshotRecorder
from cnnstudio.training.diagnosis.diagnosis import Diagnosis
from cnnstudio.training.events import FULL_DISK, EpochEnded, Event, Finished, Started, Warned
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import PreparedTraining

_log = logging.getLogger(__name__)


class RunRecorder:
    """Writes one run, as a context around its training. Entering raises RunError if it cannot be written.

    Until the first event nothing of an existing run is touched: a run that turns out to be impossible to
    resume (a damaged checkpoint, too little memory) is left as it was, and a new folder is removed again.
    """

    def __init__(
        self,
        folder: Path,
        prepared: PreparedTraining,
        metadata: dict[str, Any],
        forward: Callable[[Event], None],
        require_own: Callable[[Mapping[str, Any]], None] = lambda info: None,
        *,
        keep_weights: bool = True,
    ) -> None:
        """`metadata` is the initial `run.json`; `forward` receives each event after it is written.

        `require_own` is that of `CheckpointStore`, for a run that exists.
        """
        self.require_own = require_own
        self.folder = folder
        self.finished: Finished | None = None
        """The last event, as it was forwarded."""
        self._prepared = prepared
        self._metadata = {"id": folder.name, **metadata}
        self._forward = forward
        self._context = ExitStack()
        self._lock = FileLock(folder / LOCK_FILE)
        self._log = EventLog(folder / EVENTS_FILE, self._warn)
        keeper = WeightKeeper(folder, str(metadata["created"])) if keep_weights else None
        self._snapshots = SnapshotRecorder(folder, prepared, self.emit, keeper)
        self._diagnosis = Diagnosis(prepared.recipe, prepared.network)
        self._lost_folder = ""
        """Why the folder is not this run's any more; empty while it is."""
        self._is_new_folder = self._has_started = False
        self._is_full_disk_told = False

    def __enter__(self) -> Self:
        self._is_new_folder = not exists(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._context.enter_context(self._lock)
            self._context.enter_context(Heartbeat(self.folder))
            self._context.callback(self._snapshots.close)
            self._require_writable_log()
            if not exists(self.folder / RUN_FILE):
                self._write_description()
        except BlockingIOError:
            raise RunError(f"The run in {self.folder} is being written by another program.") from None
        except (OSError, FileError) as error:
            self._close()
            reason = f": {error.strerror or error}." if isinstance(error, OSError) else f". {error}"
            raise RunError(f"Cannot write the run to {self.folder}{reason}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        # Both refer to this object, which refers to the images: in a cycle these would stay in memory until
        # the next garbage collection.
        del self._log, self._snapshots

    def _require_writable_log(self) -> None:
        """Raises FileError if the log is a pipe, a device or a folder, before the training finds out."""
        path = self.folder / EVENTS_FILE
        try:
            open_regular(path, None).close()
        except FileNotFoundError:
            pass
        except OSError as error:
            raise FileError(f"{path} cannot be opened: {_reason(error)}.") from None

    def _close(self) -> None:
        self._context.close()
        if self._is_new_folder and not self._has_started:
            shutil.rmtree(self.folder, ignore_errors=True)

    def ensure_folder(self) -> None:
        """Recreates the folder if it was deleted, called before every save.

        A training may take days, and must survive a cleanup of old files, a drive that is mounted again, or a
        sync program that replaces the folder. The open log still has its contents, so nothing of it is
        lost.

        Raises FileError or RunError if the folder cannot be written, or belongs to another run by now.
        """
        if self._lost_folder:
            raise FileError(self._lost_folder)
        if exists(self.folder / RUN_FILE) and self._lock.is_in_place:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.reacquire()
        except BlockingIOError:
            raise FileError(f"Another program is now writing a run to {self.folder}.") from None
        except OSError as error:
            raise FileError(f"Cannot write {self.folder}: {error.strerror or error}.") from None
        if exists(self.folder / RUN_FILE):
            # Only the lock was gone, unless another run has been started here since.
            if Run.open(self.folder).metadata.get("created") == self._metadata["created"]:
                return
            self._lost_folder = f"{self.folder} now contains another run."
            raise FileError(self._lost_folder)
        self._log.copy_to(self.folder / EVENTS_FILE)
        self._log.reopen()
        self._write_description()
        self._warn(f"The run folder was deleted during training and has been recreated: {self.folder}.")

    def emit(self, event: Event) -> None:
        """Writes the event and forwards it, together with what the diagnosis derives from it."""
        try:
            events: Iterable[Event] = self._diagnosis.with_diagnoses(event)
        except Exception:
            if not isinstance(event, Finished):
                raise
            # The end of the run is reported, whatever else fails.
            _log.exception("The diagnosis failed")
            events = (event,)
        for each in events:
            self._write(each)

    def _write(self, event: Event) -> None:
        if isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, EpochEnded):
            self._snapshots.note_epoch(event)
        elif isinstance(event, Warned) and event.message == describe_full_disk(self.folder):
            # Each part that writes finds out, but it is one thing to know.
            if self._is_full_disk_told:
                return
            self._is_full_disk_told = True
            event = Warned(event.message, FULL_DISK)
        elif isinstance(event, Finished):
            # So that the run is complete when it says that it has ended.
            self._snapshots.finish()
            event = self.finished = self._end(event)
        self._log.write(event)
        self._forward(event)

    def after_validation(self, logits: Tensor) -> None:
        """Gets the logits of the validation images, float (N, classes), before `after_epoch`."""
        self._snapshots.after_validation(logits)

    def after_epoch(self, epoch: int, model: Model) -> None:
        """Saves what the layers compute for the example images; 0 is before the first epoch."""
        if not self._lost_folder:
            self._snapshots.after_epoch(epoch, model)

    def _begin(self, started: Started) -> None:
        self._has_started = True
        self._metadata |= {"threads": started.threads, "parameters": started.parameters}
        # First, because it has what will be cut off from the log and is needed to repeat those steps.
        self._write_description()
        truncate_after(self.folder / EVENTS_FILE, started.steps_done, started.first_epoch - 1)
        self._snapshots.forget_after(started.first_epoch - 1)
        for event in iterate_events(self.folder / EVENTS_FILE, Event):
            if isinstance(event, EpochEnded):
                self._snapshots.note_epoch(event)
            # Feeds the diagnosis, so that it does not report again what it did before the interruption.
            self._diagnosis.with_diagnoses(event)
        self._context.enter_context(self._log)

    def _count_test(self, finished: Finished) -> None:
        """Counts the look at the test set. No result depends on it, and the run's end must not either."""
        try:
            version, created = self._metadata["data"]["version"], str(self._metadata["created"])
            count_evaluation(version, self.folder.name, finished.best_epoch, created)
        except Exception:
            _log.exception("The evaluation on the test set was not counted")

    def _end(self, finished: Finished) -> Finished:
        """Writes the result; returns the event to report, which says so if that was not possible."""
        self._metadata |= {
            "status": finished.outcome,
            "reason": finished.reason,
            "finished": timestamp(),
            "seconds": finished.seconds,
            "test": finished.to_json()["test"],
            "best_epoch": finished.best_epoch,
        }
        if finished.test is not None:
            self._count_test(finished)
        try:
            self.ensure_folder()
            write_json(self.folder / RUN_FILE, self._metadata)
        except Exception as error:
            if not isinstance(error, UserError | OSError):
                _log.exception("Cannot write the result of the run")
            text = str(error) if isinstance(error, UserError) else f"{_reason(error)}."
            unsaved = f"The result of the run could not be saved. {text}"
            return replace(finished, outcome="failed", reason=f"{finished.reason} {unsaved}")
        return finished

    def _write_description(self) -> None:
        write_design(self.folder / DESIGN_FILE, self._prepared.network)
        write_json(self.folder / RECIPE_FILE, self._prepared.recipe.to_json())
        # Last, because its presence makes the folder a run: a run always has its design and recipe.
        write_json(self.folder / RUN_FILE, self._metadata)

    def _warn(self, message: str) -> None:
        self.emit(Warned(message))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or shorten(str(error)) or type(error).__name__


def timestamp(timespec: str = "seconds") -> str:
    """The current local time with its UTC offset, in ISO 8601."""
    return datetime.now().astimezone().isoformat(timespec=timespec)
