"""The parts of a standalone PyTorch file around the network: constants, loading, images, classification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnstudio.interchange.image_code import TO_RGB, opening_code
from cnnstudio.interchange.interpreter.names import string_literal
from cnnstudio.layers.base import Shape

RESERVED_NAMES = frozenset(
    {
        *("INPUT", "WEIGHTS", "MEAN", "STD", "CLASSES", "TEMPERATURE", "THRESHOLD", "OrderedDict", "Path"),
        *("FEATURES", "FEATURES_ID", "LAST_LAYER", "NEIGHBORS", "LIMIT"),
    }
)
"""The names that the file defines besides the network, which its class must not have."""

NO_SOFTMAX = "No softmax here: cross-entropy takes logits, and classify() applies it."
"""The comment by which the reader knows that the design ends with a softmax."""
NO_SOFTMAX_COMMENTS = frozenset(
    {NO_SOFTMAX, "No softmax here: cross-entropy takes the scores, and classify() applies it."}
)
"""All versions of that comment; the other one is that of version 0.1."""

_INDENT = "    "


@dataclass(frozen=True)
class TrainingDistance:
    """How images are compared with the training images, whose features are in a file beside the network."""

    file: str
    """The name of that file, which has `features`, float32 or float16 (M, values), rows of length 1."""
    id: str
    """What that file calls itself: others are of another network."""
    layer: str
    """The name of the module whose input the features are."""
    neighbors: int
    """The distance of an image is that from its so many-th most similar training image."""
    limit: float
    """The largest distance of an image that is like the training images."""


@dataclass(frozen=True)
class PyTorchFile:
    """A standalone file. `source` inserts the network's lines and the helper classes they use."""

    title: str
    class_name: str
    input: Shape
    output: Shape
    weights_file: str | None
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: str = "fill"
    """How the images of the training were brought to the input's size: fill, fit or stretch."""
    notice: str = ""
    """Under which terms the weights are; empty if there is nothing to say."""
    answering: tuple[float, float] | None = None
    """The temperature that calibrates confidences, and the least confidence of an answer."""
    distance: TrainingDistance | None = None
    """How images are compared with the training images; only together with `answering`."""
    flip: bool = False
    """Whether the scores of each image and its mirror image are averaged, as in the run's evaluation."""

    def source(self, layers: Sequence[str], helpers: Sequence[str]) -> str:
        """The text of the file."""
        load = _LOAD_SAFETENSORS if self.weights_file else _LOAD_NOTHING
        model = "load()" if self.weights_file else f"{self.class_name}()"
        parts = [
            f"{self._head()}\n\n{self._constants()}",
            *helpers,
            self._network(layers),
            load.replace("NETWORK", self.class_name),
            _NORMALIZE if self.mean else _NO_NORMALIZATION,
            TO_RGB.replace('"""\n', '"""\n    from PIL import Image\n\n', 1),
            _READ_IMAGE.replace("OPENED", opening_code(self.resize)),
            _CLASSIFY_WITH_FLIP if self.flip else _CLASSIFY,
            *([_CALIBRATE] if self.answering else []),
            *([_COMPARE] if self.distance else []),
            self._main().replace("MODEL", model),
        ]
        return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"

    def _main(self) -> str:
        main = _MAIN_WITH_THRESHOLD if self.answering else _MAIN
        main = _MAIN_WITH_DISTANCE if self.distance else main
        return main.replace(_UNREADABLE, _UNREADABLE + _UNUSABLE) if self.weights_file else main

    def _head(self) -> str:
        needs = "PyTorch and safetensors" if self.weights_file else "PyTorch"
        lines = [
            f'"""{self.title}, written by CNN Studio.',
            "",
            f"This file is standalone. It needs {needs}, and Pillow to read images:",
            "",
            f"{_INDENT}python THIS_FILE.py IMAGE...",
            *(["", f"The network was {self.notice}."] if self.notice else []),
            '"""',
            "",
            "import sys",
            "from collections import OrderedDict",
        ]
        if self.weights_file:
            lines.append("from pathlib import Path")
        lines += ["", "import torch"]
        if self.weights_file:
            names = "SafetensorError, safe_open" if self.distance else "SafetensorError"
            lines.append(f"from safetensors import {names}")
            lines.append("from safetensors.torch import load_file")
        return "\n".join([*lines, "from torch import nn"])

    def _constants(self) -> str:
        lines = [f"INPUT = {self.input.dims}  # channels, height, width"]
        if self.weights_file:
            lines.append(f"WEIGHTS = {string_literal(self.weights_file)}  # next to this file")
        if self.mean:
            lines.append(f"MEAN = {self.mean!r}  # per channel, for pixels from 0 to 1")
            lines.append(f"STD = {self.std!r}")
        if self.answering:
            temperature, threshold = self.answering
            lines.append(f"TEMPERATURE = {temperature!r}  # divides the logits, to calibrate confidences")
            lines.append(f"THRESHOLD = {threshold!r}  # the least confidence of an answer")
        if self.distance:
            lines += [
                f"FEATURES = {string_literal(self.distance.file)}  # of training images, next to this file",
                f"FEATURES_ID = {string_literal(self.distance.id)}  # what that file calls itself",
                f"LAST_LAYER = {string_literal(self.distance.layer)}  # the features are what it gets",
                f"NEIGHBORS = {self.distance.neighbors}  # the distance is that from the last of these",
                f"LIMIT = {self.distance.limit!r}  # the largest distance of a usual image",
            ]
        if self.classes:
            names = (f"{_INDENT}{string_literal(name)}," for name in self.classes)
            return "\n".join([*lines, "CLASSES = (", *names, ")"])
        return "\n".join([*lines, "CLASSES = ()  # the names of the classes, if known"])

    def _network(self, layers: Sequence[str]) -> str:
        takes = ", ".join(map(str, self.input.dims))
        gives = ", ".join(map(str, self.output.dims))
        return "\n".join(
            [
                f"class {self.class_name}(nn.Sequential):",
                f'{_INDENT}"""Normalized images (N, {takes}) to logits (N, {gives})."""',
                "",
                f"{_INDENT}def __init__(self):",
                f"{_INDENT * 2}super().__init__(OrderedDict([",
                *(f"{_INDENT * 3}{line}" for line in layers),
                f"{_INDENT * 2}]))",
            ]
        )


