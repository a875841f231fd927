"""The list of the table of runs: rows painted as a whole, and the keys and clicks that act on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QAbstractItemModel, QObject, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from cnnstudio.gui.runs.table.row_painter import ROW_HEIGHT, SIDE, THUMBNAIL_WIDTH, CurveRange, RowPainter
from cnnstudio.gui.runs.table.run_model import THUMBNAIL, Index, RunModel
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.canvas.keys import is_enter
from cnnstudio.runs.library.arrangement import Row
from cnnstudio.runs.library.columns import Column
from cnnstudio.runs.library.label import MAX_TITLE
from cnnstudio.runs.library.summary import RunSummary

_MIN_TITLE_WIDTH, _TITLE_SHARE = 180, 0.245
_THUMBNAIL_COLUMN = THUMBNAIL_WIDTH + 24
_MEASURED_RUNS = 200
_KEYS = Qt.Key


class RunView(QTreeView):
    """Shows a RunModel. What it emits is carried out by the table."""

    opened = Signal(object)
    """The RunSummary to show: Enter or a double click."""
    group_toggled = Signal(object)
    """The key of the group to collapse or expand."""
    sorted_by = Signal(object)
    """The key of the column whose head was clicked."""
    deleted = Signal()
    """Delete was pressed."""
    search_requested = Signal()
    menu_requested = Signal(object)
    """The global position at which to show the context menu."""
    resized = Signal()
    editing_ended = Signal()
    """A title was typed, or its typing given up."""

    def __init__(self, model: RunModel) -> None:
        super().__init__()
        self.setObjectName("runRows")
        self.setAccessibleName("Runs")
        self._model = model
        self._painter = RowPainter()
        self._curves = CurveRange()
        self._measured: Sequence[RunSummary] = ()
        """Some of all runs, whose texts decide the widths of the columns."""
        self._widths: dict[str, int] = {}
        """By the keys of the columns; the same whatever the order and the filter."""
        self.shown_folder: Path | None = None
        """The folder of the run that the window shows."""
        self.setModel(model)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setItemsExpandable(False)
        self.setAllColumnsShowFocus(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setItemDelegate(_Delegate(self, self._title_rect))
        header = _Header(self)
        self.setHeader(header)
        # A tree view takes that from a header that it is given.
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_head_clicked)
        theme().changed.connect(self._on_theme_changed)

    # What is shown

    def measure(self, runs: Sequence[RunSummary]) -> None:
        """Makes the columns as wide as these runs need; called when they have been listed anew."""
        self._measured = runs[:: max(len(runs) // _MEASURED_RUNS, 1)]
        self._widths.clear()

    def fitting_columns(self, columns: Sequence[Column]) -> list[Column]:
        """The first columns that fit beside each other; the very first one, the title, takes the rest."""
        left = self.viewport().width() - self._min_title_width - SIDE
        fitting = list(columns[:1])
        for column in columns[1:]:
            left -= self._width_of(column)
            if left >= 0:
                fitting.append(column)
        return fitting

    @property
    def _min_title_width(self) -> int:
        return max(_MIN_TITLE_WIDTH, round(_TITLE_SHARE * self.viewport().width()))

    def _width_of(self, column: Column) -> int:
        """The width that the column needs."""
        if column.key == THUMBNAIL:
            return _THUMBNAIL_COLUMN
        if column.key not in self._widths:
            self._widths[column.key] = self._painter.column_width(column, self._measured)
        return self._widths[column.key]

    def arrange_columns(self) -> None:
        """Gives each column what it needs, and the title what is left; called after the model has changed."""
        self._curves = CurveRange.of(self._model.arrangement.runs)
        header, used = self.header(), SIDE
        for number in range(1, len(self._model.columns)):
            is_last = number == len(self._model.columns) - 1
            width = self._width_of(self._model.columns[number]) + (SIDE if is_last else 0)
            header.resizeSection(number, width)
            used += width
        header.resizeSection(0, max(self.viewport().width() - used + SIDE, self._min_title_width))

    @property
    def is_editing(self) -> bool:
        """Whether the user is typing a title."""
        return self.state() is QAbstractItemView.State.EditingState

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:
        super().closeEditor(editor, hint)
        self.editing_ended.emit()

    def current_run(self) -> RunSummary | None:
        """The run of the row with the focus."""
        row = self._model.row(self.currentIndex())
        return None if row is None else row.run

    def go_to(self, number: int) -> None:
        """Moves the focus to a row."""
        index = self._model.index(number, 0)
        self.setCurrentIndex(index)
        self.scrollTo(index)

    # Painting

    def drawRow(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = self._model.row(index)
        if row is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        whole = QRect(0, option.rect.top(), self.viewport().width(), option.rect.height())
        is_current = self.currentIndex().isValid() and index.row() == self.currentIndex().row()
        self._painter.paint_background(painter, whole, row, is_current=is_current, has_focus=self.hasFocus())
        if row.group is not None:
            self._painter.paint_group(painter, whole, row, self._model.arrangement.axis)
        else:
            assert row.run is not None
            self._painter.paint_run(
                *(
                    painter,
                    row,
                    self._model.columns,
                    lambda column: self._cell(column, option.rect),
                    self._curves,
                ),
                is_chosen=self._model.is_chosen(row.run),
                is_shown=row.run.folder == self.shown_folder,
            )
        painter.restore()

    def paint_head(self, painter: QPainter, rect: QRect, section: int) -> None:
        """Paints the head of a column."""
        columns = self._model.columns
        if section >= len(columns):
            return
        is_last = section == len(columns) - 1 and section > 0
        column = columns[section]
        self._painter.paint_head(
            *(painter, rect.adjusted(0, 0, -SIDE if is_last else 0, 0)),
            str(self._model.headerData(section, Qt.Orientation.Horizontal)),
            is_number=column.is_number and column.key != THUMBNAIL,
            is_first=section == 0,
            is_sorted=column.key == self._model.sorted_by,
        )

    def _cell(self, column: int, row: QRect) -> QRect:
        header = self.header()
        left, width = header.sectionViewportPosition(column), header.sectionSize(column)
        if column == len(self._model.columns) - 1 and column:
            width -= SIDE
        return QRect(left, row.top(), width, row.height())

    def _title_rect(self, index: Index) -> QRect:
        """Where the title is edited."""
        cell, row = self.visualRect(self._model.index(index.row(), 0)), self._model.row(index)
        left = self._painter.title_left(cell, row.depth if row is not None else 0)
        return QRect(left - 8, cell.top() + 1, cell.right() - left + 8, cell.height() - 2)

    def _on_theme_changed(self, _: object) -> None:
        self._painter = RowPainter()
        self._widths.clear()
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.resized.emit()

    # Mouse and keys

    def _on_head_clicked(self, section: int) -> None:
        self.sorted_by.emit(self._model.columns[section].key)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        row = self._model.row(self.indexAt(event.position().toPoint()))
        if row is None or event.button() is not Qt.MouseButton.LeftButton:
            return
        if row.group is not None:
            self.group_toggled.emit(row.group.key)
        elif row.run is not None and self._is_on_check(event, row):
            self._model.choose([row.run])

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row = self._model.row(self.indexAt(event.position().toPoint()))
        if row is not None and row.run is not None and not self._is_on_check(event, row):
            self.opened.emit(row.run)
        else:
            # The second of two quick clicks on a check box or on the head of a group.
            self.mousePressEvent(event)

    def _is_on_check(self, event: QMouseEvent, row: Row) -> bool:
        cell = self.visualRect(self.indexAt(event.position().toPoint()).siblingAtColumn(0))
        return (
            self._painter.check_rect(cell, row.depth)
            .adjusted(-8, -8, 6, 8)
            .contains(event.position().toPoint())
        )

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.currentIndex().isValid():
            place = event.globalPos()
            if event.reason() == QContextMenuEvent.Reason.Keyboard:
                place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).bottomLeft())
            self.menu_requested.emit(place)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # The field in which a title is edited leaves the keys that end it to the view.
        if not self.hasFocus() or not self._handle_key(event):
            super().keyPressEvent(event)

    def _handle_key(self, event: QKeyEvent) -> bool:
        row, key = self._model.row(self.currentIndex()), event.key()
        if event.text() == "/":
            self.search_requested.emit()
        elif key == _KEYS.Key_A and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._model.choose(self._model.arrangement.runs)
        elif row is None:
            return False
        elif is_enter(event):
            self._open(row)
        elif key == _KEYS.Key_Space:
            self._model.choose([row.run] if row.run is not None else row.group.runs if row.group else [])
        elif key == _KEYS.Key_Delete:
            self.deleted.emit()
        elif key == _KEYS.Key_F2 and row.run is not None:
            self.edit(self.currentIndex().siblingAtColumn(0))
        elif key in (_KEYS.Key_Left, _KEYS.Key_Right):
            self._fold(row, key)
        else:
            return False
        return True

    def _open(self, row: Row) -> None:
        if row.run is not None:
            self.opened.emit(row.run)
        elif row.group is not None:
            self.group_toggled.emit(row.group.key)

    def _fold(self, row: Row, key: int) -> None:
        """Left collapses a group, or goes to its head; Right expands it."""
        if row.group is not None:
            if row.is_collapsed == (key == _KEYS.Key_Right):
                self.group_toggled.emit(row.group.key)
            return
        if key == _KEYS.Key_Left:
            rows, number = self._model.arrangement.rows, self.currentIndex().row()
            heads = [above for above in range(number) if rows[above].group is not None]
            if heads:
                self.go_to(heads[-1])

    def keyboardSearch(self, search: str) -> None:
        """Typing letters does not move the focus: / searches."""


class _Header(QHeaderView):
    """The heads of the columns, painted as the rows are. A click sorts."""

    def __init__(self, view: RunView) -> None:
        super().__init__(Qt.Orientation.Horizontal, view)
        self._view = view
        self.setStretchLastSection(False)
        self.setSectionsMovable(False)
        self.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumSectionSize(40)
        self.setFixedHeight(30)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        painter.save()
        painter.fillRect(rect, theme().color("panel"))
        self._view.paint_head(painter, rect, section)
        painter.setPen(theme().color("border"))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        painter.restore()


class _Delegate(QStyledItemDelegate):
    """Row heights, and the editor of titles."""

    def __init__(self, parent: QObject, title_rect: Callable[[Index], QRect]) -> None:
        super().__init__(parent)
        self._title_rect = title_rect

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(0, ROW_HEIGHT)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        field = QLineEdit(parent)
        field.setObjectName("runTitle")
        field.setAccessibleName("Title of the run")
        field.setMaxLength(MAX_TITLE)
        field.setFont(theme().font("content"))
        return field

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        editor.setGeometry(self._title_rect(index))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        if isinstance(editor, QLineEdit):
            model.setData(index, editor.text())
