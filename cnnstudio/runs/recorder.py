"""Trains and writes down everything, as the one way in for window and command line."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

import cnnstudio
from cnnstudio.core.errors import UserError
from cnnstudio.core.files import FileError, exists, is_folder, write_atomically, write_json
from cnnstudio.core.parameters import parameters
from cnnstudio.core.progress import ProgressFunction, ignore
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import write_design
from cnnstudio.design.network import Network
from cnnstudio.insight.feature_maps import FeatureMaps, look
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_log import EventLog, forget_after, read_events
from cnnstudio.runs.heartbeat import LOCK_FILE, Pulse, RunLock, beats, this_host
from cnnstudio.runs.run import (
    DESIGN_FILE,
    EVENTS_FILE,
    FORMAT,
    RECIPE_FILE,
    RUN_FILE,
    VERSION,
    Run,
    new_folder,
    runs_folder,
)
from cnnstudio.runs.signals import stopping_on_signals
from cnnstudio.runs.snapshots import limits, snapshot_path, write_snapshot
from cnnstudio.training.checkpoints.save_schedule import DEFAULT, Clock, Interval
from cnnstudio.training.checkpoints.warm_start import Ancestor
from cnnstudio.training.control import Control, Probe
from cnnstudio.training.diagnosis.diagnosis import Diagnosis
from cnnstudio.training.distributed.ranks import ALONE, Ranks, launch
from cnnstudio.training.events import Event, Finished, Started, UnitsChecked, Warned
from cnnstudio.training.hardware.device import device_title
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import Prepared, check_threads, prepare
from cnnstudio.training.recipe.live_changes import ADJUSTABLE
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.sample_images import SHOWN
from cnnstudio.training.trainer import train_prepared

_MOST_SNAPSHOTS = 200


def start_run(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    *,
    folder: Path | None = None,
    source: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    control: Control | None = None,
    emit: Callable[[Event], None] = lambda event: None,
    probes: Sequence[Probe] = (),
    resume: bool = False,
    interval: Interval = DEFAULT,
    continue_from: Path | None = None,
    ranks: Ranks = ALONE,
    progress: ProgressFunction = ignore,
) -> Finished:
    """Trains the network and writes the run into `folder`, by default a new one among the user's runs.

    `source` is the name or folder by which the images are found again, where that is not the data set's
    name. With `resume` the run that is in `folder` goes on. Ctrl+C and SIGTERM stop it in good order, at the
    step that it is in, from which it can go on. `interval` is how often it is saved besides. A new run
    continues from the one in `continue_from`, which may have another design, with the layers that fit. What
    cannot be started raises a UserError (TrainingError, DeviceError, DataError, RunError, CheckpointError)
    before anything is written. `progress` hears of images that are first brought to the network's size; a
    stop ends that by Cancelled.

    Several `ranks` call this together, with the same arguments. The first one alone writes, and emits.
    """
    control = control or Control()

    def prepared_here() -> Prepared:
        check_threads(threads)
        return prepare(
            network,
            dataset,
            recipe,
            ranks.place(device),
            # Of several ranks each has a share of a batch; how much memory they have together cannot be told.
            check_memory=ranks.alone,
            progress=progress,
            cancelled=control.stop.is_set,
        )

    def recorder_here() -> RunRecorder | _WrittenElsewhere:
        if not ranks.is_first:
            return _WrittenElsewhere()
        if resume:
            place = _resumable(folder, prepared, about)
        else:
            place = _fresh(folder) if folder else new_folder(network.name, runs_folder())
        return stack.enter_context(RunRecorder(place, prepared, about, emit))

    prepared = ranks.together(prepared_here)
    about = _description(prepared, dataset, source or dataset.name, ranks) if ranks.is_first else {}
    ancestor = ranks.from_first(lambda: _ancestor(continue_from, about))
    with ExitStack() as stack:
        recorder = ranks.together(recorder_here)
        stack.enter_context(stopping_on_signals(control))
        return train_prepared(
            prepared,
            threads=threads,
            control=control,
            emit=recorder.emit,
            folder=recorder.folder,
            probes=probes if ranks.is_first else (),
            resume=resume,
            after_epoch=recorder.after_epoch,
            interval=interval,
            before_saving=recorder.make_sure,
            ancestor=ancestor,
            ranks=ranks,
        )


class _WrittenElsewhere:
    """In a RunRecorder's place where the first rank writes the run."""

    folder = None

    def emit(self, event: Event) -> None:
        """The first rank says the same."""

    def after_epoch(self, epoch: int, model: Model) -> None:
        """The first rank looks into the same model."""

    def make_sure(self) -> None:
        """Nothing is saved here."""


