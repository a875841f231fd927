"""What a training will take, from a few measured batches: time, memory, and which batch size suits."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cnnstudio.core.formatting import count, duration, plural, storage
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, check, ignore, never
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.training.evaluation import evaluating
from cnnstudio.training.hardware.device_memory import (
    PeakMemory,
    free_memory,
    give_back_memory,
    is_out_of_memory,
    keeping_freed_memory,
)
from cnnstudio.training.hardware.torch_state import own_settings
from cnnstudio.training.preflight.prepare import Prepared, TrainingError, check_threads, needed_memory
from cnnstudio.training.recipe.recipe import MOST_PARTS, Recipe
from cnnstudio.training.train_step import Learner, part_size

SECONDS = 12.0
"""For all sizes together, about."""

_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_LARGEST = 65_536

_TOO_LITTLE = "{device} has too little memory for this network: take fewer filters or units."

_ENOUGH = 0.4
"""Seconds of steps by which a size is judged, if there are two of them."""

_SHARE = 0.85
"""Of the free memory, what a training may take: others want some, too."""

_SLOWER = 0.8
"""Sizes beyond one that is so much slower than the best are not tried."""

_WORTHWHILE = 1.15
"""In so many times the speed another precision is worth a word."""

_ALIKE = 0.97
"""Of two sizes that are about as fast, the smaller one is the fastest: it makes more steps of an epoch."""


@dataclass(frozen=True)
class Measured:
    """What batches of one size take."""

    size: int
    images_per_second: float
    memory: int | None
    """Bytes at the most; None where the system does not tell."""


@dataclass(frozen=True)
class Measurement:
    """What the recipe will take, and what other batch sizes would."""

    sizes: tuple[Measured, ...]
    """From small to large."""
    part: int
    """Images that the recipe has at a time."""
    seconds_per_epoch: float | None
    """The validation included; None where the recipe's batches do not fit into the memory."""
    epochs: int
    memory: int
    """Bytes that the recipe's training takes; measured, or reckoned where it is not among `sizes`."""
    free: int | None
    """Bytes that there were before."""
    fastest: int
    largest: int
    """The largest batch that fits, reckoned from the measured ones."""
    accumulate: int
    """In so many parts the recipe's batches fit; as the recipe says where they do already."""
    other_precision: str
    """The one that the recipe does not have."""
    gain: float | None
    """Its speed in times the recipe's, with the recipe's batches; None where these do not fit."""

    @property
    def seconds(self) -> float | None:
        """For all epochs."""
        return None if self.seconds_per_epoch is None else self.epochs * self.seconds_per_epoch

    @property
    def fits(self) -> bool:
        return self.part <= self.largest

    @property
    def sentence(self) -> str:
        """What it comes to, for people."""
        free = "" if self.free is None else f"; {storage(self.free)} are free"
        if self.seconds_per_epoch is None or self.seconds is None:
            words = (
                f"Batches of {count(self.part)} do not fit into the memory{free}. Computed in "
                f"{self.accumulate} parts they do, with the same steps."
            )
        else:
            epochs = f", all {plural(self.epochs, 'epoch')} about {duration(self.seconds)}"
            words = (
                f"An epoch takes about {duration(self.seconds_per_epoch)}{epochs}. "
                f"Memory: {storage(self.memory)}{free}."
            )
        if self.quicker_precision:
            words += f" In {self.other_precision} it would be {self.gain:.1f} × as fast."
        return f"{words} The largest batch that fits is about {count(self.largest)}."

    @property
    def quicker_precision(self) -> str | None:
        """The other precision, where it is worth it."""
        return self.other_precision if self.gain is not None and self.gain >= _WORTHWHILE else None

    @property
    def in_short(self) -> str:
        """The same in a few words."""
        if self.seconds is None:
            return f"its batches do not fit into the memory, in {self.accumulate} parts they do"
        return f"takes about {duration(self.seconds)} and {storage(self.memory)}"

    def remark(self, one: Measured) -> str:
        """What is special about a size."""
        remarks = {"the recipe’s": one.size == self.part, "fastest": one.size == self.fastest}
        return ", ".join(words for words, holds in remarks.items() if holds)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "seconds": self.seconds, "fits": self.fits}


