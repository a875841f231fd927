"""What the checks of a data set find of what was planted in real images, and how long they take.

A part of an image folder is copied and checked as it is. Then copies of training images are planted among the
test images (equal, resized and recompressed, mirrored), and four classes are given away by size, format,
brightness and border; the checks run again. Recall is the share of the planted ones that is found, with the
right training image. Precision counts what is found now and was not before: real data sets have duplicates of
their own.

    python benchmarks/data_checks.py FOLDER [--train 5000] [--test 1000] [--share 0.05] [--json FILE]
    python benchmarks/data_checks.py FOLDER --time 50000 10000

FOLDER has train/<class> and test/<class>. `--time` measures the checks of so many training and test images
instead: the time that passes, and that of the processor, which other programs on the machine do not change.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.checks.check import CheckedImages, check_images
from cnnstudio.data.dataset import Dataset, Split, from_channels_last
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.image_folder import ImageFolder

GOAL_SECONDS = 240
Leak = tuple[str, str]
"""A class, and what gives it away."""


def copy_part(folder: Path, target: Path, counts: dict[str, int]) -> list[str]:
    """Copies so many images of each split, the same number of each class; returns the classes."""
    classes = sorted(path.name for path in (folder / "train").iterdir() if path.is_dir())
    for part, count in counts.items():
        for name in classes:
            place = target / part / name
            place.mkdir(parents=True)
            for path in sorted((folder / part / name).iterdir())[: count // len(classes)]:
                shutil.copy(path, place)
    return classes


def equal(source: Path, target: Path) -> None:
    """The same file."""
    shutil.copy(source, target)


def resized(source: Path, target: Path) -> None:
    """Three quarters of the size and back, as a JPEG of medium quality."""
    with Image.open(source) as image:
        small = image.convert("RGB").resize((image.width * 3 // 4, image.height * 3 // 4))
        small.resize(image.size).save(target, "JPEG", quality=70)


def mirrored(source: Path, target: Path) -> None:
    """The other way round."""
    with Image.open(source) as image:
        mirror = image.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirror.save(target, "JPEG", quality=90)


PLANTED: dict[str, Callable[[Path, Path], None]] = {"equal": equal, "resized": resized, "mirrored": mirrored}


def plant_duplicates(folder: Path, count: int, choice: random.Random) -> dict[str, dict[str, str]]:
    """Kind -> test file -> training file, of `count` planted files of each kind."""
    files = sorted((folder / "train").rglob("*.*"))
    chosen = choice.sample(files, count * len(PLANTED))
    found: dict[str, dict[str, str]] = {}
    for number, (kind, plant) in enumerate(PLANTED.items()):
        found[kind] = {}
        for path in chosen[number * count : (number + 1) * count]:
            target = folder / "test" / path.parent.name / f"planted-{kind}-{path.stem}.jpg"
            plant(path, target)
            name = f"test/{path.parent.name}/{target.name}"
            found[kind][name] = f"train/{path.parent.name}/{path.name}"
    return found


def enlarge(path: Path) -> None:
    """A quarter larger."""
    with Image.open(path) as image:
        image.convert("RGB").resize((image.width * 5 // 4, image.height * 5 // 4)).save(path, quality=90)


def as_png(path: Path) -> None:
    """Another format."""
    with Image.open(path) as image:
        image.convert("RGB").save(path.with_suffix(".png"))
    path.unlink()


def darken(path: Path) -> None:
    """A third as bright."""
    with Image.open(path) as image:
        Image.eval(image.convert("RGB"), lambda value: value // 3).save(path, quality=90)


def frame(path: Path) -> None:
    """A white border."""
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGB"))
    pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:] = 255, 255, 255, 255
    Image.fromarray(pixels).save(path, quality=95)


LEAKS: dict[str, Callable[[Path], None]] = {
    "size": enlarge,
    "format": as_png,
    "brightness": darken,
    "border": frame,
}


def plant_leaks(folder: Path, classes: list[str]) -> set[Leak]:
    """Gives one class away by each of them, in all splits."""
    planted = set()
    for (by, change), name in zip(LEAKS.items(), classes, strict=False):
        for path in [path for part in folder.iterdir() for path in (part / name).iterdir()]:
            change(path)
        planted.add((name, by))
    return planted


def measure(folder: Path, train: int, test: int, share: float) -> dict[str, Any]:
    """All figures, in a temporary folder."""
    choice = random.Random(0)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["CNNSTUDIO_HOME"] = str(Path(temporary, "home"))
        place = Path(temporary, "images")
        classes = copy_part(folder, place, {"train": train, "test": test})
        before = check_images(ImageFolder(place))
        planted = plant_duplicates(place, round(share * test), choice)
        after = check_images(ImageFolder(place))
        # The leaks in a copy of their own: one changes what the others look like.
        other = Path(temporary, "leaks")
        copy_part(folder, other, {"train": train, "test": test})
        wanted = plant_leaks(other, classes)
        leaks = {(str(each["class"]), str(each["by"])) for each in check_images(ImageFolder(other)).leaks}
    return {
        "images": [train, test],
        "duplicates": duplicate_figures(before, after, planted),
        "leaks": {
            "before": sorted((str(each["class"]), str(each["by"])) for each in before.leaks),
            "planted": sorted(wanted),
            "found": sorted(leaks),
            "recall": len(leaks & wanted) / len(wanted),
            "precision": len(leaks & wanted) / max(len(leaks), 1),
        },
    }


def duplicate_figures(
    before: CheckedImages, after: CheckedImages, planted: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """Recall by kind, and precision over all kinds."""
    known = {each["file"] for each in before.across_splits}
    found = {each["file"]: each["train_file"] for each in after.across_splits}
    new = {file: train for file, train in found.items() if file not in known}
    right = {file for pairs in planted.values() for file in pairs if file in new}
    return {
        "before": len(known),
        **{
            kind: {
                "planted": len(pairs),
                "found": sum(file in found for file in pairs),
                "with the right image": sum(found.get(file) == train for file, train in pairs.items()),
                "recall": sum(file in found for file in pairs) / len(pairs),
            }
            for kind, pairs in planted.items()
        },
        "precision": len(right) / max(len(new), 1),
    }


class _InMemory(Source):
    """Images that are read once, so that the checks alone are timed."""

    name = title = description = "images"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @classmethod
    def discover(cls) -> list[_InMemory]:
        return []

    def available(self) -> bool:
        return True

    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        return self._dataset


def measure_time(folder: Path, train: int, test: int) -> dict[str, Any]:
    """Seconds of the checks. Missing test images are training images on their side, which look different."""
    source = ImageFolder(folder)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["CNNSTUDIO_HOME"] = temporary
        loaded = source.load()
        images = [
            np.ascontiguousarray(each.images.transpose(0, 2, 3, 1)) for each in (loaded.train, loaded.test)
        ]
        labels = [each.labels for each in (loaded.train, loaded.test)]
    missing = max(test - len(images[1]), 0)
    turned = np.rot90(images[0][:missing], axes=(1, 2))
    pixels = (images[0][:train], np.concatenate([images[1], turned])[:test])
    classes = (labels[0][:train], np.concatenate([labels[1], labels[0][:missing]])[:test])
    splits = [Split(from_channels_last(each), found) for each, found in zip(pixels, classes, strict=True)]
    dataset = Dataset("images", "Images", loaded.classes, *splits)
    start, processor = time.perf_counter(), time.process_time()
    found = check_images(_InMemory(dataset))
    return {
        "images": [len(each) for each in splits],
        "seconds": time.perf_counter() - start,
        "processor seconds": time.process_time() - processor,
        "goal": GOAL_SECONDS,
        "across splits": len(found.across_splits),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train", type=int, default=5_000)
    parser.add_argument("--test", type=int, default=1_000)
    parser.add_argument("--share", type=float, default=0.05, help="of the test images, planted of each kind")
    parser.add_argument("--time", type=int, nargs=2, metavar=("TRAIN", "TEST"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.time is not None:
        found = measure_time(options.folder, *options.time)
        print(
            f"{found['images'][0]:,} × {found['images'][1]:,} images: {found['seconds']:.0f} s, "
            f"{found['processor seconds']:.0f} s of the processor (goal: {GOAL_SECONDS} s)"
        )
    else:
        found = measure(options.folder, options.train, options.test, options.share)
        duplicates, leaks = found["duplicates"], found["leaks"]
        print(f"Duplicates across splits before anything was planted: {duplicates['before']}")
        for kind in PLANTED:
            each = duplicates[kind]
            print(
                f"{kind:10} planted {each['planted']:4}  found {each['found']:4}  right image "
                f"{each['with the right image']:4}  recall {100 * each['recall']:5.1f}%"
            )
        print(f"Precision of what is new: {100 * duplicates['precision']:.1f}%")
        print(
            f"Leaks before: {leaks['before'] or 'none'}; planted {leaks['planted']}; found {leaks['found']}"
        )
        print(f"Leaks: recall {100 * leaks['recall']:.0f}%, precision {100 * leaks['precision']:.0f}%")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
