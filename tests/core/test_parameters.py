"""Parameters convert valid values to their type and reject all others with a helpful message."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import (
    choice,
    describe_value,
    flag,
    integer,
    number,
    pair,
    parameters,
    shorten,
    sides,
    validate_parameters,
    values_from_json,
    values_to_json,
)
from cnnstudio.layers.basic.zero_padding2d import ZeroPadding2D
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.strategies import values


@dataclasses.dataclass(frozen=True)
class Sample:
    count: int = integer(3, minimum=2, maximum=9, help="how many", unit="pieces")
    share: float = number(0.5, minimum=0.25, maximum=0.75, help="how much", label="Part")
    color: str = choice("red", ("red", "green"), help="which")
    big_one: bool = flag(False, help="whether")
    size: tuple[int, int] = pair((1, 2), maximum=4, help="how large")
    step: tuple[int, int] | None = pair(None, maximum=4, help="how far", optional=True, empty="maximum")
    border: tuple[tuple[int, int], tuple[int, int]] = sides(1, maximum=4, help="border width")
    note: str = "not a parameter"

    def __post_init__(self) -> None:
        validate_parameters(self)


def test_parameters_are_read_from_the_type_and_from_a_value() -> None:
    assert parameters(Sample) == parameters(Sample()) == parameters(Sample(count=5))
    assert [each.name for each in parameters(Sample)] == [
        "count",
        "share",
        "color",
        "big_one",
        "size",
        "step",
        "border",
    ]
    assert [each.label for each in parameters(Sample)] == [
        "Count",
        "Part",
        "Color",
        "Big one",
        "Size",
        "Step",
        "Border",
    ]
    assert parameters(Sample)[0].unit == "pieces"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(("count", 2, 2), ("count", 9.0, 9), ("share", 0.25, 0.25), ("big_one", True, True)),
        *(("size", 4, (4, 4)), ("size", [1, 4], (1, 4)), ("size", (2.0, 3), (2, 3)), ("step", None, None)),
        *(("border", 2, ((2, 2), (2, 2))), ("border", [0, 3], ((0, 0), (3, 3)))),
        *(("border", [[0, 1], (2, 3)], ((0, 1), (2, 3))), ("border", (4, [2, 3.0]), ((4, 4), (2, 3)))),
    ],
)
def test_values_are_converted_to_the_parameters_type(name: str, value: Any, expected: Any) -> None:
    found = getattr(Sample(**{name: value}), name)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", 1, "must be between 2 and 9, got 1"),
        ("count", 10, "must be between 2 and 9, got 10"),
        ("count", 2.5, "must be an integer from 2 to 9, got 2.5"),
        ("count", True, "must be an integer from 2 to 9, got true"),
        ("count", None, "must be an integer from 2 to 9, got null"),
        ("count", 10**5000, "must be between 2 and 9, got a number with more than 18 digits"),
        ("count", float("inf"), "must be an integer from 2 to 9, got infinity"),
        ("share", 0.24, "must be between 0.25 and 0.75, got 0.24"),
        ("share", float("nan"), "must be between 0.25 and 0.75, got NaN"),
        ("share", -(10**400), "must be between 0.25 and 0.75, got a number with more than 18 digits"),
        ("share", "0.5", "must be a number from 0.25 to 0.75, got “0.5”"),
        ("share", False, "must be a number from 0.25 to 0.75, got false"),
        ("color", "blue", "“blue” is not valid; choose red or green"),
        ("color", ["red"], "a list of 1 is not valid; choose red or green"),
        ("big_one", 1, "must be true or false, got 1"),
        ("size", (1, 2, 3), "must be two integers (height, width), got a list of 3"),
        ("size", "12", "must be two integers (height, width), got “12”"),
        ("size", (1, True), "must be an integer from 1 to 4, got true"),
        ("size", 5, "must be between 1 and 4, got 5"),
        ("size", None, "must be two integers (height, width), got null"),
        ("size", {}, "must be two integers (height, width), got an object"),
        ("border", 5, "must be between 0 and 4, got 5"),
        ("border", [[0, 1], [2, 7]], "must be between 0 and 4, got 7"),
        ("border", [[0, 1], [2, True]], "must be an integer from 0 to 4, got true"),
        *(
            (
                "border",
                value,
                "must be two pairs of integers, (top, bottom) and (left, right), "
                f"got {describe_value(value)}",
            )
            for value in (None, True, "1", [1], [1, 2, 3, 4], [[1, 2], [3]], [[1, 2], None], {})
        ),
    ],
    ids=describe_value,
)
def test_an_invalid_value_is_rejected_with_what_is_valid(name: str, value: Any, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        Sample(**{name: value})
    assert str(caught.value) == f"{name}: {message}"
    with pytest.raises(ParameterError) as caught:
        values_from_json(Sample, {name: value}, "here[3]")
    assert str(caught.value) == f"here[3].{name}: {message}"
    assert isinstance(caught.value, UserError)


def test_the_error_for_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ParameterError) as caught:
        values_from_json(Sample, {"colr": 1})
    assert str(caught.value) == (
        "colr: Sample has no such parameter; it has count, share, color, big_one, size, step, border"
    )


def test_missing_values_keep_their_defaults() -> None:
    assert values_from_json(Sample, {"size": [3, 4]}) == {"size": (3, 4)}
    assert values_to_json(Sample(size=2))["size"] == [2, 2]
    assert values_to_json(MaxPooling2D())["strides"] is None


@pytest.mark.parametrize("parameter", parameters(Sample), ids=lambda each: each.name)
@given(data=st.data())
def test_every_valid_value_survives_json(parameter: Any, data: st.DataObject) -> None:
    value = data.draw(values(parameter, largest=None))
    assert parameter.validate(parameter.to_json(value)) == value
    assert parameter.text(value)


def test_values_are_shown_as_text() -> None:
    assert [each.text(getattr(Sample(), each.name)) for each in parameters(Sample)] == [
        *("3", "0.5", "red", "off", "1 × 2", "maximum", "1 on each side")
    ]
    assert ZeroPadding2D((1, 2)).summary() == "1 above and below, 2 left and right"
    assert ZeroPadding2D(((1, 2), (0, 3))).summary() == "1 above, 2 below, 0 left, 3 right"
    assert Conv2D(8, 5, 2, "same", activation="relu").summary() == "8 filters 5 × 5, stride 2, same, relu"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((True, "true"), (None, "null"), (1234567, "1,234,567"), (0.1, "0.1"), (1e300, "1e+300")),
        *((10**18, "a number with more than 18 digits"), (float("-inf"), "-infinity"), (float("nan"), "NaN")),
        *(
            ("a\nb", "“a b”"),
            ([1, 2], "a list of 2"),
            ({}, "an object"),
            (object(), "a value of type object"),
        ),
    ],
)
def test_any_value_can_be_described_in_a_message(value: Any, text: str) -> None:
    assert describe_value(value) == text


@given(st.text("ab \n\t\0\x1b\u2028\u202e\ud800…", max_size=60), st.integers(1, 30))
def test_shortened_text_is_one_printable_line(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short.isprintable()
    assert short == short.strip()
    short.encode()
