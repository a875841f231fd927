"""A data set larger than the memory that there is for it."""

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

LEARN = """
import json, re, sys
from pathlib import Path
import torch
from cnnstudio.data.images import resizing
from cnnstudio.data.batches import Batches, statistics
from cnnstudio.data.sources.image_folder import ImageFolder

torch.set_num_threads(1)
resizing._SMALL = 0

def look(*anything):
    text = Path("/proc/self/status").read_text()
    seen.append(int(re.search(r"RssAnon:\\s+(\\d+) kB", text)[1]) * 1024)

seen, most = [], {}
for step in ("read", "fit", "fingerprint", "learn"):
    seen.clear()
    look()
    if step == "read":
        data = ImageFolder(Path(sys.argv[1])).load(look)
    elif step == "fit":
        fitted = resizing.resize(data, (3, 96, 144), look)
    elif step == "fingerprint":
        data.fingerprint, fitted.fingerprint
    else:
        mean, std = map(torch.from_numpy, statistics(fitted.train))
        for images, labels in Batches(fitted.train, "cpu", mean, std, batch_size=16, shuffle=True).epoch(0):
            look()
    look()
    most[step] = max(seen) - seen[0]
print(json.dumps(most))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's own memory")
def test_memory_stays_small_however_large_the_set(tmp_path: Path) -> None:
    for part, count in (("train", COUNT * 3 // 4), ("test", COUNT // 4)):
        for name in ("cat", "dog"):
            folder = tmp_path / "pets" / part / name
            folder.mkdir(parents=True)
            random = np.random.default_rng(0)
            one = folder / "0.jpg"
            Image.fromarray(random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(one, quality=20)
            for number in range(1, count // 2):
                os.link(one, folder / f"{number}.jpg")
    command = [sys.executable, "-c", LEARN, str(tmp_path / "pets")]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for step, most in told.items():
        assert most < DECODED / 2, f"{most:,} bytes to {step}, where the images take {DECODED:,}"
