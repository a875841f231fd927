"""Memory stays small for data sets larger than the main memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

COUNT, SIDE = 1_600, 128
DECODED = COUNT * SIDE * SIDE * 3

PROGRAM = """
import json, re, sys
from pathlib import Path
import torch
from cnnstudio.data.images import resizing
from cnnstudio.data.batches import Batches, channel_statistics
from cnnstudio.data.sources.image_folder import ImageFolder

torch.set_num_threads(1)
resizing._MIN_CACHED_BYTES = 0

def measure(*anything):
    text = Path("/proc/self/status").read_text()
    measured.append(int(re.search(r"RssAnon:\\s+(\\d+) kB", text)[1]) * 1024)

measured, growth = [], {}
for step in ("read", "resize", "fingerprint", "train"):
    measured.clear()
    measure()
    if step == "read":
        data = ImageFolder(Path(sys.argv[1])).load(measure)
    elif step == "resize":
        resized = resizing.resize(data, (3, 96, 144), measure)
    elif step == "fingerprint":
        data.fingerprint, resized.fingerprint
    else:
        mean, std = map(torch.from_numpy, channel_statistics(resized.train))
        for images, labels in Batches(resized.train, "cpu", mean, std, batch_size=16, shuffle=True).epoch(0):
            measure()
    measure()
    growth[step] = max(measured) - measured[0]
print(json.dumps(growth))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the memory of a process")
def test_memory_stays_small_for_a_large_data_set(tmp_path: Path) -> None:
    for part, count in (("train", COUNT * 3 // 4), ("test", COUNT // 4)):
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            random = np.random.default_rng(0)
            one = folder / "0.jpg"
            Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(one, quality=20)
            for number in range(1, count // 2):
                os.link(one, folder / f"{number}.jpg")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "pets")]
    growth = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for step, size in growth.items():
        assert size < DECODED / 2, f"step {step} takes {size:,} bytes, the images {DECODED:,}"
