"""`cnnstudio inspect`: what an instrument shows of a trained run at one of its epochs."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.cli.arguments import RUN_HELP, add_device_options, read_integer
from cnnstudio.cli.command import DONE, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.core.files import is_folder, write_atomically
from cnnstudio.core.formatting import clean_line

if TYPE_CHECKING:
    from cnnstudio.data.dataset import Pixels
    from cnnstudio.insight.reading import Reading
    from cnnstudio.runs.epochs.inspection import ReadingRequest
    from cnnstudio.runs.run import Run


class Inspect(Command):
    name = "inspect"
    help = "show what a run has learned: feature maps, filters, histograms, confusion matrix and more"
    examples = (
        "cnnstudio inspect first-run --instrument confusion",
        "cnnstudio inspect first-run --instrument feature_maps --image cat.png --out maps.png",
        "cnnstudio inspect first-run --instrument filters --epoch 3 --json",
    )
    order = 5

    def add_arguments(self, parser: Parser) -> None:
        from cnnstudio.insight.catalog import instruments

        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument(
            "--instrument", required=True, metavar="NAME", help=f"one of {', '.join(instruments())}"
        )
        parser.add_argument(
            "--epoch",
            type=read_integer,
            metavar="N",
            help="the epoch to look at; 0 is before training (default: the best)",
        )
        parser.add_argument(
            "--layer",
            metavar="ID",
            help="the layer, by its id in the design (default: the first convolution)",
        )
        parser.add_argument(
            "--image", type=Path, metavar="FILE", help="an image of yours (default: the run's example images)"
        )
        parser.add_argument(
            "--split",
            choices=("validation", "test", "train"),
            default="validation",
            help="labeled images to evaluate on (default: validation)",
        )
        parser.add_argument(
            "--since", type=read_integer, metavar="N", help="an earlier epoch to compare the filters with"
        )
        parser.add_argument("--out", type=Path, metavar="FILE.png", help="draw it into this file")
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.cli.run_data import open_run
        from cnnstudio.insight.catalog import instrument

        chosen = instrument(options.instrument)
        if options.out is not None and (options.out.suffix.lower() != ".png" or is_folder(options.out)):
            raise UsageError(f"--out: {options.out} must be a file that ends in .png")
        run = open_run(options.run)
        request = _request(run, options)
        reading = _take(run, request, options)
        if options.out is not None:
            write_atomically(options.out, _png(reading))
        if options.json:
            print_json(
                {
                    "run": str(run.folder),
                    "epoch": request.epoch,
                    "instrument": chosen.name,
                    "layer": request.layer,
                    "data": reading.to_json(),
                }
            )
        else:
            echo(f"{clean_line(run.name)}, epoch {request.epoch:,}: {reading.summary()}")
        return DONE


def _request(run: Run, options: argparse.Namespace) -> ReadingRequest:
    """Raises UserError for an epoch or layer that the run does not have, and for an unreadable image."""
    from cnnstudio.insight.catalog import instrument
    from cnnstudio.insight.instrument import Need
    from cnnstudio.runs.epochs.inspection import OwnImages, ReadingRequest, default_layer, resolve_epoch

    epoch = resolve_epoch(run, options.epoch)
    since = None if options.since is None else resolve_epoch(run, options.since)
    layer = options.layer
    if Need.LAYER in instrument(options.instrument).needs:
        layers = [node.id for node in run.network.walk() if node.is_active]
        layer = layer or default_layer(run)
        if layer not in layers:
            raise UsageError(f"--layer: the run has no layer “{layer}”; choose one of {', '.join(layers)}")
    else:
        layer = None
    return ReadingRequest(
        run.folder,
        epoch,
        options.instrument,
        layer,
        own_images=None if options.image is None else OwnImages(_read_image(run, options.image)),
        split=options.split,
        other_epoch=since,
    )


def _read_image(run: Run, path: Path) -> Pixels:
    """uint8 (1, C, H, W) of the network's input size. Raises DataError."""
    from cnnstudio.data.images.image_files import read_pixels, silence_pillow_warnings

    channels, height, width = run.network.input.dims
    with silence_pillow_warnings():
        return read_pixels(path, (channels, height, width), run.resize)[None]


def _take(run: Run, request: ReadingRequest, options: argparse.Namespace) -> Reading:
    from cnnstudio.cli.run_data import load_trained_dataset
    from cnnstudio.insight.instrument import finish
    from cnnstudio.runs.epochs.inspection import Inspector
    from cnnstudio.training.hardware.device import choose_device
    from cnnstudio.training.hardware.torch_state import torch_settings

    device = choose_device(options.device)
    inspector = Inspector(load_trained_dataset, options.device)
    line = LiveLine()
    try:
        with torch_settings(device, options.threads, seed=0):
            return finish(inspector.take(request), line.show_progress, text="Inspecting")
    finally:
        line.clear()


def _png(reading: Reading) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(reading.draw()).save(file, "PNG")
    return file.getvalue()
