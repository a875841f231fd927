"""Figures of a data set: images per class, sizes, brightness, mean and deviation, leaks, unreadable files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from cnnstudio.core.formatting import format_count, format_percent, pluralize, screen_reader_text
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction
from cnnstudio.data.checks.report import CheckReport
from cnnstudio.data.dataset import channel_statistics
from cnnstudio.gui.compute.io_task import IoTask
from cnnstudio.gui.pages.data_set.images.label_overlay import LabelOverlay
from cnnstudio.gui.pages.data_set.images.order import Keys, brightness, file_areas
from cnnstudio.gui.pages.data_set.images.viewed_set import ViewedSet
from cnnstudio.gui.theme.text_metrics import text_metrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_line

_MAX_BARS = 40
_BINS = 32
_CHANNELS = ("red", "green", "blue")
_MAX_NAMED = 5


@dataclass(frozen=True, eq=False)
class Figures:
    """Of one split."""

    mean: Sequence[float]
    deviation: Sequence[float]
    brightness: Keys
    sides: Keys
    """The square root of the number of pixels in each image's file."""


class Statistics(QWidget):
    """Computed when it is first shown for a split."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("dataStatistics")
        self._viewed: ViewedSet | None = None
        self._overlay: LabelOverlay | None = None
        self._part = "train"
        self._known: dict[str, Figures] = {}
        self._task: IoTask | None = None
        self.balance, self.brightness, self.sizes = BarRows("Images per class"), Histogram(), Histogram()
        self._moments = Label("", "help", wrap=True)
        self.leaks = Label("", "help", wrap=True)
        self.leaks.setObjectName("leaks")
        self._skipped = Label("", "help", "secondary", wrap=True)
        self._titles: dict[str, Label] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        parts = {
            "Images per class": self.balance,
            "Brightness (0 to 255)": self.brightness,
            "Size in the file (square root of the pixels)": self.sizes,
            "Mean and deviation, for pixels from 0 to 1": self._moments,
            "Leaks: classes that can be told without looking": self.leaks,
            "Files that cannot be read": self._skipped,
        }
        for title, part in parts.items():
            self._titles[title] = Label(title, "strong", wrap=True)
            column.addWidget(self._titles[title])
            column.addWidget(part)
        column.addStretch(1)

    def show_set(self, viewed: ViewedSet | None, overlay: LabelOverlay | None) -> None:
        """Says whose figures are shown."""
        self.close_tasks()
        self._viewed, self._overlay, self._part = viewed, overlay, "train"
        self._known.clear()
        skipped = list(viewed.skipped) if viewed is not None else []
        self._titles["Files that cannot be read"].setVisible(bool(skipped))
        self._skipped.setVisible(bool(skipped))
        more = f" and {len(skipped) - _MAX_NAMED:,} more" if len(skipped) > _MAX_NAMED else ""
        names = ", ".join(plain_line(name, 60) for name in skipped[:_MAX_NAMED])
        self._skipped.setText(f"{pluralize(len(skipped), 'file')}: {names}{more}")

    def show_part(self, part: str) -> None:
        """Shows the figures of a split, as soon as they are computed."""
        self._part = part
        self.refresh()

    def show_report(self, report: CheckReport | None) -> None:
        """Shows which classes leak, as a check found."""
        if report is None:
            self.leaks.setText("Not checked yet.")
        elif not report.leaks:
            self.leaks.setText("None: no class is told by size, format, brightness or border alone.")
        else:
            self.leaks.setText(describe_leaks(report))

    def refresh(self) -> None:
        """Shows everything as it is now, if anybody sees it."""
        viewed, overlay = self._viewed, self._overlay
        if viewed is None or overlay is None or not self.isVisible():
            return
        if self._part not in viewed.dataset.splits:
            self._part = "train"
        labels = overlay.labels[self._part][~overlay.excluded[self._part]]
        counts = np.bincount(labels, minlength=len(viewed.classes)).tolist()
        self.balance.show_bars(list(zip(viewed.classes, counts, strict=True)))
        figures = self._known.get(self._part)
        if figures is None:
            self._compute(viewed, self._part)
            return
        self.brightness.show_values(figures.brightness, 0, 255)
        low, high = float(figures.sides.min(initial=np.inf)), float(figures.sides.max(initial=0))
        self.sizes.show_values(figures.sides, low, high)
        names = _CHANNELS if len(figures.mean) == 3 else ("gray",)
        lines = [
            f"{name}: {mean:.3f} ± {deviation:.3f}"
            for name, mean, deviation in zip(names, figures.mean, figures.deviation, strict=False)
        ]
        self._moments.setText("\n".join(lines))

    def _compute(self, viewed: ViewedSet, part: str) -> None:
        if self._task is not None:
            return
        for each in (self.brightness, self.sizes):
            each.show_values(np.zeros(0, np.float32), 0, 1)
        self._moments.setText("Computing…")

        def compute(progress: ProgressFunction, cancelled: CancelFunction) -> Figures:
            split = viewed.dataset.splits[part]
            mean, deviation = channel_statistics(split)
            light = brightness(split, cancelled)
            areas = file_areas(viewed, part, progress, cancelled)
            return Figures(mean.tolist(), deviation.tolist(), light, np.sqrt(areas[areas > 0]))

        def on_done(figures: object) -> None:
            assert isinstance(figures, Figures)
            self._known[part] = figures

        self._task = task = IoTask(compute, self)
        task.progressed.connect(self._on_progressed)
        task.done.connect(on_done)
        task.failed.connect(lambda text: self._moments.setText(str(text)))
        task.ended.connect(lambda: self._on_ended(task, part))
        task.start()

    def _on_progressed(self, progress: Progress) -> None:
        self._moments.setText(progress.text)

    def _on_ended(self, task: IoTask, part: str) -> None:
        if self._task is task:
            self._task = None
            # Another split may be on show by now.
            if self._part in self._known or self._part != part:
                self.refresh()

    def close_tasks(self) -> None:
        """Ends what is computed in the background."""
        if self._task is not None:
            self._task.cancel()
            self._task = None


def describe_leaks(report: CheckReport) -> str:
    """`cat: by brightness alone (97.0% recognized)`, one line for each."""
    lines = [
        f"{plain_line(name, 40)}: by {plain_line(by, 20)} alone ({format_percent(share)} recognized)"
        for name, by, share in report.leaks[:_MAX_BARS]
    ]
    return "\n".join(lines)


class BarRows(QWidget):
    """A bar with a number for each name; of very many names those with the most and the fewest."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.bars: list[tuple[str, int]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._on_theme_changed)

    def show_bars(self, bars: Sequence[tuple[str, int]]) -> None:
        """Shows (name, number) of each."""
        shown = list(bars)
        if len(shown) > _MAX_BARS:
            shown = sorted(shown, key=lambda bar: -bar[1])
            half = _MAX_BARS // 2
            shown = [*shown[:half], *shown[-half:]]
        self.bars = shown
        said = ", ".join(f"{plain_line(name, 30)} {format_count(count)}" for name, count in shown[:10])
        self.setAccessibleName(screen_reader_text(f"{self._title}: {said}"))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, 18 * max(len(self.bars), 1))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = text_metrics(theme().font("axis"))
        most = max((count for _, count in self.bars), default=0) or 1
        names, numbers = 84, 48
        room = max(self.width() - names - numbers - 8, 8)
        painter.setFont(metrics.font)
        for line, (name, count) in enumerate(self.bars):
            middle = 18 * line + 9
            painter.setPen(theme().color("text"))
            painter.drawText(0, metrics.baseline(middle), metrics.elided(plain_line(name, 60), names - 8))
            painter.fillRect(QRectF(names, middle - 4, room, 8), theme().color("grid"))
            painter.fillRect(QRectF(names, middle - 4, room * count / most, 8), theme().color("training"))
            text = format_count(count)
            painter.setPen(theme().color("secondary"))
            painter.drawText(self.width() - metrics.width(text), metrics.baseline(middle), text)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()


