"""Color maps: 256 colors that stand for the values from the lowest to the highest of an image of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

COLOR_MAPS: Mapping[str, str] = {"gray": "gray", "heat": "heat", "cool": "cool"}
"""Keys and names of the color maps. In all of them lighter means more, so that they can be read in gray."""

_STOPS = {
    "gray": ("#000000", "#FFFFFF"),
    "heat": ("#000004", "#3B0F70", "#8C2981", "#DE4968", "#FE9F6D", "#FCFDBF"),
    "cool": ("#440154", "#414487", "#2A788E", "#22A884", "#7AD151", "#FDE725"),
}
"""The colors at equal distances; those of heat and cool are of matplotlib's magma and viridis (CC0)."""


@cache
def color_map(key: str) -> np.ndarray:
    """The colors of a map: uint32 (256,), 0xFFRRGGBB, read-only."""
    stops = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in _STOPS[key]], np.float64)
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.rint(np.interp(places, np.arange(len(stops)), stops[:, at])) for at in range(3)]
    red, green, blue = (channel.astype(np.uint32) for channel in channels)
    colors = (0xFF000000 | red << 16 | green << 8 | blue).astype(np.uint32)
    colors.flags.writeable = False
    return np.asarray(colors)
