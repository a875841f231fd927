"""Typed numbers: decimal points and commas, thousands, and what is refused."""

from __future__ import annotations

import pytest

from cnnstudio.core.errors import ParameterError
from cnnstudio.core.numbers import parse_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.001", 0.001),
        ("0,001", 0.001),
        (",5", 0.5),
        ("1,5", 1.5),
        ("12,34", 12.34),
        ("1,2345", 1.2345),
        ("3e-4", 3e-4),
        ("3,5E-4", 3.5e-4),
        ("−2", -2),
        ("+ 7", 7),
        ("1,234,567", 1_234_567),
        ("1.234.567", 1_234_567),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("12 345", 12_345),
        ("1\N{NARROW NO-BREAK SPACE}234,5", 1234.5),
        ("1.024", 1.024),
        ("-1,5", -1.5),
    ],
)
def test_a_number_is_read_as_it_was_meant(text: str, number: float) -> None:
    for whole in (False, True):
        parsed = parse_number(text, whole=whole)
        assert (parsed, type(parsed)) == (number, type(number))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "many",
        "1,2,3",
        "1,23,456",
        "0,001,000",
        "1.2.3",
        "12 34",
        "1 000 5",
        "1 000 x 20",
        "1 024%",
        "1 000/5",
        "1e",
        "nan",
        "inf",
        "0x10",
        "1_0",
        ",",
        ".",
    ],
)
def test_what_is_no_number_is_not_read_as_one(text: str) -> None:
    assert parse_number(text) is None
    assert parse_number(text, whole=True) is None


def test_three_digits_after_one_comma_are_thousands_of_an_integer_and_else_refused() -> None:
    assert parse_number("1,024", whole=True) == 1024
    with pytest.raises(ParameterError, match=r"1,024 could be 1\.024 or 1024"):
        parse_number("1,024")


def test_an_exponent_does_not_decide_what_a_comma_means() -> None:
    assert parse_number("1,024e3", whole=True) == 1_024_000
    with pytest.raises(ParameterError, match=r"1,024e-3 could be 1\.024e-3 or 1024e-3"):
        parse_number("1,024e-3")
    assert parse_number("1,5e3") == 1500
    assert parse_number("1,234,567e-3") == 1234.567


def test_a_number_with_thousands_of_digits_is_read() -> None:
    assert parse_number("9" * 5000, whole=True) == int("9" * 400)
