"""The weights as safetensors, with the design as a second file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio import __version__
from cnnstudio.core.files import open_regular, write_atomically
from cnnstudio.core.formatting import escape_bytes
from cnnstudio.design.file import design_from_json, design_to_json, write_design
from cnnstudio.export.base import Exporter
from cnnstudio.export.examples import weights_example
from cnnstudio.export.safetensors_file import sorted_metadata
from cnnstudio.export.training_features import distance_in, distance_to_json, distances_in
from cnnstudio.runs.epochs.answering import known_rule

if TYPE_CHECKING:
    from cnnstudio.export.verification import Verification
    from cnnstudio.interchange.pytorch.file import TrainingDistance
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

WEIGHTS_FILE = "model.safetensors"
DESIGN_FILE = "design.cnn.json"
FORMAT = "cnnstudio.weights"


class Weights(Exporter):
    name = "safetensors"
    title = "Weights"
    description = "model.safetensors and the design file: plain data that any framework can read."
    order = 0
    files = (WEIGHTS_FILE, DESIGN_FILE)
    compares_images = True
    usage = "The names of the tensors start with the layer ids of the design."

    def write(self, run: Run, model: Model, folder: Path) -> None:
        write_weights(folder / WEIGHTS_FILE, run, model)
        write_design(folder / DESIGN_FILE, run.network)

    def verify(self, verification: Verification) -> None:
        """Rebuilds the model from the file alone: design, weights and normalization."""
        from safetensors.torch import load

        from cnnstudio.export.verification import compute_logits
        from cnnstudio.training.model import build_model

        # The library opens only paths that are UTF-8.
        with open_regular(verification.folder / WEIGHTS_FILE, None) as file:
            data = file.read()
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        model = build_model(design_from_json(json.loads(metadata["design"]))).eval()
        model.load_state_dict(load(data))
        model.set_normalization(json.loads(metadata["mean"]), json.loads(metadata["std"]))
        verification.compare(compute_logits(model, verification.images))
        if verification.compares_images:
            verification.compare_distances(distances_in(verification.folder, model, verification.images))

    def example(self, folder: Path, run: Run) -> str:
        return weights_example(folder / WEIGHTS_FILE)


def write_weights(path: Path, run: Run, model: Model) -> None:
    """Writes the state dict, contiguous float32, with everything needed to use it as the file's metadata.

    Also how to compare images with the training images, if their features are beside the file. Raises
    FileError if the file cannot be written.
    """
    from safetensors.torch import save

    metadata = model_metadata(run, model, distance_in(path.parent))
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_atomically(path, sorted_metadata(save(tensors, metadata=metadata_texts(metadata))))


def model_metadata(run: Run, model: Model, distance: TrainingDistance | None = None) -> dict[str, Any]:
    """Everything needed to use the model: classes, normalization and design, as metadata of a file.

    `not_sure` says from which confidence on it answers: that of softmax(logits / temperature), and by
    `distance` which file its images are compared with, if there is one beside the model. With
    `test_time_flip`, the accuracy of the run and that rule are of the mean logits of each image and its
    mirror image.
    """
    rule = known_rule(run)
    compared = {} if distance is None else {"distance": distance_to_json(distance)}
    return {
        "format": FORMAT,
        "cnnstudio": __version__,
        "name": run.network.name,
        "classes": list(run.classes),
        "mean": list(model.mean),
        "std": list(model.std),
        **({} if run.resize == "fill" else {"resize": run.resize}),
        "design": design_to_json(run.network),
        **({} if rule is None else {"not_sure": rule | compared}),
        **({"test_time_flip": True} if run.recipe.test_time_flip else {}),
        **({"notice": run.weights_notice} if run.weights_notice else {}),
    }


def metadata_texts(metadata: dict[str, Any]) -> dict[str, str]:
    """The metadata as files hold it: what is no text is JSON."""
    return {
        key: escape_bytes(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in metadata.items()
    }
