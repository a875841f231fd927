"""Significance tests, against published tables and results worked out by hand."""

from __future__ import annotations

import math
from random import Random

import pytest

from cnnstudio.runs.comparing.significance import (
    KnownSpread,
    SeedStatistics,
    compare,
    describe_comparison,
    format_accuracy,
    significance_level,
    student_t_two_sided,
)


@pytest.mark.parametrize(
    ("t", "freedom", "p_value"),
    [
        (12.706, 1, 0.05),
        (2.776, 4, 0.05),
        (4.604, 4, 0.01),
        (2.262, 9, 0.05),
        (1.96, 1e6, 0.05),
        (0.0, 5, 1.0),
        (1.0, 1, 0.5),
    ],
)
def test_students_t_distribution_agrees_with_published_tables(
    t: float, freedom: float, p_value: float
) -> None:
    assert student_t_two_sided(t, freedom) == pytest.approx(p_value, rel=2e-3)
    assert student_t_two_sided(-t, freedom) == student_t_two_sided(t, freedom)


def test_students_t_distribution_with_two_degrees_of_freedom_agrees_with_its_closed_form() -> None:
    for t in (0.01, 0.5, 2.0, 30.0):
        assert student_t_two_sided(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)


def test_welchs_test_agrees_with_a_result_worked_out_by_hand() -> None:
    # A squared error of 2 / 2 each: t = 10 / sqrt(2), with two degrees of freedom.
    found = compare(SeedStatistics((0.0, 2.0)), SeedStatistics((10.0, 12.0)), 1000)
    t = 10 / math.sqrt(2)
    assert found.p_value == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)
    assert (found.test, found.difference, found.is_significant) == ("Welch's t-test", 10.0, True)


def test_distant_results_are_significant_and_overlapping_ones_are_not() -> None:
    low, high = SeedStatistics((0.60, 0.61, 0.62)), SeedStatistics((0.70, 0.71, 0.69))
    assert compare(low, high, 1000).is_significant
    wide = SeedStatistics((0.55, 0.61, 0.69))
    assert not compare(low, wide, 1000).is_significant
    text = describe_comparison(low, wide, compare(low, wide, 1000))
    assert "not a significant difference" in text
    assert "significant below 0.003 for 3 and 3 runs" in text


def test_one_run_against_several_uses_their_standard_deviation() -> None:
    several = SeedStatistics((0.60, 0.62, 0.61, 0.63))
    assert significance_level(4, 1) > 0.0097
    assert compare(several, SeedStatistics((0.70,)), 100).is_significant
    assert not compare(SeedStatistics((0.64,)), several, 100).is_significant
    assert compare(several, SeedStatistics((0.70,)), 100).test == "Student's t-test"


def test_single_runs_never_show_a_difference() -> None:
    for accuracy, images in ((0.64, 500), (0.64, 10_000), (0.99, 1_000_000), (0.0, 10**9)):
        first, second = SeedStatistics((0.60,)), SeedStatistics((accuracy,))
        result = compare(first, second, images)
        assert not result.is_significant
        assert result.to_json()["larger_than_noise"] is False
        text = describe_comparison(first, second, result)
        assert "One run of each cannot tell a difference from the chance of the seed" in text
        assert text.endswith("train both with --seeds 5.")
    known = KnownSpread(SeedStatistics((0.58, 0.60, 0.66)), "one of these designs")
    assert "3 seeds of one of these designs gave 61.3 ± 4.2%" in describe_comparison(
        first, second, result, known=known
    )


PATHS = {
    "one run each": [(1, 1)],
    "one more of the second": [(1, count) for count in range(1, 13)],
    "one more of each": [(count, count) for count in range(1, 13)],
    "one more than two": [(2, count) for count in range(2, 15)],
    "in turn": [pair for count in range(1, 9) for pair in ((count, count), (count, count + 1))],
    "usual numbers": [(1, 1), (1, 3), (3, 3), (3, 5), (5, 5), (5, 10), (10, 10), (20, 20)],
}


@pytest.mark.parametrize("path", PATHS)
def test_looking_again_and_again_raises_at_most_five_percent_of_false_alarms(path: str) -> None:
    random = Random(5)
    alarms = 0
    for _ in range(1000):
        # The spread of the seeds of the lesson's network: 33.4 ± 4.3%.
        one, other = ([random.gauss(0.334, 0.043) for _ in range(20)] for _ in range(2))
        alarms += any(
            compare(SeedStatistics(tuple(one[:n])), SeedStatistics(tuple(other[:m])), 10_000).is_significant
            for n, m in PATHS[path]
        )
    assert alarms <= 50


def test_a_large_difference_is_found() -> None:
    random = Random(5)
    for count in (3, 5, 10):
        one, other = (
            SeedStatistics(tuple(random.gauss(mean, 0.005) for _ in range(count))) for mean in (0.6, 0.65)
        )
        assert compare(one, other, 10_000).is_significant


def test_results_without_spread_differ_unless_they_are_equal() -> None:
    same = SeedStatistics((1.0, 1.0))
    assert compare(same, SeedStatistics((1.0, 1.0)), 10).p_value == 1.0
    assert compare(same, SeedStatistics((0.9, 0.9)), 10).is_significant
    assert compare(SeedStatistics((1.0,)), SeedStatistics((1.0,)), 10).p_value == 1.0
    assert compare(same, SeedStatistics((0.5,)), 10).is_significant


def test_accuracies_are_formatted_in_percent() -> None:
    assert format_accuracy(SeedStatistics((0.5, 0.52))) == "51.0 ± 1.4%"
    assert format_accuracy(SeedStatistics((0.5,))) == "50.0%"
    assert SeedStatistics((0.5,)).to_json() == {"mean": 0.5, "deviation": None, "values": [0.5]}
