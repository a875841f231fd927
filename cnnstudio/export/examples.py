"""Python code that uses exported files, to copy into a program."""

from __future__ import annotations

from pathlib import Path

_RESIZED = {
    "fill": "ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)",
    "fit": "ImageOps.pad(image, (width, height), Image.Resampling.BICUBIC)",
    "stretch": "image.resize((width, height), Image.Resampling.BICUBIC)",
}
"""How an image of another shape is brought to the size of the input, as in training."""

_ONNX = """\
import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
classes = json.loads(metadata["classes"])
# What calibrates confidences, and the least confidence of an answer, where that is known.
rule = json.loads(metadata.get("not_sure", '{"temperature": 1, "threshold": 0}'))
_, channels, height, width = session.get_inputs()[0].shape


def predict(path):
    \"\"\"The class of an image file, or “not sure”, and the confidence.\"\"\"
    with Image.open(path) as image:
        image = ImageOps.exif_transpose(image).convert("RGB")
        image = RESIZED
        image = image.convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(image, np.float32).reshape(1, height, width, channels).transpose(0, 3, 1, 2) / 255
    LOGITS
    scores = np.exp((logits - logits.max()) / rule["temperature"])
    best = int(scores.argmax())
    confidence = float(scores[best] / scores.sum())
    return classes[best] if confidence >= rule["threshold"] else "not sure", confidence


print(predict("image.png"))
"""

_LOGITS = 'logits = session.run(["logits"], {"pixels": pixels})[0][0]'
_LOGITS_WITH_FLIP = """\
# As in the evaluation of the training: the mean of the image and its mirror image.
    both = [pixels, np.ascontiguousarray(pixels[..., ::-1])]
    logits = sum(session.run(["logits"], {"pixels": each})[0][0] for each in both) / 2"""

_PYTORCH = """\
import runpy

network = runpy.run_path(FILE)
model = network["load"]()


def predict(path):
    \"\"\"The class of an image file, or “not sure”, and the confidence.\"\"\"
    confidences = network["classify"](model, network["read_image"](path))
    if "THRESHOLD" in network:
        confidences = network["calibrate"](confidences)
    best = int(confidences[0].argmax())
    confidence = float(confidences[0, best])
    return network["CLASSES"][best] if confidence >= network.get("THRESHOLD", 0) else "not sure", confidence


print(predict("image.png"))
"""

_WEIGHTS = """\
import json

from safetensors import safe_open

with safe_open(FILE, framework="np") as file:
    metadata = file.metadata()
    weights = {name: file.get_tensor(name) for name in file.keys()}

classes = json.loads(metadata["classes"])
mean, std = json.loads(metadata["mean"]), json.loads(metadata["std"])
for name, values in weights.items():
    print(name, values.shape)
"""


def onnx_example(file: Path, resize: str, *, flip: bool = False) -> str:
    """Classifies an image with ONNX Runtime; `resize` is how images are brought to the input's size.

    It answers “not sure” as the file says. With `flip`, the logits of the image and its mirror image
    are averaged.
    """
    logits = _LOGITS_WITH_FLIP if flip else _LOGITS
    code = _ONNX.replace("RESIZED", _RESIZED[resize]).replace("LOGITS", logits)
    return code.replace("FILE", repr(str(file)))


def pytorch_example(file: Path) -> str:
    """Classifies an image with the exported PyTorch file."""
    return _PYTORCH.replace("FILE", repr(str(file)))


def weights_example(file: Path) -> str:
    """Reads the weights, the classes and the normalization."""
    return _WEIGHTS.replace("FILE", repr(str(file)))
