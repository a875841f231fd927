"""Estimates a training's time and memory, and the best batch size, from a few measured batches.

Time is measured for some batch sizes and extrapolated to an epoch. Memory is measured for the same sizes;
beyond them it is a line through the smallest and the largest one, because weights and optimizer take the same
for any batch and activations grow in proportion to it.

Trials use models of their own. A batch that does not fit into the memory is expected here: on an accelerator
it raises and is caught. On the CPU it must not be tried, because Linux would end the process instead
(`_may_fit`).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cnnstudio.core.formatting import estimate_duration, format_bytes, format_count
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.training.evaluation import evaluation_mode, predict_logits
from cnnstudio.training.hardware.device_memory import (
    PeakMemory,
    free_memory,
    is_out_of_memory,
    release_memory,
    retain_freed_memory,
)
from cnnstudio.training.hardware.torch_state import one_thread, torch_settings
from cnnstudio.training.preflight.checks import TrainingError, required_memory, validate_threads
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.preflight.stages import Stage, StageCost, Trial, training_stages
from cnnstudio.training.recipe.recipe import MAX_ACCUMULATE, Recipe
from cnnstudio.training.train_step import TrainingStep, micro_batch_size

SECONDS = 12.0
"""For all batch sizes together, about."""

# Powers of two, as in most recipes. Each one costs at least _SECONDS_PER_SIZE.
_SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_MAX_SIZE = 65_536

_NOT_ENOUGH_MEMORY = "{device} does not have enough memory for this network: use fewer filters or units."

_SECONDS_PER_SIZE = 0.4
"""Minimum time of the steps by which a size is measured, if there are at least two of them."""

_FEATURE_BATCH = 32
"""Images of which the locked beginning is computed at a time, as in the training."""

_USABLE_SHARE = 0.85
"""Of the free memory, for a training: other programs need some, too."""

_TOO_SLOW = 0.8
"""Larger sizes are not tried after one that has less than this fraction of the best speed."""

_WORTHWHILE_SPEEDUP = 1.15
"""From which on another precision is suggested."""

_ABOUT_AS_FAST = 0.97
"""Among sizes with this fraction of the best speed, the smallest is best: an epoch has more steps."""


@dataclass(frozen=True)
class BatchSizeResult:
    """What batches of one size take."""

    size: int
    images_per_second: float
    memory: int | None
    """Peak memory in bytes; None if the system does not report it."""


@dataclass(frozen=True)
class TrainingEstimate:
    """What the recipe will take, and what other batch sizes would.

    The names in JSON are those of the first version: `micro_batch` is “part” and `speedup` is “gain” there.
    """

    sizes: tuple[BatchSizeResult, ...]
    """From small to large."""
    micro_batch: int
    """Images that the recipe computes at a time."""
    stages: tuple[StageCost, ...]
    """What the recipe's stages take; none if its batches do not fit into the memory."""
    epochs: int
    memory: int
    """Bytes that the recipe's training takes; measured, or extrapolated if its size is not among `sizes`."""
    free: int | None
    """Bytes that were free before; None if the system does not report it."""
    fastest: int
    largest: int
    """The largest batch that fits, extrapolated from the measured ones."""
    accumulate: int
    """With which the recipe's batches fit; the recipe's own if they do already."""
    other_precision: str
    """The precision that the recipe does not use."""
    speedup: float | None
    """Speed with the other precision relative to the recipe's; None if the recipe's batches do not fit."""

    @property
    def seconds_per_epoch(self) -> float | None:
        """Of the last stage, which trains the most layers; including the validation."""
        return self.stages[-1].seconds_per_epoch if self.stages else None

    @property
    def seconds(self) -> float | None:
        """For all epochs, and for what is computed before them."""
        return sum(stage.seconds for stage in self.stages) if self.stages else None

    @property
    def fits(self) -> bool:
        return self.micro_batch <= self.largest

    @property
    def description(self) -> str:
        """The result in a few sentences."""
        free = "" if self.free is None else f" ({format_bytes(self.free)} free)"
        if self.seconds is None:
            text = (
                f"Batches of {format_count(self.micro_batch)} do not fit into the memory{free}. Split into "
                f"{self.accumulate} (gradient accumulation) they do, and the steps stay the same."
            )
        else:
            text = f"{self._describe_epochs()}, and the whole training {estimate_duration(self.seconds)}. "
            before = sum(stage.seconds_before for stage in self.stages)
            if before:
                included = estimate_duration(before)
                text += f"This includes {included} for the locked layers, computed only once. "
            text += f"Memory: {format_bytes(self.memory)}{free}."
        if self.faster_precision:
            text += f" {self.other_precision} would be {self.speedup:.1f}× as fast."
        return f"{text} The largest batch that fits is about {format_count(self.largest)}."

    def _describe_epochs(self) -> str:
        """`An epoch takes about 12 s`, `Epochs 1 to 8 take about 2 s each, epochs 9 to 20 about 12 s`."""
        times = [estimate_duration(stage.seconds_per_epoch) for stage in self.stages]
        if len(self.stages) == 1:
            return f"An epoch takes {times[0]}"
        first = self.stages[0].epochs
        one = "Epoch 1 takes" if first == 1 else f"Epochs 1 to {first:,} take"
        each = "" if first == 1 else " each"
        other = (
            f"epoch {self.epochs:,}"
            if first == self.epochs - 1
            else f"epochs {first + 1:,} to {self.epochs:,}"
        )
        return f"{one} {times[0]}{each}, {other} {times[1]}"

    @property
    def faster_precision(self) -> str | None:
        """The other precision, if it is worth a change."""
        is_worth_it = self.speedup is not None and self.speedup >= _WORTHWHILE_SPEEDUP
        return self.other_precision if is_worth_it else None

    @property
    def summary(self) -> str:
        """The result in a few words, without a subject."""
        if self.seconds is None:
            return f"its batches do not fit into the memory unless split into {self.accumulate}"
        return f"takes {estimate_duration(self.seconds)} and {format_bytes(self.memory)}"

    def describe_size(self, result: BatchSizeResult) -> str:
        """What is special about one of the sizes; empty for the others."""
        notes = {
            "the recipe’s": result.size == self.micro_batch,
            "fastest": result.size == self.fastest,
        }
        return ", ".join(text for text, applies in notes.items() if applies)

    def to_json(self) -> dict[str, Any]:
        return {
            "sizes": tuple(map(dataclasses.asdict, self.sizes)),
            "part": self.micro_batch,
            "seconds_per_epoch": self.seconds_per_epoch,
            "epochs": self.epochs,
            "memory": self.memory,
            "free": self.free,
            "fastest": self.fastest,
            "largest": self.largest,
            "accumulate": self.accumulate,
            "other_precision": self.other_precision,
            "gain": self.speedup,
            "seconds": self.seconds,
            "stages": tuple(map(dataclasses.asdict, self.stages)),
            "fits": self.fits,
        }


