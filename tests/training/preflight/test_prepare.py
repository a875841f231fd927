"""What cannot be trained is refused with one sentence, before anything happens."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from cnnstudio.core.errors import UserError
from cnnstudio.data.dataset import DataError, Split
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.training.hardware import device
from cnnstudio.training.hardware.device import DeviceError, available_devices, choose_device
from cnnstudio.training.preflight import prepare as preflight
from cnnstudio.training.preflight.prepare import TrainingError, evaluation_batch, needed_memory, prepare
from cnnstudio.training.recipe.recipe import LESSON, Recipe
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import lesson, network, tiny

SMALL = Shape.of(3, 8, 8)


@pytest.mark.parametrize(
    ("drawn", "sentence"),
    [
        (
            network(Conv2D(4), Dense(3), input=SMALL),
            r"Dense takes a flat vector.*: insert Flatten before it\.$",
        ),
        (network(input=SMALL), "The network has no layers yet"),
        (
            network(Flatten(), Dense(7), input=SMALL),
            r"Dense gives 7 scores, but the data has 3 classes: set units",
        ),
        (network(GlobalAveragePooling2D(), input=SMALL), "has no weights that could learn"),
    ],
    ids=["flatten", "empty", "classes", "weights"],
)
def test_a_network_with_a_problem_is_refused(drawn: Network, sentence: str, tmp_path: Path) -> None:
    heard = Listener()
    with pytest.raises(TrainingError, match=sentence):
        train(drawn, colors(), LESSON, emit=heard, folder=tmp_path / "run")
    assert not heard.events
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(DeviceError, match=r"no “cuda:99” on this machine; there is cpu"):
        prepare(tiny(), colors(), LESSON, "cuda:99")


def test_auto_takes_the_first_accelerator_and_else_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_devices()[0] == "cpu"
    monkeypatch.setattr(device, "available_devices", lambda: ["cpu"])
    assert choose_device() == torch.device("cpu")
    monkeypatch.setattr(device, "available_devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    assert choose_device() == choose_device("cuda") == torch.device("cuda:0")
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("threads", [0, -1, 5000])
def test_a_number_of_threads_that_makes_no_sense_is_refused(threads: int) -> None:
    heard = Listener()
    with pytest.raises(TrainingError, match="threads: a whole number from 1 to 1,024"):
        train(tiny(), colors(), LESSON, emit=heard, threads=threads)
    assert not heard.events


def test_more_memory_than_there_is_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "free_memory", lambda device: 10_000)
    with pytest.raises(
        TrainingError, match=r"needs about .* GB of memory, but 0.0 GB are free on cpu: take fewer filters"
    ):
        prepare(tiny(), colors(), LESSON)
    prepare(tiny(), colors(), LESSON, check_memory=False)
    monkeypatch.setattr(preflight, "free_memory", lambda device: None)
    prepare(tiny(), colors(), LESSON)


def test_a_batch_that_is_too_large_is_offered_in_parts_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, analysis = LESSON.replace(batch_size=96), analyze(tiny())
    free = needed_memory(analysis, recipe) // 2
    monkeypatch.setattr(preflight, "free_memory", lambda device: free)
    with pytest.raises(TrainingError, match=r"compute each batch of 96 in 4 parts \(accumulate\)") as refused:
        prepare(tiny(), colors(), recipe)
    assert refused.value.remedy is not None
    assert refused.value.remedy.applied(recipe).accumulate == 4
    assert needed_memory(analysis, recipe.replace(accumulate=4)) < 0.8 * free
    prepare(tiny(), colors(), recipe.replace(accumulate=4))


def test_the_memory_needed_grows_with_batch_and_optimizer() -> None:
    analysis = analyze(lesson())
    small, large = (needed_memory(analysis, LESSON.replace(batch_size=size)) for size in (32, 64))
    numbers = analysis.network.input.size + analysis.activations
    assert large - small == 32 * numbers * 4
    plain = needed_memory(analysis, Recipe(optimizer="sgd", momentum=0.0))
    assert small - plain == 2 * 4 * analysis.parameters


def test_batches_of_one_image_are_refused_only_where_they_cannot_be_normalized() -> None:
    flat = network(Flatten(), Dense(8), BatchNormalization(), Dense(3), input=SMALL)
    with pytest.raises(TrainingError, match=r"batch_size: BatchNormalization .* needs at least 2"):
        prepare(flat, colors(), LESSON.replace(batch_size=1))
    prepare(tiny(), colors(), LESSON.replace(batch_size=1))


def test_too_few_images_are_refused() -> None:
    data = colors(train=1)
    with pytest.raises(TrainingError, match=r"Colors has too few images: .* there are 1 and 48"):
        prepare(tiny(), data, LESSON)
    none = Split(np.zeros((0, 3, 8, 8), np.uint8), np.zeros(0, np.int64))
    with pytest.raises(TrainingError, match="there are 96 and 0"):
        prepare(tiny(), dataclasses.replace(colors(), test=none), LESSON)


def test_no_error_of_the_data_is_swallowed() -> None:
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


def test_evaluation_takes_many_small_images_and_few_large_ones_at_a_time() -> None:
    large = network(Conv2D(512, padding="same"), input=Shape.of(3, 512, 512))
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    assert evaluation_batch(analyze(large), cpu) == 1
    assert 100 <= evaluation_batch(analyze(lesson()), cpu) < evaluation_batch(analyze(lesson()), cuda) <= 1024
    assert evaluation_batch(analyze(tiny()), cpu) == 1024
