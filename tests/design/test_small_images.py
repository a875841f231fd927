"""Small images become the input of a network with pretrained weights, whose first layer enlarges them."""

from __future__ import annotations

import pytest

from cnnstudio.design import edits
from cnnstudio.design.adaptation import adapt_to_data, fit_to_data
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.design.small_images import enlarge_less, fit_input
from cnnstudio.design.templates import template
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D

PRETRAINED = template("efficientnet-lite0").network


def enlarged_to(network: Network) -> tuple[Shape, int, Shape | None]:
    """The input, the factor of the first layer, and what it gives."""
    layer = network.nodes[0].layer
    assert isinstance(layer, UpSampling2D)
    assert layer.interpolation == "bilinear"
    assert layer.size[0] == layer.size[1]
    return network.input, layer.size[0], analyze(network).reports[0].output


@pytest.mark.parametrize(
    ("shape", "factor", "size"),
    [
        ((3, 32, 32), 5, (160, 160)),
        ((3, 28, 28), 6, (168, 168)),
        ((3, 16, 16), 10, (160, 160)),
        ((3, 80, 80), 2, (160, 160)),
        ((3, 48, 48), 3, (144, 144)),
        ((3, 64, 64), 3, (192, 192)),
        ((3, 30, 45), 4, (120, 180)),
    ],
)
def test_small_images_are_enlarged_to_about_the_size_of_the_template(
    shape: tuple[int, ...], factor: int, size: tuple[int, int]
) -> None:
    found = fit_to_data(PRETRAINED, 7, Shape.of(*shape))
    assert enlarged_to(found) == (Shape.of(*shape), factor, Shape.of(3, *size))
    analysis = analyze(found, classes=7)
    assert analysis.problems == ()
    assert analysis.output == Shape.of(7)
    assert (found.nodes[1:-1], found.weights) == (PRETRAINED.nodes[:-1], PRETRAINED.weights)


def test_gray_images_keep_the_channels_of_the_weights() -> None:
    assert enlarged_to(fit_input(PRETRAINED, Shape.of(1, 28, 28)))[0] == Shape.of(3, 28, 28)


@pytest.mark.parametrize("sides", [(1, 1), (15, 32), (81, 40), (96, 96), (160, 160), (300, 200)])
def test_tiny_and_larger_images_are_resized_as_for_other_networks(sides: tuple[int, int]) -> None:
    assert fit_input(PRETRAINED, Shape.of(3, *sides)) is PRETRAINED


def test_other_networks_and_unknown_images_change_nothing() -> None:
    lesson = template("lesson-32").network
    assert fit_input(lesson, Shape.of(3, 16, 16)) is lesson
    assert fit_input(PRETRAINED, None) is PRETRAINED
    assert fit_input(PRETRAINED, Shape.of(32)) is PRETRAINED


def test_the_layer_follows_the_size_of_other_images_and_goes_with_it() -> None:
    small = fit_input(PRETRAINED, Shape.of(3, 32, 32))
    other = fit_input(small, Shape.of(3, 28, 28))
    assert enlarged_to(other)[:2] == (Shape.of(3, 28, 28), 6)
    assert other.nodes[0].id == small.nodes[0].id
    assert fit_input(other, Shape.of(3, 224, 224)) == PRETRAINED


def test_a_factor_that_somebody_chose_stays_with_its_images() -> None:
    small = fit_input(PRETRAINED, Shape.of(3, 32, 32))
    seven = edits.replace(small, small.nodes[0].id, layer=UpSampling2D((7, 7), "bilinear"))
    assert fit_input(seven, Shape.of(3, 32, 32)) is seven


def test_the_factor_is_that_of_an_input_that_somebody_chose() -> None:
    wide = edits.set_input(PRETRAINED, Shape.of(3, 224, 224))
    assert enlarged_to(fit_input(wide, Shape.of(3, 32, 32)))[:2] == (Shape.of(3, 32, 32), 7)


def test_a_disabled_first_layer_enlarges_nothing() -> None:
    small = fit_input(PRETRAINED, Shape.of(3, 32, 32))
    off = edits.set_input(edits.replace(small, small.nodes[0].id, enabled=False), PRETRAINED.input)
    found = fit_input(off, Shape.of(3, 40, 40))
    assert enlarged_to(found)[:2] == (Shape.of(3, 40, 40), 4)
    assert len(found) == len(off) + 1


def test_an_open_network_is_offered_the_input_of_other_data() -> None:
    found = adapt_to_data(PRETRAINED, "Digits", None, Shape.of(1, 28, 28))
    assert found is not None
    assert enlarged_to(found.network)[0] == Shape.of(3, 28, 28)
    assert found.message == "Digits has images of 28 × 28; the network takes images of 160 × 160."
    back = adapt_to_data(found.network, "Photos", None, Shape.of(3, 200, 200))
    assert back is not None
    assert back.network == PRETRAINED
    assert back.message == "Photos has images of 200 × 200; the network takes images of 28 × 28."
    assert adapt_to_data(back.network, "Large", None, Shape.of(3, 224, 224)) is None


@pytest.mark.parametrize(
    ("shape", "factor"),
    [
        ((3, 32, 32), 3),
        ((3, 28, 28), 3),
        ((3, 16, 16), 6),
        ((3, 48, 48), 2),
        ((3, 64, 64), 2),
        ((3, 30, 45), 3),
    ],
)
def test_where_all_layers_learn_images_are_enlarged_to_about_96(shape: tuple[int, ...], factor: int) -> None:
    fitted = fit_to_data(PRETRAINED, 7, Shape.of(*shape))
    found = enlarge_less(fitted)
    assert enlarged_to(found)[:2] == (Shape.of(*shape), factor)
    assert found.nodes[1:] == fitted.nodes[1:]
    assert analyze(found, classes=7).problems == ()
    assert enlarge_less(found) is found


def test_what_is_enlarged_little_or_not_at_all_stays() -> None:
    little = fit_input(PRETRAINED, Shape.of(3, 80, 80))
    assert enlarge_less(little) is little
    tiny = edits.set_input(fit_input(PRETRAINED, Shape.of(3, 16, 16)), Shape.of(3, 8, 8))
    assert enlarge_less(tiny) is tiny
    assert enlarge_less(PRETRAINED) is PRETRAINED
    lesson = template("lesson-32").network
    assert enlarge_less(lesson) is lesson