class Histogram(QWidget):
    """How many images have which value, with the lowest and the highest below."""

    def __init__(self) -> None:
        super().__init__()
        self._counts = np.zeros(0, np.int64)
        self._low = self._high = 0.0
        self.setFixedHeight(64)
        theme().changed.connect(self._on_theme_changed)

    def show_values(self, values: Keys, low: float, high: float) -> None:
        """Shows float32 (N,) between `low` and `high`."""
        self._low, self._high = low, high
        if not len(values):
            self._counts = np.zeros(0, np.int64)
        elif high <= low:
            self._counts = np.array([len(values)])
        else:
            self._counts = np.histogram(values, bins=_BINS, range=(low, high))[0]
        said = (
            f"{format_count(len(values))} images from {low:.0f} to {high:.0f}" if len(values) else "no values"
        )
        self.setAccessibleName(said)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = text_metrics(theme().font("axis"))
        bottom = self.height() - 18
        painter.fillRect(QRectF(0, bottom, self.width(), 1), theme().color("border"))
        count = len(self._counts)
        if count:
            most, pitch = max(int(self._counts.max()), 1), self.width() / count
            for number, each in enumerate(self._counts.tolist()):
                height = (bottom - 2) * each / most
                bar = QRectF(number * pitch, bottom - height, max(pitch - 1, 1), height)
                painter.fillRect(bar, theme().color("training"))
            painter.setFont(metrics.font)
            painter.setPen(theme().color("secondary"))
            text = f"{self._high:.0f}"
            if count > 1:
                painter.drawText(0, metrics.baseline(bottom + 10), f"{self._low:.0f}")
            else:
                # All have the same value.
                text = f"all {text}"
            align = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, bottom + 1, self.width(), 18), int(align), text)
        painter.end()

    def _on_theme_changed(self, _: object) -> None:
        self.update()
