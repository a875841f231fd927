"""How time and memory grow with batch size, width and number of images. The goal is proportional growth.

    python benchmarks/scaling.py [--million] [--only QUESTION …] [--rounds 1] [--threads 1] [--json FILE]

Each case trains a small convolutional network in a fresh process, on noise of 3 × 32 × 32. The images are
decoded files in a temporary folder, which are mapped into memory, as every data set is. `--million` trains
an epoch of a million images, once normally and once after the system has dropped them from its cache, as
with a data set that is larger than memory; they take 3 GB of disk space while it runs. Memory is the peak
of the process's own memory, without what the program takes before it has a data set. Beside the images per
second there are those per second of the processor, which other programs on the machine change less, and how
long an image takes to be fetched and normalized on the processor; ratios are medians of those of each round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from cnnstudio.core.paths import home
from cnnstudio.data.dataset import Dataset
from cnnstudio.data.storage.decoded_cache import decoded_folder, get_or_create
from cnnstudio.data.storage.writers import DatasetWriter
from cnnstudio.design.network import IdGenerator, Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D

if TYPE_CHECKING:
    from cnnstudio.training.preflight.prepare import PreparedTraining

CLASSES = tuple("abcdefghij")
SIDE, TEST, CHUNK = 32, 1_000, 10_000
FEW = 10_000
SIZES = (FEW, 100_000)
MILLION = 1_000_000
BATCHES = (32, 64, 128, 256, 512)
WIDTHS = (1, 2, 4)
QUESTIONS = ("batch size", "width", "set size", "cache")


@dataclass(frozen=True)
class Case:
    """What is trained. `cold` images have to be read from the disk."""

    question: str
    batch: int = 128
    width: int = 1
    images: int = FEW
    mapped: bool = True
    cold: bool = False

    @property
    def title(self) -> str:
        if self.question in ("batch size", "width"):
            return f"{self.batch}" if self.question == "batch size" else f"× {self.width}"
        where = ("from the disk" if self.cold else "mapped") if self.mapped else "in memory"
        return f"{self.images:,} {where}"


def cases(million: bool) -> list[Case]:
    """All cases; the others of each question are compared with its first."""
    found = [Case("batch size", batch=batch) for batch in BATCHES]
    found += [Case("width", width=width) for width in WIDTHS]
    found += [Case("set size", mapped=False), *(Case("set size", images=images) for images in SIZES)]
    found += [Case("cache", images=SIZES[-1], mapped=mapped) for mapped in (False, True)]
    if million:
        found += [Case("set size", images=MILLION, cold=cold) for cold in (False, True)]
        found += [Case("cache", images=MILLION)]
    return found


def network(width: int) -> Network:
    """Two convolutions, so cheap that the cost of fetching images would show."""
    ids = IdGenerator()
    convolutions = (
        Conv2D(16 * width, (3, 3), (2, 2), activation="relu"),
        Conv2D(32 * width, (3, 3), (2, 2), activation="relu"),
    )
    layers = (*convolutions, GlobalAveragePooling2D(), Dense(10))
    return Network(Shape.of(3, SIDE, SIDE), tuple(ids.node(layer) for layer in layers), "Scaling")


def noise(images: int) -> Dataset:
    """A data set with that many training images, from the decoded cache or created now."""

    def make(writer: DatasetWriter) -> Dataset:
        shape = (3, SIDE, SIDE)
        writer.reserve("Noise", (images + TEST) * 3 * SIDE * SIDE)
        splits = []
        for part, count in (("train", images), ("test", TEST)):
            split_writer = writer.split_writer(part, shape)
            for pixels in chunks(count):
                split_writer.add(pixels, np.arange(len(pixels)) % len(CLASSES))
            splits.append(split_writer.finish())
        return Dataset("noise", "Noise", CLASSES, splits[0], splits[1])

    return get_or_create(f"noise-{images}", images, make)


def chunks(count: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(count)
    for start in range(0, count, CHUNK):
        size = (min(CHUNK, count - start), SIDE, SIDE, 3)
        yield np.frombuffer(random.bytes(int(np.prod(size))), np.uint8).reshape(size)


def run_case(case: Case, threads: int, result: Connection) -> None:
    """Trains the case; runs in its own process."""
    import torch

    from cnnstudio.training.events import EpochEnded
    from cnnstudio.training.hardware.device_memory import PeakMemory
    from cnnstudio.training.preflight.prepare import prepare
    from cnnstudio.training.recipe.built_in import LESSON
    from cnnstudio.training.trainer import train_prepared

    # Lets torch allocate what it needs before the peak is measured.
    torch.nn.Conv2d(3, 16, 3)(torch.zeros(2, 3, SIDE, SIDE)).sum().backward()
    epochs = {FEW: 4, MILLION: 1}.get(case.images, 2)
    recipe = LESSON.replace(batch_size=case.batch, epochs=epochs)
    if case.cold:
        forget(case.images)
    peak, start = PeakMemory(torch.device("cpu")), time.perf_counter()
    dataset = noise(case.images)
    if not case.mapped:
        dataset = replace(dataset, train=dataset.train.select(np.arange(case.images)))
    prepared = prepare(network(case.width), dataset, recipe, "cpu")
    ready = time.perf_counter() - start
    events: list[Any] = []
    processor = time.process_time()
    train_prepared(prepared, threads=threads, emit=events.append)
    processor = time.process_time() - processor
    rates = [event.images_per_second for event in events if isinstance(event, EpochEnded)]
    result.send(
        {
            "images_per_second": statistics.median(rates[-3:]),
            "per_processor_second": epochs * case.images / processor,
            "memory": peak.used(),
            "ready": ready,
            "loading": loading(prepared, recipe.batch_size, threads),
        }
    )


def loading(prepared: PreparedTraining, batch: int, threads: int) -> float:
    """Seconds of the processor that fetching and normalizing an image takes: of 100,000 at most, shuffled."""
    import torch

    from cnnstudio.data.batches import Batches

    torch.set_num_threads(threads)
    statistics = torch.tensor(prepared.mean), torch.tensor(prepared.std)
    batches = Batches(prepared.train, "cpu", *statistics, batch_size=batch, shuffle=True)
    count, start = 0, time.process_time()
    for images, _ in itertools.islice(batches.epoch(1), -(-SIZES[-1] // batch)):
        count += len(images)
    return (time.process_time() - start) / count


def forget(images: int) -> None:
    """Drops the images from the system's cache, where the system allows it."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in (decoded_folder() / f"noise-{images}").glob("*/*.pixels"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def measure(case: Case, threads: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_case, args=(case, threads, sender))
    process.start()
    sender.close()
    try:
        found: dict[str, Any] = receiver.recv()
    finally:
        process.join()
    return found


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        name: None if rounds[0][name] is None else statistics.median(one[name] for one in rounds)
        for name in rounds[0]
    }


