"""The card that previews a fix: shapes, costs and number of problems before and after it.

It appears while the mouse or the focus is on a fix, and disappears with it. Opened by a key it takes the
focus, to choose among several fixes and apply one.
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
from cnnstudio.design.quick_fixes import FixPreview, preview_fix
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.apply import apply_fix
from cnnstudio.gui.designer.quick_fix.preview_text import (
    describe_effect,
    describe_preview,
    shape_rows,
    total_changes,
)
from cnnstudio.gui.designer.quick_fix.shape_table import ShapeRow, ShapeTable
from cnnstudio.gui.designer.quick_fix.targets import PREVIEW_OBJECT_NAME
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.gui.widgets.labels import Label, Line
from cnnstudio.gui.widgets.overlay import Overlay
from cnnstudio.gui.widgets.plain_text import plain_entry
from cnnstudio.layers.base import Fix

if TYPE_CHECKING:
    from cnnstudio.gui.designer.quick_fix.apply import Finding

_WIDTH = 408
_MAX_BUTTON_WIDTH = 220
_SHOW_DELAY_MS = 250
_HIDE_DELAY_MS = 180
"""Long enough for the mouse to move from the button onto the card."""


class FixPreviewCard(Overlay):
    """Previews a fix of a problem or of advice. One per window; get it by `preview_access.preview_card`."""

    def __init__(self, project: Project, window: QWidget) -> None:
        super().__init__(PREVIEW_OBJECT_NAME, _WIDTH, window)
        self._project = project
        self._finding: Finding | None = None
        self._fix: Fix | None = None
        self._pending: Callable[[], None] | None = None
        self.accessible_text = ""
        """What the fix would do, as text for a screen reader."""
        self._show_timer = self._timer(self._on_show_timeout)
        self._hide_timer = self._timer(self.hide)
        self._title = Label(role="strong", wrap=True)
        self._reason = Label(role="help", tone="secondary", wrap=True)
        self._choices = QButtonGroup(self)
        self._fix_label = Label(role="strong", wrap=True)
        self._change = _Change()
        self._why = Label(role="help", tone="secondary", wrap=True)
        self._footer = QWidget()
        self._hint = Label("Enter applies, Esc cancels", "help", "secondary")
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
        footer = QHBoxLayout(self._footer)
        footer.setContentsMargins(0, 4, 0, 0)
        footer.setSpacing(8)
        footer.addWidget(self._hint)
        footer.addStretch(1)
        footer.addWidget(self._dismiss)
        footer.addWidget(self._apply)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        column.addWidget(self._title)
        column.addWidget(self._reason)
        column.addLayout(self._choice_column)
        column.addWidget(self._fix_label)
        column.addWidget(self._change)
        column.addWidget(self._why)
        column.addWidget(self._footer)

    # Showing and hiding

    def show_later(self, finding: Finding, chosen: Fix | None, widget: QWidget, rect: QRect) -> None:
        """Shows a fix, or advice, beside `rect` of `widget` if the mouse stays there."""
        self._hide_timer.stop()
        is_shown = self.isVisible() and (finding, chosen) == (self._finding, self._fix)
        if not self.holds_focus and not is_shown:
            self._pending = partial(self.peek, finding, chosen, widget, rect)
            # When the card is already open, moving to another fix switches at once.
            self._show_timer.start(0 if self.isVisible() else _SHOW_DELAY_MS)

    def hide_later(self) -> None:
        """Hides the card shortly after the mouse has left, unless it moves onto the card."""
        self._show_timer.stop()
        if self.isVisible() and not self.holds_focus:
            self._hide_timer.start(_HIDE_DELAY_MS)

    def peek(self, finding: Finding, chosen: Fix | None, widget: QWidget, rect: QRect) -> None:
        """Shows a fix beside `rect` of `widget` without taking the focus."""
        if self._fill(finding, chosen):
            # With only one fix the card just informs: the button that applies it is right beside it.
            self._footer.setVisible(bool(self._choices.buttons()) or not isinstance(finding, Problem))
            self._hint.hide()
            self.show_at(widget, rect)

    def open(self, finding: Finding, widget: QWidget, rect: QRect) -> None:
        """Shows the best fix and takes the focus to choose and apply one; on closing, the focus returns."""
        if self._fill(finding, finding.fix):
            self._footer.show()
            self._hint.show()
            self.show_at(widget, rect)
            self.hold_focus()
            self._focus_chain()[0].setFocus(Qt.FocusReason.PopupFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._show_timer.stop()
        self._hide_timer.stop()
        self._finding = self._fix = None

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hide_timer.stop()

    def leaveEvent(self, event: QEvent) -> None:
        self.hide_later()

    def _on_show_timeout(self) -> None:
        if self._pending is not None:
            self._pending()

    def _on_changed(self, _: object) -> None:
        # The content describes the previous network, in the previous colors, and so would a pending one.
        self._show_timer.stop()
        self.hide()

    # Keys

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Tab stays in a card that holds the focus, as in a dialog."""
        if not self.holds_focus:
            return super().focusNextPrevChild(forwards)
        stops, current = self._focus_chain(), QApplication.focusWidget()
        index = stops.index(current) if current in stops else 0
        reason = Qt.FocusReason.TabFocusReason if forwards else Qt.FocusReason.BacktabFocusReason
        stops[(index + (1 if forwards else -1)) % len(stops)].setFocus(reason)
        return True

    def _focus_chain(self) -> list[QAbstractButton]:
        """The widgets that Tab cycles through: the chosen fix if there are several, and the buttons."""
        checked = self._choices.checkedButton() if self._choices.buttons() else None
        buttons = (checked, self._apply, self._dismiss)
        return [each for each in buttons if each is not None and not each.isHidden()]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if is_enter(event):
            (self._on_dismiss if self._dismiss.hasFocus() else self._on_apply)()
        else:
            super().keyPressEvent(event)

    # Content

    def _fill(self, finding: Finding, chosen: Fix | None) -> bool:
        """Fills the card. Returns False, after a message to the user, if the fix cannot be applied."""
        if finding != self._finding:
            self._finding, self._fix = finding, None
            self._show_finding(finding)
            self._show_choices(finding)
        self._fix_label.setVisible(chosen is not None and not isinstance(finding, Problem))
        if chosen is None:
            self._change.hide()
            self._apply.hide()
            return True
        for button in self._choices.buttons():
            if button.text() == chosen.label:
                # This shows the fix, through `toggled`, unless it was already chosen.
                button.setChecked(True)
        return self._show_fix(chosen)

    def _show_finding(self, finding: Finding) -> None:
        is_advice = not isinstance(finding, Problem)
        number = len(finding.fixes)
        title = f"{number} possible fixes" if number > 1 else finding.fix.label if finding.fix else ""
        if isinstance(finding, Problem) and not self._project.is_error(finding):
            title = f"Still missing: {finding.missing}"
        self._title.setText(f"{finding.message}." if is_advice else title)
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
            # Deletion happens later; until then it would show behind the new ones.
            button.hide()
            button.deleteLater()
        for each in finding.fixes if len(finding.fixes) > 1 else ():
            button = QRadioButton(plain_entry(each.label))
            button.setFont(theme().font("content"))
            button.toggled.connect(partial(self._on_toggled, each))
            self._choices.addButton(button)
            self._choice_column.addWidget(button)

    def _on_toggled(self, chosen: Fix, checked: bool) -> None:
        if checked and self._show_fix(chosen) and self.isVisible():
            self.reposition()

    def _show_fix(self, chosen: Fix) -> bool:
        """Shows the effect of one fix. Returns False if it cannot be applied."""
        finding, project = self._finding, self._project
        if finding is None or chosen == self._fix:
            return finding is not None
        self._fix = chosen
        try:
            preview = preview_fix(project.network, finding, chosen, project.analysis, project.classes)
        except UserError as error:
            project.message.emit(str(error))
            self.hide()
            return False
        effect = describe_effect(finding.node_id, project.analysis, preview.analysis)
        self._change.show_preview(effect, shape_rows(project.analysis, finding.node_id, preview), preview)
        self._fix_label.setText(chosen.label)
        fits = self._apply.fontMetrics().horizontalAdvance(chosen.label) <= _MAX_BUTTON_WIDTH
        self._apply.setText(plain_entry(chosen.label) if fits else "Apply")
        self._apply.setAccessibleName(chosen.label)
        self._apply.show()
        self.accessible_text = describe_preview(chosen.label, effect, preview)
        self._apply.setAccessibleDescription(self.accessible_text)
        return True

    def _on_apply(self) -> None:
        finding, chosen = self._finding, self._fix
        # Return the focus first: applying the fix may remove the widget that had it.
        self.dismiss()
        if finding is not None and chosen is not None:
            self._project.run_command(lambda: apply_fix(self._project, finding, chosen))

    def _on_dismiss(self) -> None:
        finding = self._finding
        self.dismiss()
        if finding is not None and not isinstance(finding, Problem):
            advice_service(self._project).dismiss(finding)


class _Change(QWidget):
    """The effect of a fix: as a sentence, layer by layer, and on the totals of the network."""

    def __init__(self) -> None:
        super().__init__()
        self._effect = Label(role="help", wrap=True)
        self._effect.setObjectName("previewEffect")
        self._shapes = ShapeTable()
        secondary, plain = partial(Label, "", "help", "secondary"), partial(Label, "", "help")
        self._lines = [(secondary(), secondary(), plain()) for _ in range(3)]
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

    def show_preview(self, effect: str, rows: Sequence[ShapeRow], preview: FixPreview) -> None:
        """Shows the sentence `effect`, which may be empty, the layers `rows`, and the totals of `preview`."""
        self._effect.setText(effect)
        self._effect.setVisible(bool(effect))
        self._shapes.show_rows(rows)
        for (name, before, after), change in zip(self._lines, total_changes(preview), strict=True):
            name.setText(change.name)
            before.setText(change.before)
            after.setText(change.after)
            after.set_tone("good" if change.is_better else "text")
        self.show()
