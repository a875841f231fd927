"""The layer list itself: rows that are selected, dragged, renamed and fixed."""

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
    QHideEvent,
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

from cnnstudio.gui.designer.actions import design_actions
from cnnstudio.gui.designer.layer_list.drop_view import DropView
from cnnstudio.gui.designer.layer_list.empty_hint import EmptyHint
from cnnstudio.gui.designer.layer_list.insert_fields import InsertFields
from cnnstudio.gui.designer.layer_list.layer_model import Index, LayerModel
from cnnstudio.gui.designer.layer_list.row_animation import RowAnimation
from cnnstudio.gui.designer.layer_list.row_buttons import RowButtons
from cnnstudio.gui.designer.layer_list.row_content import Quantity, accessible_row_text, input_row, layer_row
from cnnstudio.gui.designer.layer_list.row_delegate import RowDelegate
from cnnstudio.gui.designer.layer_list.row_painter import INDENT, ROW_HEIGHT, Row, RowPainter
from cnnstudio.gui.designer.quick_fix.advice_service import advice_service
from cnnstudio.gui.designer.quick_fix.targets import RowButton, preview_target
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.theme.theme import theme


class LayerTree(DropView):
    """Shows the project's network and its selection; RowPainter paints each row as a whole."""

    width_changed = Signal(object)
    """The width of the rows in pixels."""

    def __init__(self, project: Project) -> None:
        super().__init__(project, LayerModel(project))
        self.setObjectName("layerList")
        self.setAccessibleName("Layers")
        self.quantity: Quantity = "parameters"
        self._painter = RowPainter()
        self._delegate = RowDelegate(self, self.title_rect)
        self._actions = design_actions(project, self)
        self._advice = advice_service(project)
        self._buttons = RowButtons(project, self.viewport(), self.layer_at, self.button_rect)
        self._is_showing_selection = False
        self._keyboard_active = False
        self._animation = RowAnimation(self, self._model)
        self.inserts = InsertFields(self, self._model, project)
        self._empty = EmptyHint(project, self.viewport())
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
        self.addActions(self._actions.all)

    def _connect(self) -> None:
        for name, run in (
            ("actionRename", self.rename_selected),
            ("actionInsert", self._on_insert_requested),
            ("actionSelectAll", self._select_all),
            ("actionOpenGroups", self.expandAll),
            ("actionCloseGroups", self.collapseAll),
            ("actionPreviewFixes", self.preview_fixes),
        ):
            self._actions[name].triggered.connect(run)
        self._model.changing.connect(self._on_changing)
        self._model.rowsInserted.connect(self._on_rows_inserted)
        self._model.rowsMoved.connect(self._on_rows_moved)
        self.selectionModel().selectionChanged.connect(self._on_user_selected)
        self._project.network_changed.connect(self._on_network_changed)
        self._project.analysis_changed.connect(self._fit_heights)
        self._project.selection_changed.connect(self._show_selection)
        self._advice.changed.connect(self.viewport().update)
        self.width_changed.connect(self.inserts.reposition)
        self._animation.stepped.connect(self.viewport().update)
        theme().changed.connect(self._on_theme_changed)

    def set_quantity(self, quantity: Quantity) -> None:
        """Sets what the last two columns show: parameters or multiply-adds."""
        self.quantity = quantity
        self.viewport().update()

    def title_rect(self, index: Index) -> QRect:
        """Where the name of a layer is in the viewport."""
        report = self._model.report(index)
        return self._painter.title_rect(self._row_rect(index), report.depth if report else 0)

    def fix_rect(self, node_id: str) -> QRect:
        """Where the button that fixes a layer is in the viewport; empty if it has none."""
        return self.button_rect(node_id, "fix")

    def button_rect(self, node_id: str, button: RowButton) -> QRect:
        """Where a button of a layer's row is in the viewport; empty if the row has no such button."""
        index = self._model.index_of(node_id)
        report = self._model.report(index)
        if report is None:
            return QRect()
        error, hint = self._project.error_of(report), self._project.hint_of(report)
        has_advice = hint is not None or bool(self._advice.for_node(node_id))
        return self._painter.button_rect(button, self._row_rect(index), error, has_advice)

    def layer_at(self, position: QPoint) -> str | None:
        """The id of the layer whose row is at a position of the viewport."""
        index = self.indexAt(position)
        return self._model.node_id(index) if index.isValid() else None

    def preview_fixes(self) -> None:
        """Opens the card that previews the fixes of a layer, or the tips on it."""
        target = preview_target(self._project)
        if target is not None:
            self._project.select([target.node_id])
            self.scrollTo(self._model.index_of(target.node_id))
            self._buttons.open(target)

    def rename_selected(self) -> None:
        """Starts editing the name of the selected layer."""
        if len(self._project.selection) == 1:
            index = self._model.index_of(self._project.selection[0])
            self.scrollTo(index)
            self.edit(index)

    def open_quick_insert(self, text: str = "") -> None:
        """Opens the field below the selection in which layers are typed, with `text` already entered."""
        self.inserts.open(text)

    def _on_insert_requested(self) -> None:
        self.open_quick_insert()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self._keyboard_active = True
        if event.key() == Qt.Key.Key_Escape and self.state() != QAbstractItemView.State.EditingState:
            self._project.select(())
        elif _starts_quick_insert(event):
            self.open_quick_insert(event.text().replace("+", ""))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._keyboard_active = event.reason() != Qt.FocusReason.MouseFocusReason
        super().focusInEvent(event)

    def _select_all(self) -> None:
        self._project.select(node.id for node in self._project.network.walk())

    # Painting

    def drawRow(self, painter: QPainter, options: QStyleOptionViewItem, index: Index) -> None:
        offset = self._animation.offset(index.internalId())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if offset:
            painter.translate(0, offset)
        self._painter.paint(
            painter,
            options.rect,
            self._row(index),
            selected=self.selectionModel().isSelected(index),
            focused=self._keyboard_active and self.hasFocus() and index == self.currentIndex(),
            hovered=self._buttons.hovered_in(self._model.node_id(index)),
            ratio=self.devicePixelRatioF(),
        )
        if offset:
            painter.translate(0, -offset)

    def _row(self, index: Index) -> Row:
        report = self._model.report(index)
        if report is None:
            return input_row(self._project)
        has_advice = bool(self._advice.for_node(report.node.id))
        return layer_row(self._project, report, self.quantity, self.isExpanded(index), has_advice)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.inserts.paint(painter)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.width_changed.emit(self.viewport().width())
        self._empty.setGeometry(self.viewport().rect().adjusted(0, ROW_HEIGHT, 0, 0))
        # Messages wrap at the new width, which changes the heights of faulty rows.
        self._fit_heights()

    def _fit_heights(self, *_: object) -> None:
        """Gives faulty rows the height that their message needs.

        Without faulty rows all heights are declared uniform: then Qt asks for one height, not for that of
        every row, which matters in long lists.
        """
        width = self.viewport().width()
        sizes = {}
        for problem in self._project.analysis.problems:
            report = self._project.analysis.by_id.get(problem.node_id or "")
            if report is not None and self._project.is_error(problem):
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
        """Selects the rows of the project's selection. The input is never selected together with layers."""
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
        current = self._model.node_id(self.currentIndex())
        self._show_selection()
        self._animation.start()
        self.viewport().update()
        if QAccessible.isActive() and self.hasFocus() and current == self._model.node_id(self.currentIndex()):
            # Qt announces a change of the current row by itself, but not that the current row has changed.
            text = accessible_row_text(self._project, self._model.report(self.currentIndex()))
            QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def _on_changing(self) -> None:
        # Otherwise Qt chooses another current row between two changes, which lays out all rows an extra time.
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
        self._keyboard_active = False
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
        # Buttons show a preview card; the tool tip of the row would cover it.
        if isinstance(event, QHelpEvent) and self._buttons.at(event.pos()) is not None:
            return True
        return super().viewportEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._buttons.hover(None)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # A list that disappears under the mouse, with its window for example, gets no leave event.
        self._buttons.hover(None)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        position = event.pos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            position = self.title_rect(self.currentIndex()).bottomLeft()
        menu = self.context_menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.viewport().mapToGlobal(position))

    def context_menu(self) -> QMenu:
        """The menu of actions for the selected layers."""
        menu = QMenu(self)
        self._actions.fill_context_menu(menu)
        return menu


def _starts_quick_insert(event: QKeyEvent) -> bool:
    """Whether a key opens quick insert: a letter, which starts the name of a layer, or +."""
    keys = Qt.KeyboardModifier
    is_command = event.modifiers() & (keys.ControlModifier | keys.AltModifier | keys.MetaModifier)
    return not is_command and (event.text().isalpha() or event.text() == "+")
