"""What groups make of their input and of what is in them."""

from __future__ import annotations

import ast

import pytest

from cnnstudio.layers.base import Group, SetInside, SetParameters, Shape, ShapeError
from cnnstudio.layers.repeat import Repeat
from cnnstudio.layers.residual import Residual
from tests.layers.cases import GROUP_TYPES, examples

PROJECTION = Residual(shortcut="projection")


def picture(channels: int, height: int, width: int | None = None) -> Shape:
    return Shape.of(channels, height, width or height)


@pytest.mark.parametrize("kind", GROUP_TYPES, ids=lambda kind: kind.type_name())
def test_a_group_takes_a_body_that_keeps_the_shape(kind: type[Group]) -> None:
    for group in examples(kind):
        for shape in (Shape.of(4, 5, 5), Shape.of(6)):
            assert isinstance(group, Group)
            assert group.join(shape, shape) == shape
            assert group.copies() >= 1
            assert group.own_parameter_count(shape, shape) >= 0
            lines = group.keras_group(shape, shape, ["x = body(x)"], "shortcut")
            assert "x = body(x)" in lines
            ast.parse("\n".join(lines))
            ast.parse(group.pytorch_group(shape, shape, "body"))
            ast.parse(group.pytorch_helper)


def test_repeat_gives_what_its_last_copy_gives() -> None:
    assert Repeat(3).join(picture(3, 8), picture(5, 2)) == picture(5, 2)
    assert Repeat(3).copies() == 3


def test_an_identity_adds_only_equal_shapes() -> None:
    for shape in (picture(3, 8), Shape.of(7)):
        assert Residual().join(shape, shape) == shape
    with pytest.raises(ShapeError) as caught:
        Residual().join(picture(3, 8), picture(5, 8))
    assert caught.value.fix == SetParameters({"shortcut": "projection"}, "set shortcut to projection")
    assert caught.value.assumed == picture(5, 8)


@pytest.mark.parametrize(
    ("shape", "body", "stride"),
    [
        (picture(3, 8), picture(5, 8), "1"),
        (picture(3, 8), picture(5, 4), "2"),
        (picture(3, 7), picture(5, 4), "2"),
        (picture(3, 9), picture(5, 3), "3"),
        (picture(3, 8, 9), picture(5, 4, 9), "(2, 1)"),
        (picture(3, 8), picture(5, 1), "8"),
    ],
)
def test_a_projection_changes_channels_and_strides(shape: Shape, body: Shape, stride: str) -> None:
    assert PROJECTION.join(shape, body) == body
    assert f"stride={stride}, bias=False" in PROJECTION.pytorch_group(shape, body, "body")
    with pytest.raises(ShapeError) as caught:
        Residual().join(shape, body)
    assert isinstance(caught.value.fix, SetParameters)
    assert Residual().taking(caught.value.fix.values) == PROJECTION


@pytest.mark.parametrize(
    ("shape", "body", "padding_helps"),
    [
        (picture(3, 8), picture(3, 6), True),
        (picture(3, 8), picture(3, 16), True),
        (picture(3, 8), Shape.of(3), False),
        (Shape.of(3), picture(3, 8), False),
    ],
)
def test_what_no_projection_reaches_is_refused(shape: Shape, body: Shape, padding_helps: bool) -> None:
    for group in (Residual(), PROJECTION):
        with pytest.raises(ShapeError, match=str(body)) as caught:
            group.join(shape, body)
        assert isinstance(caught.value.fix, SetInside) == padding_helps
