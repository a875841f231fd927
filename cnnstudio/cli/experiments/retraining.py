"""`cnnstudio runs retrain`: the same training on the corrected images, compared with the run before."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.cli.arguments import (
    RUN_HELP,
    add_device_options,
    available_source,
    source_reference,
    take_hardware,
)
from cnnstudio.cli.command import DONE, Parser
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.cli.preflight import AUTO
from cnnstudio.cli.seed_sweep import STATUS
from cnnstudio.cli.training_output import printer, stop_when_unread
from cnnstudio.core.formatting import as_printed

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.runs.run import Run


def add_arguments(parser: Parser) -> None:
    """Declares the arguments of `runs retrain`."""
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--run", dest="folder", type=Path, metavar="FOLDER", help="the folder of the new run")
    add_device_options(parser)
    parser.set_defaults(device=None)


def run_retrain(options: argparse.Namespace) -> int:
    """Trains unless there is such a run already, and compares both; returns the exit status.

    Raises UserError.
    """
    from cnnstudio.cli.run_data import open_run
    from cnnstudio.runs.retraining.before_after import compare_before_after
    from cnnstudio.runs.retraining.plan import plan_retraining
    from cnnstudio.runs.run import Run

    before = open_run(options.run)
    line = LiveLine()
    try:
        plan = plan_retraining(before, line.show_progress)
    finally:
        line.clear()
    take_hardware(options, before)
    after = plan.after
    if after is None:
        status, folder = _train(before, plan.dataset, options)
        if status != DONE or folder is None:
            return status
        after = Run.open(folder)
    elif not options.json:
        echo(f"{as_printed(after.id)} is this training on the images as they are corrected now.\n")
    try:
        device = options.device or AUTO
        found = compare_before_after(
            before, after, plan.dataset, plan.changes, line.show_progress, device=device
        )
    finally:
        line.clear()
    if options.json:
        print_json({"event": "Retrained", **found.to_json()})
    else:
        echo("\n".join(found.lines()))
    return DONE


def _train(before: Run, dataset: Dataset, options: argparse.Namespace) -> tuple[int, Path | None]:
    """The exit status, and the folder of the new run."""
    from cnnstudio.runs.signals import stopping_on_signals
    from cnnstudio.runs.start import RunOptions, start_run
    from cnnstudio.training.control import Control

    control = Control()
    with stopping_on_signals(control):
        finished = start_run(
            before.network,
            dataset,
            before.recipe,
            RunOptions(
                folder=options.folder,
                source=source_reference(available_source(before.dataset_name)),
                device=options.device or AUTO,
                threads=options.threads,
                on_save_failure="retry",
                weights=before.start_weights,
            ),
            control=control,
            emit=stop_when_unread(printer(options.json), control),
            progress=LiveLine().show_progress,
        )
    if not options.json:
        echo("")
    return STATUS[finished.outcome], Path(finished.run) if finished.run else None
