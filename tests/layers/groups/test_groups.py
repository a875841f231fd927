"""The shape rules and generated code of groups."""

from __future__ import annotations

import ast

import pytest

from cnnstudio.layers.base import Group, SetParameters, SetParametersInside, Shape, ShapeError
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from tests.layers.cases import GROUP_TYPES, examples

PROJECTION = Residual(shortcut="projection")


def image(channels: int, height: int, width: int | None = None) -> Shape:
    return Shape.of(channels, height, width or height)


@pytest.mark.parametrize("kind", GROUP_TYPES, ids=lambda kind: kind.type_name())
def test_every_group_accepts_a_body_that_keeps_the_shape(kind: type[Group]) -> None:
    for group in examples(kind):
        for shape in (Shape.of(4, 5, 5), Shape.of(6)):
            assert isinstance(group, Group)
            assert group.group_output_shape(shape, [shape]) == shape
            assert group.copies() >= 1
            assert group.group_parameter_count(shape, [shape]) >= 0
            lines = group.keras_group_code(shape, [shape], [["x = body(x)"]], str)
            assert any(line.endswith("x = body(x)") for line in lines)
            ast.parse("\n".join(lines))
            ast.parse(group.pytorch_group_code(shape, [shape], "body"))
            ast.parse(group.pytorch_helper)


def test_the_output_of_repeat_is_that_of_its_last_copy() -> None:
    assert Repeat(3).group_output_shape(image(3, 8), [image(5, 2)]) == image(5, 2)
    assert Repeat(3).copies() == 3


def test_an_identity_shortcut_requires_equal_shapes() -> None:
    for shape in (image(3, 8), Shape.of(7)):
        assert Residual().group_output_shape(shape, [shape]) == shape
    with pytest.raises(ShapeError) as caught:
        Residual().group_output_shape(image(3, 8), [image(5, 8)])
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
    assert PROJECTION.group_output_shape(shape, [body]) == body
    assert f"stride={stride}, bias=False" in PROJECTION.pytorch_group_code(shape, [body], "body")
    with pytest.raises(ShapeError) as caught:
        Residual().group_output_shape(shape, [body])
    assert isinstance(caught.value.fix, SetParameters)
    assert Residual().with_values(caught.value.fix.values) == PROJECTION


@pytest.mark.parametrize(
    ("shape", "body", "padding_helps"),
    [
        (image(3, 8), image(3, 6), True),
        (image(3, 8), image(3, 16), True),
        (image(3, 8), Shape.of(3), False),
        (Shape.of(3), image(3, 8), False),
    ],
)
def test_shapes_that_no_projection_can_match_are_rejected(
    shape: Shape, body: Shape, padding_helps: bool
) -> None:
    for group in (Residual(), PROJECTION):
        with pytest.raises(ShapeError, match=str(body)) as caught:
            group.group_output_shape(shape, [body])
        assert isinstance(caught.value.fix, SetParametersInside) == padding_helps


def test_concat_adds_up_the_channels_of_all_branches() -> None:
    inside = [image(3, 8), image(5, 8), image(1, 8)]
    assert Parallel().group_output_shape(image(3, 8), inside) == image(9, 8)
    assert Parallel().group_output_shape(Shape.of(3), [Shape.of(4), Shape.of(5)]) == Shape.of(9)


def test_add_requires_equal_shapes() -> None:
    assert Parallel("add").group_output_shape(image(3, 8), [image(5, 8)] * 3) == image(5, 8)
    with pytest.raises(
        ShapeError, match=r"the 5 × 8 × 8 of branch 1 and the 6 × 8 × 8 of branch 2"
    ) as caught:
        Parallel("add").group_output_shape(image(3, 8), [image(5, 8), image(6, 8)])
    assert caught.value.fix == SetParameters({"mode": "concat"}, "set mode to concat")
    assert caught.value.assumed == image(5, 8)


@pytest.mark.parametrize("mode", ["concat", "add"])
def test_branches_of_different_sizes_have_fixes_that_keep_the_size(mode: str) -> None:
    with pytest.raises(ShapeError, match="branch 3") as caught:
        Parallel(mode).group_output_shape(image(3, 8), [image(3, 8), image(3, 8), image(3, 6)])
    assert [fix.values for fix in caught.value.fixes if isinstance(fix, SetParametersInside)] == [
        {"padding": "same"},
        {"padding": "same", "strides": (1, 1)},
    ]
    assert caught.value.why


@pytest.mark.parametrize("mode", ["concat", "add"])
def test_an_image_and_a_vector_cannot_be_joined(mode: str) -> None:
    with pytest.raises(ShapeError) as caught:
        Parallel(mode).group_output_shape(image(3, 8), [image(3, 8), Shape.of(3)])
    assert caught.value.fixes == ()


def test_keras_branches_all_start_from_the_input_of_the_group() -> None:
    lines = Parallel().keras_group_code(
        image(3, 8), [image(3, 8)] * 2, [["x = a(x)"], ["x = b(x)"]], lambda name: f"{name}_2"
    )
    assert lines == [
        *(
            "branch_input_2 = x",
            "x = a(x)",
            "branch_1_2 = x",
            "x = branch_input_2",
            "x = b(x)",
            "branch_2_2 = x",
        ),
        "x = layers.concatenate([branch_1_2, branch_2_2])",
    ]


def test_a_block_changes_nothing() -> None:
    assert Block().group_output_shape(image(3, 8), [image(5, 4)]) == image(5, 4)
    assert Block.is_transparent
    assert not Repeat.is_transparent