def measure(
    prepared: Prepared,
    *,
    threads: int | None = None,
    seconds: float = SECONDS,
    progress: ProgressFunction = ignore,
    cancelled: CancelFunction = never,
) -> Measurement:
    """Makes a few steps with each size, on weights of its own; a training afterwards is as without it.

    `prepared` may come from `prepare` with `check_memory=False`: a batch that is too large is among what
    this is for. Raises Cancelled, and TrainingError where not even one small batch fits.
    """
    check_threads(threads)
    free = free_memory(prepared.device)
    part = part_size(prepared.recipe.batch_size, prepared.recipe.accumulate)
    sizes = _sizes(part, len(prepared.train_rows))
    deadline = time.monotonic() + seconds
    found: list[Measured] = []
    too_large: int | None = None
    with own_settings(prepared.device, threads, prepared.recipe.seed), keeping_freed_memory():
        # What torch loads for its first step is not what a batch takes.
        _measured(prepared, 2, cancelled)
        for number, size in enumerate(sizes):
            progress(Progress(number, len(sizes), f"Batches of {size:,}"))
            if not _fits(prepared, size, free, found) or (
                size != part and _takes_too_long(found, size, deadline)
            ):
                continue
            one = _measured(prepared, size, cancelled)
            if one is None:
                too_large = size
                break
            found.append(one)
            if size >= part and one.images_per_second < _SLOWER * _best(found).images_per_second:
                break
        if not found:
            raise TrainingError(_TOO_LITTLE.format(device=prepared.device))
        checking = _seconds_to_validate(prepared, cancelled)
        other, gain = _other_precision(prepared, part, found, cancelled)
    return _concluded(prepared, tuple(found), part, free, too_large, checking, other, gain)


def _other_precision(
    prepared: Prepared, part: int, found: list[Measured], cancelled: CancelFunction
) -> tuple[str, float | None]:
    """The precision that the recipe does not have, and its speed in times the recipe's."""
    recipe = prepared.recipe
    other = "float32" if recipe.precision == "bfloat16" else "bfloat16"
    own = _of_size(found, part)
    changed = dataclasses.replace(prepared, recipe=recipe.replace(precision=other))
    one = _measured(changed, part, cancelled) if own else None
    return other, one.images_per_second / own.images_per_second if one and own else None


def _takes_too_long(found: list[Measured], size: int, deadline: float) -> bool:
    """Whether there is no time left for three steps. Two sizes are the least that tell something."""
    left = deadline - time.monotonic()
    return len(found) >= 2 and 3 * size / found[-1].images_per_second > left


def fitted_recipe(
    prepared: Prepared, *, threads: int | None = None, cancelled: CancelFunction = never
) -> Recipe:
    """The recipe with its batches in as many parts as the memory needs; its steps stay the same.

    Raises Cancelled, and TrainingError where nothing fits.
    """
    recipe = prepared.recipe
    recipe = recipe.replace(
        accumulate=measure(prepared, threads=threads, seconds=0.0, cancelled=cancelled).accumulate
    )
    with own_settings(prepared.device, threads, recipe.seed), keeping_freed_memory():
        # What was reckoned from small batches is tried out.
        while _measured(prepared, part_size(recipe.batch_size, recipe.accumulate), cancelled) is None:
            if 2 * recipe.accumulate > min(recipe.batch_size, MOST_PARTS):
                raise TrainingError(_TOO_LITTLE.format(device=prepared.device))
            recipe = recipe.replace(accumulate=2 * recipe.accumulate)
    return recipe


def _sizes(part: int, most: int) -> list[int]:
    return sorted({part, *(size for size in _SIZES if size <= most)})


def _fits(prepared: Prepared, size: int, free: int | None, found: list[Measured]) -> bool:
    """Whether it may be tried: the CPU's memory must not be asked for what is not there."""
    if free is None:
        return True
    analysis, recipe = analyze(prepared.network), prepared.recipe
    base, slope = _memory_line(found, analysis, recipe)
    least = needed_memory(analysis, recipe.replace(batch_size=size, accumulate=1))
    return max(least, base + slope * size) <= _SHARE * free


def _measured(prepared: Prepared, size: int, cancelled: CancelFunction) -> Measured | None:
    """None where the memory ran out, which is then given back."""
    peak = PeakMemory(prepared.device)
    try:
        rate = _images_per_second(prepared, size, cancelled)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return Measured(size, rate, peak.used())
    give_back_memory(prepared.device)
    return None


