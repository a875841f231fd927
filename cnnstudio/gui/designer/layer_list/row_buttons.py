"""What the mouse does on the buttons within the rows of the layer list: the fixes, and the sign of advice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.apply import fix
from cnnstudio.gui.designer.quick_fix.preview_access import fix_preview, present_preview
from cnnstudio.gui.designer.quick_fix.targets import Part, Spot
from cnnstudio.gui.document.project import Project

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.apply import Finding


class RowButtons:
    """Hovering shows what would be done, pressing and letting go does it. The rows paint the buttons."""

    def __init__(
        self,
        project: Project,
        viewport: QWidget,
        layer_at: Callable[[QPoint], str | None],
        rect_of: Callable[[str, Part], QRect],
    ) -> None:
        """`layer_at` gives the layer at a position of the viewport, `rect_of` the place of a row's button."""
        self._project = project
        self._viewport = viewport
        self._layer_at = layer_at
        self._rect_of = rect_of
        self._pressed: Spot | None = None
        self.hovered: Spot | None = None
        """The button under the mouse."""

    def at(self, position: QPoint) -> Spot | None:
        """The button at a position of the viewport."""
        node_id = self._layer_at(position)
        if node_id is None:
            return None
        parts: tuple[Part, ...] = ("fix", "more", "advice")
        found = (part for part in parts if self._rect_of(node_id, part).contains(position))
        part = next(found, None)
        return None if part is None else Spot(node_id, part)

    def press(self, event: QMouseEvent) -> bool:
        """Whether the press was on a button and so is no press on the row."""
        spot = self.at(event.position().toPoint())
        # The sign of advice belongs to the row, which a click selects as everywhere.
        is_button = spot is not None and spot.part != "advice" and event.button() == Qt.MouseButton.LeftButton
        self._pressed = spot if is_button else None
        return is_button

    def release(self, event: QMouseEvent) -> bool:
        """Whether the release ended a press on a button, which is done where it was not left."""
        pressed, self._pressed = self._pressed, None
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return False
        if pressed == self.at(event.position().toPoint()):
            self._do(pressed)
        return True

    @property
    def is_pressed(self) -> bool:
        """Whether a button is held down."""
        return self._pressed is not None

    def part_of(self, node_id: str | None) -> Part | None:
        """The button under the mouse, if it is in this layer's row."""
        return self.hovered.part if self.hovered is not None and self.hovered.node_id == node_id else None

    def hover(self, spot: Spot | None) -> None:
        """The mouse is on a button now, or on none."""
        if spot == self.hovered:
            return
        self.hovered = spot
        viewport = self._viewport
        finding = None if spot is None else self.finding(spot)
        if spot is None or finding is None:
            viewport.setCursor(Qt.CursorShape.ArrowCursor)
            card = present_preview(viewport)
            if card is not None:
                card.go_soon()
        else:
            viewport.setCursor(Qt.CursorShape.PointingHandCursor)
            card = fix_preview(self._project, viewport)
            card.come_soon(finding, finding.fix, viewport, self._rect(spot))
        viewport.update()

    def open(self, spot: Spot) -> None:
        """Shows what a button stands for in a card that takes the focus."""
        finding = self.finding(spot)
        if finding is not None:
            card = fix_preview(self._project, self._viewport)
            card.open(finding, self._viewport, self._rect(spot))

    def finding(self, spot: Spot) -> Finding | None:
        """The problem or the advice that a button is about."""
        report = self._project.analysis.by_id.get(spot.node_id)
        if spot.part != "advice":
            return report.problem if report is not None else None
        return next(iter(advice_desk(self._project).of(spot.node_id)), None)

    def _rect(self, spot: Spot) -> QRect:
        return self._rect_of(spot.node_id, spot.part)

    def _do(self, spot: Spot) -> None:
        finding = self.finding(spot)
        if spot.part == "more":
            self.open(spot)
        elif finding is not None:
            self._project.attempt(lambda: fix(self._project, finding))
