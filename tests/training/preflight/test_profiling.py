"""Estimates of a training's time and memory from a few measured batches."""

from __future__ import annotations

import pytest
import torch

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.training.hardware.device_memory import PeakMemory
from cnnstudio.training.preflight import profiling
from cnnstudio.training.preflight.checks import TrainingError, required_memory
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.preflight.profiling import BatchSizeResult, estimate_training, fit_recipe_to_memory
from cnnstudio.training.preflight.stages import Trial
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe(batch_size=48, epochs=3)


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_SECONDS_PER_SIZE", 0.0)


def prepared(recipe: Recipe = RECIPE) -> PreparedTraining:
    return prepare(tiny(), colors(), recipe, "cpu", check_memory=False)


def fake_results(
    monkeypatch: pytest.MonkeyPatch, rates: dict[int, float], per_image: int = 1_000_000
) -> None:
    """Sizes with these speeds that take 50 MB plus `per_image`; other sizes run out of memory."""

    def profile_size(trial: Trial, size: int, cancelled: object) -> BatchSizeResult | None:
        known = size in rates
        return BatchSizeResult(size, rates[size], 50_000_000 + per_image * size) if known else None

    monkeypatch.setattr(profiling, "_profile_size", profile_size)


def run_out(monkeypatch: pytest.MonkeyPatch, beyond: int) -> list[int]:
    """Makes memory run out for larger micro-batches; returns the list of the sizes that are tried."""
    tried: list[int] = []
    backward = TrainingStep.backward

    def limited(
        self: TrainingStep, images: torch.Tensor, labels: torch.Tensor, count: int | None = None
    ) -> object:
        tried.append(min(len(images), self._micro_batch_size))
        if tried[-1] > beyond:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return backward(self, images, labels, count)

    monkeypatch.setattr(TrainingStep, "backward", limited)
    return tried


def test_it_measures_the_recipes_batch_size_and_others_from_small_to_large() -> None:
    reported: list[Progress] = []
    found = estimate_training(prepared(), threads=1, progress=reported.append)
    sizes = [one.size for one in found.sizes]
    assert 48 in sizes
    assert sizes == sorted(sizes)
    assert max(sizes) <= 96
    assert [progress.done for progress in reported] == [*range(len(reported))]
    own = next(one for one in found.sizes if one.size == 48)
    assert found.seconds_per_epoch is not None
    assert found.seconds_per_epoch >= 96 / own.images_per_second
    assert found.seconds == 3 * found.seconds_per_epoch
    assert found.fastest in sizes
    assert (found.fits, found.accumulate, found.micro_batch) == (True, 1, 48)
    assert found.memory > 0


def test_what_the_other_precision_takes_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {"float32": 3_000, "bfloat16": 1_000}
    peak = [0]

    class Peak:
        """As of a real device: one counter, which each new object sets back."""

        def __init__(self, device: torch.device) -> None:
            peak[0] = 0

        def used(self) -> int:
            return peak[0]

    def speed(trial: Trial, size: int, cancelled: object) -> float:
        peak[0] = max(peak[0], used[trial.prepared.recipe.precision])
        return 1_000.0

    def validate(*_: object) -> float:
        peak[0] = max(peak[0], 2_000)
        return 0.0

    monkeypatch.setattr(profiling, "PeakMemory", Peak)
    monkeypatch.setattr(profiling, "measure_speed", speed)
    monkeypatch.setattr(profiling, "_validation_seconds", validate)
    found = estimate_training(prepared(RECIPE.replace(precision="bfloat16")), threads=1)
    assert found.memory == 2_000


def test_a_training_afterwards_is_the_same_as_without_it() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    listener = [Listener(), Listener()]
    train_prepared(prepared(), emit=listener[0], threads=1)
    torch.manual_seed(7)
    estimate_training(prepared(), threads=1)
    assert torch.equal(torch.rand(3), expected)
    train_prepared(prepared(), emit=listener[1], threads=1)
    assert listener[0].losses() == listener[1].losses()


def test_the_fastest_is_the_smallest_of_about_equally_fast_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_results(monkeypatch, {16: 500.0, 32: 990.0, 48: 995.0, 64: 1000.0})
    assert estimate_training(prepared(), threads=1).fastest == 32


def test_sizes_larger_than_a_much_slower_one_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_results(monkeypatch, {16: 1000.0, 32: 700.0, 48: 700.0, 64: 1.0})
    assert [one.size for one in estimate_training(prepared(), threads=1).sizes] == [16, 32, 48]


