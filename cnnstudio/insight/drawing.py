"""Readings as images, for `cnnstudio inspect --out`. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnstudio.core.colors import CLASS_COLORS
from cnnstudio.core.formatting import clean_line
from cnnstudio.core.parameters import shorten
from cnnstudio.insight.reading import Array, Canvas
from cnnstudio.insight.scatter import SHAPES, paint_points

if TYPE_CHECKING:
    from PIL import ImageFont

_BACKGROUND, _TEXT, _BAR, _SECOND_BAR = (255, 255, 255), (27, 31, 36), (47, 85, 212), (200, 205, 213)
_GAP, _LINE, _FONT_SIZE = 4, 20, 13
_MIN_TILE, _MAX_SIDE = 48, 4096
_MAX_LABEL = 24
_MAX_GROUPS = 30


def mosaic(tiles: Array) -> Canvas:
    """Tiles in rows: uint8 (n, h, w), or (n, h, w, 3) in color. Small ones are enlarged by a whole number."""
    colored = tiles if tiles.ndim == 4 else np.repeat(tiles[..., None], 3, axis=3)
    count, height, width = colored.shape[:3]
    columns = max(math.ceil(math.sqrt(count * height / width)), 1)
    rows = max(math.ceil(count / columns), 1)
    room = _MAX_SIDE // max(columns * (width + _GAP), rows * (height + _GAP), 1)
    zoom = max(min(math.ceil(_MIN_TILE / max(height, width)), room), 1)
    colored = colored.repeat(zoom, axis=1).repeat(zoom, axis=2)
    height, width = zoom * height, zoom * width
    canvas = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for index, tile in enumerate(colored):
        top, left = (
            _GAP + at * size
            for at, size in zip(divmod(index, columns), (height + _GAP, width + _GAP), strict=True)
        )
        canvas[top : top + height, left : left + width] = tile
    return canvas


def matrix(fractions: Array, labels: Sequence[str]) -> Canvas:
    """A square matrix of numbers from 0 (white) to 1 (blue), with the labels of its rows and columns."""
    from PIL import Image, ImageDraw

    count = len(fractions)
    cell = max(min(32, _MAX_SIDE // max(count, 1)), 1)
    shade = np.clip(fractions, 0, 1)[..., None]
    colors: Canvas = (255 * (1 - shade) + np.array(_BAR) * shade).astype(np.uint8)
    colors = colors.repeat(cell, axis=0).repeat(cell, axis=1)
    if cell < _LINE:
        return colors
    names = [_label(label) for label in labels]
    margin = max((_text_width(name) for name in names), default=0) + 2 * _GAP
    image = Image.new("RGB", (margin + count * cell, margin + count * cell), _BACKGROUND)
    image.paste(Image.fromarray(colors), (margin, margin))
    draw = ImageDraw.Draw(image)
    for index, name in enumerate(names):
        place = margin + index * cell + (cell - _FONT_SIZE) // 2
        draw.text((_GAP, place), name, _TEXT, _font())
        column = Image.new("RGB", (margin, _LINE), _BACKGROUND)
        ImageDraw.Draw(column).text((_GAP, 0), name, _TEXT, _font())
        image.paste(column.rotate(90, expand=True), (place, 0))
    return np.asarray(image)


def bars(rows: Sequence[tuple[str, float, float | None]]) -> Canvas:
    """Horizontal bars from 0 to 1 with a label each; a second, paler value is drawn behind the first."""
    from PIL import Image, ImageDraw

    length = 320
    names = [_label(name) for name, _, _ in rows]
    margin = max((_text_width(name) for name in names), default=0) + 2 * _GAP
    image = Image.new("RGB", (margin + length + 60, len(rows) * _LINE + 2 * _GAP), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    for index, (name, (_, value, second)) in enumerate(zip(names, rows, strict=True)):
        top = _GAP + index * _LINE
        draw.text((_GAP, top), name, _TEXT, _font())
        for share, color, inset in ((second, _SECOND_BAR, 2), (value, _BAR, 5)):
            if share:
                right = margin + round(length * min(share, 1.0))
                draw.rectangle((margin, top + inset, right, top + _LINE - inset), color)
        draw.text((margin + length + _GAP, top), f"{100 * value:.1f}%", _TEXT, _font())
    return np.asarray(image)


def histograms(rows: Sequence[Sequence[tuple[str, Array]]]) -> Canvas:
    """Rows of histograms, each with a label and counts (bins,), scaled to its own highest bin."""
    from PIL import Image, ImageDraw

    height = 48
    bins = max((len(counts) for charts in rows for _, counts in charts), default=1)
    columns = max(map(len, rows), default=1)
    width = 4 * bins
    image = Image.new(
        "RGB",
        (columns * (width + 4 * _GAP), max(len(rows), 1) * (height + _LINE + _GAP) + _GAP),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(image)
    for row, charts in enumerate(rows):
        top = _GAP + row * (height + _LINE + _GAP)
        for column, (label, counts) in enumerate(charts):
            left, bottom = _GAP + column * (width + 4 * _GAP), top + _LINE + height
            draw.text((left, top), shorten(clean_line(label), 2 * _MAX_LABEL), _TEXT, _font())
            for at, share in enumerate((counts / max(counts.max(), 1)).tolist()):
                if share:
                    x = left + 4 * at
                    draw.rectangle((x, bottom - max(round(share * height), 1), x + 2, bottom), _BAR)
            draw.line((left, bottom, left + width, bottom), _SECOND_BAR)
    return np.asarray(image)


def scatter(points: Array, groups: Array, labels: Sequence[str]) -> Canvas:
    """Points (N, 2), y upwards, in the colors and shapes of their groups, with a legend of the largest."""
    from PIL import Image, ImageDraw

    side, margin, radius = 720, 16, 4.0
    colors = [_class_color(group) for group in range(len(labels))]
    extent = float(np.abs(points).max(initial=0)) or 1.0
    places = side / 2 + points.astype(np.float64) * ((side / 2 - margin) / extent) * (1, -1)
    pixels = np.full((side, side), 0xFFFFFFFF, np.uint32)
    # Images are often sorted by class, and the last class must not hide all others.
    order = np.random.default_rng(0).permutation(len(places))
    paint_points(pixels, places[order], groups[order], colors, radius, 0xFFFFFF)
    counts = np.bincount(groups, minlength=len(labels))
    listed = sorted(np.argsort(-counts, kind="stable")[:_MAX_GROUPS].tolist())
    names = [_label(labels[group]) for group in listed]
    width = max((_text_width(name) for name in names), default=0) + _LINE + 3 * _GAP
    image = Image.new("RGB", (side + width, max(side, len(listed) * _LINE + 2 * margin)), _BACKGROUND)
    image.paste(Image.fromarray(_to_rgb(pixels)))
    draw = ImageDraw.Draw(image)
    for number, (group, name) in enumerate(zip(listed, names, strict=True)):
        swatch = np.full((_LINE, _LINE), 0xFFFFFFFF, np.uint32)
        middle = np.array([[_LINE / 2, _LINE / 2]])
        paint_points(swatch, middle, np.zeros(1, np.intp), [colors[group]], radius, 0xFFFFFF)
        top = margin + number * _LINE
        image.paste(Image.fromarray(_to_rgb(swatch)), (side, top))
        draw.text((side + _LINE + _GAP, top + 2), name, _TEXT, _font())
    return np.asarray(image)


def _to_rgb(pixels: Array) -> Canvas:
    """uint8 (height, width, 3) of 0xFFRRGGBB."""
    return np.stack([pixels >> shift & 255 for shift in (16, 8, 0)], 2).astype(np.uint8)


def _class_color(number: int) -> tuple[int, str]:
    """The color of a class on a light ground, 0xRRGGBB, and its shape."""
    count = len(CLASS_COLORS)
    return int(CLASS_COLORS[number % count][0][1:], 16), SHAPES[number // count % len(SHAPES)]


def _label(name: str) -> str:
    return shorten(clean_line(name), _MAX_LABEL)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(_FONT_SIZE)


def _text_width(text: str) -> int:
    return math.ceil(_font().getlength(text))
