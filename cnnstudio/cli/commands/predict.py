"""`cnnstudio predict`: classifies images with a trained run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.cli.answering import Judging, judged_to_json, similar_lines
from cnnstudio.cli.arguments import RUN_HELP, add_device_options, option_type, read_integer
from cnnstudio.cli.command import DONE, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.core.files import is_folder, write_atomically
from cnnstudio.core.formatting import format_percent
from cnnstudio.core.parameters import Number

if TYPE_CHECKING:
    from cnnstudio.core.progress import ProgressFunction
    from cnnstudio.runs.predicting import Prediction, SkippedFiles
    from cnnstudio.runs.run import Run

_MAX_CLASSES = 3
_MAX_NAMED = 5


class Predict(Command):
    name = "predict"
    help = "classify your own images with a run's best weights"
    examples = (
        "cnnstudio predict first-run cat.png",
        "cnnstudio predict first-run *.jpg --json",
        "cnnstudio predict first-run new-photos --out predictions.csv",
        "cnnstudio predict first-run cat.png --not-sure --nearest 3",
    )
    order = 5

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument(
            "images",
            metavar="IMAGE or FOLDER",
            nargs="+",
            type=Path,
            help="image files of any size, or folders, of which all images are classified",
        )
        parser.add_argument(
            "--out",
            metavar="FILE.csv",
            type=Path,
            help="write a table with the class and all probabilities of each image",
        )
        parser.add_argument(
            "--not-sure",
            action="store_true",
            help="say “not sure” where the confidence is below the run's threshold, or where an image is "
            "unlike any training image",
        )
        parser.add_argument(
            "--threshold",
            type=option_type(Number("threshold", None, minimum=0, maximum=1)),
            metavar="X",
            help="the least confidence of an answer, 0 to 1, in place of the run's; implies --not-sure",
        )
        parser.add_argument(
            "--nearest",
            type=read_integer,
            choices=range(1, 6),
            metavar="N",
            help="also the N most similar training images, 1 to 5",
        )
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.cli.run_data import open_run
        from cnnstudio.runs.predicting import SkippedFiles, describe_predictions, predictions_table

        if options.out is not None and is_folder(options.out):
            raise UsageError(f"--out: {options.out} is a folder; specify a file")
        run = open_run(options.run)
        named, found = _image_files(options.images)
        skipped, line = SkippedFiles(), LiveLine()
        judging = Judging(run, options, line.show_progress)
        paths, progress = [*named, *found], line.show_progress
        try:
            entries = _predictions(run, paths, len(named), options, skipped, judging, progress)
        finally:
            line.clear()
        reasons = skipped.reasons
        if not entries:
            raise UsageError(f"none of the {len(reasons):,} files can be read as images")
        if options.out is not None:
            write_atomically(options.out, predictions_table(run, entries))
        if options.json:
            predictions = {"predictions": [_to_json(entry) for entry in entries], **judging.to_json()}
            left_out = [{"image": image, "reason": reason} for image, reason in reasons.items()]
            print_json({"run": str(run.folder)} | predictions | ({"skipped": left_out} if found else {}))
            judging.warn()
            return DONE
        if options.out is None:
            echo("\n".join(_text(entry) for entry in entries))
        else:
            echo(f"{options.out}: {describe_predictions(entries)}")
        judging.warn()
        if reasons:
            names = ", ".join(list(reasons)[:_MAX_NAMED])
            echo(f"Left out, because they cannot be read: {len(reasons):,} ({names})", file=sys.stderr)
        return DONE


def _image_files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files that are named, and those found in folders. Raises UserError."""
    from cnnstudio.runs.predicting import images_in

    named, found = [], []
    for path in paths:
        if is_folder(path):
            found += images_in(path)
        else:
            named.append(path)
    return named, found


def _predictions(
    run: Run,
    paths: Sequence[Path],
    required: int,
    options: argparse.Namespace,
    skipped: SkippedFiles,
    judging: Judging,
    progress: ProgressFunction,
) -> list[Prediction]:
    from cnnstudio.runs.predicting import predict_files
    from cnnstudio.training.hardware.device import choose_device
    from cnnstudio.training.hardware.torch_state import torch_settings

    device = choose_device(options.device)
    with torch_settings(device, options.threads, seed=0):
        model = run.model().to(device)
        judging.prepare()
        return list(predict_files(run, model, paths, skipped, required, progress, judge=judging.judge))


def _to_json(entry: Prediction) -> dict[str, object]:
    ranked = entry.ranked
    best, probability = ranked[0]
    return {
        "image": entry.image,
        "class": best,
        "probability": probability,
        "probabilities": dict(ranked),
        **judged_to_json(entry),
    }


def _text(entry: Prediction) -> str:
    verdict, confidences = entry.judged.verdict, entry.judged.confidences
    ranked = entry.ranked
    if confidences:
        # In the same order, but as what the threshold is compared with.
        ranked = [(name, confidences[list(entry.probabilities).index(name)]) for name, _ in ranked]
    classes = ", ".join(f"{name} {format_percent(share)}" for name, share in ranked[:_MAX_CLASSES])
    if verdict is not None and not verdict.is_sure:
        classes = f"not sure ({classes}): {verdict.reason}"
    return "\n".join([f"{entry.image}: {classes}", *similar_lines(entry)])
