"""Many small gray images as one image: their layout, and the pixels of the visible rows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

GAP = 4
EDGE = 1
"""The width of a map's edge in device pixels; edges lie in the gaps."""
_SMALLEST_CELL = 18
_LARGEST_CELL = 120


@dataclass(frozen=True)
class Grid:
    """`count` equal cells in rows; all lengths in device pixels."""

    count: int
    columns: int
    width: int
    height: int
    gap: int

    @property
    def rows(self) -> int:
        return math.ceil(self.count / self.columns) if self.columns else 0

    @property
    def total_height(self) -> int:
        return max(self.rows * (self.height + self.gap) - self.gap, 0)

    def corner(self, index: int) -> tuple[int, int]:
        """Left and top of a cell."""
        row, column = divmod(index, self.columns)
        return column * (self.width + self.gap), row * (self.height + self.gap)

    def at(self, x: float, y: float) -> int | None:
        """The index of the cell under a point; None for a gap."""
        column, inside_x = divmod(x, self.width + self.gap)
        row, inside_y = divmod(y, self.height + self.gap)
        index = int(row) * self.columns + int(column)
        inside = 0 <= column < self.columns and inside_x < self.width and inside_y < self.height
        return index if inside and 0 <= index < self.count else None


@lru_cache(maxsize=16)
def fit(
    count: int,
    ratio: float,
    width: int,
    height: int,
    scale: float = 1.0,
    pixels: tuple[int, int] | None = None,
) -> Grid:
    """The grid with the largest cells that all fit into `width` × `height`, else with the smallest cells.

    `ratio` is a cell's height divided by its width, `scale` the number of device pixels per pixel. Cells of
    maps of `pixels` (rows, columns) are whole multiples of them, see `sharp`.
    """
    gap, smallest, largest = round(GAP * scale), round(_SMALLEST_CELL * scale), round(_LARGEST_CELL * scale)
    maximum = max((width + gap) // (smallest + gap), 1)
    for columns in range(1, maximum + 1):
        grid = _with_columns(count, ratio, width, columns, gap, largest)
        if pixels is not None:
            grid = sharp(grid, *pixels)
        if grid.total_height <= height:
            return grid if pixels is None else _widened(grid, width)
    return _with_columns(count, ratio, width, maximum, gap, largest)


def _widened(grid: Grid, width: int) -> Grid:
    """The grid with as many columns of its cells as there is room for: whole multiples leave some."""
    return replace(grid, columns=max(min((width + grid.gap) // (grid.width + grid.gap), grid.count), 1))


def zoomed(grid: Grid, width: int, zoom: float) -> Grid:
    """The grid with cells `zoom` times as large, in as many columns as fit into `width`."""
    side, height = max(round(grid.width * zoom), 1), max(round(grid.height * zoom), 1)
    return Grid(grid.count, max((width + grid.gap) // (side + grid.gap), 1), side, height, grid.gap)


def sharp(grid: Grid, rows: int, columns: int) -> Grid:
    """The grid with cells of whole multiples of a map of `rows` × `columns` pixels, if they are large enough.

    Then every pixel of a map has the same size on the screen.
    """
    factor = min(grid.width // columns, grid.height // rows)
    if factor < 2:
        return grid
    return Grid(grid.count, grid.columns, factor * columns, factor * rows, grid.gap)


def _with_columns(count: int, ratio: float, width: int, columns: int, gap: int, largest: int) -> Grid:
    side = min(max((width + gap) // columns - gap, 1), largest)
    # The height is bounded for maps that are much higher than wide.
    return Grid(count, columns, side, min(max(round(side * ratio), 1), 4 * side), gap)


def stretched(maps: np.ndarray) -> np.ndarray:
    """Stretches each map, uint8 (N, h, w), to the full range from 0 to 255. A constant map stays as it is."""
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    levels = (maps - low).astype(np.uint16) * 255 // np.maximum(span, 1)
    return np.where(span, levels, maps).astype(np.uint8)


def mosaic(
    maps: np.ndarray, grid: Grid, first_row: int, last_row: int, palette: np.ndarray, colors: tuple[int, int]
) -> np.ndarray:
    """The pixels of the rows from `first_row` to before `last_row`: uint32 (height, width), 0xAARRGGBB.

    `maps` is uint8 (count, h, w); `palette` is uint32 (256,), the color of each gray; `colors` are the color
    of the background and that of the thin edge which makes a white map visible on white. The first map is at
    (EDGE, EDGE).
    """
    shown = maps[first_row * grid.columns : last_row * grid.columns]
    source = _source(grid, len(shown), maps.shape[1], maps.shape[2])
    values: np.ndarray = np.concatenate([palette[shown.reshape(-1)], np.array(colors, np.uint32)])
    return np.asarray(values[source])


@lru_cache(maxsize=4)
def _source(grid: Grid, count: int, map_height: int, map_width: int) -> np.ndarray:
    """Which value each pixel of `count` cells shows: intp (height, width), read-only.

    The index into the values of the maps, behind which the background and then the edge follow. The same for
    every frame of a training, in which only the values change.
    """
    background = count * map_height * map_width
    rows = math.ceil(count / grid.columns)
    down = np.arange(grid.height) * map_height // grid.height
    across = np.arange(grid.width) * map_width // grid.width
    size = (rows * grid.columns, grid.height + grid.gap, grid.width + grid.gap)
    cells = np.full(size, background, dtype=np.intp)
    cells[:count, : grid.height + 2 * EDGE, : grid.width + 2 * EDGE] = background + 1
    values = np.arange(background).reshape(count, map_height, map_width)
    cells[:count, EDGE : grid.height + EDGE, EDGE : grid.width + EDGE] = values[:, down][:, :, across]
    ordered = cells.reshape(rows, grid.columns, *cells.shape[1:]).transpose(0, 2, 1, 3)
    source = np.ascontiguousarray(ordered.reshape(rows * cells.shape[1], grid.columns * cells.shape[2]))
    source.flags.writeable = False
    return source
