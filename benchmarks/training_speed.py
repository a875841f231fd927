"""Training speed of several templates, compared with the loops that a user would write, and with the limit.

Each loop runs in its own process, so that none profits from another's setup. They take turns, one epoch at
a time, so that a busy machine slows down all of them equally; a ratio is the median of the turns' ratios.
The time excludes evaluation and the first epoch.

The limit is the model alone: the same steps on one batch over and over, without fetching, shuffling and
augmenting images, events or checkpoints. Plain PyTorch is the code that the program generates for the
design, with the images in memory. Keras takes part if it is installed, here or in another Python
(`--keras-python`).

    python benchmarks/training_speed.py [--templates lesson-32 …] [--batch-sizes 32 128] [--turns 7]
                                        [--threads N] [--keras-python PYTHON] [--json FILE]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.interchange.keras.writer import write_model

STUDIO, STUDIO_BFLOAT16 = "CNN Studio", "CNN Studio, bfloat16"
LIMIT, LIMIT_BFLOAT16 = "model alone", "model alone, bfloat16"
PLAIN, LOADER, KERAS = "plain PyTorch, images in memory", "Dataset + DataLoader, 2 workers", "Keras"
GOALS = {
    (STUDIO, PLAIN): 1.5,
    (STUDIO, LOADER): 3.0,
    (STUDIO, LIMIT): 0.95,
    (STUDIO_BFLOAT16, LIMIT_BFLOAT16): 0.95,
}
COMPARED = [*GOALS, (STUDIO, KERAS), (STUDIO_BFLOAT16, STUDIO)]
TEMPLATES = ("lesson-32", "vgg-11-small", "resnet-20", "mobilenet-small", "airbench94")
SECONDS = 1.0
"""The approximate length of an epoch, at the speed of the plain loop."""

EpochDone = Callable[[float], None]
"""Takes the images per second of an epoch, and returns when it is the loop's turn again."""


class Worker(Protocol):
    """A training loop that waits for its turn."""

    def turn(self) -> tuple[float, int]:
        """Trains one epoch; returns images per second and the number of threads."""

    def end(self) -> None: ...


