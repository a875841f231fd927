"""How fast images in files are decoded into the cache, and opened again, and how much memory that takes.

Photo-like JPEG files are written into a temporary folder. Decoding takes turns with Pillow alone: as many
threads, the same files, the same size, nothing kept. Adding a tenth more images decodes only those. The
memory is the peak of a fresh process above what it has after its imports. A cache entry of a million images
is written directly and opened; opening a folder also lists its files and asks for their times.

    python benchmarks/image_decoding.py [--images 3000] [--cached 1000000] [--rounds 3] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from cnnstudio.data.dataset import Dataset, Split, from_channels_last
from cnnstudio.data.images.decoding import choose_size
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.storage.decoded_cache import clear_cache, get_or_create

GOALS = {"speed by Pillow": 0.9, "seconds to open": 1.0, "memory in MB": 300.0}
_SIZES = ((320, 240), (200, 300), (256, 256))


def write_images(folder: Path, count: int, first: int = 0) -> None:
    """JPEG files of three sizes in two classes."""
    random = np.random.default_rng(first)
    for number in range(first, first + count):
        width, height = _SIZES[number % len(_SIZES)]
        coarse = random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
        path = folder / ("left" if number % 2 else "right") / f"{number:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=90)


def pillow_alone(folder: Path) -> None:
    """Decodes, crops and resizes all files on all cores."""
    paths = [str(path) for path in folder.rglob("*.jpg")]
    (height, width), _ = choose_size(paths, lambda: False)

    def read(path: str) -> None:
        with Image.open(path) as image:
            image.draft(None, (2 * max(width, height), 2 * max(width, height)))
            rgb = image.convert("RGB")
            side = min(rgb.size)
            left, top = (rgb.width - side) / 2, (rgb.height - side) / 2
            box = (left, top, left + side, top + side)
            np.asarray(rgb.resize((width, height), Image.Resampling.BICUBIC, box=box))

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        list(pool.map(read, paths))


def decode(folder: Path) -> None:
    """Decodes the folder into the cache, which is empty."""
    ImageFolder(folder).load()


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def times(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds that pass, and those of the processor, which other programs on the machine change less."""
    processor = time.process_time()
    return seconds(function), time.process_time() - processor


def open_cached(count: int) -> float:
    """Seconds to open an entry of that many tiny images, the second time."""
    images = from_channels_last(np.zeros((count, 4, 4, 3), np.uint8))
    split = Split(images, np.arange(count) % 2)
    dataset = Dataset("many", "Many", ("a", "b"), split, split.select(np.arange(2)))
    get_or_create("many", count, lambda writer: writer.write(dataset))
    return seconds(lambda: get_or_create("many", count, lambda writer: writer.write(dataset)))


def peak_memory(folder: Path) -> float | None:
    """MB above what a process has after its imports, while it decodes; None if the system does not say it."""
    # Not the largest size that the system reports of a process: it begins with that of its parent.
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "import torch\n"
        "import cnnstudio.data.images.decoding, cnnstudio.data.images.repeated_images\n"
        "from cnnstudio.data.sources.image_folder import ImageFolder\n"
        "from cnnstudio.data.storage.decoded_cache import clear_cache\n"
        "from cnnstudio.training.hardware.device_memory import PeakMemory\n"
        "clear_cache(); peak = PeakMemory(torch.device('cpu'))\n"
        "ImageFolder(Path(sys.argv[1])).load()\n"
        "used = peak.used(); print('' if used is None else used / 1e6)"
    )
    command = [sys.executable, "-c", program, str(folder), str(Path(__file__).parents[1])]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return float(printed) if printed else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--images", type=int, default=3_000)
    parser.add_argument("--cached", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["CNNSTUDIO_HOME"] = f"{temporary}/home"
        folder = Path(temporary) / "photos"
        write_images(folder, options.images)
        rounds = []
        for _ in range(options.rounds):
            clear_cache()
            rounds.append((*times(lambda: pillow_alone(folder)), *times(lambda: decode(folder))))
        pillow, _, ours, _ = (statistics.median(column) for column in zip(*rounds, strict=True))
        again = seconds(lambda: ImageFolder(folder).load())
        write_images(folder, options.images // 10, first=options.images)
        added = seconds(lambda: ImageFolder(folder).load())
        results = {
            "images": options.images,
            "Pillow alone, images/s": options.images / pillow,
            "into the cache, images/s": options.images / ours,
            "speed by Pillow": statistics.median(row[0] / row[2] for row in rounds),
            "processor time by Pillow": statistics.median(row[1] / row[3] for row in rounds),
            "seconds to open the folder again": again,
            "seconds after adding a tenth": added,
            "seconds to decode all": ours,
            "cached images": options.cached,
            "seconds to open": open_cached(options.cached),
        }
        memory = peak_memory(folder)
    if memory is not None:
        results["memory in MB"] = memory
    for name, value in results.items():
        goal = f"  (goal: {GOALS[name]:g})" if name in GOALS else ""
        print(f"{name:36} {value:10,.3f}{goal}" if isinstance(value, float) else f"{name:36} {value:10,}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
