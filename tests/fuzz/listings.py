"""The fuzzer of Keras and PyTorch listings."""

from __future__ import annotations

import json
import re
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from tests.fuzz.target import Attempts, Target, command

ROOT = Path(__file__).resolve().parents[2]
_FORBIDDEN = ("exec", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork", "subprocess.Popen")
_FORBIDDEN += ("socket.connect", "os.remove", "os.rmdir", "shutil.rmtree", "pty.spawn", "ctypes.dlopen")


class Listings(Target):
    """Keras and PyTorch code, and notebooks: read, never run, in little time and memory."""

    fuzzed: ClassVar = ("listings/*.py", "listings/*.ipynb")
    may_leave: ClassVar = ("out", "out/*")
    cpu_seconds: ClassVar = 5
    megabytes: ClassVar = 300

    def prepare(self, folder: Path) -> None:
        from cnnstudio.design.templates import templates
        from cnnstudio.interchange.keras import writer as keras
        from cnnstudio.interchange.pytorch import writer as pytorch

        listings = folder / "listings"
        shutil.copytree(ROOT / "resources" / "lessons", listings)
        for name in ("lesson-32", "resnet-20"):
            for language in (keras, pytorch):
                code = "\n".join(line for _, line in language.file_code(templates()[name].network))
                (listings / f"{name}-{language.__name__.split('.')[-2]}.py").write_text(code)
        for number, text in enumerate(_LISTINGS):
            (listings / f"written-{number}.py").write_text(text)
            (listings / f"written-{number}.ipynb").write_text(json.dumps(_notebook(text)))

    def enter(self, folder: Path) -> None:
        self._reading = False
        self._ran: list[str] = []
        # It cannot be removed; the process ends with the fuzzer.
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._reading and event in _FORBIDDEN:
            self._ran.append(f"{event} {str(arguments)[:200]}")

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.interchange.reading import read_code
        from cnnstudio.interchange.source import read_text

        for name in names:
            text = attempt("text", partial(read_text, folder / name))
            if text is None:
                continue
            self._reading = True
            attempt("read", partial(read_code, text))
            self._reading = False
            assert not self._ran, f"the listing ran: {self._ran}"
            out = folder / "out" / "design.cnn.json"
            recipe = folder / "out" / "recipe.json"
            attempt("import", command("import", folder / name, "--out", out, "--recipe", recipe, "--json"))


def _notebook(code: str) -> dict[str, Any]:
    """A notebook with a cell for each part of the code, and images in its outputs."""
    output = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 200}, "metadata": {}}
    parts = ["%matplotlib inline\n!pip install torch\n", *re.split(r"\n\n(?=\S)", code)]
    cells = [
        {"cell_type": "code", "source": part.splitlines(keepends=True), "outputs": [output], "metadata": {}}
        for part in parts
    ]
    words = {"cell_type": "markdown", "source": ["# A network"], "metadata": {}}
    return {"cells": [words, *cells], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


_LISTINGS = (
    """import torch
import torch.nn as nn
import torch.nn.functional as F

class Block(nn.Module):
    def __init__(self, channels, stride=1, expansion=2):
        super().__init__()
        layers = []
        for i in range(expansion):
            layers += [nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)]
        self.body = nn.Sequential(*layers)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x))

class Net(nn.Module):
    def __init__(self, classes: int = 10, widths=(16, 16)):
        super().__init__()
        self.stem = nn.Conv2d(3, widths[0], kernel_size=3, padding="same")
        self.blocks = nn.ModuleList([Block(w) for w in widths])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(p=0.5)
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        x = F.max_pool2d(x, 2)
        x = torch.flatten(self.pool(x), 1)
        return self.fc(self.drop(x))

model = Net(classes=10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
""",
    """import argparse, math
from collections import OrderedDict
from functools import partial
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=3)
args = parser.parse_args()
plan = [16, (32, 2), "pool", 32]
count = 0

class Conv(nn.Conv2d):
    def __init__(self, *sizes, **more):
        global count
        count += 1
        super().__init__(*sizes, 3, padding=1, **more)

class Squeeze(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.down, self.up = nn.Conv2d(n, n // 4, 1), nn.Conv2d(n // 4, n, 1)
    def forward(self, x):
        w = torch.relu(self.down(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.up(w))

def body(width=math.floor(1.5)):
    parts, channels, left = OrderedDict(), 3, args.depth
    for i, item in enumerate(plan):
        if item == "pool":
            parts[f"pool{i}"] = nn.MaxPool2d(2)
            continue
        go, step = (item, 1) if isinstance(item, int) else item
        parts["conv%d" % i] = Conv(channels, go * width, stride=step)
        channels = go * width
    while left:
        left -= 1
        parts[f"more{left}"] = Squeeze(channels)
    return nn.Sequential(parts)

net = body()
net.add_module("flat", nn.Flatten())
net.append(nn.LazyLinear(10))
half = partial(nn.Dropout, p=0.5)
net.extend([half() for _ in range(2) if hasattr(net, "flat")])
print(net(torch.randn(1, 3, 16, 16)).shape)
""",
    """from keras import layers, models, Input
config = {"filters": [32, 64], "rate": 0.25}
inputs = Input(shape=(32, 32, 3))
x = layers.Rescaling(1 / 255)(inputs)
for f in config["filters"]:
    y = layers.Conv2D(f, (3, 3), padding="same", use_bias=False)(x)
    y = layers.BatchNormalization()(y)
    y = layers.ReLU()(y)
    s = layers.Conv2D(f, 1)(x)
    x = layers.add([y, s])
    x = layers.MaxPooling2D((2, 2))(x)
x = layers.Concatenate()([x, layers.Conv2D(8, 3, padding="same")(x)])
x = layers.GlobalAveragePooling2D()(x)
outputs = layers.Dense(10, activation="softmax")(layers.Dropout(config["rate"])(x))
model = models.Model(inputs, outputs)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=10, batch_size=64, validation_split=0.1)
""",
)
