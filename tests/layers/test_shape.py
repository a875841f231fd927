"""The shape value."""

from __future__ import annotations

import pytest

from cnnstudio.layers.shape import Shape


def test_images_and_flat_vectors_are_distinguished() -> None:
    image, flat = Shape.of(64, 6, 7), Shape.of(10)
    assert (image.is_image, image.is_flat, image.size) == (True, False, 2688)
    assert (image.channels, image.height, image.width) == (64, 6, 7)
    assert (flat.is_image, flat.is_flat, flat.features, flat.channels, flat.size) == (
        False,
        True,
        10,
        10,
        10,
    )


def test_a_shape_is_formatted_with_multiplication_signs() -> None:
    assert [str(Shape.of(64, 6, 6)), str(Shape.of(10))] == ["64 × 6 × 6", "10"]


@pytest.mark.parametrize("dims", [(), (3, 4), (1, 2, 3, 4), (0,), (3, 0, 4), (-1,)])
def test_other_shapes_are_rejected(dims: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a shape is"):
        Shape(dims)
