"""Many small images as one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.gui.dashboard.maps.mosaic import EDGE, Grid, fit, mosaic, stretched

GRAYS = np.arange(256, dtype=np.uint32)


@given(st.integers(1, 600), st.floats(0.2, 5), st.integers(60, 2000), st.integers(40, 800))
def test_cells_stay_within_the_width_and_do_not_overlap(
    count: int, ratio: float, width: int, height: int
) -> None:
    grid = fit(count, ratio, width, height)

    right = [grid.corner(index)[0] + grid.width for index in range(count)]
    assert max(right) <= width
    assert len({grid.corner(index) for index in range(count)}) == count
    assert grid.rows * grid.columns >= count


@given(st.integers(1, 600), st.integers(100, 2000), st.integers(60, 800))
def test_cells_are_as_large_as_possible(count: int, width: int, height: int) -> None:
    grid = fit(count, 1.0, width, height)

    if grid.total_height <= height and grid.columns > 1 and grid.width < 120:
        fewer = grid.columns - 1
        side = min((width + grid.gap) // fewer - grid.gap, 120)
        assert Grid(count, fewer, side, side, grid.gap).total_height > height


def test_a_grid_that_does_not_fit_keeps_the_smallest_readable_cells() -> None:
    grid = fit(2000, 1.0, 300, 100)

    assert grid.width >= 18
    assert grid.total_height > 100


@given(st.integers(1, 200), st.integers(0, 199))
def test_the_cell_under_a_point_is_found(count: int, index: int) -> None:
    grid = fit(count, 0.7, 400, 200)
    index %= count
    left, top = grid.corner(index)

    assert grid.at(left + grid.width / 2, top + grid.height / 2) == index
    assert grid.at(left + grid.width + 1, top) is None
    assert grid.at(-1, -1) is None


def test_pixels_are_where_the_grid_says() -> None:
    maps = np.arange(5, dtype=np.uint8).reshape(5, 1, 1) * 10
    grid = Grid(count=5, columns=2, width=3, height=2, gap=4)

    pixels = mosaic(maps, grid, 0, 3, GRAYS, (999, 555))

    for index in range(5):
        left, top = (place + EDGE for place in grid.corner(index))
        assert (pixels[top : top + 2, left : left + 3] == index * 10).all()
        assert (pixels[top - 1 : top + 3, left - 1] == 555).all()
        assert (pixels[top + 3, left : left + 3] == 999).all()
    assert (pixels[10:, 7:] == 999).all()


def test_only_the_requested_rows_are_made() -> None:
    maps = np.arange(6, dtype=np.uint8).reshape(6, 1, 1)
    grid = Grid(count=6, columns=2, width=2, height=2, gap=4)

    pixels = mosaic(maps, grid, 1, 2, GRAYS, (999, 555))

    assert pixels.shape == (6, 12)
    assert pixels[1, 1] == 2
    assert pixels[1, 7] == 3


def test_a_map_is_enlarged_without_interpolation() -> None:
    maps = np.array([[[1, 2], [3, 4]]], dtype=np.uint8)

    pixels = mosaic(maps, Grid(1, 1, 4, 4, 4), 0, 1, GRAYS, (999, 555))

    assert pixels[1:5, 1:5].tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]


def test_each_map_is_stretched_to_the_full_range() -> None:
    maps = np.array([[[10, 20, 30]], [[0, 0, 255]], [[7, 7, 7]]], np.uint8)

    assert stretched(maps).tolist() == [[[0, 127, 255]], [[0, 0, 255]], [[7, 7, 7]]]
    assert stretched(maps).dtype == np.uint8


def test_sharp_cells_leave_no_column_empty() -> None:
    grid = fit(64, 1.0, 380, 450, pixels=(13, 13))
    assert (grid.width, grid.columns) == (39, 8)
    assert grid.total_height <= 450
    assert fit(3, 1.0, 380, 450, pixels=(13, 13)).columns == 3
