"""Cards for findings: a problem in red, advice in plain colors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cnnstudio.design.findings import Problem
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.buttons import FixButtons
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label, set_role
from cnnstudio.gui.widgets.plain_text import plain_entry

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice


class ProblemCard(QFrame):
    """A problem, why it matters, and its fixes; hidden if there is no problem.

    In red, unless it is only a hint at what is still missing.
    """

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._message = Label(role="help", tone="wrong", wrap=True)
        self._why = Label(role="help", tone="secondary", wrap=True)
        self._fixes = FixButtons(project, "fix", "fixButton")
        self.setProperty("role", "wrong_card")
        # Long labels are elided: they must not widen the panel.
        self._fixes.setSizePolicy(self._message.sizePolicy())
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(6)
        for widget in (self._message, self._why, self._fixes):
            column.addWidget(widget)

    @property
    def tab_stops(self) -> list[QWidget]:
        """The widgets that Tab goes through, in order."""
        return [*self._fixes.buttons]

    def show_problem(self, problem: Problem | None) -> None:
        """Shows this problem; hides the card if it is None."""
        self.setVisible(problem is not None)
        if problem is not None:
            is_error = self._project.is_error(problem)
            set_role(self, "wrong_card" if is_error else "advice_card")
            self._fixes.set_role("fix" if is_error else "advice")
            self._message.set_tone("wrong" if is_error else "text")
            self._message.setText(f"{problem.message}." if is_error else f"Still missing: {problem.missing}.")
            self._why.setText(problem.why)
            self._why.setVisible(bool(problem.why))
            self._fixes.show_fixes(problem)


class AdviceCard(QFrame):
    """One tip: what could be better and why, its fixes, and a Dismiss button."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self._advice: Advice | None = None
        self._icon = QLabel()
        self._where = QPushButton()
        self._message = Label(role="help", wrap=True)
        self._why = Label(role="help", tone="secondary", wrap=True)
        self._fixes = FixButtons(project, "advice", "adviceButton")
        self._dismiss = QPushButton("Dismiss")
        self._footer = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._compose()
        theme().changed.connect(self._show_icon)
        self._show_icon()

    def _compose(self) -> None:
        self.setProperty("role", "advice_card")
        self._where.setProperty("role", "head")
        self._where.setFont(theme().font("help"))
        self._where.setToolTip("Go to this layer")
        self._where.clicked.connect(self._on_where)
        self._dismiss.setProperty("role", "quiet")
        self._dismiss.setObjectName("dismissAdvice")
        self._dismiss.setToolTip("Don't show this again for this design")
        self._dismiss.clicked.connect(self._on_dismiss)
        self._fixes.setSizePolicy(self._message.sizePolicy())
        footer = self._footer
        footer.setSpacing(4)
        footer.addWidget(self._fixes, 1)
        footer.addStretch()
        footer.addWidget(self._dismiss, 0, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self._where, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._message)
        column.addWidget(self._why)
        column.addLayout(footer)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 6, 6)
        row.setSpacing(9)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)

    @property
    def tab_stops(self) -> list[QWidget]:
        """The widgets that Tab goes through, in order."""
        return [self._where, *self._fixes.buttons, self._dismiss]

    def show_advice(self, advice: Advice, where: str = "") -> None:
        """Shows this advice; `where` names its layer, in a list of advice on several layers."""
        self._advice = advice
        self._where.setText(plain_entry(where))
        self._where.setVisible(bool(where))
        self._message.setText(f"{advice.message}.")
        self._why.setText(advice.why)
        self._fixes.show_fixes(advice)
        self._arrange_footer()
        self._dismiss.setAccessibleName(f"Dismiss: {advice.message}")
        self.setAccessibleName(f"Tip: {advice.message}. {advice.why}")
        self.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange_footer()

    def _arrange_footer(self) -> None:
        """Moves Dismiss below the fixes if it would leave too little width for the label of one of them."""
        margins, row = self.contentsMargins(), self.layout()
        available = self.width() - margins.left() - margins.right()
        if row is not None:
            available -= row.contentsMargins().left() + row.contentsMargins().right() + row.spacing()
        widths = [button.sizeHint().width() for button in self._fixes.buttons if not button.isHidden()]
        needed = max(widths, default=0) + 2 * self._footer.spacing() + self._dismiss.sizeHint().width()
        fits = needed <= available - self._icon.sizeHint().width()
        directions = QBoxLayout.Direction
        self._footer.setDirection(directions.LeftToRight if fits else directions.TopToBottom)

    def _show_icon(self, *_: object) -> None:
        self._icon.setPixmap(theme().pixmap("advice", "secondary", 17, self.devicePixelRatioF()))

    def _on_where(self) -> None:
        if self._advice is not None and self._advice.node_id is not None:
            self._project.select([self._advice.node_id])

    def _on_dismiss(self) -> None:
        if self._advice is not None:
            advice_service(self._project).dismiss(self._advice)


class AdviceColumn(QWidget):
    """A column of advice cards. They are reused, which keeps the tab order right."""

    def __init__(self, project: Project, *, names_layers: bool = False) -> None:
        super().__init__()
        self._project = project
        self._names_layers = names_layers
        self._cards: list[AdviceCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._add()

    @property
    def tab_stops(self) -> list[QWidget]:
        """The widgets that Tab goes through, in order."""
        return [stop for card in self._cards for stop in card.tab_stops]

    def show_advice(self, advice: Sequence[Advice]) -> None:
        """Shows a card for each; hidden if there is none."""
        while len(self._cards) < len(advice):
            self._add()
        for card, each in zip(self._cards, advice, strict=False):
            card.show_advice(each, self._where(each) if self._names_layers else "")
        for card in self._cards[len(advice) :]:
            card.hide()
        self.setVisible(bool(advice))

    def _where(self, advice: Advice) -> str:
        network = self._project.network
        if advice.node_id is None or advice.node_id not in network:
            return ""
        number = next(
            position for position, node in enumerate(network.walk(), 1) if node.id == advice.node_id
        )
        return f"{network.node(advice.node_id).title}, layer {number}"

    def _add(self) -> None:
        card = AdviceCard(self._project)
        last = self._cards[-1].tab_stops[-1] if self._cards else None
        self._cards.append(card)
        self._column.addWidget(card)
        for stop in card.tab_stops:
            if last is not None:
                QWidget.setTabOrder(last, stop)
            last = stop
