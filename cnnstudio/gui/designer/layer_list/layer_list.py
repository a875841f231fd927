"""The layer list panel: name and totals of the design, column headers, the list, and a field below it."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QStyle,
    QStyleOptionFrame,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.formatting import at_least, format_bytes, format_compact, format_count, pluralize
from cnnstudio.design.analysis.memory_estimate import estimate_memory
from cnnstudio.design.network import MAXIMUM_NAME_LENGTH
from cnnstudio.gui.designer import commands
from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.layer_list.layer_tree import LayerTree
from cnnstudio.gui.designer.layer_list.row_painter import ROW_HEIGHT, STRIPE_LEFT, Columns
from cnnstudio.gui.designer.quick_fix.advice_button import AdviceButton
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label, Line, Panel, PartsLabel
from cnnstudio.gui.widgets.plain_text import plain_tooltip

_FIELD_WIDTH, _FIELD_WIDTH_IN_HEAD = 256, 172
_MAX_NAME_WIDTH, _NAME_MARGINS = 320, 18
_NAME_SHARE = 0.5
"""Of a wide list, for the name of the design."""
_HEIGHT_FOR_FOOT = 110 + 14 * ROW_HEIGHT
"""Head, column headers, foot and lines, and 14 rows."""


class LayerList(Panel):
    """The design as a list of layers, with a header and a footer."""

    def __init__(self, project: Project) -> None:
        super().__init__("layerListPanel")
        self._project = project
        self.tree = LayerTree(project)
        self._name = _NameField(project)
        self._totals = PartsLabel(role="help", tone="secondary")
        self._totals.setObjectName("designTotals")
        self._memory = Label(role="help", tone="secondary")
        self._memory.setObjectName("designMemory")
        self.advice = AdviceButton(project)
        self._headers = _ColumnHeaders(self.tree, project)
        self._foot_line = Line()
        self._head_buttons: list[QWidget] = []
        self._compose()
        self.focus_target = self.tree
        design_actions(project, self)["actionAdvice"].triggered.connect(lambda _: self.advice.open_panel())
        project.analysis_changed.connect(self._show_totals)
        project.recipe_changed.connect(self._show_totals)
        self._show_totals()

    def minimumSizeHint(self) -> QSize:
        return QSize(340, 220)

    def _compose(self) -> None:
        # First, so that Tab reaches the list before what is above it.
        self.tree.setParent(self)
        head = QWidget()
        head.setFixedHeight(40)
        self._header = header = QHBoxLayout(head)
        header.setContentsMargins(8, 0, 16, 0)
        header.setSpacing(8)
        header.addWidget(self._name)
        header.addWidget(self._totals, 1)
        header.addWidget(self.advice)
        self._foot = QWidget()
        self._footer = footer = QHBoxLayout(self._foot)
        footer.setContentsMargins(16, 0, 16, 0)
        footer.setSpacing(16)
        self._foot.setFixedHeight(40)
        footer.addStretch(1)
        footer.addWidget(self._memory)
        self._insert = self.tree.inserts.foot_field
        self._insert.setProperty("role", "small")
        column = QVBoxLayout(self)
        # The rows extend to the border, which the panel paints.
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addWidget(head)
        column.addWidget(self._headers)
        column.addWidget(Line())
        column.addWidget(self.tree, 1)
        column.addWidget(self._foot_line)
        column.addWidget(self._foot)
        self._place_insert(True)

    @property
    def tab_stops(self) -> list[QWidget]:
        """In the order of Tab: first the list itself."""
        return [self.tree, self._insert, self._name, self.advice, *self._head_buttons, *self._headers.buttons]

    def add_to_head(self, button: QWidget) -> None:
        """Adds a button at the right end of the head."""
        self._header.addWidget(button)
        self._head_buttons.append(button)
        self.setTabOrder(self.advice, button)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # Where there is little height, the rows need it more.
        has_room = self.height() >= _HEIGHT_FOR_FOOT
        self._foot.setVisible(has_room)
        self._foot_line.setVisible(has_room)
        self._place_insert(has_room)
        self._name.set_most(round(_NAME_SHARE * self.width()))

    def _place_insert(self, has_foot: bool) -> None:
        """Puts the field in which layers are typed into the foot, or else into the head."""
        row, position = (self._footer, 0) if has_foot else (self._header, self._header.indexOf(self.advice))
        if row.indexOf(self._insert) < 0:
            row.insertWidget(position, self._insert)
            self._insert.setFixedWidth(_FIELD_WIDTH if has_foot else _FIELD_WIDTH_IN_HEAD)
            for before, after in pairwise(self.tab_stops):
                self.setTabOrder(before, after)

    def _show_totals(self, *_: object) -> None:
        analysis = self._project.analysis
        layers = pluralize(self._project.network.layer_count, "layer")
        is_exact = analysis.has_known_costs
        trainable = analysis.trainable_parameters
        parts = [
            pluralize(analysis.parameters, "parameter"),
            *([f"{format_count(trainable)} trainable"] if self._project.network.locked_ids else []),
            f"{format_compact(analysis.macs)} multiply-adds",
        ]
        costs = " · ".join(parts)
        self._totals.set_full_text(f"{layers} · {at_least(costs, is_exact=is_exact)}")
        recipe = self._project.recipe
        memory = estimate_memory(analysis, recipe.batch_size, recipe.optimizer_slots)
        amount = at_least(format_bytes(memory.total), is_exact=is_exact)
        text = f"A batch of {format_count(recipe.batch_size)} needs {amount}"
        self._memory.setText(text)
        self._memory.setAccessibleName(text)
        self._memory.setToolTip(
            f"{text} of memory during training (estimate):\n"
            f"{format_bytes(memory.activations)} activations kept for the backward pass\n"
            f"{format_bytes(memory.weights)} weights, {format_bytes(memory.gradients)} gradients, "
            f"{format_bytes(memory.optimizer)} optimizer"
        )


class _NameField(QLineEdit):
    """The name of the design: looks like a title and becomes a text field when clicked."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self.setObjectName("designName")
        self.setProperty("role", "title")
        self.setFont(theme().font("title"))
        self.setAccessibleName("Design name")
        self._most = _MAX_NAME_WIDTH
        self.setMaxLength(MAXIMUM_NAME_LENGTH)
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

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line edit cuts off a name that is too long; here it is elided, while it is not edited."""
        width = self.width() - _NAME_MARGINS
        if self.hasFocus() or self.fontMetrics().horizontalAdvance(self.text()) <= width + 1:
            super().paintEvent(event)
            return
        option = QStyleOptionFrame()
        self.initStyleOption(option)
        painter = QPainter(self)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelLineEdit, option, painter, self)
        painter.setPen(self.palette().color(QPalette.ColorRole.Text))
        area = self.rect().adjusted(_NAME_MARGINS // 2, 0, -_NAME_MARGINS // 2, 0)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), shown)
        painter.end()

    def set_most(self, width: int) -> None:
        """How wide it gets at most, if that is more than what it has in a narrow list."""
        self._most = max(width, _MAX_NAME_WIDTH)
        self._fit()

    def _fit(self) -> None:
        width = self.fontMetrics().horizontalAdvance(self.text()) + _NAME_MARGINS
        self.setFixedWidth(min(max(width, 60), self._most))
        self.setToolTip(plain_tooltip(self.text()) if width > self._most else "Click to rename the design")

    def _on_editing_finished(self) -> None:
        commands.rename_design(self._project, self.text())
        self._show()


class _ColumnHeaders(QWidget):
    """The column headers. Clicking one of the last two switches between parameters and multiply-adds."""

    def __init__(self, tree: LayerTree, project: Project) -> None:
        super().__init__()
        self._tree = tree
        self._project = project
        self._layer = Label("Layer", "head", "secondary")
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
        for part in (self._layer, self._output, *self.buttons):
            part.setParent(self)
        self.setFixedHeight(24)
        tree.width_changed.connect(self._place)
        project.analysis_changed.connect(self._place)
        self._show()

    def _on_clicked(self) -> None:
        self._tree.set_quantity("macs" if self._tree.quantity == "parameters" else "parameters")
        self._show()

    def _show(self) -> None:
        names = ("parameters", "multiply-adds")
        current, other = names if self._tree.quantity == "parameters" else reversed(names)
        self._amount.setText(current)
        for button, name in ((self._amount, current.capitalize()), (self._share, f"Share of all {current}")):
            button.setToolTip(f"{name}. Click to show {other}.")
            button.setAccessibleName(f"{name}. Click to show {other}.")
        self._place()

    def _place(self, *_: object) -> None:
        """Places each header above its column."""
        columns = Columns.of(self._tree.viewport().width())
        self._put(self._layer, STRIPE_LEFT + self._layer.sizeHint().width())
        self._put(self._output, columns.output)
        self._put(self._amount, columns.amount)
        # Shares of a total that is not known yet are not drawn either.
        is_known = self._project.analysis.has_known_costs
        share_right = (
            columns.share[0] + self._share.sizeHint().width() if columns.share and is_known else None
        )
        self._put(self._share, share_right)

    def _put(self, part: QWidget, right: int | None) -> None:
        part.setVisible(right is not None)
        if right is not None:
            # All are as high, so that words and buttons stand on one line.
            width = part.sizeHint().width()
            part.setGeometry(right - width, 0, width, self.height())
