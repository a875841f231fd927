"""Numbers, sizes and durations as text."""

from __future__ import annotations

import pytest

from cnnstudio.core.formatting import (
    estimate_duration,
    format_bytes,
    format_change,
    format_compact,
    format_duration,
    format_percent,
    format_value,
    list_names,
    ordinal,
    pluralize,
    screen_reader_text,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (896, "896"), (9_999, "9,999"), (10_000, "10.0 k"), (99_949, "99.9 k"), (99_950, "100 k"),
        (999_400, "999 k"), (999_950, "1.0 M"), (4_190_000, "4.2 M"), (315_722_000, "316 M"),
        (2 * 10**9, "2.0 G"), (3 * 10**12, "3.0 T"), (5 * 10**15, "5,000 T"),
    ],
)  # fmt: skip
def test_large_numbers_are_rounded(number: int, text: str) -> None:
    assert format_compact(number) == text


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (1, "first"),
        (3, "third"),
        (12, "twelfth"),
        (13, "13th"),
        (21, "21st"),
        (22, "22nd"),
        (103, "103rd"),
        (111, "111th"),
    ],
)
def test_small_ordinals_are_words(number: int, word: str) -> None:
    assert ordinal(number) == word


def test_one_is_singular() -> None:
    assert [pluralize(number, "layer") for number in (0, 1, 1200)] == ["0 layers", "1 layer", "1,200 layers"]


def test_screen_readers_get_words_for_symbols() -> None:
    assert screen_reader_text("64 × 13 × 13 · sees 8 × 8") == "64 by 13 by 13, sees 8 by 8"


def test_changes_have_a_sign_unless_they_are_rounded_to_nothing() -> None:
    found = [format_change(1200), format_change(-3), format_change(0.04, ".1f"), format_change(-0.04, ".1f")]
    assert found == ["+1,200", "−3", "0.0", "0.0"]
    assert [format_change(-0.123, ".1%"), format_change(float("-inf"))] == ["−12.3%", "−inf"]


def test_percentages_have_one_decimal() -> None:
    assert [format_percent(share) for share in (0.0, 0.7735, 1.0)] == ["0.0%", "77.3%", "100.0%"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 m 0 s"),
        (65, "1 m 5 s"),
        (72, "1 m 12 s"),
        (3599.7, "1 h 0 m"),
        (7500, "2 h 5 m"),
        (86_390, "1 d 0 h"),
        (100 * 3600, "4 d 4 h"),
        (-3, "0 s"),
    ],
)
def test_durations_show_their_two_largest_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_estimates_below_a_second_are_no_zero() -> None:
    assert estimate_duration(0.2) == "less than a second"
    assert estimate_duration(65.0) == "about 1 m 5 s"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_280, "1 kB"),
        (999_400, "999 kB"),
        (300_000, "300 kB"),
        (999_600, "1 MB"),
        (1_340_000, "1.3 MB"),
        (9_949_000, "9.9 MB"),
        (9_960_000, "10 MB"),
        (45_200_000, "45 MB"),
        (1_340_000_000, "1.3 GB"),
        (2 * 10**15, "2,000.0 TB"),
    ],
)
def test_sizes_use_the_fitting_unit(size: int, text: str) -> None:
    assert format_bytes(size) == text


def test_a_long_list_of_names_is_cut() -> None:
    assert list_names(["cat", "dog"]) == "cat, dog"
    assert list_names(["a" * 1000, "b"], 10) == "aaaaaaaaa…"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00123, "0.00123"),
        (12.34, "12.3"),
        (999.4, "999"),
        (999.7, "1,000"),
        (1234.4, "1,234"),
        (-4321.0, "-4,321"),
        (1.234e9, "1.23e+09"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_a_value_has_three_digits_or_separated_thousands(value: float, text: str) -> None:
    assert format_value(value) == text
