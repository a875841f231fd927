"""What is larger than chance, by tests whose tables are known."""

from __future__ import annotations

import math

import pytest

from cnnstudio.runs.significance import Spread, compare, in_words, sentence, student_tails


@pytest.mark.parametrize(
    ("t", "freedom", "probability"),
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
def test_students_distribution_is_that_of_the_tables(t: float, freedom: float, probability: float) -> None:
    assert student_tails(t, freedom) == pytest.approx(probability, rel=2e-3)
    assert student_tails(-t, freedom) == student_tails(t, freedom)


def test_students_distribution_with_two_degrees_has_a_plain_formula() -> None:
    for t in (0.01, 0.5, 2.0, 30.0):
        assert student_tails(t, 2) == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)


def test_welch_where_it_can_be_worked_out_by_hand() -> None:
    # A squared error of 2 / 2 each: t = 10 / sqrt(2), with two degrees of freedom.
    found = compare(Spread((0.0, 2.0)), Spread((10.0, 12.0)), 1000)
    t = 10 / math.sqrt(2)
    assert found.probability == pytest.approx(1 - t / math.sqrt(2 + t * t), rel=1e-9)
    assert (found.test, found.difference, found.is_real) == ("Welch's t-test", 10.0, True)


def test_far_apart_is_real_and_overlapping_is_noise() -> None:
    low, high = Spread((0.60, 0.61, 0.62)), Spread((0.70, 0.71, 0.69))
    assert compare(low, high, 1000).is_real
    wide = Spread((0.55, 0.61, 0.69))
    assert not compare(low, wide, 1000).is_real
    assert "not larger than the noise" in sentence(low, wide, compare(low, wide, 1000))


def test_one_run_against_several_takes_their_deviation() -> None:
    several = Spread((0.60, 0.62, 0.61, 0.63))
    assert compare(several, Spread((0.70,)), 100).is_real
    assert not compare(Spread((0.64,)), several, 100).is_real
    assert compare(several, Spread((0.70,)), 100).test == "Student's t-test"


def test_single_runs_know_the_chance_of_the_test_images_alone() -> None:
    first, second = Spread((0.60,)), Spread((0.64,))
    assert not compare(first, second, 500).is_real
    few = compare(first, second, 10_000)
    assert few.is_real
    assert sentence(first, second, few).endswith("train both with --seeds 5.")


def test_results_without_any_spread_are_compared_as_they_are() -> None:
    same = Spread((1.0, 1.0))
    assert compare(same, Spread((1.0, 1.0)), 10).probability == 1.0
    assert compare(same, Spread((0.9, 0.9)), 10).is_real
    assert compare(Spread((1.0,)), Spread((1.0,)), 10).probability == 1.0
    assert compare(same, Spread((0.5,)), 10).is_real


def test_spreads_are_said_in_percent() -> None:
    assert in_words(Spread((0.5, 0.52))) == "51.0 ± 1.4%"
    assert in_words(Spread((0.5,))) == "50.0%"
    assert Spread((0.5,)).to_json() == {"mean": 0.5, "deviation": None, "values": [0.5]}
