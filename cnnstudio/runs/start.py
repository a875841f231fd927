"""`start_run`: trains a design and writes the run, for the window and for the command line."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import cnnstudio
from cnnstudio.core.files import exists, is_folder
from cnnstudio.core.parameters import parameters
from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.versions.version import version_of
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.runs.archive.opened import require_changeable
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.heartbeat import LOCK_FILE, is_beating, this_host
from cnnstudio.runs.library.finding import new_folder, runs_folder
from cnnstudio.runs.recorder import RunRecorder, timestamp
from cnnstudio.runs.run import DESIGN_FILE, FORMAT, RUN_FILE, VERSION, Run
from cnnstudio.runs.signals import stopping_on_signals
from cnnstudio.runs.start_weights import find_start_weights
from cnnstudio.runs.thread_plan import ThreadPlan, plan_threads
from cnnstudio.training.checkpoints.manager import has_position
from cnnstudio.training.checkpoints.save_schedule import DEFAULT_INTERVAL, SaveInterval
from cnnstudio.training.checkpoints.store import CheckpointStore
from cnnstudio.training.checkpoints.warm_start import ParentRun
from cnnstudio.training.control import BackgroundWork, Control, Probe
from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks, launch_id
from cnnstudio.training.events import Event, Finished
from cnnstudio.training.hardware.device import device_title
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.checks import validate_threads
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.pretrained.catalog import PRETRAINED
from cnnstudio.training.pretrained.metadata import Normalization
from cnnstudio.training.recipe.live_changes import CHANGEABLE_WHILE_TRAINING
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.step_hooks import SaveFailurePolicy
from cnnstudio.training.trainer import train_prepared


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Where a run is written, what it starts from, and the hardware that it uses."""

    folder: Path | None = None
    """None creates a new folder in the user's runs folder."""
    names_seed: bool = False
    """Whether the name of a new folder tells the seed, as for runs that differ only in it."""
    source: str | None = None
    """The name or folder by which `find_source` finds the images again; None is the data set's name."""
    device: str = "auto"
    threads: int | None = None
    """CPU threads to compute with; None keeps torch's setting, or those of a resumed run."""
    adapt_threads: bool = False
    """Whether to use fewer threads while other programs are busy, unless `threads` is given.

    Not for runs whose results are to be compared: the number of threads changes the last bits.
    """
    resume: bool = False
    """Continue the run that is in `folder` from its last checkpoint."""
    continue_from: Path | None = None
    """Start a new run from the last checkpoint of the run in this folder.

    The designs may differ: layers whose weights still fit keep them. With `resume`, only if the run has no
    checkpoint yet.
    """
    weights: str | None = None
    """Start weights: a pretrained name, a run or a safetensors file; None for those that the design names."""
    interval: SaveInterval = DEFAULT_INTERVAL
    """How often checkpoints are written, besides at the ends of epochs, at pauses and at a stop."""
    keep_weights: bool = True
    """Whether the weights of each epoch are kept, to be looked at later."""
    on_save_failure: SaveFailurePolicy = "fail"
    """What the run does while its best weights cannot be saved."""


DEFAULT_OPTIONS = RunOptions()


def start_run(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    options: RunOptions = DEFAULT_OPTIONS,
    *,
    control: Control | None = None,
    emit: Callable[[Event], None] = lambda event: None,
    probes: Sequence[Probe] = (),
    background: BackgroundWork | None = None,
    ranks: Ranks = SINGLE_PROCESS,
    progress: ProgressFunction = ignore_progress,
) -> Finished:
    """Trains the network, writes the run and returns its last event. Blocks until the run has ended.

    Ctrl+C and SIGTERM stop the run after the current step, with a checkpoint from which it can be resumed.
    `progress` reports the resizing of the images before training; a stop during it raises Cancelled. It also
    reports how far the locked beginning of a network is computed.
    `background` is that of `train_prepared`.

    Raises a UserError (TrainingError, DeviceError, DataError, RunError, CheckpointError) for a run that
    cannot be started, before anything is written. Whatever goes wrong later is reported by the Finished
    event.

    All `ranks` call this with the same arguments. Only the first one writes and emits.
    """
    control = control or Control()
    before = ranks.broadcast_result(lambda: _Before.of(options))
    # Each of several ranks computes a share of the batch, and how much memory all of them have is unknown.
    prepared = ranks.run_on_all(
        lambda: _prepare(
            network,
            dataset,
            recipe,
            options,
            before,
            control.stop.is_set,
            ranks,
            progress,
            ranks.is_single_process,
        )
    )
    parent = ranks.broadcast_result(lambda: _parent_run(options))
    plan = ranks.run_on_all(lambda: _plan_threads(options, ranks))
    with ExitStack() as stack:
        # On all ranks, although only the first has something to open: an error there must end the others too.
        recorder = ranks.run_on_all(
            lambda: _open_recorder(stack, prepared, dataset, options, ranks, plan, emit)
        )
        stack.enter_context(stopping_on_signals(control))
        finished = train_prepared(
            prepared,
            threads=plan.threads,
            control=control,
            emit=recorder.emit,
            folder=recorder.folder,
            probes=probes if ranks.is_first else (),
            background=background,
            resume=options.resume,
            after_epoch=recorder.after_epoch,
            after_validation=recorder.after_validation,
            interval=options.interval,
            before_saving=recorder.ensure_folder,
            parent=parent,
            ranks=ranks,
            require_own=recorder.require_own,
            on_save_failure=options.on_save_failure,
            adapt_threads=plan.adapt,
            progress=progress,
        )
        # Which says, too, if the result could not be written.
        return recorder.finished or finished