_LOAD_SAFETENSORS = '''
def load(path=None):
    """The network with its trained weights, in evaluation mode."""
    model = NETWORK()
    model.load_state_dict(load_file(path or Path(__file__).with_name(WEIGHTS)))
    return model.eval()
'''

_LOAD_NOTHING = '''
def load(path):
    """The network with weights saved by torch.save(model.state_dict(), path), in evaluation mode."""
    model = NETWORK()
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()
'''

_NORMALIZE = '''
def normalize(images):
    """Pixels from 0 to 1, (N, C, H, W), normalized as during training."""
    mean = torch.tensor(MEAN).view(1, -1, 1, 1)
    std = torch.tensor(STD).view(1, -1, 1, 1)
    return (images - mean) / std
'''

_NO_NORMALIZATION = '''
def normalize(images):
    """Pixels from 0 to 1, (N, C, H, W), unchanged. Add your own normalization here."""
    return images
'''

_READ_IMAGE = '''
def read_image(path):
    """An image file as pixels from 0 to 1, (1, C, H, W): upright, in the input's size and color mode."""
    from PIL import Image, ImageOps

    channels, height, width = INPUT
OPENED
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return pixels.view(1, height, width, channels).permute(0, 3, 1, 2).float() / 255
'''

_CLASSIFY = '''
@torch.no_grad()
def classify(model, images):
    """Class probabilities (N, classes) for pixels from 0 to 1, (N, C, H, W)."""
    return model.eval()(normalize(images)).softmax(dim=1)
'''

_CLASSIFY_WITH_FLIP = '''
@torch.no_grad()
def classify(model, images):
    """Class probabilities (N, classes) for pixels from 0 to 1, (N, C, H, W).

    As in the evaluation of the training, the logits of each image and its mirror image are averaged.
    """
    model.eval()
    images = normalize(images)
    return ((model(images) + model(images.flip(3))) / 2).softmax(dim=1)
'''

