"""`cnnstudio runs learning-curve`: whether more images or another network would help."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from cnnstudio.cli.arguments import RUN_HELP, add_device_options, take_hardware
from cnnstudio.cli.command import Parser
from cnnstudio.cli.output import LiveLine, echo, print_json, table
from cnnstudio.cli.preflight import AUTO
from cnnstudio.core.formatting import format_count, format_percent

if TYPE_CHECKING:
    from cnnstudio.tuning.learning_curve import LearningCurve


def add_arguments(parser: Parser) -> None:
    """Declares the arguments of `runs learning-curve`."""
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_device_options(parser)
    parser.set_defaults(device=None)


def run_learning_curve(options: argparse.Namespace) -> None:
    """Trains on parts of the run's images and prints what came of it. Raises UserError."""
    from cnnstudio.cli.run_data import open_run
    from cnnstudio.core.progress import Cancelled
    from cnnstudio.runs.epochs.run_images import load_run_images
    from cnnstudio.runs.signals import stopping_on_signals
    from cnnstudio.training.control import Control
    from cnnstudio.tuning.learning_curve import measure_learning_curve

    run = open_run(options.run)
    take_hardware(options, run)
    line, control = LiveLine(), Control()
    with stopping_on_signals(control):
        try:
            dataset, _ = load_run_images(run, line.show_progress, control.stop.is_set)
            curve = measure_learning_curve(
                run,
                dataset,
                line.show_progress,
                control.stop.is_set,
                device=options.device or AUTO,
                threads=options.threads,
            )
        except Cancelled:
            raise KeyboardInterrupt from None
        finally:
            line.clear()
    if options.json:
        print_json({"run": str(run.folder), **curve.to_json()})
    else:
        echo(_text(curve))


def _text(curve: LearningCurve) -> str:
    rows = [
        [
            f"{100 * point.fraction:.0f}%",
            format_count(point.images),
            format_count(point.epochs),
            format_percent(point.train_accuracy),
            format_percent(point.accuracy),
        ]
        for point in curve.points
    ]
    split = "Test" if curve.validates_on_test else "Validation"
    headings = ["Part", "Images", "Epochs", "Training accuracy", f"{split} accuracy"]
    return f"{table(headings, rows, right=(0, 1, 2, 3, 4))}\n\n{curve.verdict}"
