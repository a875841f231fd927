"""What cannot be trained is refused with one sentence, before anything happens."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import DataError, Dataset, Split
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.training.control import Control
from cnnstudio.training.events import Diagnosed, Started
from cnnstudio.training.hardware import device
from cnnstudio.training.hardware.device import DeviceError, available_devices, choose_device
from cnnstudio.training.model import build_model
from cnnstudio.training.preflight import checks
from cnnstudio.training.preflight.checks import TrainingError, required_memory
from cnnstudio.training.preflight.prepare import evaluation_batch_size, prepare
from cnnstudio.training.pretrained.start_weights import from_network
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener, stop_at
from tests.training.networks import lesson, network, tiny

SMALL = Shape.of(3, 8, 8)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (
            network(Conv2D(4), Dense(3), input=SMALL),
            r"Dense takes a flat vector.*: insert Flatten before it\.$",
        ),
        (network(input=SMALL), "The network has no layers yet"),
        (
            network(Flatten(), Dense(7), input=SMALL),
            r"Dense outputs 7 scores, but the data has 3 classes: set units",
        ),
        (network(GlobalAveragePooling2D(), input=SMALL), "has no trainable weights"),
    ],
    ids=["flatten", "empty", "classes", "weights"],
)
def test_a_network_with_a_problem_is_refused(design: Network, message: str, tmp_path: Path) -> None:
    listener = Listener()
    with pytest.raises(TrainingError, match=message):
        train(design, colors(), LESSON, emit=listener, folder=tmp_path / "run")
    assert not listener.events
    assert not (tmp_path / "run").exists()


def test_a_missing_device_is_refused_and_the_available_ones_are_named() -> None:
    with pytest.raises(DeviceError, match=r"this machine has no “cuda:99”; available: cpu"):
        prepare(tiny(), colors(), LESSON, "cuda:99")


def test_auto_is_the_first_accelerator_or_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_devices()[0] == "cpu"
    monkeypatch.setattr(device, "available_devices", lambda: ["cpu"])
    assert choose_device() == torch.device("cpu")
    monkeypatch.setattr(device, "available_devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    assert choose_device() == choose_device("cuda") == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("threads", [0, -1, 5000])
def test_an_invalid_number_of_threads_is_refused(threads: int) -> None:
    listener = Listener()
    with pytest.raises(TrainingError, match="threads: must be an integer from 1 to 1,024"):
        train(tiny(), colors(), LESSON, emit=listener, threads=threads)
    assert not listener.events


def test_a_training_that_does_not_fit_into_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "free_memory", lambda device: 10_000)
    with pytest.raises(
        TrainingError,
        match=r"needs about .* GB of memory, but 0.0 GB are free on this computer: use fewer filters",
    ):
        prepare(tiny(), colors(), LESSON)
    prepare(tiny(), colors(), LESSON, check_memory=False)
    monkeypatch.setattr(checks, "free_memory", lambda device: None)
    prepare(tiny(), colors(), LESSON)


def test_gradient_accumulation_is_offered_for_a_batch_that_does_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, analysis = LESSON.replace(batch_size=96), analyze(tiny())
    free = required_memory(analysis, recipe) // 2
    monkeypatch.setattr(checks, "free_memory", lambda device: free)
    with pytest.raises(
        TrainingError, match=r"split each batch of 96 into 4 \(gradient accumulation\)"
    ) as refused:
        prepare(tiny(), colors(), recipe)
    assert refused.value.remedy is not None
    assert refused.value.remedy.apply_to(recipe).accumulate == 4
    assert required_memory(analysis, recipe.replace(accumulate=4)) < 0.8 * free
    prepare(tiny(), colors(), recipe.replace(accumulate=4))


def test_the_required_memory_grows_with_batch_size_and_optimizer() -> None:
    analysis = analyze(lesson())
    small, large = (required_memory(analysis, LESSON.replace(batch_size=size)) for size in (32, 64))
    numbers = analysis.network.input.size + analysis.activations
    assert large - small == 32 * numbers * 4
    plain = required_memory(analysis, Recipe(optimizer="sgd", momentum=0.0))
    assert small - plain == 2 * 4 * analysis.parameters


def test_single_image_batches_are_refused_only_with_batch_normalization_of_vectors() -> None:
    flat = network(Flatten(), Dense(8), BatchNormalization(), Dense(3), input=SMALL)
    with pytest.raises(TrainingError, match=r"batch_size: must be at least 2, because BatchNormalization"):
        prepare(flat, colors(), LESSON.replace(batch_size=1))
    prepare(tiny(), colors(), LESSON.replace(batch_size=1))


def test_single_image_batches_are_allowed_where_no_normalization_looks_at_the_batch() -> None:
    flat = network(Flatten(), Dense(8), BatchNormalization(), Dense(3), input=SMALL)
    single = LESSON.replace(batch_size=1)
    kept = single.replace(batch_norm_statistics="kept")
    whole = from_network("other", flat, build_model(flat).state_dict(), flat)
    prepare(flat, colors(), kept, start_weights=whole)
    (norm,) = (node.id for node in flat.nodes if isinstance(node.layer, BatchNormalization))
    prepare(edits.set_trainable(flat, [norm], False), colors(), single)
    # Nothing is known of one that starts afresh, and nobody asked for it without the setting.
    part = {name: each for name, each in build_model(flat).state_dict().items() if not name.startswith(norm)}
    for recipe, start in ((kept, None), (kept, dataclasses.replace(whole, weights=part)), (single, whole)):
        with pytest.raises(TrainingError, match=r"batch_size: must be at least 2"):
            prepare(flat, colors(), recipe, start_weights=start)


def test_too_few_images_are_refused() -> None:
    data = colors(train=1)
    with pytest.raises(TrainingError, match=r"Colors has too few images: .* has 1 and 48"):
        prepare(tiny(), data, LESSON)
    empty = Split(np.zeros((0, 3, 8, 8), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(TrainingError, match="has 96 and 0"):
        prepare(tiny(), dataclasses.replace(colors(), test=empty), LESSON)


def test_data_errors_pass_through() -> None:
    with pytest.raises(DataError):
        prepare(tiny(), colors(train=3), LESSON.replace(validation_share=0.3))


def test_every_refusal_is_one_line() -> None:
    for make in (lambda: prepare(network(input=SMALL), colors(), LESSON), lambda: choose_device("gpu")):
        with pytest.raises(UserError) as caught:
            make()
        assert re.fullmatch(r"[^\n]+", str(caught.value))


def test_the_statistics_are_those_of_the_training_images() -> None:
    prepared = prepare(tiny(), colors(), LESSON)
    pixels = prepared.train.images / 255
    assert prepared.mean == pytest.approx(pixels.mean(axis=(0, 2, 3)), rel=1e-5)
    assert prepared.std == pytest.approx(pixels.std(axis=(0, 2, 3)), rel=1e-5)


def test_evaluation_batches_have_many_small_images_or_few_large_ones() -> None:
    large = network(Conv2D(512, padding="same"), input=Shape.of(3, 512, 512))
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert evaluation_batch_size(analyze(large), cpu) == 1
    assert (
        100
        <= evaluation_batch_size(analyze(lesson()), cpu)
        < evaluation_batch_size(analyze(lesson()), cuda)
        <= 1024
    )
    assert evaluation_batch_size(analyze(tiny()), cpu) == 1024


def with_own_validation(images: int = 30) -> Dataset:
    return dataclasses.replace(colors(), validation=colors(test=images).test)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_own_validation_images_come_before_a_share_and_the_test_set(share: float) -> None:
    data = with_own_validation()
    prepared = prepare(tiny(), data, LESSON.replace(validation_share=share))
    assert prepared.validation_source == "own"
    assert prepared.validation is data.validation
    assert len(prepared.train_rows) == len(data.train)


def test_own_validation_images_are_resized_with_the_others() -> None:
    prepared = prepare(network(Flatten(), Dense(3), input=Shape.of(1, 5, 4)), with_own_validation(), LESSON)
    assert isinstance(prepared.validation, Split)
    assert prepared.validation.shape == (1, 5, 4)


def test_a_run_says_where_its_validation_images_come_from() -> None:
    listener = Listener()
    train(tiny(), with_own_validation(), LESSON.replace(epochs=1), emit=listener)
    (started,) = listener.of(Started)
    assert (started.validation, started.validation_images) == ("own", 30)


def test_few_validation_images_are_pointed_out() -> None:
    (warning,) = prepare(tiny(), with_own_validation(29), LESSON).warnings
    assert warning == (
        "Only 29 validation images: a single one changes the validation accuracy by 3 points, so small "
        "differences mean nothing."
    )
    assert prepare(tiny(), with_own_validation(30), LESSON).warnings == ()
    # What they are, and what the best epoch is chosen on, is said in the same note.
    data = dataclasses.replace(with_own_validation(), validation=None)
    (held_out,) = prepare(tiny(), data, LESSON.replace(validation_share=0.1)).warnings
    assert held_out.startswith("Only ")
    assert ", held out from the training images: a single one" in held_out
    assert held_out.endswith(" trained on, and the best epoch is chosen on the test images.")
    few = dataclasses.replace(data, test=data.test.select(np.arange(12)))
    (tested,) = prepare(tiny(), few, LESSON).warnings
    assert tested.startswith("Only 12 validation images, which are the test images: a single one")
    assert tested.endswith("so small differences mean nothing.")


def test_colors_that_a_gray_network_drops_are_pointed_out() -> None:
    gray = network(Flatten(), Dense(3), input=Shape.of(1, 8, 8))
    (warning,) = prepare(gray, colors(), LESSON).warnings
    assert warning.startswith("The images of Colors are in color, but the network takes gray ones")
    data = colors()
    equal = [Split(split.images[:, :1].repeat(3, axis=1), split.labels) for split in (data.train, data.test)]
    assert prepare(gray, dataclasses.replace(data, train=equal[0], test=equal[1]), LESSON).warnings == ()


def test_images_that_are_made_smaller_only_to_be_enlarged_again_are_named() -> None:
    enlarging = network(
        *(UpSampling2D((5, 5), "bilinear"), Conv2D(4), GlobalAveragePooling2D(), Dense(3)),
        input=Shape.of(3, 32, 32),
    )
    pretrained = edits.set_weights(enlarging, "efficientnet-lite0")

    def warnings(design: Network, size: int) -> tuple[str, ...]:
        return prepare(design, colors(size=size), LESSON, loads_weights=False).warnings

    assert warnings(pretrained, 200) == (
        "The images of Colors are 200 × 200, but they are resized to 32 × 32 before the first layer of the "
        "network enlarges them, which loses details: adapt the network to the data set.",
    )
    assert warnings(pretrained, 32) == warnings(pretrained, 28) == ()
    # What other networks do with images is their own affair.
    assert warnings(enlarging, 200) == ()


def test_balanced_weights_are_inversely_proportional_to_the_images_of_a_class() -> None:
    data = colors(train=12)
    rows = np.array([0, 3, 6, 9, 1, 2])  # the classes take turns: four of the first, one of each other
    uneven = dataclasses.replace(data, train=data.train.select(rows))
    weights = prepare(tiny(), uneven, LESSON.replace(class_weights="balanced")).class_weights()
    assert weights is not None
    torch.testing.assert_close(weights, torch.tensor([0.5, 2.0, 2.0]))
    assert prepare(tiny(), uneven, LESSON).class_weights() is None


def uneven_colors(large: int, small: int) -> Dataset:
    """So many training images of the first two classes, and of the last."""
    data = colors(train=90)
    rows = [np.flatnonzero(data.train.labels == label)[:n] for label, n in enumerate((large, large, small))]
    return dataclasses.replace(data, train=data.train.select(np.concatenate(rows)))


def test_classes_far_apart_in_size_are_said_unless_the_recipe_balances_them() -> None:
    (found,) = prepare(tiny(), uneven_colors(20, 4), LESSON).diagnosed
    assert (found.kind, found.epoch) == ("class_sizes", 0.0)
    assert found.message == ("The classes differ widely in size, from 4 images of color 2 to 20 of color 0.")
    assert "class_weights in the recipe" in found.advice
    assert prepare(tiny(), uneven_colors(20, 4), LESSON.replace(class_weights="balanced")).diagnosed == ()
    assert prepare(tiny(), uneven_colors(20, 5), LESSON).diagnosed == ()


def test_the_sizes_of_the_classes_are_those_of_the_images_that_are_trained_on() -> None:
    data = uneven_colors(20, 4)
    shared = prepare(tiny(), data, LESSON.replace(validation_share=0.5))
    (found,) = shared.diagnosed
    assert "from 2 images of color 2 to 10 of color 0" in found.message


def test_a_run_says_classes_far_apart_in_size_once(tmp_path: Path) -> None:
    recipe, heard = LESSON.replace(epochs=2), Listener()
    control = Control()
    stopping = Listener(stop_at(control, epoch=1))
    train(tiny(), uneven_colors(20, 4), recipe, control=control, folder=tmp_path, emit=stopping)
    first, second, *_ = stopping.events
    assert isinstance(first, Started)
    assert isinstance(second, Diagnosed)
    train(tiny(), uneven_colors(20, 4), recipe, folder=tmp_path, resume=True, emit=heard)
    assert not heard.of(Diagnosed)


def test_balanced_weights_change_a_run_only_if_the_classes_differ_in_size() -> None:
    data = colors()
    uneven = dataclasses.replace(data, train=data.train.select(np.flatnonzero(np.arange(96) % 12 != 2)))

    def losses(dataset: Dataset, weights: str) -> list[float]:
        listener = Listener()
        train(tiny(), dataset, LESSON.replace(epochs=2, class_weights=weights), emit=listener)
        return listener.losses()

    assert losses(data, "balanced") == pytest.approx(losses(data, "none"), rel=1e-3)
    plain, weighted = losses(uneven, "none"), losses(uneven, "balanced")
    assert weighted[0] == pytest.approx(plain[0]), "the same weights before the first step"
    assert weighted[1:] != pytest.approx(plain[1:], rel=1e-3)
