"""`cnnstudio predict`: classifies images with a trained run."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.cli.arguments import RUN_HELP, add_device_options
from cnnstudio.cli.command import DONE, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.core.csv_file import Cell, csv_bytes
from cnnstudio.core.files import is_folder, write_atomically
from cnnstudio.core.formatting import format_percent, pluralize

if TYPE_CHECKING:
    from cnnstudio.core.progress import ProgressFunction
    from cnnstudio.data.dataset import Pixels
    from cnnstudio.runs.run import Run

_MAX_CLASSES = 3
_BATCH = 64
_MAX_NAMED = 5


class Predict(Command):
    name = "predict"
    help = "classify your own images with a run's best weights"
    examples = (
        "cnnstudio predict first-run cat.png",
        "cnnstudio predict first-run *.jpg --json",
        "cnnstudio predict first-run new-photos --out predictions.csv",
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
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.cli.run_data import open_run

        if options.out is not None and is_folder(options.out):
            raise UsageError(f"--out: {options.out} is a folder; specify a file")
        run = open_run(options.run)
        named, found = _image_files(options.images)
        skipped: list[dict[str, str]] = []
        line = LiveLine()
        try:
            entries = list(_predictions(run, named, found, options, skipped, line.show_progress))
        finally:
            line.clear()
        if not entries:
            raise UsageError(f"none of the {len(skipped):,} files can be read as images")
        if options.out is not None:
            rows = [entry.row(run.classes) for entry in entries]
            write_atomically(options.out, csv_bytes([["file", "label", "probability", *run.classes], *rows]))
        if options.json:
            about = {"run": str(run.folder), "predictions": [entry.to_json() for entry in entries]}
            print_json(about | ({"skipped": skipped} if found else {}))
            return DONE
        if options.out is None:
            echo("\n".join(entry.text() for entry in entries))
        else:
            counts = Counter(entry.label for entry in entries).most_common(_MAX_NAMED)
            most = ", ".join(f"{label} ({count:,})" for label, count in counts)
            echo(f"{options.out}: {pluralize(len(entries), 'image')}, most often {most}")
        if skipped:
            names = ", ".join(each["image"] for each in skipped[:_MAX_NAMED])
            echo(f"Left out, because they cannot be read: {len(skipped):,} ({names})", file=sys.stderr)
        return DONE


def _image_files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files that are named, and those found in folders. Raises UserError."""
    from cnnstudio.core.progress import never_cancelled
    from cnnstudio.data.sources.folder_scan import scan

    named, found = [], []
    for path in paths:
        if not is_folder(path):
            named.append(path)
            continue
        inside = [Path(each) for images in scan(path, never_cancelled).images.values() for each in images]
        if not inside:
            raise UsageError(f"there are no images in {path}")
        found += sorted(inside)
    return named, found


def _predictions(
    run: Run,
    named: Sequence[Path],
    found: Sequence[Path],
    options: argparse.Namespace,
    skipped: list[dict[str, str]],
    progress: ProgressFunction,
) -> Iterator[_Prediction]:
    """Of all images, a few at a time. A file that was named must be readable; one in a folder is skipped."""
    import numpy as np

    from cnnstudio.core.progress import Progress, throttled
    from cnnstudio.data.images.image_files import silence_pillow_warnings
    from cnnstudio.insight.predictions import predict
    from cnnstudio.training.hardware.device import choose_device
    from cnnstudio.training.hardware.torch_state import torch_settings

    report, total = throttled(progress), len(named) + len(found)
    paths = [*named, *found]
    first = _read(run, named, None)
    device = choose_device(options.device)
    with torch_settings(device, options.threads, seed=0), silence_pillow_warnings():
        model = run.model().to(device)
        for start in range(0, total, _BATCH):
            chunk = paths[start : start + _BATCH]
            known = first[start : start + _BATCH]
            read = [*known, *_read(run, chunk[len(known) :], skipped)]
            if read:
                images = np.stack([pixels for _, pixels in read])
                rows = predict(model, images, flip=run.recipe.test_time_flip).tolist()
                for (path, _), row in zip(read, rows, strict=True):
                    yield _Prediction(str(path), dict(zip(run.classes, row, strict=True)))
            done = min(start + _BATCH, total)
            report(Progress(done, total, f"Classifying: {done:,} of {total:,} images"))


def _read(run: Run, paths: Sequence[Path], skipped: list[dict[str, str]] | None) -> list[tuple[Path, Pixels]]:
    """The images at the network's input size, resized as those of the training were.

    What cannot be read is added to `skipped`; without it, raises DataError.
    """
    from cnnstudio.data.dataset import DataError
    from cnnstudio.data.images.image_files import read_pixels, silence_pillow_warnings

    channels, height, width = run.network.input.dims
    read = []
    with silence_pillow_warnings():
        for path in paths:
            try:
                read.append((path, read_pixels(path, (channels, height, width), run.resize)))
            except DataError as error:
                if skipped is None:
                    raise
                skipped.append({"image": str(path), "reason": str(error).removeprefix(f"{path} ")})
    return read


class _Prediction:
    """One image with the probability of each class, highest first."""

    def __init__(self, image: str, probabilities: dict[str, float]) -> None:
        self._image = image
        self._ranked = sorted(probabilities.items(), key=lambda entry: -entry[1])

    @property
    def label(self) -> str:
        """The most probable class."""
        return self._ranked[0][0]

    def row(self, classes: Sequence[str]) -> list[Cell]:
        """File, class, its probability, and those of all classes in their order."""
        known = dict(self._ranked)
        return [self._image, self.label, known[self.label], *(known[name] for name in classes)]

    def to_json(self) -> dict[str, object]:
        best, probability = self._ranked[0]
        return {
            "image": self._image,
            "class": best,
            "probability": probability,
            "probabilities": dict(self._ranked),
        }

    def text(self) -> str:
        classes = [
            f"{name} {format_percent(probability)}" for name, probability in self._ranked[:_MAX_CLASSES]
        ]
        return f"{self._image}: {', '.join(classes)}"
