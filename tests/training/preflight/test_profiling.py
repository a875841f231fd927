"""A few measured batches tell what a training will take."""

from __future__ import annotations

import pytest
import torch

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.training.hardware.device_memory import PeakMemory
from cnnstudio.training.preflight import profiling as measurement
from cnnstudio.training.preflight.prepare import Prepared, TrainingError, needed_memory, prepare
from cnnstudio.training.preflight.profiling import Measured, fitted_recipe, measure
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.train_step import Learner
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe(batch_size=48, epochs=3)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_ENOUGH", 0.0)


def prepared(recipe: Recipe = RECIPE) -> Prepared:
    return prepare(tiny(), colors(), recipe, "cpu", check_memory=False)


def table(monkeypatch: pytest.MonkeyPatch, rates: dict[int, float], per_image: int = 1_000_000) -> None:
    """Sizes that are as fast as is said, and take 50 MB and so much for an image; others run out."""

    def measured(prepared: Prepared, size: int, cancelled: object) -> Measured | None:
        known = size in rates
        return Measured(size, rates[size], 50_000_000 + per_image * size) if known else None

    monkeypatch.setattr(measurement, "_measured", measured)


def run_out(monkeypatch: pytest.MonkeyPatch, beyond: int) -> list[int]:
    """Lets the memory run out for more images at a time; gives the list of what is tried."""
    tried: list[int] = []
    backward = Learner.backward

    def limited(
        self: Learner, images: torch.Tensor, labels: torch.Tensor, count: int | None = None
    ) -> object:
        tried.append(min(len(images), self._part))
        if tried[-1] > beyond:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return backward(self, images, labels, count)

    monkeypatch.setattr(Learner, "backward", limited)
    return tried


def test_it_measures_the_recipes_batches_and_others_from_small_to_large() -> None:
    told: list[Progress] = []
    found = measure(prepared(), threads=1, progress=told.append)
    sizes = [one.size for one in found.sizes]
    assert 48 in sizes
    assert sizes == sorted(sizes)
    assert max(sizes) <= 96
    assert [progress.done for progress in told] == [*range(len(told))]
    own = next(one for one in found.sizes if one.size == 48)
    assert found.seconds_per_epoch is not None
    assert found.seconds_per_epoch >= 96 / own.images_per_second
    assert found.seconds == 3 * found.seconds_per_epoch
    assert found.fastest in sizes
    assert (found.fits, found.accumulate, found.part) == (True, 1, 48)
    assert found.memory > 0


def test_the_training_after_it_is_the_same_as_without_it() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    heard = [Listener(), Listener()]
    train_prepared(prepared(), emit=heard[0], threads=1)
    torch.manual_seed(7)
    measure(prepared(), threads=1)
    assert torch.equal(torch.rand(3), expected)
    train_prepared(prepared(), emit=heard[1], threads=1)
    assert heard[0].losses() == heard[1].losses()


def test_the_fastest_is_the_smallest_of_those_that_are_about_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, {16: 500.0, 32: 990.0, 48: 995.0, 64: 1000.0})
    assert measure(prepared(), threads=1).fastest == 32


def test_sizes_beyond_a_much_slower_one_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, {16: 1000.0, 32: 700.0, 48: 700.0, 64: 1.0})
    assert [one.size for one in measure(prepared(), threads=1).sizes] == [16, 32, 48]


@pytest.mark.parametrize(("own", "other"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_the_other_precision_is_told_where_it_is_clearly_faster(
    monkeypatch: pytest.MonkeyPatch, own: str, other: str
) -> None:
    rates = {own: 1000.0, other: 1800.0}

    def measured(prepared: Prepared, size: int, cancelled: object) -> Measured:
        return Measured(size, rates[prepared.recipe.precision], 50_000_000)

    monkeypatch.setattr(measurement, "_measured", measured)
    found = measure(prepared(RECIPE.replace(precision=own)), threads=1)
    assert found.quicker_precision == other
    assert f"In {other} it would be 1.8 × as fast." in found.sentence
    rates[other] = 1100.0
    found = measure(prepared(RECIPE.replace(precision=own)), threads=1)
    assert (found.quicker_precision, found.gain) == (None, pytest.approx(1.1))
    assert other not in found.sentence


def test_the_largest_that_fits_is_reckoned_along_the_measured_line(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, dict.fromkeys((16, 32, 48, 64), 1000.0), per_image=10_000_000)
    monkeypatch.setattr(measurement, "free_memory", lambda device: 1_000_000_000)
    # 50 MB, and 10 MB for each of 80 images; among 96 images.
    assert measure(prepared(), threads=1).largest == 64
    monkeypatch.setattr(measurement, "free_memory", lambda device: 100_000_000_000)
    assert measure(prepared(), threads=1).largest == 96


def test_batches_that_are_too_large_are_split_for_the_same_step(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = run_out(monkeypatch, beyond=20)
    found = measure(prepared(RECIPE.replace(batch_size=90)), threads=1)
    assert [one.size for one in found.sizes] == [16]
    assert (found.largest, found.accumulate, found.fits, found.seconds) == (16, 6, False, None)
    tried.clear()
    recipe = fitted_recipe(prepared(RECIPE.replace(batch_size=90)), threads=1)
    assert (recipe.batch_size, recipe.accumulate) == (90, 6)
    assert train_prepared(prepared(recipe), emit=Listener(), threads=1).outcome == "completed"


def test_what_was_reckoned_is_tried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "_SIZES", (2, 4))
    monkeypatch.setattr(measurement, "_fits", lambda prepared, size, free, found: size <= 48)
    monkeypatch.setattr(measurement, "_concluded", lambda prepared, *rest: prepared.recipe)
    tried = run_out(monkeypatch, beyond=24)
    assert fitted_recipe(prepared(), threads=1).accumulate == 2
    assert set(tried) == {2, 4, 24, 48}


def test_a_batch_for_which_there_is_not_the_memory_is_not_even_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = run_out(monkeypatch, beyond=1000)
    needed = needed_memory
    monkeypatch.setattr(
        measurement,
        "needed_memory",
        lambda analysis, recipe: needed(analysis, recipe) if recipe.batch_size < 40 else 10**12,
    )
    found = measure(prepared(), threads=1)
    assert max(tried) == 32
    assert found.seconds is None


def test_a_batch_that_measured_ones_say_is_too_large_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    table(monkeypatch, dict.fromkeys((2, 16, 32, 48, 64), 1000.0), per_image=10_000_000)
    monkeypatch.setattr(measurement, "free_memory", lambda device: 500_000_000)
    found = measure(prepared(), threads=1)
    assert [one.size for one in found.sizes] == [16, 32]
    assert (found.largest, found.accumulate) == (32, 2)


def test_nothing_that_fits_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    run_out(monkeypatch, beyond=0)
    for attempt in (measure, fitted_recipe):
        with pytest.raises(TrainingError, match="too little memory for this network"):
            attempt(prepared(), threads=1)


def test_it_can_be_called_off() -> None:
    with pytest.raises(Cancelled):
        measure(prepared(), threads=1, cancelled=lambda: True)


@pytest.mark.skipif(PeakMemory(torch.device("cpu")).used() is None, reason="only Linux tells its peak")
def test_the_peak_is_what_was_in_use_at_a_time() -> None:
    peak = PeakMemory(torch.device("cpu"))
    torch.ones(8_000_000)
    torch.ones(4_000_000)
    assert 30_000_000 < (peak.used() or 0) < 60_000_000
    assert (PeakMemory(torch.device("cpu")).used() or 0) < 10_000_000
