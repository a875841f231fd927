"""What is wrong and what could be better, as cards: in red a problem, quiet the advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from cnnstudio.design.findings import Problem
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.buttons import FixButtons
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label

if TYPE_CHECKING:
    from cnnstudio.design.findings import Advice


class ProblemCard(QFrame):
    """What is wrong, why it matters, and the fixes; nothing where nothing is wrong."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._sentence = Label(role="help", tone="wrong", wrap=True)
        self._why = Label(role="help", tone="secondary", wrap=True)
        self._fixes = FixButtons(project, "fix", "fixButton")
        self.setProperty("role", "wrong_card")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(6)
        for widget in (self._sentence, self._why, self._fixes):
            column.addWidget(widget)

    @property
    def stops(self) -> list[QWidget]:
        """What Tab goes through."""
        return [*self._fixes.buttons]

    def show_problem(self, problem: Problem | None) -> None:
        """Tells this problem, or hides."""
        self.setVisible(problem is not None)
        if problem is not None:
            self._sentence.setText(f"{problem.message}.")
            self._why.setText(problem.why)
            self._why.setVisible(bool(problem.why))
            self._fixes.show_fixes(problem)


class AdviceCard(QFrame):
    """One piece of advice: what could be better and why, the fix, and a way never to hear of it again."""

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
        self._dismiss.setToolTip("Show this no more in this design")
        self._dismiss.clicked.connect(self._on_dismiss)
        self._fixes.setSizePolicy(self._message.sizePolicy())
        foot = QHBoxLayout()
        foot.setSpacing(4)
        foot.addWidget(self._fixes, 1)
        foot.addStretch()
        foot.addWidget(self._dismiss, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout()
        column.setSpacing(4)
        column.addWidget(self._where, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._message)
        column.addWidget(self._why)
        column.addLayout(foot)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 8, 6, 6)
        row.setSpacing(9)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)

    @property
    def stops(self) -> list[QWidget]:
        """What Tab goes through."""
        return [self._where, *self._fixes.buttons, self._dismiss]

    def show_advice(self, advice: Advice, where: str = "") -> None:
        """Tells this advice; `where` names the layer, for a list of advice on several."""
        self._advice = advice
        self._where.setText(where)
        self._where.setVisible(bool(where))
        self._message.setText(f"{advice.message}.")
        self._why.setText(advice.why)
        self._fixes.show_fixes(advice)
        self._dismiss.setAccessibleName(f"Dismiss: {advice.message}")
        self.setAccessibleName(f"Tip: {advice.message}. {advice.why}")
        self.show()

    def _show_icon(self, *_: object) -> None:
        self._icon.setPixmap(theme().pixmap("advice", "secondary", 17, self.devicePixelRatioF()))

    def _on_where(self) -> None:
        if self._advice is not None and self._advice.node_id is not None:
            self._project.select([self._advice.node_id])

    def _on_dismiss(self) -> None:
        if self._advice is not None:
            advice_desk(self._project).dismiss(self._advice)


class AdviceColumn(QWidget):
    """Pieces of advice, one below the other. Cards are kept, so that Tab goes through them in order."""

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
    def stops(self) -> list[QWidget]:
        """What Tab goes through."""
        return [stop for card in self._cards for stop in card.stops]

    def show_advice(self, advice: Sequence[Advice]) -> None:
        """A card for each; hidden where there is none."""
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
        number = next(place for place, node in enumerate(network.walk(), 1) if node.id == advice.node_id)
        return f"{network.node(advice.node_id).title}, layer {number}"

    def _add(self) -> None:
        card = AdviceCard(self._project)
        last = self._cards[-1].stops[-1] if self._cards else None
        self._cards.append(card)
        self._column.addWidget(card)
        for stop in card.stops:
            if last is not None:
                QWidget.setTabOrder(last, stop)
            last = stop
