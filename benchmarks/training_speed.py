"""Images per second of training the lesson's network, against the loops that a user would write.

Each loop runs in a process of its own, so that none profits from what another one set up. They take turns,
one epoch at a time, so that a machine busy with other things slows all of them alike: the ratio is the median
of the turns' own ratios. Nothing is evaluated within the time; the first epoch of each does not count.

    python benchmarks/training_speed.py [--batch-sizes 32 128] [--images 1920] [--turns 9] [--threads N]
                                        [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median

PLAIN, LOADER, STUDIO = "plain torch, pictures in memory", "Dataset + DataLoader, 2 workers", "CNN Studio"
GOALS = {PLAIN: 1.5, LOADER: 3.0}

EpochDone = Callable[[float], None]
"""Hears the images per second of an epoch, and returns when it is the loop's turn again."""


def studio(images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """The program's own trainer, with all that it says."""
    from benchmarks.rivals import lesson, noise
    from cnnstudio.training.events import EpochEnded, Event
    from cnnstudio.training.recipe import LESSON
    from cnnstudio.training.trainer import train

    def note(event: Event) -> None:
        if isinstance(event, EpochEnded):
            epoch_done(event.images_per_second)

    recipe = LESSON.replace(epochs=turns + 1, batch_size=batch_size)
    train(lesson(), noise(images, 10), recipe, device="cpu", emit=note)


def plain(images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """All pictures as floats in memory, batches cut by index."""
    import torch

    from benchmarks.rivals import as_floats, noise, plain_epoch, plain_lesson, shuffled, tensors

    pixels, labels = tensors(noise(images, 10).train)
    pictures = as_floats(pixels)
    model = plain_lesson()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(turns + 1):
        epoch_done(plain_epoch(model, optimizer, shuffled(pictures, labels, batch_size)))


def data_loader(images: int, batch_size: int, turns: int, epoch_done: EpochDone) -> None:
    """One picture at a time, by a DataLoader."""
    import torch

    from benchmarks.rivals import loader, noise, plain_epoch, plain_lesson

    batches = loader(noise(images, 10).train, batch_size)
    model = plain_lesson()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(turns + 1):
        epoch_done(plain_epoch(model, optimizer, batches))


LOOPS = {PLAIN: plain, LOADER: data_loader, STUDIO: studio}


def work(name: str, images: int, batch_size: int, turns: int, threads: int | None, pipe: Connection) -> None:
    """One loop in its process: sends each epoch's rate and waits to be asked for the next."""
    import torch

    if threads:
        torch.set_num_threads(threads)

    def epoch_done(rate: float) -> None:
        pipe.send((rate, torch.get_num_threads()))
        pipe.recv()

    LOOPS[name](images, batch_size, turns, epoch_done)


def start(name: str, *arguments: int | None) -> tuple[BaseProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(name, *arguments, there))
    process.start()
    there.close()
    return process, here


def measure(
    images: int, batch_size: int, turns: int, threads: int | None
) -> tuple[dict[str, list[float]], int]:
    """Images per second of each loop in each turn, and the number of threads."""
    rates: dict[str, list[float]] = {name: [] for name in LOOPS}
    workers = {}
    used = 0
    for name in LOOPS:
        workers[name] = start(name, images, batch_size, turns, threads)
        # The epoch that warms it up; after it, the process waits and takes no time from the others.
        workers[name][1].recv()
    for _ in range(turns):
        for name, (_, pipe) in workers.items():
            pipe.send("next")
            rate, used = pipe.recv()
            rates[name].append(rate)
    for process, pipe in workers.values():
        pipe.send("end")
        process.join()
    return rates, used


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--images", type=int, default=1920)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = {}
    for batch_size in options.batch_sizes:
        rates, threads = measure(options.images, batch_size, options.turns, options.threads)
        ratios = {
            name: median(ours / theirs for ours, theirs in zip(rates[STUDIO], rates[name], strict=True))
            for name in GOALS
        }
        report[batch_size] = {"ratios": ratios, "images_per_second": rates, "threads": threads}
        print(f"batch {batch_size}, {threads} threads, medians of {options.turns} turns:")
        for name, values in rates.items():
            goal = f"  CNN Studio × {ratios[name]:.2f} (goal {GOALS[name]:.1f})" if name in GOALS else ""
            print(f"  {name:32} {median(values):7,.0f} images/s{goal}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