def estimate_training(
    prepared: PreparedTraining,
    *,
    threads: int | None = None,
    seconds: float = SECONDS,
    progress: ProgressFunction = ignore_progress,
    cancelled: CancelFunction = never_cancelled,
) -> TrainingEstimate:
    """Runs a few steps with each size on temporary weights; a training afterwards is as if it had not run.

    `prepared` may come from `prepare` with `check_memory=False`, to find out about a batch that is too large.
    Raises Cancelled, and TrainingError if not even one small batch fits.
    """
    validate_threads(threads)
    free = free_memory(prepared.device)
    micro_batch = micro_batch_size(prepared.recipe.batch_size, prepared.recipe.accumulate)
    deadline = time.monotonic() + seconds
    with torch_settings(prepared.device, threads, prepared.recipe.seed), retain_freed_memory(prepared.device):
        stages = training_stages(prepared.network, prepared.recipe)
        # More layers learn in the last stage: what fits there does in the first.
        trial = Trial.of(stages[-1].of(prepared))
        # torch loads libraries for its first step, which would count as the memory of the first size.
        _profile_size(trial, 2, cancelled)
        results, has_run_out = _profile_sizes(trial, micro_batch, free, deadline, progress, cancelled)
        if not results:
            raise TrainingError(_NOT_ENOUGH_MEMORY.format(device=prepared.device))
        own_result = _result_for(results, micro_batch)
        costs, peak = [], PeakMemory(prepared.device)
        if own_result is not None:
            *before, last = stages
            for stage in before:
                earlier = Trial.of(stage.of(prepared))
                costs.append(
                    _stage_cost(earlier, stage, measure_speed(earlier, micro_batch, cancelled), cancelled)
                )
            costs.append(_stage_cost(trial, last, own_result.images_per_second, cancelled, with_test=True))
        # Now: what is measured next begins to count anew, and is no part of this training.
        peak_of_stages = peak.used()
        other, speedup = _try_other_precision(trial, micro_batch, results, cancelled)
    return _conclude(
        trial.prepared,
        tuple(results),
        micro_batch,
        free,
        has_run_out,
        tuple(costs),
        peak_of_stages,
        other,
        speedup,
    )


