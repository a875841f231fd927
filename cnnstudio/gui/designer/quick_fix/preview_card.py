"""The card that shows what a fix would do before it is done: shapes, costs and problems, before and after.

It comes while the mouse or the focus is on a fix and goes with it. Called by a key it takes the focus, so
that one can choose among several fixes, and do one or none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRect, Qt, QTimer
from PySide6.QtGui import QEnterEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.errors import UserError
from cnnstudio.design.findings import Problem
from cnnstudio.design.quick_fixes import Preview, preview
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.apply import fix
from cnnstudio.gui.designer.quick_fix.preview_text import amounts, effect, sentence, shape_rows
from cnnstudio.gui.designer.quick_fix.shape_table import ShapeRow, ShapeTable
from cnnstudio.gui.designer.quick_fix.targets import PREVIEW_CARD
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label, Line
from cnnstudio.gui.widgets.overlay import Overlay
from cnnstudio.layers.base import Fix

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.apply import Finding

_WIDTH = 408
_WIDEST_BUTTON = 220
_COMES_AFTER_MS = 250
_GOES_AFTER_MS = 180
"""Long enough for the mouse to come over from the button."""


class FixPreview(Overlay):
    """Shows a fix of a problem or of advice. Get the window's by `preview_access.fix_preview`."""

    def __init__(self, project: Project, window: QWidget) -> None:
        super().__init__(PREVIEW_CARD, _WIDTH, window)
        self._project = project
        self._finding: Finding | None = None
        self._fix: Fix | None = None
        self._asked: Callable[[], None] | None = None
        self.sentence = ""
        """What the fix that it shows would do, to be heard."""
        self._coming = self._timer(self._on_time)
        self._going = self._timer(self.hide)
        self._title = Label(role="strong", wrap=True)
        self._reason = Label(role="help", tone="secondary", wrap=True)
        self._choices = QButtonGroup(self)
        self._way = Label(role="strong", wrap=True)
        self._change = _Change()
        self._why = Label(role="help", tone="secondary", wrap=True)
        self._foot = QWidget()
        self._hint = Label("Enter does it, Esc leaves it", "help", "secondary")
        self._dismiss = QPushButton("Dismiss")
        self._apply = QPushButton()
        self._compose()
        project.network_changed.connect(self._on_changed)
        theme().changed.connect(self._on_changed)

    def _timer(self, call: Callable[[], object]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(call)
        return timer

    def _compose(self) -> None:
        self._title.setObjectName("previewTitle")
        self._choice_column = QVBoxLayout()
        self._choice_column.setSpacing(0)
        self._dismiss.setObjectName("dismissAdvice")
        self._dismiss.clicked.connect(self._on_dismiss)
        self._apply.setObjectName("applyFix")
        self._apply.setProperty("role", "primary")
        self._apply.clicked.connect(self._on_apply)
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(0, 4, 0, 0)
        foot.setSpacing(8)
        foot.addWidget(self._hint)
        foot.addStretch(1)
        foot.addWidget(self._dismiss)
        foot.addWidget(self._apply)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._reason)
        column.addLayout(self._choice_column)
        column.addWidget(self._way)
        column.addWidget(self._change)
        column.addWidget(self._why)
        column.addWidget(self._foot)

    # Coming and going

    def come_soon(self, finding: Finding, chosen: Fix | None, widget: QWidget, rect: QRect) -> None:
        """The mouse is on a fix, or on advice, at `rect` of `widget`: comes when it stays there."""
        self._going.stop()
        is_there = self.isVisible() and (finding, chosen) == (self._finding, self._fix)
        if not self.holds_focus and not is_there:
            self._asked = partial(self.peek, finding, chosen, widget, rect)
            # From one fix to the next there is nothing to wait for.
            self._coming.start(0 if self.isVisible() else _COMES_AFTER_MS)

    def go_soon(self) -> None:
        """The mouse has left; it may come over to the card."""
        self._coming.stop()
        if self.isVisible() and not self.holds_focus:
            self._going.start(_GOES_AFTER_MS)

    def peek(self, finding: Finding, chosen: Fix | None, widget: QWidget, rect: QRect) -> None:
        """Shows a fix beside `rect` of `widget`; the focus stays where it is."""
        if self._fill(finding, chosen):
            # With one fix the card only tells; the button that it is about stands beside it.
            self._foot.setVisible(bool(self._choices.buttons()) or not isinstance(finding, Problem))
            self._hint.hide()
            self.show_at(widget, rect)

    def open(self, finding: Finding, widget: QWidget, rect: QRect) -> None:
        """Shows the best fix and takes the focus, to choose and to do one; gives it back at the end."""
        if self._fill(finding, finding.fix):
            self._foot.show()
            self._hint.show()
            self.show_at(widget, rect)
            self.hold()
            self._stops()[0].setFocus(Qt.FocusReason.PopupFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._coming.stop()
        self._going.stop()
        self._finding = self._fix = None

    def enterEvent(self, event: QEnterEvent) -> None:
        self._going.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self.go_soon()

    def _on_time(self) -> None:
        if self._asked is not None:
            self._asked()

    def _on_changed(self, _: object) -> None:
        # What it says is about the network as it was, in the colors that were.
        self.hide()

    # Keys

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Tab stays in a card that holds the focus, as in a dialog."""
        if not self.holds_focus:
            return super().focusNextPrevChild(forwards)
        stops, now = self._stops(), QApplication.focusWidget()
        place = stops.index(now) if now in stops else 0
        reason = Qt.FocusReason.TabFocusReason if forwards else Qt.FocusReason.BacktabFocusReason
        stops[(place + (1 if forwards else -1)) % len(stops)].setFocus(reason)
        return True

    def _stops(self) -> list[QAbstractButton]:
        """What Tab goes through: the chosen fix where there are several, and the buttons."""
        checked = self._choices.checkedButton() if self._choices.buttons() else None
        every = (checked, self._apply, self._dismiss)
        return [each for each in every if each is not None and not each.isHidden()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            (self._on_dismiss if self._dismiss.hasFocus() else self._on_apply)()
        else:
            super().keyPressEvent(event)

    # Content

    def _fill(self, finding: Finding, chosen: Fix | None) -> bool:
        """Writes the card; False where the fix cannot be done, which the user is told."""
        if finding != self._finding:
            self._finding, self._fix = finding, None
            self._show_words(finding)
            self._show_choices(finding)
        self._way.setVisible(chosen is not None and not isinstance(finding, Problem))
        if chosen is None:
            self._change.hide()
            self._apply.hide()
            return True
        for button in self._choices.buttons():
            if button.text() == chosen.label:
                # Which shows the fix, unless it was chosen before.
                button.setChecked(True)
        return self._show_fix(chosen)

    def _show_words(self, finding: Finding) -> None:
        is_advice = not isinstance(finding, Problem)
        number = len(finding.fixes)
        ways = f"{number} ways to fix it" if number > 1 else finding.fix.label if finding.fix else ""
        self._title.setText(f"{finding.message}." if is_advice else ways)
        self._reason.setText(finding.why)
        self._reason.setVisible(is_advice and bool(finding.why))
        self._why.setText(finding.why)
        self._why.setVisible(not is_advice and bool(finding.why))
        self._dismiss.setVisible(is_advice)
        self.setAccessibleName(f"{finding.message}. {finding.why}")

    def _show_choices(self, finding: Finding) -> None:
        for button in self._choices.buttons():
            self._choices.removeButton(button)
            self._choice_column.removeWidget(button)
            # Until it is deleted it would be seen behind the new ones.
            button.hide()
            button.deleteLater()
        for each in finding.fixes if len(finding.fixes) > 1 else ():
            button = QRadioButton(each.label)
            button.setFont(theme().font("content"))
            button.toggled.connect(partial(self._on_toggled, each))
            self._choices.addButton(button)
            self._choice_column.addWidget(button)

    def _on_toggled(self, chosen: Fix, checked: bool) -> None:
        if checked and self._show_fix(chosen) and self.isVisible():
            self.place_again()

    def _show_fix(self, chosen: Fix) -> bool:
        """Tells what one fix would do."""
        finding, project = self._finding, self._project
        if finding is None or chosen == self._fix:
            return finding is not None
        self._fix = chosen
        try:
            seen = preview(project.network, finding, chosen, project.analysis, project.classes)
        except UserError as error:
            project.message.emit(str(error))
            self.hide()
            return False
        told = effect(finding.node_id, project.analysis, seen.analysis)
        self._change.show_preview(told, shape_rows(project.analysis, finding.node_id, seen), seen)
        self._way.setText(chosen.label)
        fits = self._apply.fontMetrics().horizontalAdvance(chosen.label) <= _WIDEST_BUTTON
        self._apply.setText(chosen.label if fits else "Apply")
        self._apply.setAccessibleName(chosen.label)
        self._apply.show()
        self.sentence = sentence(chosen.label, told, seen)
        self._apply.setAccessibleDescription(self.sentence)
        return True

    def _on_apply(self) -> None:
        finding, chosen = self._finding, self._fix
        # First the focus goes back: what is done may take away what had it.
        self.leave()
        if finding is not None and chosen is not None:
            self._project.attempt(lambda: fix(self._project, finding, chosen))

    def _on_dismiss(self) -> None:
        finding = self._finding
        self.leave()
        if finding is not None and not isinstance(finding, Problem):
            advice_desk(self._project).dismiss(finding)


class _Change(QWidget):
    """What a fix does: in a sentence, layer by layer, and to the numbers of the whole network."""

    def __init__(self) -> None:
        super().__init__()
        self._effect = Label(role="help", wrap=True)
        self._effect.setObjectName("previewEffect")
        self._shapes = ShapeTable()
        quiet, plain = partial(Label, "", "help", "secondary"), partial(Label, "", "help")
        self._lines = [(quiet(), quiet(), plain()) for _ in range(3)]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._effect)
        column.addWidget(self._shapes)
        column.addWidget(Line())
        column.addLayout(self._grid())

    def _grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(0, 1)
        right = Qt.AlignmentFlag.AlignRight
        for row, (name, before, after) in enumerate(self._lines):
            for label in (before, after):
                label.setFont(theme().monospace())
            grid.addWidget(name, row, 0)
            grid.addWidget(before, row, 1, right)
            grid.addWidget(Label("→", "help", "secondary"), row, 2)
            grid.addWidget(after, row, 3, right)
        return grid

    def show_preview(self, told: str, rows: Sequence[ShapeRow], seen: Preview) -> None:
        """`told` is the sentence, `rows` are the layers."""
        self._effect.setText(told)
        self._effect.setVisible(bool(told))
        self._shapes.show_rows(rows)
        for (name, before, after), amount in zip(self._lines, amounts(seen), strict=True):
            name.setText(amount.name)
            before.setText(amount.before)
            after.setText(amount.after)
            after.set_tone("good" if amount.is_better else "text")
        self.show()