def show(rows: list[dict[str, Any]]) -> None:
    question = None
    for row in rows:
        case = row["case"]
        if case.question != question:
            question = case.question
            print(
                f"\n{question:28}{'images/s':>10}{'×':>7}{'by processor':>14}{'×':>7}"
                f"{'loading':>12}{'MB':>9}{'×':>7}{'ready':>10}"
            )
        memory = f"{'':16}"
        if row["memory"] is not None:
            memory = f"{row['memory'] / 1e6:>9.0f}{row['more_memory']:>7.2f}"
        rate = f"{row['images_per_second']:>10,.0f}{row['faster']:>7.2f}"
        rate += f"{row['per_processor_second']:>14,.0f}{row['faster_by_processor']:>7.2f}"
        rate += f"{1e6 * row['loading']:>9.1f} µs"
        print(f"{case.title:28}{rate}{memory}{row['ready']:>8.2f} s")


def compared(found: dict[Case, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The medians of all rounds, and of the ratios to the question's first case in the same round."""
    rows = []
    first: dict[str, list[dict[str, Any]]] = {}
    ratios = {
        "faster": "images_per_second",
        "faster_by_processor": "per_processor_second",
        "more_memory": "memory",
    }
    for case, rounds in found.items():
        base = first.setdefault(case.question, rounds)
        row = {"case": case, **medians(rounds)}
        for name, of in ratios.items():
            pairs = [(one[of], other[of]) for one, other in zip(rounds, base, strict=True)]
            row[name] = statistics.median(one / other for one, other in pairs) if all(pairs[0]) else None
        rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=QUESTIONS)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    selected = [case for case in cases(options.million) if case.question in options.only]
    home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home()) as folder:
        os.environ["CNNSTUDIO_HOME"] = folder
        for images in sorted({case.images for case in selected}):
            start = time.perf_counter()
            noise(images)
            print(f"{images:,} images created in {time.perf_counter() - start:.1f} s", flush=True)
        results: dict[Case, list[dict[str, Any]]] = {case: [] for case in selected}
        for _ in range(options.rounds):
            for case in selected:
                results[case].append(measure(case, options.threads))
                print(".", end="", flush=True)
    rows = compared(results)
    show(rows)
    if options.json:
        options.json.write_text(json.dumps([{**row, "case": asdict(row["case"])} for row in rows], indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
