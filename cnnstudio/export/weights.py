"""The weights as safetensors, with the design beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio import __version__
from cnnstudio.core.files import write_atomically
from cnnstudio.design.file import design_from_json, design_to_json, write_design
from cnnstudio.export.base import Exporter

if TYPE_CHECKING:
    from cnnstudio.export.verification import Proof
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

WEIGHTS_FILE = "model.safetensors"
DESIGN_FILE = "design.cnn.json"
FORMAT = "cnnstudio.weights"


class Weights(Exporter):
    name = "safetensors"
    title = "Weights"
    description = "model.safetensors with the design beside it: plain data that any framework can read."
    order = 0
    files = (WEIGHTS_FILE, DESIGN_FILE)
    usage = "The names of the weights begin with the ids of the layers in the design."

    def write(self, run: Run, model: Model, folder: Path) -> None:
        write_weights(folder / WEIGHTS_FILE, run, model)
        write_design(folder / DESIGN_FILE, run.network)

    def prove(self, proof: Proof) -> None:
        """Reads the file by itself: the design from its head, the weights, the normalization."""
        from safetensors import safe_open

        from cnnstudio.export.verification import scores
        from cnnstudio.training.model import build_model

        with safe_open(proof.folder / WEIGHTS_FILE, framework="pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        model = build_model(design_from_json(json.loads(about["design"]))).eval()
        model.load_state_dict(tensors)
        model.set_normalization(json.loads(about["mean"]), json.loads(about["std"]))
        proof.compare(scores(model, proof.images))


def write_weights(path: Path, run: Run, model: Model) -> None:
    """The state dict, contiguous and float32, with all that is needed to use it in the file's own head."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    metadata = {key: _text(value) for key, value in about(run, model).items()}
    write_atomically(path, save(tensors, metadata=metadata))


def about(run: Run, model: Model) -> dict[str, Any]:
    """What a user of the model has to know, for the head of a file."""
    return {
        "format": FORMAT,
        "cnnstudio": __version__,
        "name": run.network.name,
        "classes": list(run.classes),
        "mean": list(model.mean),
        "std": list(model.std),
        "design": design_to_json(run.network),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
