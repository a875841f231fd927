"""What each trick of a training step gains: the time without it, relative to the time with all of them.

    python benchmarks/tricks.py [--templates lesson-32 resnet-20] [--batch-size 128] [--rounds 7] [--steps 4]
                                [--threads N] [--compile] [--json FILE]

All variants take turns in one process, a few steps at a time; a ratio is the median of the rounds' ratios.
The tests check that all of them compute the same. `--compile` also tries torch.compile, which takes minutes
to compile.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import Tensor

from benchmarks.rivals import noise
from cnnstudio.cli.output import table
from cnnstudio.data.batches import Batches
from cnnstudio.data.dataset import Split
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.training.compilation import compile_model
from cnnstudio.training.evaluation import mean_scores
from cnnstudio.training.hardware.device_memory import retain_freed_memory
from cnnstudio.training.model import build_model
from cnnstudio.training.optimization import optimizers
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.recipe.built_in import LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep

Act = Callable[[], object]

# From glibc's malloc.h, with its default.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _DEFAULT = -1, -3, 128 * 1024


@contextmanager
def returning_freed_memory() -> Iterator[None]:
    """Inside, the C library uses its defaults; afterwards it retains freed memory again."""
    library = ctypes.CDLL(None)
    for setting in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
        library.mallopt(setting, _DEFAULT)
    library.malloc_trim(0)
    try:
        yield
    finally:
        # The setting outlasts the context.
        with retain_freed_memory():
            pass


class Steps:
    """Makes a few training steps with one batch."""

    def __init__(self, training_step: TrainingStep, images: Tensor, labels: Tensor, steps: int) -> None:
        self.training_step = training_step
        self._images, self._labels, self._steps = images, labels, steps

    def __call__(self) -> None:
        for _ in range(self._steps):
            self.training_step.backward(self._images, self._labels)
            self.training_step.update()


def step_variants(network: Network, batch_size: int, steps: int, compile: bool) -> dict[str, Act]:
    """The step with all tricks first, then variants without one of them, or with another one."""
    recipe = LESSON.replace(batch_size=batch_size)
    prepared = prepare(network, noise(batch_size, 10), recipe, "cpu")
    images, labels = next(prepared.batches().epoch(0))

    def steps_of(recipe: Recipe = recipe, *, reorder: bool = True, channels_last: bool = True) -> Steps:
        layout = torch.channels_last if channels_last else torch.contiguous_format
        model = build_model(network, reorder=reorder).train().to(memory_format=layout)  # type: ignore[call-overload]  # its stub lacks a format alone
        return Steps(TrainingStep(model, recipe), images.contiguous(memory_format=layout), labels, steps)

    with mock.patch.object(optimizers, "_FUSED", frozenset()):
        plain_optimizer = steps_of()
    variants: dict[str, Act] = {
        "all tricks": steps_of(),
        "images contiguous, not channels_last": steps_of(channels_last=False),
        "operations in the order of the design": steps_of(reorder=False),
        "optimizer not fused": plain_optimizer,
        "freed memory returned to the system": in_context(returning_freed_memory, steps_of()),
        "bfloat16": steps_of(recipe.replace(precision="bfloat16")),
    }
    if compile:
        compiled_steps = steps_of()
        compiled_steps.training_step.forward = compile_model(compiled_steps.training_step.model, {})
        variants["torch.compile"] = compiled_steps
    return variants


def in_context(context: Callable[[], object], act: Act) -> Act:
    def inside() -> None:
        with context():  # type: ignore[attr-defined]  # all are context managers
            act()

    return inside


def evaluation_variants(network: Network, batch_size: int) -> dict[str, Act]:
    """Evaluates as many images as a few batches have."""
    prepared = prepare(network, noise(2, 4 * batch_size), LESSON, "cpu")
    model = prepared.fresh_model()

    def evaluate(batches: Batches) -> Act:
        return lambda: mean_scores(model, batches.epoch(0))

    def with_gradients() -> None:
        for images, _ in prepared.unshuffled(prepared.test).epoch(0):
            model.eval()(images)

    return {
        "evaluation": evaluate(prepared.unshuffled(prepared.test)),
        "evaluation in batches of 8": evaluate(unshuffled(prepared, prepared.test, 8)),
        "evaluation with gradients enabled": with_gradients,
    }


def unshuffled(prepared: PreparedTraining, split: Split, batch_size: int) -> Batches:
    mean, std = torch.tensor(prepared.mean), torch.tensor(prepared.std)
    return Batches(split, "cpu", mean, std, batch_size=batch_size, shuffle=False)


def image_variants(network: Network, batch_size: int) -> dict[str, Act]:
    """Fetches, augments and normalizes the images of two batches."""
    recipe = STUDIO.replace(batch_size=batch_size, validation_share=0.0)
    prepared = prepare(network, noise(2 * batch_size, 10), recipe, "cpu")
    one_by_one = prepare(network, noise(2 * batch_size, 10), recipe.replace(batch_size=1), "cpu")
    whole, single = prepared.batches(), one_by_one.batches()
    return {
        "images augmented as batches": lambda: [len(labels) for _, labels in whole.epoch(1)],
        "images augmented one by one": lambda: [len(labels) for _, labels in single.epoch(1)],
    }


def ratios(variants: dict[str, Act], rounds: int) -> dict[str, float]:
    """The time of each variant, relative to the first."""
    for act in variants.values():
        act()
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(rounds):
        for name, act in variants.items():
            start = time.perf_counter()
            act()
            seconds[name].append(time.perf_counter() - start)
    first = next(iter(seconds.values()))
    return {
        name: median(each / base for each, base in zip(values, first, strict=True))
        for name, values in seconds.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", nargs="+", default=["lesson-32", "resnet-20"])
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    report: dict[str, dict[str, float]] = {}
    with retain_freed_memory():
        for name in options.templates:
            network, size = templates()[name].network, options.batch_size
            found: dict[str, float] = {}
            for variants in (
                step_variants(network, size, options.steps, options.compile),
                evaluation_variants(network, size),
                image_variants(network, size),
            ):
                found |= ratios(variants, options.rounds)
            report[name] = found
    rows = [
        [label, *(f"{found[label]:.2f}" for found in report.values())]
        for label in next(iter(report.values()))
    ]
    print(
        f"batch {options.batch_size}, {torch.get_num_threads()} threads, medians of {options.rounds} rounds\n"
    )
    print(table(["relative time", *report], rows, right=tuple(range(1, len(report) + 1))))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