class RunRecorder:
    """Writes one run, as a context around its training. Raises RunError, before it begins, if it cannot."""

    def __init__(
        self, folder: Path, prepared: Prepared, about: dict[str, Any], forward: Callable[[Event], None]
    ) -> None:
        self.folder = folder
        self._prepared = prepared
        self._about = {"id": folder.name, **about}
        self._forward = forward
        self._context = ExitStack()
        self._lock = RunLock(folder)
        self._log = EventLog(folder / EVENTS_FILE, self._warn)
        shown = min(SHOWN, len(prepared.examples))
        self._shown = prepared.examples.rows(np.arange(shown))
        shapes = [report.output.dims for report in analyze(prepared.network).reports if report.output]
        self._most, self._side = limits(shapes, shown)
        self._snapshot_every = -(-prepared.recipe.epochs // _MOST_SNAPSHOTS)
        self._snapshots_fail = False
        self._looking = Clock(DEFAULT, 0.0)
        self._diagnosis = Diagnosis(prepared.recipe, prepared.network)
        self._lost = ""
        self._made = self._begun = False

    def __enter__(self) -> Self:
        self._made = not exists(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._context.enter_context(self._lock)
            self._context.enter_context(Pulse(self.folder))
            if not exists(self.folder / RUN_FILE):
                self._write_description()
        except BlockingIOError:
            raise RunError(f"The run in {self.folder} is being written by another program.") from None
        except (OSError, FileError) as error:
            self._leave()
            said = f": {error.strerror or error}." if isinstance(error, OSError) else f". {error}"
            raise RunError(f"The run cannot be written to {self.folder}{said}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        """Closes what is open, and leaves no folder behind where the training did not even start."""
        self._context.close()
        if self._made and not self._begun:
            shutil.rmtree(self.folder, ignore_errors=True)

    def make_sure(self) -> None:
        """Makes the folder anew where somebody deleted it.

        Raises FileError or RunError where the place cannot be written, or is another run's now.
        """
        if self._lost:
            raise FileError(self._lost)
        if exists(self.folder / RUN_FILE) and self._lock.is_in_place:
            return
        try:
            said = self._log.said()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.take_anew()
        except BlockingIOError:
            raise FileError(f"Another program writes a run to {self.folder} now.") from None
        except OSError as error:
            raise FileError(f"Cannot write {self.folder}: {error.strerror or error}.") from None
        if exists(self.folder / RUN_FILE):
            if Run.open(self.folder).about.get("created") == self._about["created"]:
                return
            self._lost = f"There is another run in {self.folder} now."
            raise FileError(self._lost)
        write_atomically(self.folder / EVENTS_FILE, said)
        self._log.reopen()
        self._write_description()
        self._warn(f"The run's folder was gone; it was made anew: {self.folder}.")

    def emit(self, event: Event) -> None:
        """Writes the event down and hands it on, with what is recognized in it."""
        for each in self._diagnosis.followed(event):
            self._emit(each)

    def _emit(self, event: Event) -> None:
        if isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, Finished):
            self._end(event)
        self._log.write(event)
        self._forward(event)

    def after_epoch(self, epoch: int, model: Model) -> None:
        """Keeps what the layers make of the first examples.

        Of a very long run every few epochs, and of short epochs as many as take no more than their share of
        the time; but always the last one.
        """
        began = time.perf_counter()
        wanted = not epoch % self._snapshot_every and self._looking.has_time(began)
        if self._lost or not (wanted or epoch == self._prepared.recipe.epochs):
            return
        self._look(epoch, model)
        ended = time.perf_counter()
        self._looking.saved(ended, ended - began)

    def _look(self, epoch: int, model: Model) -> None:
        examples = self._prepared.examples.images
        maps = look(model, examples, shown=range(len(self._shown)), most=self._most, side=self._side)
        self.emit(_units(epoch, maps))
        try:
            write_snapshot(snapshot_path(self.folder, epoch), maps, self._shown)
        except FileError as error:
            if not self._snapshots_fail:
                self._snapshots_fail = True
                self._warn(f"The feature maps could not be kept; the run goes on. {error}")

    def _begin(self, started: Started) -> None:
        self._begun = True
        forget_after(self.folder / EVENTS_FILE, started.steps_done, started.first_epoch - 1)
        for event in read_events(self.folder / EVENTS_FILE):
            # What was said before an interruption is not said again.
            self._diagnosis.followed(event)
        self._context.enter_context(self._log)
        self._about |= {"threads": started.threads, "parameters": started.parameters}
        self._write_description()

    def _end(self, finished: Finished) -> None:
        self._about |= {
            "status": finished.outcome,
            "reason": finished.reason,
            "finished": _now(),
            "seconds": finished.seconds,
            "test": finished.to_json()["test"],
            "best_epoch": finished.best_epoch,
        }
        try:
            self.make_sure()
            write_json(self.folder / RUN_FILE, self._about)
        except UserError as error:
            self._warn(f"How the run ended could not be written. {error}")

    def _write_description(self) -> None:
        write_design(self.folder / DESIGN_FILE, self._prepared.network)
        write_json(self.folder / RECIPE_FILE, self._prepared.recipe.to_json())
        # Last of all, because it is what makes the folder a run.
        write_json(self.folder / RUN_FILE, self._about)

    def _warn(self, message: str) -> None:
        self.emit(Warned(message))


def _description(prepared: Prepared, dataset: Dataset, source: str, ranks: Ranks) -> dict[str, Any]:
    """The content of `run.json` at the beginning."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": prepared.network.name,
        "status": "running",
        # So exact that it tells this run from any other in the same folder.
        "created": _now("microseconds"),
        "versions": {
            "cnnstudio": cnnstudio.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "host": this_host(),
        "device": str(prepared.device),
        "device_title": device_title(prepared.device),
        "ranks": ranks.count,
        **({} if ranks.alone else {"launch": launch()}),
        "seed": prepared.recipe.seed,
        "data": {
            "source": source,
            "title": dataset.title,
            "fingerprint": dataset.fingerprint,
            "train": len(prepared.train_rows),
            "validation": len(prepared.validation),
            "test": len(prepared.test),
        },
        "classes": list(prepared.classes),
        "input": list(prepared.network.input.dims),
        "mean": list(prepared.mean),
        "std": list(prepared.std),
    }


def _units(epoch: int, maps: Sequence[FeatureMaps]) -> UnitsChecked:
    """What the maps say of each layer's units, which is the same for all images."""
    layers = {each.node_id: each for each in maps}
    dead, total = (len(each.dead) for each in layers.values()), (len(each.maps) for each in layers.values())
    return UnitsChecked(epoch, tuple(layers), tuple(dead), tuple(total))


def _ancestor(folder: Path | None, about: dict[str, Any]) -> Ancestor | None:
    """The run that the new one continues from; `about` gets its name. Raises RunError."""
    if folder is None:
        return None
    run = Run.open(folder)
    problems = analyze(run.network, classes=len(run.classes)).problems
    if problems:
        raise RunError(f"The run in {folder} is damaged: {problems[0].sentence}.")
    about["continues"] = run.id
    return Ancestor(folder, run.network)


def _now(timespec: str = "seconds") -> str:
    return datetime.now().astimezone().isoformat(timespec=timespec)


def _fresh(folder: Path) -> Path:
    """The folder, if a new run can have it."""
    if exists(folder / RUN_FILE):
        raise RunError(f"There is a run in {folder} already: let it go on (resume), or give another folder.")
    if exists(folder) and not is_folder(folder):
        raise RunError(f"{folder} is a file: a run needs a folder.")
    try:
        occupied = exists(folder) and any(path.name != LOCK_FILE for path in folder.iterdir())
    except OSError as error:
        raise RunError(f"The run cannot be written to {folder}: {error.strerror}.") from None
    if occupied:
        raise RunError(f"{folder} holds other files: a run needs a folder of its own.")
    return folder


def _resumable(folder: Path | None, prepared: Prepared, about: dict[str, Any]) -> Path:
    """The folder of the run that is to go on; `about` gets what the run keeps from its beginning."""
    if folder is None:
        raise RunError("Which run is to go on has to be said: give its folder.")
    run = Run.open(folder)
    # A lock may not reach from one machine to another. A process that died a moment ago has no pulse left.
    if run.status == "running" and not run.is_of_this_machine and beats(folder):
        raise RunError(f"The run in {folder} is being written by another program, on {run.host}.")
    if (run.network.input, run.network.nodes) != (prepared.network.input, prepared.network.nodes):
        raise RunError(f"The run in {folder} trains another design, so it cannot go on with this one.")
    if run.dataset_fingerprint != about["data"]["fingerprint"]:
        raise RunError(f"The run in {folder} was trained with other images, so it cannot go on with these.")
    for field in parameters(Recipe):
        before, now = getattr(run.recipe, field.name), getattr(prepared.recipe, field.name)
        if before != now and field.name not in ADJUSTABLE:
            raise RunError(
                f"{field.name}: the run in {folder} was trained with {before}, so it cannot go on with {now}."
            )
    about["created"] = run.about.get("created", about["created"])
    return folder
