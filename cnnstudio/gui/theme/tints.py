"""Colors between two tokens of the theme, for cells that show a value by their ground."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PySide6.QtGui import QColor

from cnnstudio.gui.theme.theme import theme

STRONGEST = 0.4
"""The most of a color in the ground of a cell: the text on it keeps a contrast of 5.5 : 1."""


def tint(token: str, share: float) -> QColor:
    """The panel's color with some of a token's color; `share` from 0 to 1 is as strong as a text allows."""
    return mixed(token, "panel", STRONGEST * min(max(share, 0.0), 1.0))


def mixed(token: str, ground: str, amount: float) -> QColor:
    """`amount`, 0 to 1, of one token's color in that of another."""
    return QColor(_mixed(theme().color(token).rgb(), theme().color(ground).rgb(), round(1000 * amount)))


@lru_cache(4096)
def _mixed(front: int, back: int, thousandths: int) -> int:
    share = thousandths / 1000
    channels = ((front >> shift & 255, back >> shift & 255) for shift in (16, 8, 0))
    red, green, blue = (round(share * a + (1 - share) * b) for a, b in channels)
    return 0xFF000000 | red << 16 | green << 8 | blue


def ramp(token: str, ground: str, strongest: float = 1.0) -> np.ndarray:
    """256 colors from `ground` to `strongest` of the token's color: uint32 (256,), 0xFFRRGGBB."""
    front, back = (_channels(theme().color(name)) for name in (token, ground))
    amount = np.linspace(0.0, strongest, 256)[:, None]
    return _packed(back + amount * (front - back))


def diverging() -> np.ndarray:
    """255 colors, uint32 (255,), for −127 to 127: orange, the panel's color in the middle, blue."""
    low, middle, high = (_channels(theme().color(name)) for name in ("validation", "panel", "training"))
    amount = np.abs(np.arange(-127, 128))[:, None] / 127
    ends = np.where(np.arange(-127, 128)[:, None] < 0, low, high)
    return _packed(middle + amount * (ends - middle))


def _channels(color: QColor) -> np.ndarray:
    return np.array([color.red(), color.green(), color.blue()], np.float64)


def _packed(colors: np.ndarray) -> np.ndarray:
    """float64 (N, 3) as uint32 (N,), 0xFFRRGGBB."""
    channels = np.rint(colors).astype(np.uint32)
    packed: np.ndarray = 0xFF000000 | channels[:, 0] << 16 | channels[:, 1] << 8 | channels[:, 2]
    return packed.astype(np.uint32)
