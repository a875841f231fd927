"""Sizes of widgets that Qt knows by their value."""

from __future__ import annotations

from typing import Final

NO_LIMIT: Final = 16_777_215
"""The largest width or height of a widget that may have any. QWIDGETSIZE_MAX, which PySide6 does not have."""
