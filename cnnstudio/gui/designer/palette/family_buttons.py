"""The foot of the palette: the families that are folded at first, each with a button that unfolds it."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from cnnstudio.core.formatting import pluralize
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Line
from cnnstudio.layers.base import Family
from cnnstudio.layers.catalog import layer_types

FOLDABLE = tuple(Family)[-2:]
"""The families that a first network needs least."""
_HEIGHT = 26
_SIDE = 14


class FamilyButtons(QWidget):
    """A button per family."""

    changed = Signal(object)
    """The families that are folded now, a frozenset."""

    def __init__(self) -> None:
        super().__init__()
        self._buttons = {family: _FamilyButton(family) for family in FOLDABLE}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for button in self._buttons.values():
            column.addWidget(Line())
            column.addWidget(button)
            button.toggled.connect(lambda _: self.changed.emit(self.folded))

    @property
    def folded(self) -> frozenset[Family]:
        return frozenset(family for family, button in self._buttons.items() if not button.isChecked())

    def set_folded(self, families: Iterable[Family]) -> None:
        """Folds these families, and unfolds the others."""
        folded = frozenset(families)
        for family, button in self._buttons.items():
            button.setChecked(family not in folded)


class _FamilyButton(QPushButton):
    """Name and number of a family's types, and an arrow; checked while the family is unfolded."""

    def __init__(self, family: Family) -> None:
        super().__init__(family.value)
        count = sum(kind.family is family for kind in layer_types().values())
        self._count = str(count)
        self._description = f"{family.value}, {pluralize(count, 'layer type')}"
        self.setObjectName(f"family{family.name.capitalize()}")
        self.setProperty("role", "head")
        self.setFont(theme().font("head"))
        self.setCheckable(True)
        self.setFixedHeight(_HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.toggled.connect(self._describe)
        self._describe(False)

    def _describe(self, is_unfolded: bool) -> None:
        self.setToolTip(f"{'Hide' if is_unfolded else 'Show'} the layers of this family")
        self.setAccessibleName(f"{self._description}, {'expanded' if is_unfolded else 'collapsed'}")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colors = theme()
        if self.underMouse() or self.hasFocus():
            painter.fillRect(self.rect(), colors.color("selection" if self.hasFocus() else "grid"))
        painter.setFont(self.font())
        painter.setPen(colors.color("secondary"))
        inside = self.rect().adjusted(_SIDE, 0, -_SIDE, 0)
        centered, edges = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag
        painter.drawText(inside, centered | edges.AlignLeft, self.text())
        icon = colors.pixmap(
            "down" if self.isChecked() else "next", "secondary", 13, self.devicePixelRatioF()
        )
        painter.drawPixmap(inside.right() - 12, (self.height() - 13) // 2, icon)
        painter.drawText(inside.adjusted(0, 0, -20, 0), centered | edges.AlignRight, self._count)
        painter.end()
