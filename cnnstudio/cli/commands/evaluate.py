"""`cnnstudio evaluate`: the loss and accuracy of a trained run."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import RUN_HELP, add_device_options
from cnnstudio.cli.command import DONE, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import LiveLine, echo, print_json, table
from cnnstudio.core.formatting import clean_line, format_percent, list_names

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Dataset
    from cnnstudio.insight.predictions import Evaluation
    from cnnstudio.runs.run import Run


class Evaluate(Command):
    name = "evaluate"
    help = "report the loss and accuracy of a run's best weights, overall and per class"
    examples = ("cnnstudio evaluate first-run", "cnnstudio evaluate first-run --split train --json")
    order = 4

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument(
            "--split", choices=("test", "train"), default="test", help="images to evaluate on (default: test)"
        )
        parser.add_argument(
            "--data", metavar="NAME or FOLDER", help="evaluate on another data set with the same classes"
        )
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.runs.run import find_run

        run = find_run(options.run)
        dataset = _dataset(run, options.data)
        evaluation = _evaluate(run, dataset, options)
        if options.json:
            print_json(_json(run, dataset, evaluation, options.split))
        else:
            echo(_text(run, dataset, evaluation, options.split))
        return DONE


def _dataset(run: Run, data: str | None) -> Dataset:
    """The images, at the network's input size. Raises UserError if they do not fit the run."""
    from cnnstudio.data.images.resizing import resize
    from cnnstudio.data.sources import find_source

    line = LiveLine()
    try:
        dataset = find_source(data or run.dataset_name).load(line.show_progress)
    finally:
        line.clear()
    if dataset.classes != run.classes:
        known, found = list_names(run.classes), list_names(dataset.classes)
        raise UsageError(f"the run has the classes {known}, but {dataset.title} has {found}")
    if data is None and dataset.fingerprint != run.dataset_fingerprint:
        echo(f"Note: the images of {dataset.title} are not those of the training run.", file=sys.stderr)
    channels, height, width = run.network.input.dims
    try:
        return resize(dataset, (channels, height, width), line.show_progress)
    finally:
        line.clear()


def _evaluate(run: Run, dataset: Dataset, options: argparse.Namespace) -> Evaluation:
    from cnnstudio.insight.predictions import evaluate
    from cnnstudio.training.hardware.device import choose_device
    from cnnstudio.training.hardware.torch_state import torch_settings

    device = choose_device(options.device)
    split = dataset.train if options.split == "train" else dataset.test
    line = LiveLine()
    try:
        with torch_settings(device, options.threads, seed=0):
            model = run.model().to(device)
            flip = run.recipe.test_time_flip
            return evaluate(model, split, line.show_progress, flip=flip)
    finally:
        line.clear()


def _json(run: Run, dataset: Dataset, evaluation: Evaluation, split: str) -> dict[str, Any]:
    return {
        "loss": evaluation.loss,
        "accuracy": evaluation.accuracy,
        "per_class": dict(zip(run.classes, evaluation.per_class, strict=True)),
        "confusion": evaluation.confusion.tolist(),
        "classes": list(run.classes),
        "run": str(run.folder),
        "data": dataset.name,
        "split": split,
        "images": int(evaluation.confusion.sum()),
    }


def _text(run: Run, dataset: Dataset, evaluation: Evaluation, split: str) -> str:
    rows = []
    for number, (name, accuracy) in enumerate(zip(run.classes, evaluation.per_class, strict=True)):
        errors = evaluation.confusion[number].copy()
        errors[number] = 0
        other = int(errors.argmax())
        confused_with = f"{run.classes[other]} ({errors[other]:,})" if errors[other] else ""
        rows.append([name, "" if accuracy is None else format_percent(accuracy), confused_with])
    count = f"{int(evaluation.confusion.sum()):,} {'training' if split == 'train' else 'test'} images"
    return (
        f"{clean_line(run.name)} on {count} of {dataset.title}\n\n"
        f"{table(['Class', 'Accuracy', 'Most confused with'], rows, right=(1,))}\n\n"
        f"Accuracy {format_percent(evaluation.accuracy)}, loss {evaluation.loss:.4f}"
    )
