"""What views are made of, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.gui.dashboard.views.parts.score_charts import ScoreCharts, ScoreLine, ScoreRow
from cnnstudio.gui.dashboard.views.parts.veil import Veil
from tests.gui.shown_texts import Painted

LONG = "aquarium fish and a pickup truck"


class PaintedAreas(QObject):
    """How many pixels of a widget were painted."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.pixels = 0
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.pixels += sum(rect.width() * rect.height() for rect in event.region())
        return False


def test_the_progress_over_a_view_paints_no_more_of_it_than_the_progress(qtbot: QtBot) -> None:
    parent, content = QWidget(), QWidget()
    qtbot.addWidget(parent)
    QVBoxLayout(parent).addWidget(content)
    parent.resize(600, 400)
    veil = Veil(parent)
    with qtbot.waitExposed(parent):
        parent.show()
    veil.show_text("Epoch 3… 7%", translucent=True)
    qtbot.wait(50)
    below, over = PaintedAreas(content), PaintedAreas(veil)
    for percent in (8, 88, 100):
        veil.show_text(f"Epoch 3… {percent}%", translucent=True)
        qtbot.waitUntil(lambda before=over.pixels: over.pixels > before)
    assert below.pixels < 3 * 160 * 40
    veil.show_text("This cannot be shown.")
    assert veil.text == "This cannot be shown."
    qtbot.waitUntil(lambda: over.pixels > 500 * 300)


@pytest.mark.parametrize("width", [560, 900])
def test_long_names_of_classes_are_whole_beside_their_curves(
    width: int, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = Painted(monkeypatch)
    charts = ScoreCharts()
    qtbot.addWidget(charts)
    charts.resize(width, 800)
    charts.show()
    lines = tuple(
        ScoreLine(name, np.array([0.1, 0.9]), "good") for name in ("aquarium fish and a cat", LONG, "dog")
    )
    image = np.zeros((3, 32, 32), np.uint8)
    charts.show_rows((ScoreRow(image, LONG, lines, (1, 2), 1),), 0)
    charts.grab()
    assert {"✗ aquarium fish and a cat", LONG, "dog"} <= painted.texts
    caption = [text for text in painted.texts if text in LONG and text != LONG]
    assert sorted(" ".join(caption).split()) == sorted(LONG.split())
    assert charts.viewport().rect().contains(QPoint(width - 1, 0))