def prepare_run(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    options: RunOptions = DEFAULT_OPTIONS,
    *,
    check_memory: bool = True,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> PreparedTraining:
    """What `start_run` would train, with the same start weights, to be measured. Writes nothing.

    `check_memory` is that of `prepare`. Raises the UserErrors of `start_run`, and Cancelled.
    """
    before = _Before.of(options)
    return _prepare(
        network,
        dataset,
        recipe,
        options,
        before,
        cancelled,
        SINGLE_PROCESS,
        progress,
        check_memory=check_memory,
    )


@dataclass(frozen=True)
class _Before:
    """What a run takes from the run that it resumes or continues."""

    begins: bool = True
    """Whether it starts with its own start weights: it is new, or was ended before its first checkpoint."""
    weights: str | None = None
    """What it started from then."""
    normalization: Normalization | None = None
    """Images stay normalized as they were, whatever weights the run started from."""

    @classmethod
    def of(cls, options: RunOptions) -> _Before:
        folder = options.folder if options.resume else options.continue_from
        if folder is None or (options.resume and not exists(folder / RUN_FILE)):
            return cls(not options.resume, options.weights)
        run = Run.open(folder)
        begins = options.resume and not _has_position(run)
        if begins and run.continued_from:
            if options.continue_from is None:
                raise RunError(
                    f"The run in {folder} ended before its first checkpoint, so the weights that it took "
                    f"from the run {run.continued_from} are lost: continue that run again."
                )
            begins = False
        return cls(begins, run.start_weights, run.normalization)


def _has_position(run: Run) -> bool:
    return has_position(CheckpointStore(run.folder / "checkpoints", run.require_own))


def _prepare(
    network: Network,
    dataset: Dataset,
    recipe: Recipe,
    options: RunOptions,
    before: _Before,
    cancelled: CancelFunction,
    ranks: Ranks,
    progress: ProgressFunction,
    check_memory: bool,
) -> PreparedTraining:
    validate_threads(options.threads)
    weights = before.weights if before.begins else None
    fits = before.normalization is not None and len(before.normalization[0]) == network.input.channels
    return prepare(
        network,
        dataset,
        recipe,
        ranks.resolve_device(options.device),
        check_memory=check_memory,
        start_weights=find_start_weights(weights, network) if weights else None,
        loads_weights=before.begins,
        normalization=before.normalization if fits else None,
        progress=progress,
        cancelled=cancelled,
    )


def _plan_threads(options: RunOptions, ranks: Ranks) -> ThreadPlan:
    if not ranks.is_single_process:
        return ThreadPlan(options.threads)
    resumed = options.folder if options.resume else None
    return plan_threads(options.threads, options.adapt_threads, resumed)


class _NoRecorder:
    """Takes the recorder's place on all ranks but the first, which writes and emits the same for all."""

    folder = finished = after_validation = None

    def require_own(self, info: Mapping[str, Any]) -> None:
        pass

    def emit(self, event: Event) -> None:
        pass

    def after_epoch(self, epoch: int, model: Model) -> None:
        pass

    def ensure_folder(self) -> None:
        pass


def _open_recorder(
    stack: ExitStack,
    prepared: PreparedTraining,
    dataset: Dataset,
    options: RunOptions,
    ranks: Ranks,
    plan: ThreadPlan,
    emit: Callable[[Event], None],
) -> RunRecorder | _NoRecorder:
    if not ranks.is_first:
        return _NoRecorder()
    metadata = _initial_metadata(prepared, dataset, options, ranks) | plan.metadata()
    require_own = _accept_any
    if options.resume:
        run = _resumable_run(options.folder, prepared, dataset)
        # The run stays the same run, by which those that watch it recognize it.
        metadata["created"] = run.metadata.get("created", metadata["created"])
        metadata |= {key: run.metadata[key] for key in ("weights", "continues") if key in run.metadata}
        folder, require_own = run.folder, run.require_own
    elif options.folder is not None:
        folder = options.folder
        _require_free(folder)
    else:
        seed = prepared.recipe.seed if options.names_seed else None
        folder = new_folder(prepared.network.name, runs_folder(), seed)
    return stack.enter_context(
        RunRecorder(folder, prepared, metadata, emit, require_own, keep_weights=options.keep_weights)
    )


def _accept_any(info: Mapping[str, Any]) -> None:
    """The checkpoints of a new run are its own."""


def _initial_metadata(
    prepared: PreparedTraining, dataset: Dataset, options: RunOptions, ranks: Ranks
) -> dict[str, Any]:
    """The contents of `run.json` when the run starts, but for its id."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": prepared.network.name,
        "status": "running",
        # Precise enough to tell this run from any other in the same folder.
        "created": timestamp("microseconds"),
        "versions": {
            "cnnstudio": cnnstudio.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "host": this_host(),
        "device": str(prepared.device),
        "device_title": device_title(prepared.device),
        "ranks": ranks.world_size,
        **({} if ranks.is_single_process else {"launch": launch_id()}),
        "seed": prepared.recipe.seed,
        "data": {
            "source": options.source or dataset.name,
            "title": dataset.title,
            "fingerprint": dataset.fingerprint,
            "version": version_of(dataset),
            "train": len(prepared.train_rows),
            "validation": len(prepared.validation),
            "test": len(prepared.test),
            **({} if dataset.resize == "fill" else {"resize": dataset.resize}),
            **({"validation_source": "own"} if prepared.validation_source == "own" else {}),
        },
        "classes": list(prepared.classes),
        "input": list(prepared.network.input.dims),
        "mean": list(prepared.mean),
        "std": list(prepared.std),
        **_weights_metadata(prepared, options.continue_from),
        **({} if options.continue_from is None else {"continues": options.continue_from.name}),
    }


def _weights_metadata(prepared: PreparedTraining, parent: Path | None) -> dict[str, Any]:
    """Where the start weights come from, and under which terms they are; nothing for random ones.

    A run that continues another one takes over the terms.
    """
    start = prepared.start_weights
    if start is None:
        notice = Run.open(parent).weights_notice if parent is not None else ""
        return {"weights": {"notice": notice}} if notice else {}
    # By which it is found from any folder.
    source = start.source if start.source in PRETRAINED else os.path.abspath(start.source)
    return {"weights": {"source": source, "notice": start.notice}}


def _parent_run(options: RunOptions) -> ParentRun | None:
    """The run that this one starts from. Raises RunError."""
    folder = options.continue_from
    if folder is None:
        return None
    if options.resume and options.folder is not None and _has_position(Run.open(options.folder)):
        return None
    run = Run.open(folder)
    problems = analyze(run.network, classes=len(run.classes)).problems
    if problems:
        raise RunError(f"The run in {folder} is damaged: {problems[0].full_message}.")
    return ParentRun(folder, run.network, run.require_own)


def _require_free(folder: Path) -> None:
    """Raises RunError if a new run cannot be written to the folder."""
    if exists(folder / RUN_FILE):
        raise RunError(f"{folder} already contains a run: resume it or choose another folder.")
    if exists(folder) and not is_folder(folder):
        raise RunError(f"{folder} is a file: a run needs a folder.")
    try:
        # A process that was killed before it wrote a run may have left its lock file behind.
        occupied = exists(folder) and any(path.name != LOCK_FILE for path in folder.iterdir())
    except OSError as error:
        raise RunError(f"Cannot write the run to {folder}: {error.strerror}.") from None
    if occupied:
        raise RunError(f"{folder} contains other files: choose an empty or a new folder for the run.")


def _resumable_run(folder: Path | None, prepared: PreparedTraining, dataset: Dataset) -> Run:
    """The run to resume. Raises RunError if this training is not a continuation of it.

    Its checkpoint is only worth what it claims if everything that shaped it is still the same. Fields that
    can also be changed during training may differ.
    """
    if folder is None:
        raise RunError("Specify the run to resume.")
    run = Run.open(folder)
    require_changeable(folder, "resumed")
    # The lock may not be visible from another machine. One that crashed a moment ago still looks like it is
    # running, because its last heartbeat is recent; so wait for the next one before refusing.
    if run.status == "running" and not run.is_of_this_machine and is_beating(folder):
        raise RunError(f"The run in {folder} is being written by another program, on {run.host}.")
    if (run.network.input, run.network.nodes) != (prepared.network.input, prepared.network.nodes):
        raise RunError(
            f"The run in {folder} was trained with a different design: resume it with its own, {DESIGN_FILE}."
        )
    if run.dataset_fingerprint != dataset.fingerprint:
        raise RunError(
            f"The run in {folder} was trained on different images: resume it with the same data set."
        )
    for field in parameters(Recipe):
        before, now = getattr(run.recipe, field.name), getattr(prepared.recipe, field.name)
        if before != now and field.name not in CHANGEABLE_WHILE_TRAINING:
            raise RunError(
                f"{field.name}: the run in {folder} was trained with {before} and cannot be resumed with "
                f"{now}."
            )
    return run
