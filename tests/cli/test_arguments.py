"""Numbers on the command line are read as in the window, and refused in one plain sentence."""

from __future__ import annotations

import argparse

import pytest

from cnnstudio.cli.arguments import read_integer, read_number
from tests.cli.test_hostile_names import leaf_parsers


@pytest.mark.parametrize(
    ("text", "number"), [("0.5", 0.5), ("0,5", 0.5), ("1e-3", 0.001), ("3", 3.0), ("-0,2", -0.2)]
)
def test_a_decimal_comma_is_read(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,024", "1,024 could be 1.024 or 1024: type one of these"),
        ("nan", "must be a number, got “nan”"),
        ("1e400", "must be a number, got “1e400”"),
        ("9" * 5_000, "must be a number, got “999"),
    ],
)
def test_what_is_not_a_clear_number_is_refused(text: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        read_number(text)
    assert message in str(error.value)
    assert len(str(error.value)) < 100


def test_an_integer_may_have_separated_thousands_but_no_fraction() -> None:
    assert read_integer("1,024") == 1024
    for text in ("1,5", "1.5", "many", "", "\x1b[31m"):
        with pytest.raises(argparse.ArgumentTypeError, match="must be an integer, got"):
            read_integer(text)


def test_no_option_reads_numbers_in_another_way() -> None:
    for name, parser in leaf_parsers().items():
        for action in parser._actions:
            assert action.type not in (int, float), (name, action.option_strings)
