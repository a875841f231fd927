"""`cnnstudio evaluate`: the loss and accuracy of a trained run."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import RUN_HELP, add_device_options, read_integer
from cnnstudio.cli.command import DONE, Command, Parser, add_json_option
from cnnstudio.cli.output import LiveLine, echo, print_json, table
from cnnstudio.cli.run_data import load_run_dataset, open_run
from cnnstudio.core.formatting import clean_line, format_percent

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.insight.predictions import Evaluation
    from cnnstudio.runs.run import Run


class Evaluate(Command):
    name = "evaluate"
    help = "report loss, accuracy and calibration of a run, with precision and recall of each class"
    examples = ("cnnstudio evaluate first-run", "cnnstudio evaluate first-run --split train --json")
    order = 4

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument(
            "--split",
            choices=("test", "validation", "train"),
            default="test",
            help="images to evaluate on (default: test)",
        )
        parser.add_argument(
            "--epoch",
            type=read_integer,
            metavar="N",
            help="the weights of an epoch that were kept (default: the best)",
        )
        parser.add_argument(
            "--data", metavar="NAME or FOLDER", help="evaluate on another data set with the same classes"
        )
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.runs.epochs.inspection import resolve_epoch

        run = open_run(options.run)
        # Of the choice there is, so that the weights and what is said of them are the same.
        options.epoch = resolve_epoch(run, options.epoch)
        dataset = load_run_dataset(run, options.data)
        evaluation = _evaluate(run, dataset, options)
        count = _count(run, dataset, options)
        if options.json:
            print_json({**_json(run, dataset, evaluation, options), "test_evaluations": count})
        else:
            echo(_text(run, dataset, evaluation, options) + _count_text(count))
        return DONE


def _evaluate(run: Run, dataset: Dataset, options: argparse.Namespace) -> Evaluation:
    from cnnstudio.insight.predictions import evaluate
    from cnnstudio.runs.epochs.inspection import images_of, model_at
    from cnnstudio.training.hardware.device import choose_device
    from cnnstudio.training.hardware.torch_state import torch_settings

    device = choose_device(options.device)
    line = LiveLine()
    try:
        with torch_settings(device, options.threads, seed=0):
            model = model_at(run, options.epoch).to(device)
            images = images_of(dataset, run, options.split)
            flip = run.recipe.test_time_flip
            return evaluate(model, images, run.classes, line.show_progress, flip=flip)
    finally:
        line.clear()


def _count(run: Run, dataset: Dataset, options: argparse.Namespace) -> int | None:
    """How often the test set was evaluated, this time included; None for other images."""
    from cnnstudio.data.versions.evaluations import count_evaluation, evaluation_count
    from cnnstudio.data.versions.version import version_of

    if options.split != "test":
        return None
    count_evaluation(version_of(dataset), run.id, options.epoch)
    return evaluation_count(version_of(dataset))


def _count_text(count: int | None) -> str:
    from cnnstudio.data.versions.evaluations import describe_evaluations

    return f"\nTest set {describe_evaluations(count)}" if count else ""


def _json(run: Run, dataset: Dataset, evaluation: Evaluation, options: argparse.Namespace) -> dict[str, Any]:
    calibration = evaluation.calibration
    return {
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy,
        "per_class": evaluation.confusion.per_class(),
        "confusion": evaluation.confusion.counts.tolist(),
        "calibration": {"ece": calibration.ece, "bins": calibration.bins()},
        "classes": list(run.classes),
        "run": str(run.folder),
        "epoch": options.epoch,
        "data": dataset.name,
        "split": options.split,
        "images": evaluation.confusion.total,
    }


def _text(run: Run, dataset: Dataset, evaluation: Evaluation, options: argparse.Namespace) -> str:
    from cnnstudio.data.dataset import SPLIT_WORDS

    confusion = evaluation.confusion
    rows = []
    for number, name in enumerate(run.classes):
        errors = confusion.counts[number].copy()
        errors[number] = 0
        other = int(errors.argmax())
        confused_with = f"{run.classes[other]} ({errors[other]:,})" if errors[other] else ""
        figures = (confusion.recall, confusion.precision, confusion.f1)
        rows.append([name, *(_percent(values[number]) for values in figures), confused_with])
    headings = ["Class", "Accuracy", "Precision", "F1", "Most confused with"]
    count = f"{confusion.total:,} {SPLIT_WORDS[options.split]} images"
    return (
        f"{clean_line(run.name)}, epoch {options.epoch:,}, on {count} of {dataset.title}\n\n"
        f"{table(headings, rows, right=(1, 2, 3))}\n\n"
        f"Accuracy {format_percent(evaluation.accuracy)}, loss {evaluation.loss:.4f}, expected calibration "
        f"error {format_percent(evaluation.calibration.ece)}"
    )


def _percent(fraction: float) -> str:
    return "" if math.isnan(fraction) else format_percent(fraction)
