"""`cnnstudio predict`: classifies images with a trained run."""

from __future__ import annotations

import argparse
from pathlib import Path

from cnnstudio.cli.arguments import RUN_HELP, add_device_options
from cnnstudio.cli.command import DONE, Command, Parser, add_json_option
from cnnstudio.cli.output import echo, print_json
from cnnstudio.core.formatting import format_percent

_MAX_CLASSES = 3


class Predict(Command):
    name = "predict"
    help = "classify your own images with a run's best weights"
    examples = ("cnnstudio predict first-run cat.png", "cnnstudio predict first-run *.jpg --json")
    order = 5

    def add_arguments(self, parser: Parser) -> None:
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="image files of any size")
        add_device_options(parser)
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        import numpy as np

        from cnnstudio.cli.run_data import open_run
        from cnnstudio.data.images.image_files import read_pixels, silence_pillow_warnings

        run = open_run(options.run)
        channels, height, width = run.network.input.dims
        with silence_pillow_warnings():
            images = np.stack([read_pixels(path, (channels, height, width)) for path in options.images])

        from cnnstudio.insight.predictions import predict
        from cnnstudio.training.hardware.device import choose_device
        from cnnstudio.training.hardware.torch_state import torch_settings

        device = choose_device(options.device)
        with torch_settings(device, options.threads, seed=0):
            flip = run.recipe.test_time_flip
            probabilities = predict(run.model().to(device), images, flip=flip).tolist()
        entries = [
            _Prediction(str(path), dict(zip(run.classes, row, strict=True)))
            for path, row in zip(options.images, probabilities, strict=True)
        ]
        if options.json:
            print_json({"run": str(run.folder), "predictions": [entry.to_json() for entry in entries]})
        else:
            echo("\n".join(entry.text() for entry in entries))
        return DONE


class _Prediction:
    """One image with the probability of each class, highest first."""

    def __init__(self, image: str, probabilities: dict[str, float]) -> None:
        self._image = image
        self._ranked = sorted(probabilities.items(), key=lambda entry: -entry[1])

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
