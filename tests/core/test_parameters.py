"""Parameters take what is in their range, in their own type, and refuse the rest in words."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.core.errors import ParameterError, UserError
from cnnstudio.core.parameters import (
    check_all,
    choice,
    flag,
    integer,
    number,
    pair,
    parameters,
    shorten,
    shown,
    sides,
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
    step: tuple[int, int] | None = pair(None, maximum=4, help="how far", optional=True, empty="all the way")
    border: tuple[tuple[int, int], tuple[int, int]] = sides(1, maximum=4, help="how much around")
    note: str = "no parameter"

    def __post_init__(self) -> None:
        check_all(self)


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
    ("name", "value", "taken"),
    [
        *(("count", 2, 2), ("count", 9.0, 9), ("share", 0.25, 0.25), ("big_one", True, True)),
        *(("size", 4, (4, 4)), ("size", [1, 4], (1, 4)), ("size", (2.0, 3), (2, 3)), ("step", None, None)),
        *(("border", 2, ((2, 2), (2, 2))), ("border", [0, 3], ((0, 0), (3, 3)))),
        *(("border", [[0, 1], (2, 3)], ((0, 1), (2, 3))), ("border", (4, [2, 3.0]), ((4, 4), (2, 3)))),
    ],
)
def test_a_value_becomes_one_of_the_parameters_own_type(name: str, value: Any, taken: Any) -> None:
    found = getattr(Sample(**{name: value}), name)
    assert (found, type(found)) == (taken, type(taken))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", 1, "1 is out of range: 2 to 9 is possible"),
        ("count", 10, "10 is out of range: 2 to 9 is possible"),
        ("count", 2.5, "a whole number from 2 to 9 is needed, not 2.5"),
        ("count", True, "a whole number from 2 to 9 is needed, not true"),
        ("count", None, "a whole number from 2 to 9 is needed, not null"),
        ("count", 10**5000, "a number of more than 18 digits is out of range: 2 to 9 is possible"),
        ("count", float("inf"), "a whole number from 2 to 9 is needed, not a number that is not finite"),
        ("share", 0.24, "0.24 is out of range: 0.25 to 0.75 is possible"),
        ("share", float("nan"), "a number that is not finite is out of range: 0.25 to 0.75 is possible"),
        ("share", -(10**400), "a number of more than 18 digits is out of range: 0.25 to 0.75 is possible"),
        ("share", "0.5", "a number from 0.25 to 0.75 is needed, not “0.5”"),
        ("share", False, "a number from 0.25 to 0.75 is needed, not false"),
        ("color", "blue", "“blue” is not possible; one of red, green is"),
        ("color", ["red"], "a list of 1 is not possible; one of red, green is"),
        ("big_one", 1, "true or false is needed, not 1"),
        ("size", (1, 2, 3), "two whole numbers, height and width, are needed, not a list of 3"),
        ("size", "12", "two whole numbers, height and width, are needed, not “12”"),
        ("size", (1, True), "a whole number from 1 to 4 is needed, not true"),
        ("size", 5, "5 is out of range: 1 to 4 is possible"),
        ("size", None, "two whole numbers, height and width, are needed, not null"),
        ("size", {}, "two whole numbers, height and width, are needed, not an object"),
        ("border", 5, "5 is out of range: 0 to 4 is possible"),
        ("border", [[0, 1], [2, 7]], "7 is out of range: 0 to 4 is possible"),
        ("border", [[0, 1], [2, True]], "a whole number from 0 to 4 is needed, not true"),
        *(
            (
                "border",
                value,
                "two pairs of whole numbers, (top, bottom) and (left, right), are needed, "
                f"not {shown(value)}",
            )
            for value in (None, True, "1", [1], [1, 2, 3, 4], [[1, 2], [3]], [[1, 2], None], {})
        ),
    ],
    ids=shown,
)
def test_what_a_parameter_does_not_take_is_named_with_what_it_does(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        Sample(**{name: value})
    assert str(caught.value) == f"{name}: {message}"
    with pytest.raises(ParameterError) as caught:
        values_from_json(Sample, {name: value}, "here[3]")
    assert str(caught.value) == f"here[3].{name}: {message}"
    assert isinstance(caught.value, UserError)


def test_an_unknown_name_is_answered_with_those_that_exist() -> None:
    with pytest.raises(ParameterError) as caught:
        values_from_json(Sample, {"colr": 1})
    assert str(caught.value) == (
        "colr: Sample has no such parameter; it has count, share, color, big_one, size, step, border"
    )


def test_missing_values_are_left_to_the_defaults() -> None:
    assert values_from_json(Sample, {"size": [3, 4]}) == {"size": (3, 4)}
    assert values_to_json(Sample(size=2))["size"] == [2, 2]
    assert values_to_json(MaxPooling2D())["strides"] is None


@pytest.mark.parametrize("parameter", parameters(Sample), ids=lambda each: each.name)
@given(data=st.data())
def test_every_value_of_the_range_goes_through_json_unchanged(parameter: Any, data: st.DataObject) -> None:
    value = data.draw(values(parameter, largest=None))
    assert parameter.check(parameter.to_json(value)) == value
    assert parameter.text(value)


def test_texts_for_people() -> None:
    assert [each.text(getattr(Sample(), each.name)) for each in parameters(Sample)] == [
        *("3", "0.5", "red", "off", "1 × 2", "all the way", "1 on each side")
    ]
    assert ZeroPadding2D((1, 2)).summary() == "1 above and below, 2 left and right"
    assert ZeroPadding2D(((1, 2), (0, 3))).summary() == "1 above, 2 below, 0 left, 3 right"
    assert Conv2D(8, 5, 2, "same", activation="relu").summary() == "8 filters 5 × 5, stride 2, same, relu"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((True, "true"), (None, "null"), (1234567, "1,234,567"), (0.1, "0.1"), (1e300, "1e+300")),
        *((10**18, "a number of more than 18 digits"), (float("-inf"), "a number that is not finite")),
        *(("a\nb", "“a b”"), ([1, 2], "a list of 2"), ({}, "an object"), (object(), "a object")),
    ],
)
def test_any_value_can_be_shown_in_a_message(value: Any, text: str) -> None:
    assert shown(value) == text


@given(st.text("ab \n\t\0\x1b\u2028\u202e\ud800…", max_size=60), st.integers(1, 30))
def test_a_shortened_text_is_one_line_that_any_file_can_hold(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short.isprintable()
    assert short == short.strip()
    short.encode()