@pytest.mark.parametrize(("own", "other"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_the_other_precision_is_suggested_if_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, own: str, other: str
) -> None:
    rates = {own: 1000.0, other: 1800.0}

    def profile_size(trial: Trial, size: int, cancelled: object) -> BatchSizeResult:
        return BatchSizeResult(size, rates[trial.prepared.recipe.precision], 50_000_000)

    monkeypatch.setattr(profiling, "_profile_size", profile_size)
    found = estimate_training(prepared(RECIPE.replace(precision=own)), threads=1)
    assert found.faster_precision == other
    assert f"{other} would be 1.8× as fast." in found.description
    rates[other] = 1100.0
    found = estimate_training(prepared(RECIPE.replace(precision=own)), threads=1)
    assert (found.faster_precision, found.speedup) == (None, pytest.approx(1.1))
    assert other not in found.description


def test_the_largest_fitting_batch_is_extrapolated_from_the_measured_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_results(monkeypatch, dict.fromkeys((16, 32, 48, 64), 1000.0), per_image=10_000_000)
    monkeypatch.setattr(profiling, "free_memory", lambda device: 1_000_000_000)
    # 50 MB plus 10 MB for each of 80 images; there are 96 images.
    assert estimate_training(prepared(), threads=1).largest == 64
    monkeypatch.setattr(profiling, "free_memory", lambda device: 100_000_000_000)
    assert estimate_training(prepared(), threads=1).largest == 96


def test_batches_that_are_too_large_are_split_into_micro_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = run_out(monkeypatch, beyond=20)
    found = estimate_training(prepared(RECIPE.replace(batch_size=90)), threads=1)
    assert [one.size for one in found.sizes] == [16]
    assert (found.largest, found.accumulate, found.fits, found.seconds) == (16, 6, False, None)
    tried.clear()
    recipe = fit_recipe_to_memory(prepared(RECIPE.replace(batch_size=90)), threads=1)
    assert (recipe.batch_size, recipe.accumulate) == (90, 6)
    assert train_prepared(prepared(recipe), emit=Listener(), threads=1).outcome == "completed"


def test_the_extrapolated_accumulation_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "_SIZES", (2, 4))
    monkeypatch.setattr(profiling, "_may_fit", lambda prepared, size, free, results: size <= 48)
    monkeypatch.setattr(profiling, "_conclude", lambda prepared, *rest: prepared.recipe)
    tried = run_out(monkeypatch, beyond=24)
    assert fit_recipe_to_memory(prepared(), threads=1).accumulate == 2
    assert set(tried) == {2, 4, 24, 48}


def test_a_batch_that_cannot_fit_by_the_estimate_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = run_out(monkeypatch, beyond=1000)
    needed = required_memory
    monkeypatch.setattr(
        profiling,
        "required_memory",
        lambda analysis, recipe: needed(analysis, recipe) if recipe.batch_size < 40 else 10**12,
    )
    found = estimate_training(prepared(), threads=1)
    assert max(tried) == 32
    assert found.seconds is None


def test_a_batch_that_cannot_fit_by_the_measurements_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_results(monkeypatch, dict.fromkeys((2, 16, 32, 48, 64), 1000.0), per_image=10_000_000)
    monkeypatch.setattr(profiling, "free_memory", lambda device: 500_000_000)
    found = estimate_training(prepared(), threads=1)
    assert [one.size for one in found.sizes] == [16, 32]
    assert (found.largest, found.accumulate) == (32, 2)


def test_a_network_that_does_not_fit_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    run_out(monkeypatch, beyond=0)
    for attempt in (estimate_training, fit_recipe_to_memory):
        with pytest.raises(TrainingError, match="does not have enough memory for this network"):
            attempt(prepared(), threads=1)


def test_it_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        estimate_training(prepared(), threads=1, cancelled=lambda: True)


@pytest.mark.skipif(PeakMemory(torch.device("cpu")).used() is None, reason="only Linux reports the peak")
def test_the_peak_is_the_most_memory_in_use_at_once() -> None:
    # Large, because a system that is short of memory drops pages of torch's own code, and what it reads again
    # of them after the peak is subtracted: up to some 100 MB.
    peak = PeakMemory(torch.device("cpu"))
    torch.ones(80_000_000)
    torch.ones(40_000_000)
    assert 200_000_000 < (peak.used() or 0) < 480_000_000
    assert (PeakMemory(torch.device("cpu")).used() or 0) < 100_000_000
