"""Shapes."""

from __future__ import annotations

import pytest

from cnnstudio.layers.shape import Shape


def test_an_image_and_a_flat_vector_know_what_they_are() -> None:
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


def test_a_shape_reads_as_people_write_it() -> None:
    assert [str(Shape.of(64, 6, 6)), str(Shape.of(10))] == ["64 × 6 × 6", "10"]


@pytest.mark.parametrize("dims", [(), (3, 4), (1, 2, 3, 4), (0,), (3, 0, 4), (-1,)])
def test_other_shapes_do_not_exist(dims: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a shape is"):
        Shape(dims)
