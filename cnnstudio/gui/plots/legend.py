"""The legend of a plot: the values at the epoch that is shown, and switches for the lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QBoxLayout, QSizePolicy, QWidget

from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme

HEIGHT = 20
_MARK, _MARK_WIDTH = 15, 10
"""Pixels from the left of a mark to its text, and the width of the mark."""
_GAP = 4
"""Pixels after a text, and between two entries."""
_SPACING = 6
_DIM = 0.35


@dataclass(frozen=True)
class Entry:
    """A line of the plot in its legend."""

    key: str
    token: str
    names: tuple[str, ...]
    """From the full name to the shortest one, which may be empty."""
    tooltip: str
    is_area: bool = False


class LegendEntry(QAbstractButton):
    """Shows and hides one line. Space or a click toggles it."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self.entry = entry
        self.name = entry.names[0]
        self.value = ""
        self.setObjectName(f"legend_{entry.key}")
        self.setCheckable(True)
        self.setChecked(True)
        self.setFixedHeight(HEIGHT)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(f"{entry.tooltip} Click to show or hide it.")
        self.setAccessibleName(entry.names[0])
        self._metrics = text_metrics(theme().font("help"))

    def width_for(self, name: str, sample: str) -> int:
        """The width that a name with a value like `sample` needs."""
        return self._metrics.width(f"{name} {sample}".strip()) + _MARK + _GAP

    def sizeHint(self) -> QSize:
        return QSize(self.width(), HEIGHT)

    def show_value(self, value: str) -> bool:
        """Shows another value; whether it is another one."""
        if value == self.value:
            return False
        self.value = value
        self.update()
        return True

    def wider(self, sample: str) -> str:
        """The value or `sample`, whichever needs more room."""
        return max(sample, self.value, key=self._metrics.width)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self._metrics.font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = QColor(theme().color(self.entry.token))
        middle = self.height() / 2
        if not self.isChecked():
            color = theme().color("border")
        if self.entry.is_area:
            color.setAlphaF(_DIM)
            painter.fillRect(QRectF(0, middle - 5, _MARK_WIDTH, 10), color)
        else:
            painter.fillRect(QRectF(0, middle - 1.5, _MARK_WIDTH, 3), color)
        text = f"{self.name} {self.value}".strip()
        baseline = self._metrics.baseline(middle)
        painter.setPen(theme().color("secondary"))
        painter.drawText(_MARK, baseline, text)
        if not self.isChecked():
            width = self._metrics.width(text)
            painter.drawLine(_MARK, round(middle) + 1, _MARK + width, round(middle) + 1)
        if self.hasFocus():
            painter.setPen(QPen(theme().color("accent"), 1))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # A button would go to its neighbor with an arrow, with which the window moves through the epochs.
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
        else:
            super().keyPressEvent(event)


class Legend(QWidget):
    """Names the lines of a plot and shows their values, in fixed places at the right end."""

    toggled = Signal()
    """A line was switched on or off."""
    columns_changed = Signal()
    """The lines need another width: there are others, or a value is wider than all before."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[str, LegendEntry] = {}
        self.text = ""
        """The legend as text, such as `training 0.591, validation 0.640, at epoch 3.00`."""
        self.peers: tuple[Legend, ...] = ()
        """The legends of the plots above and below, itself included: with the same lines they have the same
        columns.
        """
        self._sample = self._widest = ""
        """A value as wide as most are, and the widest one so far: columns grow, but do not shrink again."""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(_SPACING)
        self._row.addStretch(1)

    @property
    def is_list(self) -> bool:
        """Whether the lines stand below each other instead of side by side."""
        return self._row.direction() is QBoxLayout.Direction.TopToBottom

    def set_list(self, is_list: bool) -> None:
        """Puts the lines below each other, or side by side."""
        directions = QBoxLayout.Direction
        self._row.setDirection(directions.TopToBottom if is_list else directions.LeftToRight)
        self._row.setSpacing(0 if is_list else _SPACING)
        self.setFixedHeight(HEIGHT * max(len(self.entries), 1) if is_list else HEIGHT)
        self.fit_columns()

    def show_entries(self, entries: tuple[Entry, ...], sample: str) -> None:
        """Shows these lines; `sample` is as wide as most values. Those that stay keep their state."""
        is_same = tuple(each.entry for each in self.entries.values()) == entries
        if is_same and sample == self._sample:
            return
        self._sample = self._widest = sample
        if is_same:
            self._on_other_widths()
            return
        hidden = self.hidden
        for old in self.entries.values():
            # Until it is deleted it would take space from the new ones.
            self._row.removeWidget(old)
            old.hide()
            old.deleteLater()
        self.entries = {}
        for entry in entries:
            button = self.entries[entry.key] = LegendEntry(entry)
            button.setChecked(entry.key not in hidden)
            button.toggled.connect(self._on_toggled)
            self._row.addWidget(button)
        self._on_other_widths()

    def _on_other_widths(self) -> None:
        self.fit_columns()
        self.columns_changed.emit()

    @property
    def hidden(self) -> frozenset[str]:
        """The keys of the lines that are switched off."""
        return frozenset(key for key, each in self.entries.items() if not each.isChecked())

    def _on_toggled(self, _: bool) -> None:
        self.toggled.emit()

    def show_values(self, values: Mapping[str, str], epoch: float | None) -> None:
        """Shows the values at `epoch`, which is None for the end of the run."""
        before = self._widest
        for key, entry in self.entries.items():
            if entry.show_value(values.get(key, "")):
                self._widest = entry.wider(self._widest)
        if self._widest != before:
            self._on_other_widths()
        parts = [f"{entry.entry.key} {entry.value}" for entry in self.entries.values() if entry.value]
        self.text = ", ".join([*parts, *([f"at epoch {epoch:.2f}"] if parts and epoch is not None else [])])

    def restyle(self) -> None:
        for entry in self.entries.values():
            entry.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Gives each entry the longest name for which there is room, by the value that it may get."""
        if not self.entries:
            return
        peers = self._aligned
        room = min(each.width() for each in peers)
        for level in range(max(len(each.entry.names) for each in self.entries.values())):
            widths = self._columns_at(level)
            if (max(widths) if self.is_list else sum(widths) + _SPACING * len(widths)) <= room:
                break
        for peer in peers:
            for entry, width in zip(peer.entries.values(), widths, strict=True):
                entry.name = _name_at(entry.entry, level)
                entry.setFixedWidth(width)
                entry.update()

    @property
    def _aligned(self) -> list[Legend]:
        """Those of the peers that have the same lines, itself included."""
        return [each for each in self.peers if each.entries.keys() == self.entries.keys()] or [self]

    def _columns_at(self, level: int) -> list[int]:
        """What the widest entry of each column needs with its name of that level."""
        return [
            max(column) for column in zip(*(each.widths_at(level) for each in self._aligned), strict=True)
        ]

    @property
    def named_width(self) -> int:
        """What all lines need with the shortest names that are not empty, in the columns of all peers."""
        levels = range(max((len(each.entry.names) for each in self.entries.values()), default=0))
        named = [each for each in levels if all(_name_at(e.entry, each) for e in self.entries.values())]
        widths = self._columns_at(named[-1]) if named else []
        return sum(widths) + _SPACING * len(widths)

    def widths_at(self, level: int) -> list[int]:
        """What the entries need with their names of that level, 0 for the full ones."""
        return [
            each.width_for(_name_at(each.entry, level), "" if each.entry.is_area else self._widest)
            for each in self.entries.values()
        ]


def _name_at(entry: Entry, level: int) -> str:
    return entry.names[min(level, len(entry.names) - 1)]
