"""What a training with locked layers takes: its stages, and what is computed only once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnnstudio.core.progress import never_cancelled
from cnnstudio.design.edits import set_trainable
from cnnstudio.design.network import Network
from cnnstudio.training.preflight import profiling, stages
from cnnstudio.training.preflight.prepare import PreparedTraining, prepare
from cnnstudio.training.preflight.profiling import BatchSizeResult, estimate_training
from cnnstudio.training.preflight.stages import Trial, training_stages
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import tiny

RECIPE = Recipe(batch_size=48, epochs=4, validation_share=0.25, flip="off", shift=0)
LOCKED = ("conv2d_1", "batch_normalization_1", "conv2d_2")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(profiling, "_SECONDS_PER_SIZE", 0.0)
    monkeypatch.setattr(stages, "_FEATURE_SECONDS", 0.0)


def locked() -> Network:
    return set_trainable(tiny(), LOCKED, False)


def prepared(recipe: Recipe = RECIPE, network: Network | None = None) -> PreparedTraining:
    return prepare(network or locked(), colors(), recipe, "cpu", check_memory=False)


def fixed_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.001 s for a step with images and for features of an image, a tenth of it for a step with features."""

    def rate(trial: Trial, *_: object) -> float:
        return 1_000.0 if trial.features is None else 10_000.0

    monkeypatch.setattr(profiling, "measure_speed", rate)
    monkeypatch.setattr(
        profiling, "_profile_size", lambda trial, size, _: BatchSizeResult(size, rate(trial), 50_000_000)
    )
    monkeypatch.setattr(profiling, "_validation_seconds", lambda *_: 0.0)
    monkeypatch.setattr(Trial, "seconds_per_feature", lambda trial, *_: 0.001 if trial.features else 0.0)


def test_a_locked_beginning_counts_once_and_not_again_where_it_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fixed_costs(monkeypatch)
    found = estimate_training(prepared(), threads=1)
    # 96 training images, of which 24 are for validation, with exact features of their own; 48 test images.
    (stage,) = found.stages
    assert stage.seconds_before == pytest.approx(0.001 * (96 + 24 + 48))
    assert stage.seconds_per_epoch == pytest.approx(72 / 10_000)
    assert found.seconds == pytest.approx(stage.seconds_before + 4 * stage.seconds_per_epoch)
    assert "for the locked layers, computed only once." in found.description
    assert found.to_json()["stages"][0]["epochs"] == 4
    train_prepared(prepared(), emit=Listener(), threads=1)
    again = estimate_training(prepared(), threads=1)
    assert again.stages[0].seconds_before == 0
    assert "locked" not in again.description


def test_each_stage_counts_with_its_own_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed_costs(monkeypatch)
    recipe = RECIPE.replace(unlock_after=1, unlock_groups=3)
    found = estimate_training(prepared(recipe), threads=1)
    first, second = found.stages
    assert (first.epochs, second.epochs) == (1, 3)
    # All layers learn in the second, so that nothing is computed before it.
    assert first.seconds_before == pytest.approx(0.001 * (96 + 24))
    assert second.seconds_before == 0
    assert second.seconds_per_epoch == pytest.approx(10 * first.seconds_per_epoch)
    assert found.description.startswith(
        "Epoch 1 takes less than a second, epochs 2 to 4 less than a second, and the whole training less than"
    )


def test_images_are_measured_where_each_epoch_augments_anew() -> None:
    augmented = RECIPE.replace(flip="random")
    assert Trial.of(prepared(augmented)).features is None
    assert Trial.of(prepared(augmented.replace(feature_copies=2))).features is not None
    assert Trial.of(prepared(network=tiny())).features is None


def test_what_is_measured_in_place_of_images_is_what_the_rest_takes() -> None:
    recipe = RECIPE.replace(test_time_flip=True)
    for network in (locked(), set_trainable(tiny(), LOCKED[:1], False)):
        trial = Trial.of(prepared(recipe, network))
        assert profiling.measure_speed(trial, 16, never_cancelled) > 0
        assert trial.seconds_per_feature(8, never_cancelled) > 0
        model, batches, flips = trial.evaluation()
        images, labels = next(iter(batches))
        assert model.eval()(images).shape == (len(labels), 3)
        assert not flips


def test_a_recipe_has_two_stages_only_where_something_is_locked() -> None:
    recipe = RECIPE.replace(unlock_after=1)
    assert len(training_stages(tiny(), recipe)) == 1
    assert [stage.epochs for stage in training_stages(locked(), recipe)] == [1, 3]
