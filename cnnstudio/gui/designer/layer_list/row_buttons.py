"""Mouse handling for the buttons in the rows of the layer list: the fixes, and the light bulb of a tip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QWidget

from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.apply import apply_fix
from cnnstudio.gui.designer.quick_fix.preview_access import existing_preview_card, preview_card
from cnnstudio.gui.designer.quick_fix.targets import FixTarget, RowButton
from cnnstudio.gui.document.project import Project

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.apply import Finding


class RowButtons:
    """Hovering a button shows a preview, clicking it applies the fix. RowPainter paints the buttons."""

    def __init__(
        self,
        project: Project,
        viewport: QWidget,
        layer_at: Callable[[QPoint], str | None],
        rect_of: Callable[[str, RowButton], QRect],
    ) -> None:
        """`layer_at` gives the layer at a viewport position, `rect_of` the rectangle of a row's button."""
        self._project = project
        self._viewport = viewport
        self._layer_at = layer_at
        self._rect_of = rect_of
        self._pressed: FixTarget | None = None
        self._was_clicked = False
        """Whether the mouse has not left the buttons since a click: what moves under it is not previewed."""
        self.hovered: FixTarget | None = None
        """The button under the mouse."""

    def at(self, position: QPoint) -> FixTarget | None:
        """The button at a position of the viewport."""
        node_id = self._layer_at(position)
        if node_id is None:
            return None
        buttons: tuple[RowButton, ...] = ("fix", "more", "advice")
        found = (button for button in buttons if self._rect_of(node_id, button).contains(position))
        button = next(found, None)
        return None if button is None else FixTarget(node_id, button)

    def press(self, event: QMouseEvent) -> bool:
        """Handles a press; returns whether it was on a button and so must not reach the row."""
        target = self.at(event.position().toPoint())
        # The light bulb is not a button to click: like anywhere in the row, a click on it selects the row.
        is_left = event.button() == Qt.MouseButton.LeftButton
        is_button = target is not None and target.button != "advice" and is_left
        self._pressed = target if is_button else None
        return is_button

    def release(self, event: QMouseEvent) -> bool:
        """Handles a release, a click if still on the button; returns whether it ended a press on a button."""
        pressed, self._pressed = self._pressed, None
        if pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return False
        if pressed == self.at(event.position().toPoint()):
            self._on_clicked(pressed)
        return True

    @property
    def is_pressed(self) -> bool:
        """Whether a button is held down."""
        return self._pressed is not None

    def hovered_in(self, node_id: str | None) -> RowButton | None:
        """The button under the mouse if it is in this layer's row, else None."""
        return self.hovered.button if self.hovered is not None and self.hovered.node_id == node_id else None

    def hover(self, target: FixTarget | None) -> None:
        """Updates the cursor and the preview when the mouse moves onto a button or off it (None)."""
        if target == self.hovered:
            return
        self.hovered = target
        viewport = self._viewport
        finding = None if target is None else self.finding(target)
        if target is None or finding is None:
            self._was_clicked = False
            viewport.setCursor(Qt.CursorShape.ArrowCursor)
            card = existing_preview_card(viewport)
            if card is not None:
                card.hide_later()
        else:
            viewport.setCursor(Qt.CursorShape.PointingHandCursor)
            if not self._was_clicked:
                card = preview_card(self._project, viewport)
                card.show_later(finding, finding.fix, viewport, self._rect(target))
        viewport.update()

    def open(self, target: FixTarget) -> None:
        """Opens the preview of a button and moves the focus into it."""
        finding = self.finding(target)
        if finding is not None:
            card = preview_card(self._project, self._viewport)
            card.open(finding, self._viewport, self._rect(target))

    def finding(self, target: FixTarget) -> Finding | None:
        """The problem or the advice that a button belongs to."""
        report = self._project.analysis.by_id.get(target.node_id)
        if report is not None and report.problem is not None:
            return report.problem
        if target.button != "advice":
            return None
        return next(iter(advice_service(self._project).for_node(target.node_id)), None)

    def _rect(self, target: FixTarget) -> QRect:
        return self._rect_of(target.node_id, target.button)

    def _on_clicked(self, target: FixTarget) -> None:
        finding = self.finding(target)
        if target.button == "more":
            self.open(target)
        elif finding is not None:
            self._was_clicked = True
            self._project.run_command(lambda: apply_fix(self._project, finding))
