"""`cnnstudio runs compare A B --seeds N`: trains the seeds that two trainings lack for a comparison."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cnnstudio.cli.arguments import available_source, load_dataset, source_reference, take_hardware
from cnnstudio.cli.command import DONE, UsageError
from cnnstudio.cli.output import LiveLine, echo
from cnnstudio.cli.preflight import AUTO
from cnnstudio.cli.seed_sweep import STATUS
from cnnstudio.cli.training_output import printer, stop_when_unread
from cnnstudio.core.formatting import as_printed
from cnnstudio.core.progress import CancelFunction, Cancelled
from cnnstudio.data.dataset import Dataset
from cnnstudio.runs.comparing.comparison import in_turn
from cnnstudio.runs.comparing.seeds import (
    MAX_SEEDS,
    PlannedRun,
    Training,
    find_seed_runs,
    plan_seeds,
    same_training,
    train_in_turn,
)
from cnnstudio.runs.library.finding import list_runs, new_folder
from cnnstudio.runs.run import Run
from cnnstudio.runs.signals import stopping_on_signals
from cnnstudio.runs.start import RunOptions, start_run
from cnnstudio.training.control import Control
from cnnstudio.training.events import Finished


def train_missing_seeds(runs: tuple[Run, Run], options: argparse.Namespace) -> int:
    """Trains until each of the two has `--seeds` completed runs beside it; returns the exit status.

    Raises UserError if they cannot be compared, or a run cannot start.
    """
    first, second = runs
    if not 2 <= options.seeds <= MAX_SEEDS:
        raise UsageError(f"--seeds: must be an integer from 2 to {MAX_SEEDS:,}, got {options.seeds:,}")
    if first.dataset_fingerprint != second.dataset_fingerprint:
        raise UsageError("the two runs were trained on different images, so they cannot be compared")
    if same_training(first, second):
        raise UsageError("the two runs differ in nothing but their seed: there is nothing to compare")
    planned = [(run, each) for run, each in in_turn(*((run, _missing(run, options.seeds)) for run in runs))]
    if not planned:
        return DONE
    control = Control()
    with stopping_on_signals(control):
        try:
            dataset = _dataset(first, control.stop.is_set)
        except Cancelled:
            raise KeyboardInterrupt from None
        trained = train_in_turn(planned, lambda each: _train(*each, planned, dataset, control, options))
        return max(STATUS[finished.outcome] for _, finished in trained)


def _missing(run: Run, seeds: int) -> list[PlannedRun]:
    siblings = list_runs(run.folder.parent)
    completed = [each for each in find_seed_runs(run, siblings) if each.status == "completed" and each.test]
    return plan_seeds(Training.of(run), completed, seeds, siblings)


def _dataset(run: Run, cancelled: CancelFunction) -> Dataset:
    dataset = load_dataset(available_source(run.dataset_name), cancelled)
    if dataset.fingerprint != run.dataset_fingerprint:
        raise UsageError(f"the images of {dataset.title} are not those of the two runs")
    return dataset


def _train(
    run: Run,
    planned: PlannedRun,
    all_planned: Sequence[tuple[Run, PlannedRun]],
    dataset: Dataset,
    control: Control,
    options: argparse.Namespace,
) -> Finished:
    training = planned.training
    number = all_planned.index((run, planned)) + 1
    if not options.json:
        echo(f"Seed {training.recipe.seed} of {as_printed(run.id)} ({number} of {len(all_planned)})")
    hardware = argparse.Namespace(device=options.device, threads=options.threads)
    take_hardware(hardware, run)
    finished = start_run(
        training.network,
        dataset,
        training.recipe,
        RunOptions(
            folder=planned.folder or _new_folder(run, training),
            weights=training.weights,
            source=source_reference(available_source(run.dataset_name)),
            device=hardware.device or AUTO,
            threads=hardware.threads,
            resume=planned.folder is not None,
            keep_weights=False,
            on_save_failure="retry",
        ),
        control=control,
        emit=stop_when_unread(printer(options.json, repeats_notes=planned.folder is not None), control),
        progress=LiveLine().show_progress,
    )
    if not options.json:
        echo("")
    return finished


def _new_folder(run: Run, training: Training) -> Path:
    """Beside the run, where the comparison looks for its seeds."""
    return new_folder(training.network.name, run.folder.parent, training.recipe.seed)
