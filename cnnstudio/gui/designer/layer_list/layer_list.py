"""The layer list with its head: the design's name and totals above, column heads, a hint below."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import count, plural, rounded, storage
from cnnstudio.design.analysis.memory_estimate import batch_memory
from cnnstudio.design.network import LONGEST_NAME
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.actions import actions
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.layer_list.row_painter import Columns
from cnnstudio.gui.designer.quick_fix.advice_button import AdviceButton
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import ElidedLabel, Label, Line, Panel

_HINT = "Drop layers here, or type one: conv 64 3 relu"


class LayerList(Panel):
    """The design as a list of layers."""

    def __init__(self, project: Project) -> None:
        super().__init__("layerListPanel")
        self._project = project
        self.tree = LayerTree(project)
        self._name = _NameField(project)
        self._totals = ElidedLabel(role="help", tone="secondary")
        self._totals.setObjectName("designTotals")
        self._memory = Label(role="help", tone="secondary")
        self._memory.setObjectName("designMemory")
        self.advice = AdviceButton(project)
        self._heads = _ColumnHeads(self.tree)
        self._compose()
        actions(project, self)["actionAdvice"].triggered.connect(lambda _: self.advice.open_panel())
        project.analysis_changed.connect(self._show_totals)
        project.recipe_changed.connect(self._show_totals)
        self._show_totals()

    def minimumSizeHint(self) -> QSize:
        return QSize(380, 220)

    def _compose(self) -> None:
        head = QHBoxLayout()
        head.setContentsMargins(8, 6, 14, 0)
        head.setSpacing(4)
        head.addWidget(self._name)
        head.addWidget(self._totals, 1)
        head.addWidget(self.advice)
        foot = QHBoxLayout()
        foot.setContentsMargins(14, 6, 14, 10)
        foot.setSpacing(16)
        foot.addWidget(ElidedLabel(_HINT, "help", "secondary"), 1)
        foot.addWidget(self._memory)
        column = QVBoxLayout(self)
        # The rows reach to the border, which the panel draws.
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self._heads)
        column.addWidget(Line())
        column.addWidget(self.tree, 1)
        column.addWidget(Line())
        column.addLayout(foot)
        for before, after in pairwise((self._name, self.advice, *self._heads.buttons, self.tree)):
            self.setTabOrder(before, after)

    def _show_totals(self, *_: object) -> None:
        analysis = self._project.analysis
        layers = plural(self._project.network.layer_count, "layer")
        self._totals.set_whole(
            f"{layers} · {plural(analysis.parameters, 'parameter')} · {rounded(analysis.macs)} multiply-adds"
        )
        recipe = self._project.recipe
        memory = batch_memory(analysis, recipe.batch_size, recipe.optimizer_slots)
        words = f"A batch of {count(recipe.batch_size)} takes {storage(memory.total)}"
        self._memory.setText(words)
        self._memory.setAccessibleName(words)
        self._memory.setToolTip(
            f"{words} of memory while it trains:\n"
            f"{storage(memory.activations)} what the layers keep for the way back\n"
            f"{storage(memory.weights)} weights, {storage(memory.gradients)} gradients, "
            f"{storage(memory.optimizer)} optimizer"
        )


class _NameField(QLineEdit):
    """The design's name: looks like a title, and is a field where one clicks into it."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self.setObjectName("designName")
        self.setProperty("role", "title")
        self.setFont(theme().font("title"))
        self.setAccessibleName("Name of the design")
        self.setToolTip("Click to rename the design")
        self.setMaxLength(LONGEST_NAME)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.textChanged.connect(self._fit)
        self.editingFinished.connect(self._on_editing_finished)
        project.network_changed.connect(self._show)
        self._show()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._show()
            self.clearFocus()
        else:
            super().keyPressEvent(event)

    def _show(self, *_: object) -> None:
        if self.text() != self._project.network.name:
            self.setText(self._project.network.name)
            self.setCursorPosition(0)

    def _fit(self) -> None:
        self.setFixedWidth(min(max(self.fontMetrics().horizontalAdvance(self.text()) + 18, 60), 320))

    def _on_editing_finished(self) -> None:
        commands.rename_design(self._project, self.text())
        self._show()


class _ColumnHeads(QWidget):
    """What the columns are. Pressing the last two changes between parameters and multiply-adds."""

    def __init__(self, tree: LayerTree) -> None:
        super().__init__()
        self._tree = tree
        self._output = Label("Output", "head", "secondary")
        self._amount = QPushButton()
        self._share = QPushButton("share")
        self.buttons = (self._amount, self._share)
        for button in self.buttons:
            button.setProperty("role", "head")
            button.setFont(theme().font("head"))
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(self._on_clicked)
        self._amount.setObjectName("amountHead")
        self._share.setObjectName("shareHead")
        for part in (self._output, *self.buttons):
            part.setParent(self)
        self.setFixedHeight(26)
        tree.width_changed.connect(self._place)
        self._show()

    def _on_clicked(self) -> None:
        self._tree.set_quantity("macs" if self._tree.quantity == "parameters" else "parameters")
        self._show()

    def _show(self) -> None:
        names = ("parameters", "multiply-adds")
        now, other = names if self._tree.quantity == "parameters" else reversed(names)
        self._amount.setText(now)
        for button, name in ((self._amount, now.capitalize()), (self._share, f"Share of the {now}")):
            button.setToolTip(f"{name}. Click to show {other}.")
            button.setAccessibleName(f"{name}, press to show {other}")
        self._place()

    def _place(self, *_: object) -> None:
        """Puts each head over its column."""
        columns = Columns.of(self._tree.viewport().width())
        self._put(self._output, columns.output)
        self._put(self._amount, columns.amount)
        share_right = columns.share[0] + self._share.sizeHint().width() if columns.share else None
        self._put(self._share, share_right)

    def _put(self, part: QWidget, right: int | None) -> None:
        part.setVisible(right is not None)
        if right is not None:
            size = part.sizeHint()
            part.setGeometry(QRect(QPoint(right - size.width(), (self.height() - size.height()) // 2), size))
