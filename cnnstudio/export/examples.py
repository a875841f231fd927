"""Python code that uses exported files, to copy into a program."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.interchange.image_code import TO_RGB, opening_code

_ONNX = """\
import jsonSYSTEM

import numpy as np
import onnxruntime
from PIL import Image, ImageOpsSAFETENSORS

session = onnxruntime.InferenceSession(FILE, providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
classes = json.loads(metadata["classes"])
# What calibrates confidences, and the least confidence of an answer, where that is known.
rule = json.loads(metadata.get("not_sure", '{"temperature": 1, "threshold": 0}'))
KNOWN_, channels, height, width = session.get_inputs()[0].shape


TO_RGB


def predict(path):
    \"\"\"The class of an image file, or “not sure”, and the confidence.\"\"\"
OPENED
    pixels = np.asarray(image, np.float32).reshape(1, height, width, channels).transpose(0, 3, 1, 2) / 255
    LOGITS
    scores = np.exp((logits - logits.max()) / rule["temperature"])
    best = int(scores.argmax())
    confidence = float(scores[best] / scores.sum())
    is_sure = confidence >= rule["threshold"]DISTANCE
    return classes[best] if is_sure else "not sure", confidence


print(predict("image.png"))
"""

_LOGITS = 'logits = session.run(["logits"], {"pixels": pixels})[0][0]'
_LOGITS_WITH_FLIP = """\
# As in the evaluation of the training: the mean of the image and its mirror image.
    both = [pixels, np.ascontiguousarray(pixels[..., ::-1])]
    logits = sum(session.run(["logits"], {"pixels": each})[0][0] for each in both) / 2"""

_KNOWN = """\
# Of the training images, to find images that are unlike any of them.
distance = rule.get("distance")
if distance:
    known = None
    try:
        with safe_open(FEATURES, framework="np") as file:
            if (file.metadata() or {}).get("id") == distance["id"]:
                known = file.get_tensor("features").astype(np.float32)
    except (OSError, SafetensorError):
        pass
    if known is None:
        why = "is missing, damaged or of another network"
        print(FEATURES, why + ": images are not compared with the training images.", file=sys.stderr)
        distance = None
"""
_DISTANCE = """
    if distance:
        features = session.run(["features"], {"pixels": pixels})[0][0]
        similarity = np.sort(known @ features)[-distance["neighbors"]]
        is_sure = is_sure and 1 - similarity <= distance["limit"]"""

_PYTORCH = """\
import runpy

network = runpy.run_path(FILE)
model = network["load"]()
# Of the training images, to find images that are unlike any of them, where the files have that.
features = network["training_features"]() if "training_features" in network else None


def predict(path):
    \"\"\"The class of an image file, or “not sure”, and the confidence.\"\"\"
    image = network["read_image"](path)
    confidences = network["classify"](model, image)
    if "THRESHOLD" in network:
        confidences = network["calibrate"](confidences)
    best = int(confidences[0].argmax())
    confidence = float(confidences[0, best])
    is_sure = confidence >= network.get("THRESHOLD", 0)
    if features is not None:
        is_sure = is_sure and not network["is_unlike"](model, image, features)[0]
    return network["CLASSES"][best] if is_sure else "not sure", confidence


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


def onnx_example(file: Path, resize: str, *, flip: bool = False, features: Path | None = None) -> str:
    """Classifies an image with ONNX Runtime; `resize` is how images are brought to the input's size.

    It answers “not sure” as the file says, by the `features` of the training images as well if there is a
    file of those. With `flip`, the logits of the image and its mirror image are averaged.
    """
    code = _ONNX.replace("TO_RGB", TO_RGB).replace("OPENED", opening_code(resize))
    code = code.replace("LOGITS", _LOGITS_WITH_FLIP if flip else _LOGITS)
    code = code.replace("SYSTEM", "\nimport sys" if features else "")
    code = code.replace(
        "SAFETENSORS", "\nfrom safetensors import SafetensorError, safe_open" if features else ""
    )
    code = code.replace("DISTANCE", _DISTANCE if features else "").replace(
        "KNOWN", _KNOWN if features else ""
    )
    return code.replace("FEATURES", repr(str(features))).replace("FILE", repr(str(file)))


def pytorch_example(file: Path) -> str:
    """Classifies an image with the exported PyTorch file."""
    return _PYTORCH.replace("FILE", repr(str(file)))


def weights_example(file: Path) -> str:
    """Reads the weights, the classes and the normalization."""
    return _WEIGHTS.replace("FILE", repr(str(file)))