def studio(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """The program's trainer, with all its events."""
    _studio(name, images, batch_size, turns, epoch_done, "float32")


def studio_bfloat16(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    _studio(name, images, batch_size, turns, epoch_done, "bfloat16")


def _studio(
    name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone, precision: str
) -> None:
    from benchmarks.rivals import noise
    from cnnstudio.training.events import EpochEnded, Event
    from cnnstudio.training.recipe.built_in import LESSON
    from cnnstudio.training.trainer import train

    def record(event: Event) -> None:
        if isinstance(event, EpochEnded):
            epoch_done(event.images_per_second)

    recipe = LESSON.replace(epochs=turns + 1, batch_size=batch_size, precision=precision)
    train(templates()[name].network, noise(images, 10), recipe, device="cpu", emit=record)


def limit(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """Only the steps."""
    _limit(name, images, batch_size, turns, epoch_done, "float32")


def limit_bfloat16(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    _limit(name, images, batch_size, turns, epoch_done, "bfloat16")


def _limit(
    name: str, image_count: int, batch_size: int, turns: int, epoch_done: EpochDone, precision: str
) -> None:
    import time

    from benchmarks.rivals import noise
    from cnnstudio.training.hardware.device_memory import retain_freed_memory
    from cnnstudio.training.preflight.prepare import prepare
    from cnnstudio.training.recipe.built_in import LESSON
    from cnnstudio.training.train_step import TrainingStep

    recipe = LESSON.replace(batch_size=batch_size, precision=precision)
    prepared = prepare(templates()[name].network, noise(batch_size, 10), recipe, "cpu")
    training_step = TrainingStep(prepared.fresh_model().train(), recipe)
    images, labels = next(prepared.batches().epoch(0))
    with retain_freed_memory():
        for _ in range(turns + 1):
            start, count = time.perf_counter(), 0
            while count < image_count:
                training_step.backward(images, labels)
                training_step.update()
                count += len(labels)
            epoch_done(count / (time.perf_counter() - start))


def plain(name: str, image_count: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """All images as float32 in memory, batches by indexing."""
    import torch

    from benchmarks.rivals import as_floats, noise, plain_epoch, plain_model, shuffled, tensors

    pixels, labels = tensors(noise(image_count, 10).train)
    images = as_floats(pixels)
    model = plain_model(templates()[name].network)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(turns + 1):
        epoch_done(plain_epoch(model, optimizer, shuffled(images, labels, batch_size)))


def data_loader(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """One image at a time, with a DataLoader."""
    import torch

    from benchmarks.rivals import loader, noise, plain_epoch, plain_model

    batches = loader(noise(images, 10).train, batch_size)
    model = plain_model(templates()[name].network)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(turns + 1):
        epoch_done(plain_epoch(model, optimizer, batches))


LOOPS = {
    PLAIN: plain,
    LOADER: data_loader,
    LIMIT: limit,
    STUDIO: studio,
    LIMIT_BFLOAT16: limit_bfloat16,
    STUDIO_BFLOAT16: studio_bfloat16,
}


class Process:
    """One of `LOOPS` in its own process."""

    def __init__(self, loop: str, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        self._process = context.Process(target=work, args=(loop, *arguments, child_pipe))
        self._process.start()
        child_pipe.close()
        # Warms up for one epoch; then the process waits without taking time from the others.
        self._pipe.recv()

    def turn(self) -> tuple[float, int]:
        self._pipe.send("next")
        rate, threads = self._pipe.recv()
        return rate, threads

    def end(self) -> None:
        self._pipe.send("end")
        self._process.join()


def work(
    loop: str, name: str, images: int, batch_size: int, turns: int, threads: int | None, pipe: Connection
) -> None:
    """Runs the loop: sends the speed of each epoch and waits for the request of the next."""
    import torch

    if threads:
        torch.set_num_threads(threads)

    def epoch_done(rate: float) -> None:
        pipe.send((rate, torch.get_num_threads()))
        pipe.recv()

    LOOPS[loop](name, images, batch_size, turns, epoch_done)


class KerasProcess:
    """`model.fit` of the Keras code that the program generates, in a Python that has Keras."""

    def __init__(self, python: str, network: Network, images: int, batch_size: int, threads: int) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
            file.write(write_model(network))
        self._listing = Path(file.name)
        self._process = subprocess.Popen(
            [
                python,
                str(Path(__file__).with_name("keras_rival.py")),
                file.name,
                str(images),
                str(batch_size),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"TF_NUM_INTRAOP_THREADS": str(threads), "KERAS_BACKEND": "tensorflow"},
        )
        self._threads = threads
        self.turn()

    def turn(self) -> tuple[float, int]:
        pipes = self._process
        assert pipes.stdin is not None
        assert pipes.stdout is not None
        pipes.stdin.write("next\n")
        pipes.stdin.flush()
        line = pipes.stdout.readline()
        if not line:
            sys.exit(f"Keras failed at {self._listing}, which is kept for inspection")
        return float(line), self._threads

    def end(self) -> None:
        self._process.communicate()
        if not self._process.returncode:
            self._listing.unlink()


def measure(
    name: str, batch_size: int, turns: int, threads: int | None, keras_python: str | None
) -> tuple[dict[str, list[float]], int]:
    """Images per second of each loop in each turn, and the number of threads."""
    guess = Process(PLAIN, name, 2 * batch_size, batch_size, 1, threads)
    rate, used = guess.turn()
    guess.end()
    images = batch_size * max(round(SECONDS * rate / batch_size), 2)
    workers: dict[str, Worker] = {}
    with ExitStack() as started:
        for loop in LOOPS:
            workers[loop] = worker = Process(loop, name, images, batch_size, turns, threads)
            started.callback(worker.end)
        if keras_python:
            network = templates()[name].network
            workers[KERAS] = rival = KerasProcess(keras_python, network, images, batch_size, used)
            started.callback(rival.end)
        rates: dict[str, list[float]] = {loop: [] for loop in workers}
        for _ in range(turns):
            for loop, each in workers.items():
                rates[loop].append(each.turn()[0])
    return rates, used


def ratios(rates: Mapping[str, list[float]]) -> dict[str, float]:
    """The median ratios of the turns, by "ours / theirs"."""
    return {
        f"{ours} / {theirs}": median(
            mine / other for mine, other in zip(rates[ours], rates[theirs], strict=True)
        )
        for ours, theirs in COMPARED
        if theirs in rates
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", nargs="+", default=TEMPLATES)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--keras-python", default=sys.executable if importlib.util.find_spec("keras") else None
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = []
    for name in options.templates:
        for batch_size in options.batch_sizes:
            rates, threads = measure(name, batch_size, options.turns, options.threads, options.keras_python)
            found = ratios(rates)
            report.append(
                {"template": name, "batch_size": batch_size, "threads": threads}
                | {"ratios": found, "images_per_second": rates}
            )
            print(f"{name}, batch {batch_size}, {threads} threads, medians of {options.turns} turns:")
            for loop, values in rates.items():
                print(f"  {loop:34} {median(values):8,.0f} images/s")
            for pair, ratio in found.items():
                goal = GOALS.get(tuple(pair.split(" / ")))  # type: ignore[call-overload]  # two names, as the keys
                print(f"    {pair:64} × {ratio:.2f}{f'  (goal {goal})' if goal else ''}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