def _stage_cost(
    trial: Trial, stage: Stage, rate: float, cancelled: CancelFunction, *, with_test: bool = False
) -> StageCost:
    """What a stage takes whose steps train `rate` images per second."""
    before = trial.seconds_per_feature(_FEATURE_BATCH, cancelled) * trial.count_missing(with_test=with_test)
    steps = len(trial.prepared.train_rows) / rate
    return StageCost(stage.epochs, before, steps + _validation_seconds(trial, cancelled))


def _profile_sizes(
    trial: Trial,
    micro_batch: int,
    free: int | None,
    deadline: float,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> tuple[list[BatchSizeResult], bool]:
    """The results from small to large, and whether the memory ran out at the size after the last one.

    The recipe's own size is tried even after the deadline.
    """
    prepared = trial.prepared
    sizes = _sizes(micro_batch, len(prepared.train_rows))
    results: list[BatchSizeResult] = []
    for number, size in enumerate(sizes):
        progress(Progress(number, len(sizes), f"Batches of {size:,}"))
        if not _may_fit(prepared, size, free, results):
            continue
        # No break: the recipe's own size may come later in the list, and is tried even now.
        if size != micro_batch and _takes_too_long(results, size, deadline):
            continue
        result = _profile_size(trial, size, cancelled)
        if result is None:
            # Larger sizes would run out as well.
            return results, True
        results.append(result)
        # Only from the recipe's own size on, which must not be cut off by a slow measurement before it.
        if size >= micro_batch and result.images_per_second < _TOO_SLOW * _best_speed(results):
            break
    return results, False


def _try_other_precision(
    trial: Trial, micro_batch: int, results: list[BatchSizeResult], cancelled: CancelFunction
) -> tuple[str, float | None]:
    """The precision that the recipe does not use, and its speed relative to the recipe's."""
    recipe = trial.prepared.recipe
    other = "float32" if recipe.precision == "bfloat16" else "bfloat16"
    own_result = _result_for(results, micro_batch)
    if own_result is None:
        return other, None
    changed = dataclasses.replace(trial.prepared, recipe=recipe.replace(precision=other))
    result = _profile_size(Trial.of(changed), micro_batch, cancelled)
    return other, result.images_per_second / own_result.images_per_second if result else None


def _takes_too_long(results: list[BatchSizeResult], size: int, deadline: float) -> bool:
    """Whether there is no time left for three steps. At least two sizes are always measured, for the line."""
    left = deadline - time.monotonic()
    return len(results) >= 2 and 3 * size / results[-1].images_per_second > left


def fit_recipe_to_memory(
    prepared: PreparedTraining, *, threads: int | None = None, cancelled: CancelFunction = never_cancelled
) -> Recipe:
    """The recipe with the gradient accumulation that the memory requires; its steps stay the same.

    Raises Cancelled, and TrainingError if nothing fits.
    """
    recipe = prepared.recipe
    estimate = estimate_training(prepared, threads=threads, seconds=0.0, cancelled=cancelled)
    recipe = recipe.replace(accumulate=estimate.accumulate)
    with torch_settings(prepared.device, threads, recipe.seed), retain_freed_memory(prepared.device):
        # The estimate extrapolates from small batches, so it is tried.
        trial = Trial.of(training_stages(prepared.network, recipe)[-1].of(prepared))
        while True:
            size = micro_batch_size(recipe.batch_size, recipe.accumulate)
            if _profile_size(trial, size, cancelled) is not None:
                return recipe
            if 2 * recipe.accumulate > min(recipe.batch_size, MAX_ACCUMULATE):
                raise TrainingError(_NOT_ENOUGH_MEMORY.format(device=prepared.device))
            recipe = recipe.replace(accumulate=2 * recipe.accumulate)


def _sizes(micro_batch: int, image_count: int) -> list[int]:
    return sorted({micro_batch, *(size for size in _SIZES if size <= image_count)})


def _may_fit(prepared: PreparedTraining, size: int, free: int | None, results: list[BatchSizeResult]) -> bool:
    """Whether the size can be tried, by the estimate and by what smaller sizes took.

    The CPU's memory must not be exhausted: instead of an error there, Linux ends some process.
    """
    if free is None:
        return True
    analysis, recipe = analyze(prepared.network), prepared.recipe
    # The larger of two estimates: before the first results, what the tensors need at least; afterwards, the
    # line, which includes what torch's kernels allocate besides.
    base, slope = _memory_line(results, analysis, recipe)
    least = required_memory(analysis, recipe.replace(batch_size=size, accumulate=1))
    return max(least, base + slope * size) <= _USABLE_SHARE * free


def _profile_size(trial: Trial, size: int, cancelled: CancelFunction) -> BatchSizeResult | None:
    """Measures batches of one size; None if the memory ran out, which is released then."""
    peak = PeakMemory(trial.prepared.device)
    try:
        rate = measure_speed(trial, size, cancelled)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    else:
        return BatchSizeResult(size, rate, peak.used())
    # Outside of the handler: as long as the exception lives, its traceback holds the tensors.
    release_memory(trial.prepared.device)
    return None


def measure_speed(trial: Trial, size: int, cancelled: CancelFunction) -> float:
    """Images per second of training steps."""
    with one_thread(trial.has_small_steps(size)):
        return _measure_speed(trial, size, cancelled)


def _measure_speed(trial: Trial, size: int, cancelled: CancelFunction) -> float:
    # A micro-batch costs what a whole batch of its size costs, apart from the update, which is made less
    # often: the speed of a recipe with accumulation is therefore a little underestimated.
    prepared, features = trial.prepared, trial.features
    recipe = prepared.recipe.replace(batch_size=size, accumulate=1)
    model = prepared.fresh_model()
    training_step = TrainingStep(model, recipe, class_weights=prepared.class_weights())
    model.train()
    if features is not None:
        training_step.forward = features.rest_of(model)
    batches = trial.batches(size)
    # The first step also allocates what later ones reuse, such as the optimizer's state.
    _run_step(training_step, *next(batches))
    began, image_count = time.perf_counter(), 0
    for number, (images, labels) in enumerate(batches, start=1):
        raise_if_cancelled(cancelled)
        _run_step(training_step, images, labels)
        image_count += len(images)
        passed = time.perf_counter() - began
        # One step could be an outlier, but of a very slow network two would take too long.
        if passed >= _SECONDS_PER_SIZE and (number >= 2 or passed >= 4 * _SECONDS_PER_SIZE):
            return image_count / passed
    raise AssertionError("the batches never end")


def _run_step(training_step: TrainingStep, images: Tensor, labels: Tensor) -> None:
    loss, _ = training_step.backward(images, labels)
    training_step.update()
    # Waits for an accelerator, which works asynchronously: its work would be counted later, or never.
    loss.item()


def _validation_seconds(trial: Trial, cancelled: CancelFunction) -> float:
    """For all validation images, extrapolated from a few batches of them."""
    prepared, done = trial.prepared, 0
    model, batches, flip = trial.evaluation()
    # The first batch counts too, although it is slower, so that the result may be somewhat too high.
    began = time.perf_counter()
    with evaluation_mode(model):
        for images, _ in batches:
            raise_if_cancelled(cancelled)
            predict_logits(model, images, flip).sum().item()
            done += len(images)
            if time.perf_counter() - began >= _SECONDS_PER_SIZE:
                break
    return (time.perf_counter() - began) * len(prepared.validation) / max(done, 1)


def _conclude(
    prepared: PreparedTraining,
    results: tuple[BatchSizeResult, ...],
    micro_batch: int,
    free: int | None,
    has_run_out: bool,
    stages: tuple[StageCost, ...],
    peak_of_stages: int | None,
    other_precision: str,
    speedup: float | None,
) -> TrainingEstimate:
    recipe = prepared.recipe
    image_count = len(prepared.train_rows)
    base, slope = _memory_line(results, analyze(prepared.network), recipe)
    largest = results[-1].size
    # If the memory ran out at the next size, the last measured one is the answer. Otherwise the line is
    # extended, but no batch is larger than the training set.
    if not has_run_out:
        largest = min(_extrapolate_largest(base, slope, free, largest), image_count)
    own_result = _result_for(results, micro_batch)
    memory = round(base + slope * micro_batch)
    if own_result is not None and own_result.memory is not None:
        memory = own_result.memory
    threshold = _ABOUT_AS_FAST * _best_speed(results)
    return TrainingEstimate(
        sizes=results,
        micro_batch=micro_batch,
        stages=stages,
        epochs=recipe.epochs,
        memory=max(memory, peak_of_stages or 0),
        free=free,
        fastest=next(result.size for result in results if result.images_per_second >= threshold),
        largest=largest,
        # Rounded up, so that each micro-batch fits.
        accumulate=min(max(recipe.accumulate, -(-recipe.batch_size // largest)), MAX_ACCUMULATE),
        other_precision=other_precision,
        speedup=speedup,
    )


def _result_for(results: Iterable[BatchSizeResult], size: int) -> BatchSizeResult | None:
    return next((result for result in results if result.size == size), None)


def _best_speed(results: Iterable[BatchSizeResult]) -> float:
    return max(result.images_per_second for result in results)


def _memory_line(
    results: Sequence[BatchSizeResult], analysis: Analysis, recipe: Recipe
) -> tuple[float, float]:
    """(base, slope): bytes without an image, and bytes per image of the batch.

    The line through the smallest and the largest measured size, but with at least the slope that the layers'
    activations require. With a small network, the measured one can be too flat: what the process allocates
    besides hides the difference.
    """
    least = [required_memory(analysis, recipe.replace(batch_size=size, accumulate=1)) for size in (1, 2)]
    slope = float(least[1] - least[0])
    known = [(result.size, result.memory) for result in results if result.memory is not None]
    if not known:
        return least[0] - slope, slope
    (first, low), (last, high) = known[0], known[-1]
    if last > first:
        slope = max(slope, (high - low) / (last - first))
    # Through the largest size, because from there it is extrapolated.
    return max(high - slope * last, 0.0), slope


def _extrapolate_largest(base: float, slope: float, free: int | None, measured: int) -> int:
    """The largest size that fits: `measured` at least, and beyond it a power of two."""
    if free is None:
        return measured
    # The largest power of two up to `most`, so that the answer does not change with every free megabyte.
    most = int((_USABLE_SHARE * free - base) / slope)
    return min(max(measured, 1 << max(most, 1).bit_length() - 1), _MAX_SIZE)
