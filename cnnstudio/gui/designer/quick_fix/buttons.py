"""Buttons that do a fix, and show beforehand what it would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QEnterEvent, QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QPushButton, QWidget

from cnnstudio.gui.designer.quick_fix.apply import fix
from cnnstudio.gui.designer.quick_fix.preview_access import fix_preview, present_preview
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.flow import FlowLayout
from cnnstudio.layers.base import Fix

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.apply import Finding

_BY_KEY = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class FixButton(QPushButton):
    """One fix. The mouse over it and the focus on it bring the preview, a click and Enter do it."""

    def __init__(self, project: Project, role: str) -> None:
        super().__init__()
        self._project = project
        self._finding: Finding | None = None
        self._fix: Fix | None = None
        self.setProperty("role", role)
        self.clicked.connect(self._on_clicked)

    def show_fix(self, finding: Finding, chosen: Fix) -> None:
        """From now on it stands for this fix."""
        self._finding, self._fix = finding, chosen
        self.setText(chosen.label)
        self.setAccessibleDescription(f"{finding.message}: {chosen.advice}")

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        if self._finding is not None:
            card = fix_preview(self._project, self)
            card.come_soon(self._finding, self._fix, self, self.rect())

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._let_go()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if self._finding is not None and event.reason() in _BY_KEY:
            card = fix_preview(self._project, self)
            card.peek(self._finding, self._fix, self, self.rect())
            self.setAccessibleDescription(card.sentence)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._let_go()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        card = present_preview(self)
        if event.key() == Qt.Key.Key_Escape and card is not None and card.isVisible():
            card.hide()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._on_clicked()
        else:
            super().keyPressEvent(event)

    def _let_go(self) -> None:
        card = present_preview(self)
        if card is not None:
            card.go_soon()

    def _on_clicked(self) -> None:
        finding, chosen = self._finding, self._fix
        if finding is not None and chosen is not None:
            self._project.attempt(lambda: fix(self._project, finding, chosen))


class FixButtons(QWidget):
    """All fixes of one finding. The buttons are kept, so that Tab goes through them in their order."""

    def __init__(self, project: Project, role: str, object_name: str) -> None:
        super().__init__()
        self._project = project
        self._role = role
        self._name = object_name
        self._flow = FlowLayout(self)
        self.buttons: list[FixButton] = []
        self._add()

    def show_fixes(self, finding: Finding) -> None:
        """A button for each fix; the first one has the name by which automated use finds it."""
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
