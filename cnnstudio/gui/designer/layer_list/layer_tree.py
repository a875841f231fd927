"""The layer list itself: rows to select, drag, rename and fix."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QMenu,
    QStyleOptionViewItem,
)

from cnnstudio.gui.designer.actions import actions
from cnnstudio.gui.designer.layer_list.drop_target import paint_target, target_of, words_for
from cnnstudio.gui.designer.layer_list.drop_view import DropView
from cnnstudio.gui.designer.layer_list.layer_model import Index, LayerModel
from cnnstudio.gui.designer.layer_list.quick_insert import QuickInsert
from cnnstudio.gui.designer.layer_list.row_animation import RowMotion
from cnnstudio.gui.designer.layer_list.row_buttons import RowButtons
from cnnstudio.gui.designer.layer_list.row_content import Quantity, input_row, layer_row, spoken_row
from cnnstudio.gui.designer.layer_list.row_delegate import RowDelegate
from cnnstudio.gui.designer.layer_list.row_painter import INDENT, TITLE_LEFT, Row, RowPainter
from cnnstudio.gui.designer.quick_fix.advice_service import advice_desk
from cnnstudio.gui.designer.quick_fix.targets import Part, chosen_spot
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme

_EMPTY = (
    "The network has no layers yet.\n\n"
    "Drag one here from the palette, double-click it there,\nor type it: conv 32 3 relu is a good beginning."
)


class LayerTree(DropView):
    """Shows the project's network and its selection; every row is painted as a whole."""

    width_changed = Signal(object)
    """The width of the rows in pixels."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, LayerModel(project))
        self.setObjectName("layerList")
        self.setAccessibleName("Layers of the network")
        self.quantity: Quantity = "parameters"
        self._painter = RowPainter()
        self._delegate = RowDelegate(self, self.title_rect)
        self._actions = actions(project, self)
        self._desk = advice_desk(project)
        self._buttons = RowButtons(project, self.viewport(), self.layer_at, self.button_rect)
        self._is_showing_selection = False
        self._uses_keys = False
        self._quick: QuickInsert | None = None
        self._motion = RowMotion(self, self._model)
        self._set_up()
        self._connect()
        self.setUniformRowHeights(True)
        self._fit_heights()
        self.expandAll()

    def _set_up(self) -> None:
        self._model.setParent(self)
        self.setItemDelegate(self._delegate)
        self.setHeaderHidden(True)
        self.setIndentation(INDENT)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(19)
        self.addActions(list(self._actions.values()))

    def _connect(self) -> None:
        for name, run in (
            ("actionRename", self.rename_selected),
            ("actionInsert", self._on_insert_asked),
            ("actionSelectAll", self._select_all),
            ("actionOpenGroups", self.expandAll),
            ("actionCloseGroups", self.collapseAll),
            ("actionPreviewFix", self.preview_fixes),
        ):
            self._actions[name].triggered.connect(run)
        self._model.changing.connect(self._on_changing)
        self._model.rowsInserted.connect(self._on_rows_inserted)
        self._model.rowsMoved.connect(self._on_rows_moved)
        self.selectionModel().selectionChanged.connect(self._on_user_selected)
        self._project.network_changed.connect(self._on_network_changed)
        self._project.analysis_changed.connect(self._fit_heights)
        self._project.selection_changed.connect(self._show_selection)
        self._desk.changed.connect(self.viewport().update)
        self._motion.stepped.connect(self.viewport().update)
        theme().changed.connect(self._on_theme_changed)

    def set_quantity(self, quantity: Quantity) -> None:
        """What the rows count and share: trained parameters, or multiply-adds."""
        self.quantity = quantity
        self.viewport().update()

    def title_rect(self, index: Index) -> QRect:
        """Where the name of a layer stands in the viewport."""
        report = self._model.report(index)
        return self._painter.title_rect(self._row_rect(index), report.depth if report else 0)

    def fix_rect(self, node_id: str) -> QRect:
        """Where the button stands in the viewport that fixes a layer; empty where there is none."""
        return self.button_rect(node_id, "fix")

    def button_rect(self, node_id: str, part: Part) -> QRect:
        """Where a button of a layer's row stands in the viewport; empty where there is none."""
        index = self._model.index_of(node_id)
        report = self._model.report(index)
        if report is None:
            return QRect()
        has_advice = bool(self._desk.of(node_id))
        return self._painter.button_rect(part, self._row_rect(index), report.problem, has_advice)

    def layer_at(self, position: QPoint) -> str | None:
        """The layer whose row is at a position of the viewport."""
        index = self.indexAt(position)
        return self._model.node_id(index) if index.isValid() else None

    def preview_fixes(self) -> None:
        """Opens the card that shows what the fixes of a layer would do, or the advice on it."""
        spot = chosen_spot(self._project)
        if spot is not None:
            self._project.select([spot.node_id])
            self.scrollTo(self._model.index_of(spot.node_id))
            self._buttons.open(spot)

    def rename_selected(self) -> None:
        """Opens the field for another name in the selected row."""
        if len(self._project.selection) == 1:
            index = self._model.index_of(self._project.selection[0])
            self.scrollTo(index)
            self.edit(index)

    def insert_by_typing(self, text: str = "") -> None:
        """Opens the field below the selection in which new layers are typed; `text` is its beginning."""
        if self._quick is None:
            self._quick = QuickInsert(self._project, self)
            self._quick.moved.connect(self._put_quick)
            self._quick.closed.connect(self.viewport().update)
            self.width_changed.connect(self._put_quick)
            self.verticalScrollBar().valueChanged.connect(self._put_quick)
        self._quick.open(self.window(), text)

    def _on_insert_asked(self) -> None:
        self.insert_by_typing()

    def _put_quick(self, *_: object) -> None:
        """Puts the field below the line at which its layers would land."""
        if self._quick is not None and not self._quick.isHidden():
            target = target_of(self, self._model, self._project.network, self._quick.place)
            hidden = target.y + 12 - self.viewport().height()
            if hidden > 0 and self.verticalScrollBar().value() < self.verticalScrollBar().maximum():
                # Comes here again, unless the list is at its end.
                self.verticalScrollBar().setValue(self.verticalScrollBar().value() + hidden)
                return
            left = target.depth * INDENT + TITLE_LEFT - 27
            corner = self.viewport().mapTo(self.window(), QPoint(left, target.y + 8))
            self._quick.put_at(corner, self.viewport().width() - left - 12)
            self.viewport().update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._uses_keys = True
        if event.key() == Qt.Key.Key_Escape and self.state() != QAbstractItemView.State.EditingState:
            self._project.select(())
        elif _begins_a_layer(event):
            self.insert_by_typing(event.text().replace("+", ""))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._uses_keys = event.reason() != Qt.FocusReason.MouseFocusReason
        super().focusInEvent(event)

    def _select_all(self) -> None:
        self._project.select(node.id for node in self._project.network.walk())

    # Painting

    def drawRow(self, painter: QPainter, options: QStyleOptionViewItem, index: Index) -> None:
        offset = self._motion.offset(index.internalId())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if offset:
            painter.translate(0, offset)
        self._painter.paint(
            painter,
            options.rect,
            self._row(index),
            selected=self.selectionModel().isSelected(index),
            focused=self._uses_keys and self.hasFocus() and index == self.currentIndex(),
            hovered=self._buttons.part_of(self._model.node_id(index)),
            ratio=self.devicePixelRatioF(),
        )
        if offset:
            painter.translate(0, -offset)

    def _row(self, index: Index) -> Row:
        report = self._model.report(index)
        if report is None:
            return input_row(self._project)
        has_advice = bool(self._desk.of(report.node.id))
        return layer_row(self._project, report, self.quantity, self.isExpanded(index), has_advice)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        network = self._project.network
        if not network.nodes:
            painter.setFont(theme().font("content"))
            painter.setPen(theme().color("secondary"))
            area = self.viewport().rect().adjusted(24, 60, -24, -8)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, _EMPTY)
        if self._quick is not None and not self._quick.isHidden():
            target = target_of(self, self._model, network, self._quick.place)
            paint_target(painter, target, self.viewport().width(), words_for(network, target.place))
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.width_changed.emit(self.viewport().width())
        # What is wrong wraps at another width, which makes other heights.
        self._fit_heights()

    def _fit_heights(self, *_: object) -> None:
        """Only faulty rows are higher. Where there is none, Qt need not ask for the height of every row."""
        width = self.viewport().width()
        sizes = {}
        for problem in self._project.analysis.problems:
            report = self._project.analysis.by_id.get(problem.node_id or "")
            if report is not None:
                number = self._model.index_of(report.node.id).internalId()
                sizes[number] = QSize(0, self._painter.height(problem, report.depth, width))
        if sizes != self._delegate.sizes:
            self._delegate.sizes = sizes
            self.setUniformRowHeights(not sizes)
            self.scheduleDelayedItemsLayout()

    def _row_rect(self, index: Index) -> QRect:
        rect = self.visualRect(index)
        return QRect(0, rect.top(), self.viewport().width(), rect.height())

    def _on_theme_changed(self, _: object) -> None:
        self._painter = RowPainter()
        self._fit_heights()
        self.viewport().update()

    # Selection and open groups

    def _on_user_selected(self, *_: object) -> None:
        if self._model.is_changing or self._is_showing_selection:
            return
        ids = [self._model.node_id(index) for index in self.selectedIndexes()]
        layers = [node_id for node_id in ids if node_id is not None]
        if layers or not ids:
            self._project.select(layers)
        else:
            self._project.select_input()
        self._show_selection()

    def _show_selection(self, *_: object) -> None:
        """Selects what the project has selected. The input is selected alone or not at all."""
        wanted = [self._model.index_of(node_id) for node_id in self._project.selection]
        if self._project.input_selected:
            wanted = [self._model.input_index()]
        if {index.internalId() for index in wanted} != {
            index.internalId() for index in self.selectedIndexes()
        }:
            selection = QItemSelection()
            for index in wanted:
                selection.select(index, index)
            self._is_showing_selection = True
            self.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)
            self._is_showing_selection = False
        if wanted and self.currentIndex() not in wanted:
            no_update = QItemSelectionModel.SelectionFlag.NoUpdate
            self.selectionModel().setCurrentIndex(wanted[-1], no_update)
            self.scrollTo(wanted[-1])

    def _on_network_changed(self, _: object) -> None:
        self._fit_heights()
        same = self._model.node_id(self.currentIndex())
        self._show_selection()
        self._motion.start()
        self.viewport().update()
        if QAccessible.isActive() and self.hasFocus() and same == self._model.node_id(self.currentIndex()):
            # Qt tells about another current row by itself, but not about what became of this one.
            sentence = spoken_row(self._project, self._model.report(self.currentIndex()))
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, sentence))

    def _on_changing(self) -> None:
        # Else Qt looks for another current row between two steps, and lays out all rows once more for that.
        current = self._model.node_id(self.currentIndex())
        if current is not None and current not in self._project.network:
            self.selectionModel().clearCurrentIndex()

    def _on_rows_inserted(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            index = self._model.index(row, 0, parent)
            if self._model.hasChildren(index):
                self.expandRecursively(index)
        if parent.isValid() and self._model.rowCount(parent) == last - first + 1:
            self.expand(parent)

    def _on_rows_moved(self, *arguments: object) -> None:
        target = arguments[3]
        if isinstance(target, QModelIndex) and target.isValid() and self._model.rowCount(target) == 1:
            self.expand(target)

    # Mouse

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._uses_keys = False
        if not self._buttons.press(event):
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if not self._buttons.release(event):
            super().mouseReleaseEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if not self._buttons.is_pressed:
            super().mouseMoveEvent(event)
        self._buttons.hover(self._buttons.at(event.position().toPoint()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        report = self._model.report(index) if index.isValid() else None
        if report is None or report.node.children:
            super().mouseDoubleClickEvent(event)
        elif self.title_rect(index).contains(event.position().toPoint()):
            self.edit(index)

    def viewportEvent(self, event: QEvent) -> bool:
        # A button tells what it does in its own card; the row's tool tip would lie over that.
        if isinstance(event, QHelpEvent) and self._buttons.at(event.pos()) is not None:
            return True
        return super().viewportEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._buttons.hover(None)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        position = event.pos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            position = self.title_rect(self.currentIndex()).bottomLeft()
        menu = self.context_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(position))

    def context_menu(self) -> QMenu:
        """What can be done with the selected layers."""
        menu = QMenu(self)
        of_the_whole = ("actionUndo", "actionRedo", "actionAdvice")
        fixes = [self._actions[name] for name in ("actionFix", "actionPreviewFix")]
        possible = [action for action in fixes if action.isEnabled()]
        if possible:
            menu.addActions(possible)
            menu.addSeparator()
        own = [action for name, action in self._actions.items() if name not in of_the_whole]
        menu.addActions([action for action in own if action not in fixes])
        return menu


def _begins_a_layer(event: QKeyEvent) -> bool:
    """Whether a key is the first letter of a layer that someone types, or the + that asks for one."""
    keys = Qt.KeyboardModifier
    commanding = event.modifiers() & (keys.ControlModifier | keys.AltModifier | keys.MetaModifier)
    return not commanding and (event.text().isalpha() or event.text() == "+")
