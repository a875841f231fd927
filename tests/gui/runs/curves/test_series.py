"""The points of a curve and its trend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.gui.runs.curves.series import Series, Trend


def filled(values: np.ndarray, maximum: int = 400_000) -> Series:
    series = Series(maximum)
    series.extend(np.arange(len(values), dtype=float), values)
    return series


def test_every_point_is_kept() -> None:
    values = np.random.default_rng(0).random(5000)

    series = filled(values)

    assert np.array_equal(series.y, values)
    assert series.x.dtype == np.float64


def test_nan_and_infinite_values_are_skipped() -> None:
    series = Series()

    series.extend([1, 2, 3, 4], [0.5, float("nan"), float("inf"), 0.25])

    assert series.y.tolist() == [0.5, 0.25]
    assert series.x.tolist() == [1, 4]


def test_a_long_run_keeps_its_peaks_in_bounded_memory() -> None:
    series = Series(1000)
    for start in range(0, 50_000, 100):
        x = np.arange(start, start + 100, dtype=float)
        y = np.sin(x)
        y[50] = 100 if start == 20_000 else y[50]
        series.extend(x, y)

    assert len(series) <= 1000
    assert series.y.max() == 100
    assert series.y.min() == pytest.approx(-1, abs=1e-3)
    assert np.all(np.diff(series.x) > 0)
    assert series.x[-1] == 49_999


def test_truncating_removes_the_later_points() -> None:
    series = filled(np.arange(10.0))

    series.truncate(6)

    assert series.x.tolist() == [0, 1, 2, 3, 4, 5]


def test_a_value_is_read_at_or_before_a_position() -> None:
    series = filled(np.array([10.0, 20.0, 30.0]))

    assert series.at(1.9) == 20
    assert series.at(-5) == 10
    assert series.at(99) == 30
    assert Series().at(0) is None


@given(st.integers(1, 3000), st.integers(4, 200), st.integers(0, 2**31))
def test_the_envelope_keeps_the_extremes_of_the_visible_range(count: int, points: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=count)

    x, y = filled(values).envelope(0, count, points)

    assert y.max() == values.max()
    assert y.min() == values.min()
    assert len(y) <= 2 * points + 4 or len(y) <= count
    assert np.all(np.diff(x) >= 0)


def test_the_envelope_is_stable_while_points_are_added() -> None:
    values = np.random.default_rng(0).random(4000)
    series = filled(values[:3000])
    before = [array[:300] for array in series.envelope(0, 10_000, 400)]

    series.extend(np.arange(3000.0, 3100.0), values[3000:3100])

    after = [array[:300] for array in series.envelope(0, 10_000, 400)]
    assert np.array_equal(before, after)


def test_zoomed_in_the_envelope_has_every_point_and_one_neighbor_on_either_side() -> None:
    series = filled(np.arange(1000.0))

    x, _ = series.envelope(100, 105, 200)

    assert x.tolist() == [99, 100, 101, 102, 103, 104, 105, 106]


@given(st.integers(1, 3000), st.integers(1, 40))
def test_the_trend_of_a_rising_line_rises_and_has_few_points(count: int, size: int) -> None:
    trend = Trend(size)

    trend.extend(np.arange(float(count)), np.arange(float(count)))

    x, y = trend.curve()
    assert 1 <= len(x) <= 512
    assert np.all(np.diff(y) > 0)
    assert y.min() >= 0
    assert y.max() < count


def test_the_trend_does_not_lag_behind() -> None:
    trend = Trend(4)
    x = np.arange(400.0)

    trend.extend(x, -x)

    drawn_x, drawn_y = trend.curve()
    assert drawn_y[3:-3] == pytest.approx(-drawn_x[3:-3])


def test_the_trend_is_smoother_than_the_points_and_skips_nan() -> None:
    values = np.random.default_rng(0).normal(size=2000)
    values[7] = np.nan
    trend = Trend(16)

    trend.extend(np.arange(2000.0), values)

    _, drawn = trend.curve()
    assert np.isfinite(drawn).all()
    assert drawn.std() < 0.2


def test_the_trend_without_points_is_empty() -> None:
    x, y = Trend().curve()

    assert len(x) == len(y) == 0


def test_a_trend_can_be_truncated() -> None:
    trend = Trend(2)
    trend.extend(np.arange(11.0), np.arange(11.0))

    trend.truncate(6)

    assert trend.curve()[0].tolist() == [0.5, 2.5, 4.5]
