"""Peak memory while training the lesson's network, compared with a plain loop.

The images have the number and size of CIFAR-10's. Each loop runs in a fresh process, for one epoch and one
evaluation.

    python benchmarks/memory.py [--images 50000] [--batch-size 128] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

PLAIN = "plain PyTorch, uint8 in memory"
GOAL = 1.3


def plain(images: int, batch_size: int, *, floats: bool = False) -> None:
    """A plain loop, which normalizes each batch or, with `floats`, all images at once."""
    import torch

    from benchmarks.rivals import as_floats, plain_epoch, plain_lesson, shuffled

    pixels = torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8)
    test = torch.randint(0, 256, (images // 5, 3, 32, 32), dtype=torch.uint8)
    labels = torch.arange(images) % 10
    if floats:
        pixels, test = as_floats(pixels), as_floats(test)
    model = plain_lesson()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    plain_epoch(model, optimizer, shuffled(pixels, labels, batch_size))
    model.eval()
    with torch.inference_mode():
        for part in test.split(batch_size):
            model(part if floats else as_floats(part)).argmax(1)


def plain_floats(images: int, batch_size: int) -> None:
    plain(images, batch_size, floats=True)


def lesson_recipe(images: int, batch_size: int) -> None:
    studio(images, batch_size, "lesson")


def studio_recipe(images: int, batch_size: int) -> None:
    studio(images, batch_size, "studio")


def studio(images: int, batch_size: int, recipe: str) -> None:
    """The program itself, with run folder, snapshots and checkpoints."""
    from benchmarks.rivals import lesson, noise
    from cnnstudio.runs.start import RunOptions, start_run
    from cnnstudio.training.recipe.built_in import RECIPES

    chosen = RECIPES[recipe].replace(epochs=1, batch_size=batch_size)
    with tempfile.TemporaryDirectory() as folder:
        start_run(
            lesson(),
            noise(images, images // 5),
            chosen,
            RunOptions(folder=Path(folder) / "run", device="cpu"),
        )


LOOPS: dict[str, Callable[[int, int], None]] = {
    PLAIN: plain,
    "plain PyTorch, floats in memory": plain_floats,
    "CNN Studio, recipe lesson": lesson_recipe,
    "CNN Studio, recipe studio": studio_recipe,
}


def run_loop(loop: Callable[[int, int], None], images: int, batch_size: int, result: Connection) -> None:
    loop(images, batch_size)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Bytes on macOS, kilobytes elsewhere.
    result.send(peak if sys.platform == "darwin" else peak * 1024)


def peak_memory(loop: Callable[[int, int], None], images: int, batch_size: int) -> int:
    """The peak memory of a fresh process, in bytes."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run_loop, args=(loop, images, batch_size, sender))
    process.start()
    sender.close()
    peak: int = receiver.recv()
    process.join()
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    peaks: dict[str, int] = {}
    print(f"{options.images:,} images of 3 × 32 × 32, batches of {options.batch_size}:")
    for name, loop in LOOPS.items():
        peaks[name] = peak_memory(loop, options.images, options.batch_size)
        ratio = peaks[name] / peaks[PLAIN]
        goal = f" (goal {GOAL:.1f})" if "Studio" in name else ""
        print(f"  {name:32} {peaks[name] / 1e6:7,.0f} MB  × {ratio:.2f}{goal}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(peaks, indent=2) + "\n")


if __name__ == "__main__":
    main()