def _images_per_second(prepared: Prepared, size: int, cancelled: CancelFunction) -> float:
    recipe = prepared.recipe.replace(batch_size=size, accumulate=1)
    learner = Learner(prepared.fresh_model(), recipe)
    learner.model.train()
    batches = _endless(dataclasses.replace(prepared, recipe=recipe))
    # The first step also makes what the later ones have already.
    _step(learner, *next(batches))
    began, image_count = time.perf_counter(), 0
    for number, (images, labels) in enumerate(batches, start=1):
        check(cancelled)
        _step(learner, images, labels)
        image_count += len(images)
        passed = time.perf_counter() - began
        if passed >= _ENOUGH and (number >= 2 or passed >= 4 * _ENOUGH):
            return image_count / passed
    raise AssertionError("there is always another batch")


def _step(learner: Learner, images: Tensor, labels: Tensor) -> None:
    loss, _ = learner.backward(images, labels)
    learner.update()
    # Waits for an accelerator, whose work would else be counted later.
    loss.item()


def _endless(prepared: Prepared) -> Iterator[tuple[Tensor, Tensor]]:
    batches = prepared.batches()
    for epoch in itertools.count(1):
        yield from batches.epoch(epoch)


def _seconds_to_validate(prepared: Prepared, cancelled: CancelFunction) -> float:
    """For all validation images, from a few batches of them."""
    model, done = prepared.fresh_model(), 0
    began = time.perf_counter()
    with evaluating(model):
        for images, _ in prepared.unshuffled(prepared.validation).epoch(0):
            check(cancelled)
            model(images).sum().item()
            done += len(images)
            if time.perf_counter() - began >= _ENOUGH:
                break
    return (time.perf_counter() - began) * len(prepared.validation) / max(done, 1)


def _concluded(
    prepared: Prepared,
    found: tuple[Measured, ...],
    part: int,
    free: int | None,
    too_large: int | None,
    checking: float,
    other_precision: str,
    gain: float | None,
) -> Measurement:
    recipe = prepared.recipe
    analysis = analyze(prepared.network)
    base, slope = _memory_line(found, analysis, recipe)
    done = found[-1].size
    largest = done if too_large else min(_largest(base, slope, free, done), len(prepared.train_rows))
    own = _of_size(found, part)
    seconds = None
    if own is not None:
        seconds = len(prepared.train_rows) / own.images_per_second + checking
    accumulate = min(max(recipe.accumulate, -(-recipe.batch_size // largest)), MOST_PARTS)
    memory = own.memory if own is not None and own.memory is not None else round(base + slope * part)
    fastest = next(
        one.size for one in found if one.images_per_second >= _ALIKE * _best(found).images_per_second
    )
    return Measurement(
        *(found, part, seconds, recipe.epochs, memory, free, fastest, largest, accumulate),
        *(other_precision, gain),
    )


def _of_size(found: Iterable[Measured], size: int) -> Measured | None:
    return next((one for one in found if one.size == size), None)


def _best(found: Iterable[Measured]) -> Measured:
    return max(found, key=lambda one: one.images_per_second)


def _memory_line(found: Sequence[Measured], analysis: Analysis, recipe: Recipe) -> tuple[float, float]:
    """Bytes without an image, and bytes for each image at a time.

    The line through the smallest and the largest measured size, but none that is flatter than the least that
    layers need: with a small network, what the process itself does would hide it.
    """
    least = [needed_memory(analysis, recipe.replace(batch_size=size, accumulate=1)) for size in (1, 2)]
    slope = float(least[1] - least[0])
    known = [(one.size, one.memory) for one in found if one.memory is not None]
    if not known:
        return least[0] - slope, slope
    (first, low), (last, high) = known[0], known[-1]
    if last > first:
        slope = max(slope, (high - low) / (last - first))
    return max(high - slope * last, 0.0), slope


def _largest(base: float, slope: float, free: int | None, done: int) -> int:
    """What was measured fits; what lies beyond it is rounded down to a power of two."""
    if free is None:
        return done
    most = int((_SHARE * free - base) / slope)
    return min(max(done, 1 << max(most, 1).bit_length() - 1), _LARGEST)
