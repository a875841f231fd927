"""Training on features that were computed once: the same run as without them, in a fraction of the time."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cnnstudio.core.progress import Cancelled, Progress, ignore_progress, never_cancelled
from cnnstudio.design import edits
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training.control import Control
from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks
from cnnstudio.training.events import EpochEnded, Event, Finished, Warned
from cnnstudio.training.events import Progress as Trained
from cnnstudio.training.frozen import features, store
from cnnstudio.training.frozen.features import FrozenFeatures
from cnnstudio.training.frozen.frozen_part import FrozenPart, frozen_length
from cnnstudio.training.frozen.store import FLOAT32, features_folder
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.run_state import RunState
from cnnstudio.training.train_step import TrainingStep
from cnnstudio.training.trainer import train_prepared
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import network, tiny

RECIPE = LESSON.replace(epochs=3, batch_size=24, validation_share=0.2)
HALF = RECIPE.replace(precision="bfloat16")
AUGMENTED = RECIPE.replace(flip="random", shift=1, feature_copies=2)


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNSTUDIO_HOME", str(tmp_path / "home"))


def locked(network: Network | None = None, layers: int = 2) -> Network:
    """A network of which the first layers are locked."""
    network = network or tiny()
    return edits.set_trainable(network, [node.id for node in network.nodes[:layers]], False)


def _train(recipe: Recipe, monkeypatch: pytest.MonkeyPatch | None = None, *, layers: int = 2) -> Listener:
    """A run; with the patch, one that computes all layers with every step."""
    listener = Listener()
    with pytest.MonkeyPatch.context() as patch:
        if monkeypatch is not None:
            patch.setattr(FrozenFeatures, "of", lambda *arguments: None)
        train_prepared(prepare(locked(layers=layers), colors(), recipe, "cpu"), emit=listener)
    return listener


@pytest.mark.parametrize("flips", [False, True], ids=["as they are", "and mirrored"])
@pytest.mark.parametrize("layers", [2, 5], ids=["maps", "flat"])
def test_a_run_on_features_is_the_run_on_images(
    flips: bool, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = RECIPE.replace(test_time_flip=flips)
    fast, slow = _train(recipe, layers=layers), _train(recipe, monkeypatch, layers=layers)
    assert list(features_folder().iterdir())
    assert fast.losses() == pytest.approx(slow.losses(), abs=1e-4)
    figures = [
        [(event.validation.loss, event.validation.accuracy) for event in each.of(EpochEnded)]
        for each in (fast, slow)
    ]
    assert np.allclose(*figures, atol=1e-4)
    tests = [[(event.test.loss, event.test.accuracy) for event in each.of(Finished)] for each in (fast, slow)]
    assert np.allclose(*tests, atol=1e-4)


def test_the_second_run_computes_nothing_of_the_locked_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = _train(RECIPE)
    monkeypatch.setattr("cnnstudio.training.frozen.store.atomic_writer", None)
    monkeypatch.setattr("cnnstudio.training.frozen.frozen_part.folded", None)
    assert _train(RECIPE).losses() == first.losses()


@pytest.mark.parametrize(
    ("layers", "changes", "expected"),
    [
        (["conv2d_1", "batch_normalization_1", "conv2d_2"], {}, 1),
        (["conv2d_1", "batch_normalization_1", "conv2d_2"], {"flip": "random"}, 2),
        (["conv2d_1", "batch_normalization_1"], {}, 2),
    ],
    ids=["a last layer", "on images", "more than that"],
)
def test_steps_of_a_last_layer_are_not_shared_between_threads(
    layers: list[str], changes: dict[str, object], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = list[int]()
    backward = TrainingStep.backward

    def note(step: TrainingStep, *arguments: object) -> object:
        threads.append(torch.get_num_threads())
        return backward(step, *arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(TrainingStep, "backward", note)
    network = edits.set_trainable(tiny(), layers, False)
    recipe = RECIPE.replace(epochs=1, **changes)
    before = torch.get_num_threads()
    train_prepared(prepare(network, colors(), recipe, "cpu"), threads=2, emit=Listener())
    assert set(threads) == {expected}
    assert torch.get_num_threads() == before


def test_augmented_copies_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = prepare(locked(), colors(), AUGMENTED, "cpu")
    found = FrozenFeatures.of(prepared, prepared.fresh_model(), lambda progress: None, lambda: False)
    assert found is not None
    batches = found.train_batches()
    epochs = [torch.cat([images for images, _ in batches.epoch(number)]) for number in (1, 2)]
    order = [torch.cat([labels for _, labels in prepared.batches().epoch(number)]) for number in (1, 2)]
    assert all(
        torch.equal(torch.cat([labels for _, labels in batches.epoch(number)]), order[number - 1])
        for number in (1, 2)
    )
    sums = [set(each.sum((1, 2, 3)).tolist()) for each in epochs]
    assert len(sums[0] & sums[1]) < len(sums[0]) / 2
    again = torch.cat([images for images, _ in batches.epoch(3)])
    assert set(again.sum((1, 2, 3)).tolist()) == sums[0]


@pytest.mark.parametrize(
    "changes",
    [{"flip": "random"}, {"mixup": 0.2, "feature_copies": 2}],
    ids=["augmented anew", "mixed"],
)
def test_recipes_that_need_the_images_get_them(changes: dict[str, object]) -> None:
    prepared = prepare(locked(), colors(), RECIPE.replace(**changes), "cpu")
    model = prepared.fresh_model()
    assert FrozenFeatures.of(prepared, model, lambda progress: None, lambda: False) is None


@pytest.mark.parametrize("layers", [2, 5], ids=["maps", "flat"])
def test_what_is_computed_as_bfloat16_is_kept_so_and_loses_nothing(layers: int) -> None:
    prepared = prepare(locked(layers=layers), colors(), HALF, "cpu")
    model = prepared.fresh_model()
    found = FrozenFeatures.of(prepared, model, ignore_progress, never_cancelled)
    assert found is not None
    part = FrozenPart(model, frozen_length(model), bfloat16=True)
    ((images, _),) = prepared.unshuffled(prepared.train).epoch(0)
    computed = torch.cat([part(each) for each in images.split(32)])
    assert computed.dtype == torch.bfloat16
    read = found.all_images(prepared.train)[:]
    assert read.dtype == np.float32
    assert torch.equal(torch.from_numpy(read), computed.float().flatten(1))
    rows = {tuple(row.tolist()) for row in computed.float().flatten(1)}
    for values, _ in found.train_batches().epoch(1):
        assert values.dtype == torch.float32
        assert {tuple(row.tolist()) for row in values.flatten(1)} <= rows
    (path,) = features_folder().iterdir()
    assert path.stat().st_size == 2 * computed.numel()
    # Figures are measured on exact ones.
    ((exact, _),) = found.unshuffled(prepared.test).epoch(0)
    assert not torch.equal(exact, exact.bfloat16().float())


def test_a_run_on_features_in_half_the_space_has_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    halved = _train(HALF)
    shutil.rmtree(features_folder())
    monkeypatch.setattr(features, "_dtype", lambda values: FLOAT32)
    whole = _train(HALF)
    assert halved.losses() == whole.losses()
    assert [each.validation for each in halved.of(EpochEnded)] == [
        each.validation for each in whole.of(EpochEnded)
    ]


def test_what_is_computed_as_float32_beside_bfloat16_is_kept_so() -> None:
    images = network(BatchNormalization(), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    prepared = prepare(locked(images, layers=1), colors(), HALF, "cpu")
    found = FrozenFeatures.of(prepared, prepared.fresh_model(), ignore_progress, never_cancelled)
    assert found is not None
    assert found.all_images(prepared.train).values.dtype == FLOAT32


@pytest.mark.parametrize(
    ("layers", "mirrors", "expected"),
    # The first two layers give 8 × 8 × 8 values; the pooling, which is locked with the third, 8 × 3 × 3.
    [(0, False, 8), (2, False, 8), (3, False, 56), (3, True, 28)],
)
def test_an_evaluation_has_as_many_images_at_a_time_as_what_is_left_to_compute_lets_it(
    layers: int, mirrors: bool, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.training.preflight.prepare._EVALUATION_BYTES", 4 * 8 * 8 * 8 * 8)
    recipe = RECIPE.replace(test_time_flip=mirrors)
    prepared = prepare(locked(layers=layers), colors(test=60), recipe, "cpu")
    assert prepared.evaluation_batch_size == 8
    found = FrozenFeatures.of(prepared, prepared.fresh_model(), ignore_progress, never_cancelled)
    batches = found.unshuffled(prepared.test) if found else prepared.unshuffled(prepared.test)
    assert batches.global_batch_size(0) == expected


@pytest.mark.parametrize(
    "recipe",
    [HALF, AUGMENTED, RECIPE.replace(test_time_flip=True, validation_share=0)],
    ids=["held out", "copies", "mirrored, and validated on the test images"],
)
def test_the_size_is_that_of_all_files(recipe: Recipe) -> None:
    prepared = prepare(locked(), colors(), recipe, "cpu")
    found = FrozenFeatures.of(prepared, prepared.fresh_model(), ignore_progress, never_cancelled)
    assert found is not None
    found.train_batches()
    for images in (prepared.validation, prepared.test):
        found.unshuffled(images)
    assert found.size == sum(path.stat().st_size for path in features_folder().iterdir())


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("MAX_TRAINING_BYTES", 150_000, "at most 150 kB are kept"),
        ("stays_in_memory", lambda size: False, "this computer has too little memory for it"),
        ("_has_room", lambda size, freed=0: False, "there is not enough space on the disk of"),
    ],
)
def test_features_that_would_be_too_large_are_not_kept(
    name: str, value: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_MAX_UNKEPT_BYTES", 1000)
    monkeypatch.setattr(store, name, value)
    slow = _train(RECIPE.replace(flip="random", feature_copies=4))
    assert len(slow.of(EpochEnded)) == RECIPE.epochs
    assert not features_folder().exists() or not list(features_folder().iterdir())
    (message,) = [each.message for each in slow.of(Warned) if "locked layers compute" in each.message]
    assert message.startswith(f"What the locked layers compute would take 922 kB: {reason}")
    assert message.endswith(". They are computed again in every step, which takes longer.")


def test_a_disk_that_is_full_at_the_end_costs_the_test_only_time(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _train(RECIPE).of(Finished)[0].test
    shutil.rmtree(features_folder())
    monkeypatch.setattr(store, "_MAX_UNKEPT_BYTES", 1000)

    def fill(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == RECIPE.epochs:
            monkeypatch.setattr(store, "_MIN_FREE_BYTES", 2**70)

    listener = Listener(fill)
    train_prepared(prepare(locked(), colors(), RECIPE, "cpu"), emit=listener)
    test = listener.of(Finished)[0].test
    assert test is not None
    assert expected is not None
    assert (test.loss, test.accuracy) == pytest.approx((expected.loss, expected.accuracy), abs=1e-4)


def test_computing_them_reports_progress_and_can_be_stopped() -> None:
    control, seen = Control(), list[Progress]()

    def stop(progress: Progress) -> None:
        seen.append(progress)
        control.stop.set()

    listener = Listener()
    finished = train_prepared(
        prepare(locked(), colors(), RECIPE, "cpu"), emit=listener, control=control, progress=stop
    )
    assert finished.outcome == "stopped"
    assert seen[0].text == "Computing the locked layers: 32 of 96 training images"
    assert not listener.of(Trained)
    # What was computed is kept for the next time.
    assert len(list(features_folder().iterdir())) == 1


def test_a_change_of_augmentation_while_it_trains_goes_back_to_images() -> None:
    control = Control()

    def change(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1:
            control.request_change(flip="random")

    listener = Listener(change)
    finished = train_prepared(prepare(locked(), colors(), RECIPE, "cpu"), emit=listener, control=control)
    assert finished.outcome == "completed"
    assert len(listener.of(EpochEnded)) == 3


def test_a_run_whose_augmentation_was_changed_resumes_on_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changed recipe could have features of its own, but the run was already drawing anew each epoch."""
    control = Control()

    def change(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1:
            control.request_change(shift=2)
        if isinstance(event, EpochEnded) and event.epoch == 2:
            control.request_stop()

    listener = Listener(change)
    finished = train_prepared(
        prepare(locked(), colors(), AUGMENTED, "cpu"), emit=listener, control=control, folder=tmp_path / "run"
    )
    assert finished.outcome == "stopped"
    monkeypatch.setattr(FrozenFeatures, "of", None)
    finished = train_prepared(
        prepare(locked(), colors(), AUGMENTED, "cpu"), emit=Listener(), folder=tmp_path / "run", resume=True
    )
    assert finished.outcome == "completed"


def test_features_that_were_interrupted_are_those_of_one_go() -> None:
    prepared = prepare(locked(), colors(), AUGMENTED, "cpu")

    def find(stops: Iterator[bool]) -> FrozenFeatures:
        model = prepared.fresh_model()
        model.load_state_dict(weights)
        found = FrozenFeatures.of(prepared, model, ignore_progress, lambda: next(stops))
        assert found is not None
        return found

    def copies(found: FrozenFeatures) -> list[Tensor]:
        batches = found.train_batches()
        return [torch.cat([values for values, _ in batches.epoch(number)]) for number in (1, 2)]

    weights = prepared.fresh_model().state_dict()
    whole = copies(find(itertools.repeat(False)))
    shutil.rmtree(features_folder())
    for _ in range(2):
        with pytest.raises(Cancelled):
            copies(find(iter([False, False, True])))
    again = copies(find(itertools.repeat(False)))
    assert all(torch.equal(one, other) for one, other in zip(whole, again, strict=True))


@pytest.mark.parametrize(("step", "recipe", "count"), [(0, RECIPE, 1), (5, RECIPE, 0)])
def test_several_processes_say_once_that_they_keep_no_features(
    step: int, recipe: Recipe, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunState(prepare(locked(), colors(), recipe, "cpu"), Listener(), None, SINGLE_PROCESS)
    warnings: list[str] = []
    monkeypatch.setattr(Ranks, "is_single_process", False)
    run.warn, run.step = warnings.append, step
    run.use_features(ignore_progress, never_cancelled)
    assert run.features is None
    assert len(warnings) == count
    assert all("the locked layers are computed again in every step" in each for each in warnings)


def test_several_processes_say_nothing_where_no_features_would_be_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for design, recipe in ((tiny(), RECIPE), (locked(), RECIPE.replace(flip="random"))):
        with monkeypatch.context() as patch:
            run = RunState(prepare(design, colors(), recipe, "cpu"), Listener(), None, SINGLE_PROCESS)
            patch.setattr(Ranks, "is_single_process", False)
            patch.setattr(run, "warn", None)
            run.use_features(ignore_progress, never_cancelled)
