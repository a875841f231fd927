"""Images per second of training some templates, against the loops that a user would write, and the limit.

Each loop runs in a process of its own, so that none profits from what another one set up. They take turns,
one epoch at a time, so that a machine busy with other things slows all of them alike: a ratio is the median
of the turns' own ratios. Nothing is evaluated within the time; the first epoch of each does not count.

The limit is the model alone: the same steps with one batch over and over, without images being cut,
shuffled, measured, told or saved. Plain torch is the code that the program writes for the design, with
images in memory. Keras is asked where it is installed, here or in another Python (`--keras-python`).

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

STUDIO, SHORT = "CNN Studio", "CNN Studio, bfloat16"
LIMIT, LIMIT_SHORT = "model alone", "model alone, bfloat16"
PLAIN, LOADER, KERAS = "plain torch, images in memory", "Dataset + DataLoader, 2 workers", "Keras"
GOALS = {(STUDIO, PLAIN): 1.5, (STUDIO, LOADER): 3.0, (STUDIO, LIMIT): 0.95, (SHORT, LIMIT_SHORT): 0.95}
COMPARED = [*GOALS, (STUDIO, KERAS), (SHORT, STUDIO)]
TEMPLATES = ("lesson-32", "vgg-11-small", "resnet-20", "mobilenet-small", "airbench94")
SECONDS = 1.0
"""Of an epoch, about, by the speed of the plain loop."""

EpochDone = Callable[[float], None]
"""Hears the images per second of an epoch, and returns when it is the loop's turn again."""


class Worker(Protocol):
    """A loop that waits for its turn."""

    def turn(self) -> tuple[float, int]:
        """Lets it train one epoch: images per second, and the number of threads."""

    def end(self) -> None: ...


def studio(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """The program's own trainer, with all that it says."""
    _studio(name, images, batch_size, turns, epoch_done, "float32")


def studio_short(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    _studio(name, images, batch_size, turns, epoch_done, "bfloat16")


def _studio(
    name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone, precision: str
) -> None:
    from benchmarks.rivals import noise
    from cnnstudio.training.events import EpochEnded, Event
    from cnnstudio.training.recipe.recipe import LESSON
    from cnnstudio.training.trainer import train

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            epoch_done(event.images_per_second)

    recipe = LESSON.replace(epochs=turns + 1, batch_size=batch_size, precision=precision)
    train(templates()[name].network, noise(images, 10), recipe, device="cpu", emit=note)


def limit(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """The steps alone."""
    _limit(name, images, batch_size, turns, epoch_done, "float32")


def limit_short(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    _limit(name, images, batch_size, turns, epoch_done, "bfloat16")


def _limit(
    name: str, image_count: int, batch_size: int, turns: int, epoch_done: EpochDone, precision: str
) -> None:
    import time

    from benchmarks.rivals import noise
    from cnnstudio.training.hardware.device_memory import keeping_freed_memory
    from cnnstudio.training.preflight.prepare import prepare
    from cnnstudio.training.recipe.recipe import LESSON
    from cnnstudio.training.train_step import Learner

    recipe = LESSON.replace(batch_size=batch_size, precision=precision)
    prepared = prepare(templates()[name].network, noise(batch_size, 10), recipe, "cpu")
    learner = Learner(prepared.fresh_model().train(), recipe)
    images, labels = next(prepared.batches().epoch(0))
    with keeping_freed_memory():
        for _ in range(turns + 1):
            began, count = time.perf_counter(), 0
            while count < image_count:
                learner.backward(images, labels)
                learner.update()
                count += len(labels)
            epoch_done(count / (time.perf_counter() - began))


def plain(name: str, image_count: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """All images as floats in memory, batches cut by index."""
    import torch

    from benchmarks.rivals import as_floats, noise, plain_epoch, plain_model, shuffled, tensors

    pixels, labels = tensors(noise(image_count, 10).train)
    images = as_floats(pixels)
    model = plain_model(templates()[name].network)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(turns + 1):
        epoch_done(plain_epoch(model, optimizer, shuffled(images, labels, batch_size)))


def data_loader(name: str, images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """One image at a time, by a DataLoader."""
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
    LIMIT_SHORT: limit_short,
    SHORT: studio_short,
}


class Process:
    """A loop of ours in a process of its own."""

    def __init__(self, loop: str, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=work, args=(loop, *arguments, there))
        self._process.start()
        there.close()
        # The epoch that warms it up; after it, the process waits and takes no time from the others.
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
    """The loop: sends each epoch's rate and waits to be asked for the next."""
    import torch

    if threads:
        torch.set_num_threads(threads)

    def epoch_done(rate: float) -> None:
        pipe.send((rate, torch.get_num_threads()))
        pipe.recv()

    LOOPS[loop](name, images, batch_size, turns, epoch_done)


class KerasProcess:
    """`model.fit` of what the program writes for Keras, by a Python that has it."""

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
        said = pipes.stdout.readline()
        if not said:
            sys.exit(f"Keras failed at {self._listing}, which is left for a look")
        return float(said), self._threads

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
    """By "ours / theirs", the median of the turns."""
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
