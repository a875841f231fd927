"""The program's colors by role, in light and dark, for the window and for drawings made without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Scheme = Literal["light", "dark"]

TOKENS: Mapping[str, tuple[str, str]] = {
    # name: (light, dark)
    "background": ("#F4F5F7", "#16181C"),
    "panel": ("#FFFFFF", "#1E2126"),
    "field": ("#FFFFFF", "#252A30"),
    "border": ("#DDE1E7", "#32373F"),
    "grid": ("#ECEFF3", "#2A2E35"),
    "text": ("#1B1F24", "#E8EBEF"),
    "secondary": ("#566070", "#A0A9B6"),
    "accent": ("#2F55D4", "#7E9BFF"),
    "on_accent": ("#FFFFFF", "#10131A"),
    "selection": ("#E7ECFB", "#2A3350"),
    "wrong": ("#B3261E", "#FF8A80"),
    "wrong_ground": ("#FDECEA", "#3A2322"),
    "training": ("#0072B2", "#56B4E9"),
    "validation": ("#C24E00", "#F0A040"),
    "good": ("#00785A", "#4CC9A0"),
    "convolution": ("#0072B2", "#56B4E9"),
    "pooling": ("#00785A", "#4CC9A0"),
    "core": ("#B84A00", "#F0915A"),
    "activation": ("#8A6100", "#D9B24A"),
    "regularization": ("#9A3F80", "#D98AC0"),
    "group": ("#566070", "#A0A9B6"),
}

CLASS_COLORS: tuple[tuple[str, str], ...] = (
    # (light, dark): told apart from each other, and from the color of a panel by at least 3 : 1
    ("#0072B2", "#56B4E9"),
    ("#C24E00", "#F0A040"),
    ("#00785A", "#4CC9A0"),
    ("#9A3F80", "#D98AC0"),
    ("#8A6100", "#E5C95C"),
    ("#C2273D", "#FF7F87"),
    ("#5B4BC4", "#A79BFF"),
    ("#007F8C", "#3FC6D6"),
    ("#7A4A2B", "#C99A76"),
    ("#5E7A00", "#A9CC45"),
    ("#D0388F", "#FF8FCB"),
    ("#566070", "#A0A9B6"),
)
"""Of classes in one drawing, by their number; beyond these, shapes tell them apart."""


def scheme_colors(scheme: Scheme) -> Mapping[str, str]:
    """Token -> color as #RRGGBB."""
    return {token: colors[scheme == "dark"] for token, colors in TOKENS.items()}
