"""A standalone PyTorch file that loads the weights next to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cnnstudio.core.files import write_atomically
from cnnstudio.export.base import Exporter
from cnnstudio.export.examples import pytorch_example
from cnnstudio.export.training_features import distance_in
from cnnstudio.export.weights import WEIGHTS_FILE, write_weights
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.runs.epochs.answering import known_rule

if TYPE_CHECKING:
    from cnnstudio.export.verification import Verification
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

SOURCE_FILE = "model.py"

_SCRIPT = f"""
import runpy
import torch
model_file = runpy.run_path({SOURCE_FILE!r})
model = model_file["load"]()
with torch.no_grad():
    results = [model(model_file["normalize"](torch.from_numpy(batch))).numpy() for batch in batches]
"""
_DISTANCES = """
features = model_file["training_features"]()
distances = [model_file["distances"](model, torch.from_numpy(batch), features).numpy() for batch in batches]
"""


class PyTorchSource(Exporter):
    name = "pytorch"
    title = "PyTorch"
    description = "model.py, a standalone torch.nn class that does not need CNN Studio, and its weights."
    order = 2
    files = (SOURCE_FILE, WEIGHTS_FILE)
    compares_images = True
    usage = f"To try it, run: python {SOURCE_FILE} IMAGE."

    def write(self, run: Run, model: Model, folder: Path) -> None:
        write_weights(folder / WEIGHTS_FILE, run, model)
        rule = known_rule(run)
        source = write_module(
            run.network,
            weights_file=WEIGHTS_FILE,
            classes=run.classes,
            mean=model.mean,
            std=model.std,
            resize=run.resize,
            notice=run.weights_notice,
            answering=None if rule is None else (rule["temperature"], rule["threshold"]),
            distance=None if rule is None else distance_in(folder),
            flip=run.recipe.test_time_flip,
        )
        write_atomically(folder / SOURCE_FILE, source.encode())

    def verify(self, verification: Verification) -> None:
        script = _SCRIPT + _DISTANCES if verification.compares_images else _SCRIPT
        verification.compare_in_fresh_process(script)

    def example(self, folder: Path, run: Run) -> str:
        return pytorch_example(folder / SOURCE_FILE)
