"""The line of text at the foot of a view."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

FOOT_HEIGHT, SIDE = 36, 16


def foot(*parts: QWidget) -> QWidget:
    """A row at the foot of a view, with its margins; the first part takes the rest of the width."""
    place = QWidget()
    place.setObjectName("viewFoot")
    place.setFixedHeight(FOOT_HEIGHT)
    row = QHBoxLayout(place)
    # Not the margins of a label, which the style sheet resets.
    row.setContentsMargins(SIDE, 0, SIDE, 0)
    row.setSpacing(8)
    for part in parts:
        row.addWidget(part, int(part is parts[0]))
    return place