_UNREADABLE = """\
    except OSError as error:
        sys.exit(f"Cannot read the weights: {error.strerror or error}.")
"""
_UNUSABLE = """\
    except SafetensorError:
        sys.exit(f"Cannot read the weights: {WEIGHTS} is damaged.")
    except RuntimeError:
        sys.exit(f"Cannot use the weights: {WEIGHTS} is of another network.")
"""
_MAIN = (
    """
def main():
    try:
        model = MODEL.eval()
"""
    + _UNREADABLE
    + """    if len(sys.argv) == 1:
        print("Input:", INPUT, "Output:", tuple(model(torch.zeros(1, *INPUT)).shape[1:]))
    for path in sys.argv[1:]:
        try:
            image = read_image(path)
        except OSError as error:
            sys.exit(f"Cannot read {path}: {error.strerror or 'it is not an image'}.")
        probabilities = classify(model, image)[0]
        for index in probabilities.argsort(descending=True)[:3].tolist():
            label = CLASSES[index] if CLASSES else f"class {index}"
            print(f"{path}: {label} {probabilities[index]:.1%}")


if __name__ == "__main__":
    main()
"""
)

_CALIBRATE = '''
def calibrate(probabilities):
    """What classify() gives as confidences that agree with how often they are right, (N, classes)."""
    return (probabilities.log() / TEMPERATURE).softmax(dim=1)
'''

_PRINTED = """        probabilities = classify(model, image)[0]
        for index in probabilities.argsort(descending=True)[:3].tolist():
            label = CLASSES[index] if CLASSES else f"class {index}"
            print(f"{path}: {label} {probabilities[index]:.1%}")
"""
_MAIN_WITH_THRESHOLD = _MAIN.replace(
    _PRINTED,
    """        confidences = calibrate(classify(model, image))[0]
        answer = "" if confidences.max() >= THRESHOLD else "not sure, perhaps "
        for index in confidences.argsort(descending=True)[:3].tolist():
            label = CLASSES[index] if CLASSES else f"class {index}"
            print(f"{path}: {answer}{label} {confidences[index]:.1%}")
""",
)

_COMPARE = '''
def training_features(path=None):
    """What LAST_LAYER got of the training images, (M, values); None if their file is missing or damaged."""
    try:
        with safe_open(path or Path(__file__).with_name(FEATURES), framework="pt") as file:
            # The file of another network would not tell.
            is_own = (file.metadata() or {}).get("id") == FEATURES_ID
            return file.get_tensor("features").float() if is_own else None
    except (OSError, SafetensorError):
        return None


@torch.no_grad()
def distances(model, images, features):
    """How far pixels from 0 to 1, (N, C, H, W), are from the training images, (N,), from 0 to 2.

    1 minus the cosine similarity to the last of the NEIGHBORS most similar ones, by what LAST_LAYER gets.
    """
    seen = []
    last = model.get_submodule(LAST_LAYER)
    hook = last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        model.eval()(normalize(images))
    finally:
        hook.remove()
    found = seen[0].flatten(2).mean(2) if seen[0].ndim > 2 else seen[0]
    if found.shape[1] > features.shape[1]:
        found = nn.functional.adaptive_avg_pool1d(found.unsqueeze(1), features.shape[1]).squeeze(1)
    found = nn.functional.normalize(found.nan_to_num(), dim=1)
    return 1 - (found @ features.T).topk(NEIGHBORS, dim=1).values[:, -1]


def is_unlike(model, images, features):
    """Whether each image is unlike any training image, (N,)."""
    return distances(model, images, features) > LIMIT
'''

_MAIN_WITH_DISTANCE = _MAIN_WITH_THRESHOLD.replace(
    "    if len(sys.argv) == 1:\n",
    """    features = training_features()
    if features is None:
        is_there = Path(__file__).with_name(FEATURES).exists()
        why = "is damaged or of another network" if is_there else "is missing"
        print(f"{FEATURES} {why}: images are not compared with the training images.", file=sys.stderr)
    if len(sys.argv) == 1:
""",
).replace(
    "        for index in",
    """        if features is not None and is_unlike(model, image, features)[0]:
            answer = "not sure, unlike any training image, perhaps "
        for index in""",
)
