"""Significance tests, against published tables and results worked out by hand."""

from __future__ import annotations

import math

import pytest

from cnnstudio.runs.significance import (
    SeedStatistics,
    compare,
    describe_comparison,
    format_accuracy,
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
    assert "not a significant difference" in describe_comparison(low, wide, compare(low, wide, 1000))


def test_one_run_against_several_uses_their_standard_deviation() -> None:
    several = SeedStatistics((0.60, 0.62, 0.61, 0.63))
    assert compare(several, SeedStatistics((0.70,)), 100).is_significant
    assert not compare(SeedStatistics((0.64,)), several, 100).is_significant
    assert compare(several, SeedStatistics((0.70,)), 100).test == "Student's t-test"


def test_single_runs_are_compared_by_the_number_of_test_images() -> None:
    first, second = SeedStatistics((0.60,)), SeedStatistics((0.64,))
    assert not compare(first, second, 500).is_significant
    many_images = compare(first, second, 10_000)
    assert many_images.is_significant
    assert describe_comparison(first, second, many_images).endswith("train both with --seeds 5.")


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
