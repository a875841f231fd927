"""What groups make of their input and of what is in them."""

from __future__ import annotations

import ast

import pytest

from cnnstudio.layers.base import Group, SetInside, SetParameters, Shape, ShapeError
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from tests.layers.cases import GROUP_TYPES, examples

PROJECTION = Residual(shortcut="projection")


def image(channels: int, height: int, width: int | None = None) -> Shape:
    return Shape.of(channels, height, width or height)


@pytest.mark.parametrize("kind", GROUP_TYPES, ids=lambda kind: kind.type_name())
def test_a_group_takes_a_body_that_keeps_the_shape(kind: type[Group]) -> None:
    for group in examples(kind):
        for shape in (Shape.of(4, 5, 5), Shape.of(6)):
            assert isinstance(group, Group)
            assert group.join(shape, [shape]) == shape
            assert group.copies() >= 1
            assert group.own_parameter_count(shape, [shape]) >= 0
            lines = group.keras_group(shape, [shape], [["x = body(x)"]], str)
            assert any(line.endswith("x = body(x)") for line in lines)
            ast.parse("\n".join(lines))
            ast.parse(group.pytorch_group(shape, [shape], "body"))
            ast.parse(group.pytorch_helper)


def test_repeat_gives_what_its_last_copy_gives() -> None:
    assert Repeat(3).join(image(3, 8), [image(5, 2)]) == image(5, 2)
    assert Repeat(3).copies() == 3


def test_an_identity_adds_only_equal_shapes() -> None:
    for shape in (image(3, 8), Shape.of(7)):
        assert Residual().join(shape, [shape]) == shape
    with pytest.raises(ShapeError) as caught:
        Residual().join(image(3, 8), [image(5, 8)])
    assert caught.value.fix == SetParameters({"shortcut": "projection"}, "set shortcut to projection")
    assert caught.value.assumed == image(5, 8)


@pytest.mark.parametrize(
    ("shape", "body", "stride"),
    [
        (image(3, 8), image(5, 8), "1"),
        (image(3, 8), image(5, 4), "2"),
        (image(3, 7), image(5, 4), "2"),
        (image(3, 9), image(5, 3), "3"),
        (image(3, 8, 9), image(5, 4, 9), "(2, 1)"),
        (image(3, 8), image(5, 1), "8"),
    ],
)
def test_a_projection_changes_channels_and_strides(shape: Shape, body: Shape, stride: str) -> None:
    assert PROJECTION.join(shape, [body]) == body
    assert f"stride={stride}, bias=False" in PROJECTION.pytorch_group(shape, [body], "body")
    with pytest.raises(ShapeError) as caught:
        Residual().join(shape, [body])
    assert isinstance(caught.value.fix, SetParameters)
    assert Residual().taking(caught.value.fix.values) == PROJECTION


@pytest.mark.parametrize(
    ("shape", "body", "padding_helps"),
    [
        (image(3, 8), image(3, 6), True),
        (image(3, 8), image(3, 16), True),
        (image(3, 8), Shape.of(3), False),
        (Shape.of(3), image(3, 8), False),
    ],
)
def test_what_no_projection_reaches_is_refused(shape: Shape, body: Shape, padding_helps: bool) -> None:
    for group in (Residual(), PROJECTION):
        with pytest.raises(ShapeError, match=str(body)) as caught:
            group.join(shape, [body])
        assert isinstance(caught.value.fix, SetInside) == padding_helps


def test_concat_puts_the_channels_of_all_branches_together() -> None:
    inside = [image(3, 8), image(5, 8), image(1, 8)]
    assert Parallel().join(image(3, 8), inside) == image(9, 8)
    assert Parallel().join(Shape.of(3), [Shape.of(4), Shape.of(5)]) == Shape.of(9)


def test_add_takes_only_equal_shapes() -> None:
    assert Parallel("add").join(image(3, 8), [image(5, 8)] * 3) == image(5, 8)
    with pytest.raises(
        ShapeError, match=r"the 5 × 8 × 8 of branch 1 and the 6 × 8 × 8 of branch 2"
    ) as caught:
        Parallel("add").join(image(3, 8), [image(5, 8), image(6, 8)])
    assert caught.value.fix == SetParameters({"mode": "concat"}, "set mode to concat")
    assert caught.value.assumed == image(5, 8)


@pytest.mark.parametrize("mode", ["concat", "add"])
def test_branches_of_other_sizes_are_told_to_keep_the_size(mode: str) -> None:
    with pytest.raises(ShapeError, match="branch 3") as caught:
        Parallel(mode).join(image(3, 8), [image(3, 8), image(3, 8), image(3, 6)])
    assert [fix.values for fix in caught.value.fixes if isinstance(fix, SetInside)] == [
        {"padding": "same"},
        {"padding": "same", "strides": (1, 1)},
    ]
    assert caught.value.why


@pytest.mark.parametrize("mode", ["concat", "add"])
def test_an_image_and_a_vector_are_joined_by_nothing(mode: str) -> None:
    with pytest.raises(ShapeError) as caught:
        Parallel(mode).join(image(3, 8), [image(3, 8), Shape.of(3)])
    assert caught.value.fixes == ()


def test_keras_branches_all_start_at_the_entrance() -> None:
    lines = Parallel().keras_group(
        image(3, 8), [image(3, 8)] * 2, [["x = a(x)"], ["x = b(x)"]], lambda name: f"{name}_2"
    )
    assert lines == [
        *("entrance_2 = x", "x = a(x)", "branch_1_2 = x", "x = entrance_2", "x = b(x)", "branch_2_2 = x"),
        "x = layers.concatenate([branch_1_2, branch_2_2])",
    ]


def test_a_block_changes_nothing() -> None:
    assert Block().join(image(3, 8), [image(5, 4)]) == image(5, 4)
    assert Block.transparent
    assert not Repeat.transparent
