"""Buttons that apply a fix, and preview it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QEnterEvent, QFocusEvent, QHideEvent, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QPushButton, QStyle, QStyleOptionButton, QStylePainter, QWidget

from cnnstudio.gui.designer.quick_fix.apply import apply_fix
from cnnstudio.gui.designer.quick_fix.preview_access import existing_preview_card, preview_card
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.flow import FlowLayout
from cnnstudio.gui.widgets.labels import set_role
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_text
from cnnstudio.layers.base import Fix

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.apply import Finding

_KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class FixButton(QPushButton):
    """A button for one fix: hovering or focusing it shows the preview, a click or Enter applies it."""

    def __init__(self, project: Project, role: str) -> None:
        super().__init__()
        self._project = project
        self._finding: Finding | None = None
        self._fix: Fix | None = None
        self._was_clicked = False
        """Whether the mouse has not left since a click: the fix that takes its place is not previewed."""
        self.setProperty("role", role)
        self.clicked.connect(self._on_clicked)

    def show_fix(self, finding: Finding, chosen: Fix) -> None:
        """Makes this the button for a fix of `finding`."""
        self._finding, self._fix = finding, chosen
        self.setText(plain_entry(chosen.label))
        self.setAccessibleDescription(plain_text(f"{finding.message}: {chosen.instruction}"))

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionButton()
        self.initStyleOption(option)
        inside = self.style().subElementRect(QStyle.SubElement.SE_PushButtonContents, option, self)
        option.text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, inside.width())
        QStylePainter(self).drawControl(QStyle.ControlElement.CE_PushButton, option)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        if self._finding is not None and not self._was_clicked:
            card = preview_card(self._project, self)
            card.show_later(self._finding, self._fix, self, self.rect())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._was_clicked = False
        self._hide_preview()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # A button that disappears under the mouse, with its window for example, gets no leave event.
        self._hide_preview()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._finding is not None and event.reason() in _KEYBOARD_REASONS:
            card = preview_card(self._project, self)
            card.peek(self._finding, self._fix, self, self.rect())
            self.setAccessibleDescription(card.accessible_text)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._hide_preview()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        card = existing_preview_card(self)
        if event.key() == Qt.Key.Key_Escape and card is not None and card.isVisible():
            card.hide()
        elif is_enter(event):
            self._on_clicked()
        else:
            super().keyPressEvent(event)

    def _hide_preview(self) -> None:
        card = existing_preview_card(self)
        if card is not None:
            card.hide_later()

    def _on_clicked(self) -> None:
        finding, chosen = self._finding, self._fix
        if finding is not None and chosen is not None:
            self._was_clicked = True
            self._project.run_command(lambda: apply_fix(self._project, finding, chosen))


class FixButtons(QWidget):
    """Buttons for all fixes of one finding. They are reused, which keeps the tab order right."""

    def __init__(self, project: Project, role: str, object_name: str) -> None:
        super().__init__()
        self._project = project
        self._role = role
        self._name = object_name
        self._flow = FlowLayout(self)
        self.buttons: list[FixButton] = []
        self._add()

    def set_role(self, role: str) -> None:
        """Changes the style of all buttons."""
        self._role = role
        for button in self.buttons:
            set_role(button, role)

    def show_fixes(self, finding: Finding) -> None:
        """Shows a button for each fix. The first one keeps the object name that automated use knows."""
        fixes = finding.fixes
        while len(self.buttons) < len(fixes):
            self._add()
        for button, chosen in zip(self.buttons, fixes, strict=False):
            button.show_fix(finding, chosen)
        for number, button in enumerate(self.buttons):
            button.setVisible(number < len(fixes))
        self.setVisible(bool(fixes))
        self.updateGeometry()

    def _add(self) -> None:
        button = FixButton(self._project, self._role)
        button.setObjectName(self._name if not self.buttons else f"{self._name}{len(self.buttons) + 1}")
        self._flow.addWidget(button)
        if self.buttons:
            self.setTabOrder(self.buttons[-1], button)
        self.buttons.append(button)
