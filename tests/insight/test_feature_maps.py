"""Feature maps of single layers, and the probe that captures them during training."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from cnnstudio.insight.feature_maps import FeatureMapProbe, FeatureMaps, collect_feature_maps, feature_maps
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.training.events import SnapshotTaken
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train
from tests.training.images import colors
from tests.training.listeners import Listener
from tests.training.networks import network, tiny

IMAGES = colors(test=6).test.images
CPU = torch.device("cpu")


@pytest.fixture
def model() -> Model:
    model = build_model(tiny())
    model.set_normalization([0.4, 0.4, 0.4], [0.2, 0.2, 0.2])
    return model


def dequantized(maps: FeatureMaps) -> np.ndarray:
    return maps.low + maps.maps / 255 * (maps.high - maps.low)


def test_maps_are_the_layer_output_on_a_common_scale(model: Model) -> None:
    maps = feature_maps(model, IMAGES, "conv2d_1", 2)
    assert maps is not None
    with torch.no_grad():
        expected = model.get_submodule("conv2d_1")(model.normalize(IMAGES))[2].numpy()
    assert (maps.node_id, maps.image, maps.total) == ("conv2d_1", 2, 8)
    assert maps.maps.dtype == np.uint8
    assert maps.low == pytest.approx(expected.min())
    assert np.quantile(expected, 0.99) < maps.high <= expected.max() * 1.000001
    assert (maps.maps.min(), maps.maps.max()) == (0, 255)
    np.testing.assert_allclose(
        dequantized(maps), expected.clip(max=maps.high), atol=(maps.high - maps.low) / 255 * 0.51
    )


def test_maps_are_those_of_the_design_not_of_the_optimized_order() -> None:
    drawn = network(
        Conv2D(4, activation="relu"), MaxPooling2D(), Flatten(), Dense(3), input=Shape.of(3, 8, 8)
    )
    maps = feature_maps(build_model(drawn), IMAGES, "conv2d_1")
    assert maps is not None
    assert maps.maps.shape == (4, 6, 6)
    assert maps.low == 0


def maps_of(pixels: np.ndarray) -> FeatureMaps:
    """The maps of a layer whose output is `pixels`, (K, h, w)."""
    count, height, width = pixels.shape
    shape = Shape.of(3, height, width)
    model = build_model(network(Conv2D(count, kernel_size=(1, 1)), Flatten(), Dense(2), input=shape))
    model.get_submodule("conv2d_1").register_forward_hook(
        lambda module, inputs, output: torch.tensor(pixels, dtype=torch.float32)[None], prepend=True
    )
    (maps,) = collect_feature_maps(model, np.zeros((1, *shape.dims), np.uint8), ["conv2d_1"])
    return maps


def test_a_few_outliers_do_not_darken_the_rest() -> None:
    pixels = np.linspace(0, 1, 4 * 20 * 20).reshape(4, 20, 20)
    pixels[2, 3, 4:8] = 50.0
    maps = maps_of(pixels)
    assert maps.high == pytest.approx(0.995, abs=0.005)
    assert (maps.maps[2, 3, 4:8] == 255).all()
    assert np.median(maps.maps) == pytest.approx(128, abs=2)
    assert maps.dead == ()


def test_without_outliers_the_largest_value_is_white() -> None:
    pixels = np.linspace(-1, 1, 4 * 20 * 20).reshape(4, 20, 20)
    assert (maps_of(pixels).low, maps_of(pixels).high) == (-1.0, 1.0)


def test_a_single_bright_pixel_is_visible() -> None:
    pixels = np.zeros((4, 20, 20))
    pixels[1, 5, 5] = 3.0
    maps = maps_of(pixels)
    assert (maps.high, maps.maps[1, 5, 5], maps.maps.sum()) == (3.0, 255, 255)


def test_the_scale_of_a_large_layer_is_deterministic() -> None:
    pixels = np.random.default_rng(0).exponential(1.0, (16, 120, 120))
    found = {maps_of(pixels).high for _ in range(3)}
    assert len(found) == 1
    assert found.pop() == pytest.approx(float(np.quantile(pixels, 0.995)), rel=0.05)


def test_flat_layers_keep_their_maximum() -> None:
    drawn = network(Flatten(), Dense(250), Dense(3), input=Shape.of(3, 8, 8))
    model = build_model(drawn)
    with torch.no_grad():
        model.get_submodule("dense_1").bias[7] = 1000.0
    maps = feature_maps(model, IMAGES, "dense_1")
    assert maps is not None
    assert maps.high > 900


def test_the_model_is_not_changed(model: Model) -> None:
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    feature_maps(model, IMAGES, "dense_1")
    assert model.training
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


def test_the_mode_is_restored_after_an_error(model: Model) -> None:
    model.train()
    with pytest.raises(RuntimeError):
        feature_maps(model, np.zeros((1, 3, 3, 3), np.uint8), "conv2d_1")
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_maps_are_read_only(model: Model) -> None:
    maps = feature_maps(model, IMAGES, "conv2d_1")
    assert maps is not None
    with pytest.raises(ValueError, match="read-only"):
        maps.maps[0] = 0


def test_a_flat_layer_has_one_value_per_map(model: Model) -> None:
    maps = feature_maps(model, IMAGES, "dense_1")
    assert maps is not None
    assert maps.maps.shape == (3, 1, 1)


def test_an_unknown_layer_has_no_maps(model: Model) -> None:
    assert feature_maps(model, IMAGES, "conv2d_99") is None


def test_only_the_first_of_many_maps_are_returned_with_the_total() -> None:
    drawn = network(Flatten(), Dense(700), Dense(3), input=Shape.of(3, 8, 8))
    maps = feature_maps(build_model(drawn), IMAGES, "dense_1")
    assert maps is not None
    assert (len(maps.maps), maps.total) == (256, 700)


def test_maps_that_are_zero_for_every_image_are_dead() -> None:
    layers = (Conv2D(4), Activation("relu"), Flatten(), Dense(3))
    model = build_model(network(*layers, input=Shape.of(3, 8, 8)))
    with torch.no_grad():
        convolution = model.get_submodule("conv2d_1")
        convolution.bias.copy_(torch.tensor([9.0, -99.0, 9.0, 9.0]))
        # The last map is zero for this image only.
        convolution.weight[3] = 0.0
        convolution.weight[3, 0] = 99.0
        convolution.bias[3] = -1.0
    black = np.zeros_like(IMAGES)
    black[1:] = IMAGES[1:]
    maps = feature_maps(model, black, "activation_1", 0)
    assert maps is not None
    assert maps.maps[3].max() == 0
    assert maps.dead == (1,)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nan_and_infinity_are_tolerated(model: Model, bad: float) -> None:
    with torch.no_grad():
        model.get_submodule("conv2d_1").bias[0] = bad
    maps = feature_maps(model, IMAGES, "conv2d_1")
    assert maps is not None
    assert np.isfinite([maps.low, maps.high]).all()


def test_a_constant_layer_is_drawn_black(model: Model) -> None:
    with torch.no_grad():
        model.get_submodule("conv2d_1").weight.zero_()
        model.get_submodule("conv2d_1").bias.fill_(2.0)
    maps = feature_maps(model, IMAGES, "conv2d_1")
    assert maps is not None
    assert (maps.low, maps.high, maps.maps.max()) == (2.0, 2.0, 0)


def test_large_maps_are_scaled_down_in_proportion() -> None:
    drawn = network(Conv2D(3, padding="same"), Flatten(), Dense(2), input=Shape.of(3, 8, 32))
    model = build_model(drawn)
    (maps,) = collect_feature_maps(
        model, np.zeros((1, 3, 8, 32), np.uint8), ["conv2d_1"], max_side=16, max_maps=2
    )
    assert maps.maps.shape == (2, 4, 16)
    assert maps.total == 3


def test_batch_normalization_uses_its_running_statistics() -> None:
    model = build_model(
        network(BatchNormalization(epsilon=1e-12), Flatten(), Dense(3), input=Shape.of(3, 8, 8))
    )
    maps = feature_maps(model.train(), IMAGES[:1], "batch_normalization_1")
    assert maps is not None
    np.testing.assert_allclose(dequantized(maps), IMAGES[0] / 255, atol=0.003)


# The probe


def taking(probe: FeatureMapProbe, model: Model, step: int, seconds: float) -> FeatureMaps | None:
    return probe.capture(model, CPU) if probe.is_due(step, seconds) else None


def test_the_probe_captures_the_watched_layer(model: Model) -> None:
    probe = FeatureMapProbe()
    probe.begin(IMAGES)
    assert not probe.is_due(0, 0.0)
    probe.watch("conv2d_2", 3)
    maps = taking(probe, model, 0, 0.0)
    assert maps is not None
    assert (maps.node_id, maps.image) == ("conv2d_2", 3)
    expected = feature_maps(model, IMAGES, "conv2d_2", 3)
    assert expected is not None
    np.testing.assert_array_equal(maps.maps, expected.maps)


def test_the_probe_waits_a_quarter_of_a_second_unless_the_layer_changes(model: Model) -> None:
    probe = FeatureMapProbe()
    probe.begin(IMAGES)
    probe.watch("conv2d_1", 0)
    assert taking(probe, model, 1, 1.0)
    assert not probe.is_due(2, 1.2)
    assert probe.is_due(3, 1.3)
    probe.watch("conv2d_1", 1)
    assert probe.is_due(3, 1.0)


def test_the_probe_captures_nothing_while_nobody_watches(model: Model) -> None:
    probe = FeatureMapProbe()
    probe.begin(IMAGES)
    probe.watch("conv2d_1", 0)
    probe.unwatch()
    assert not probe.is_due(1, 1.0)
    probe.watch("conv2d_1", 0)
    assert probe.is_due(1, 1.0)


def test_the_probe_captures_a_step_only_once(model: Model) -> None:
    probe = FeatureMapProbe()
    probe.begin(IMAGES)
    probe.watch("conv2d_1", 0)
    assert taking(probe, model, 1, 1.0)
    assert not probe.is_due(1, 9.0)


def test_every_capture_lists_the_dead_maps(model: Model) -> None:
    with torch.no_grad():
        model.get_submodule("conv2d_2").bias[5] = -1e6
    probe = FeatureMapProbe()
    probe.begin(IMAGES)
    probe.watch("conv2d_2", 4)
    for step in range(10):
        maps = taking(probe, model, step, float(step))
        assert maps is not None
        assert (maps.dead, maps.image) == ((5,), 4)


def test_an_unknown_layer_is_not_an_error(model: Model) -> None:
    probe = FeatureMapProbe()
    probe.begin(IMAGES)
    probe.watch("conv2d_77", 0)
    assert taking(probe, model, 0, 0.0) is None
    probe.watch("conv2d_1", 1000)
    assert taking(probe, model, 1, 1.0) is not None


def test_maps_are_captured_during_training_while_another_thread_selects_layers() -> None:
    probe = FeatureMapProbe()
    heard = Listener()
    chosen = ["conv2d_1", "conv2d_2", "max_pooling2d_1", "dense_1"]

    def choose() -> None:
        for turn in range(400):
            probe.watch(chosen[turn % 4], turn % 7)

    probe.watch("dense_1", 0)
    thread = threading.Thread(target=choose)
    thread.start()
    train(tiny(), colors(), Recipe(epochs=2, batch_size=8), emit=heard, probes=[probe])
    thread.join()
    taken = heard.of(SnapshotTaken)
    assert taken
    assert all(isinstance(event.payload, FeatureMaps) and event.kind == "feature_maps" for event in taken)
