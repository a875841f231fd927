"""The bars of the most probable classes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from cnnstudio.gui.pages.try_image.score_bars import ScoreBars
from tests.gui.shown_texts import Painted


def test_long_names_of_classes_have_room_beside_the_bars(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = Painted(monkeypatch)
    bars = ScoreBars()
    qtbot.addWidget(bars)
    name = "wardrobe and willow tree"
    for width, shown in ((320, "wardrobe and"), (520, name)):
        painted.texts.clear()
        bars.resize(width, bars.height())
        bars.show_scores(((name, 0.7), ("dog", 0.1)), 0.6)
        bars.grab()
        assert any(text.startswith(shown) for text in painted.texts)
        assert bars.line_x is not None
        assert bars.line_x < width - 60
    QApplication.sendEvent(
        bars, QHelpEvent(QEvent.Type.ToolTip, QPoint(5, 5), bars.mapToGlobal(QPoint(5, 5)))
    )
    qtbot.waitUntil(lambda: QToolTip.text() == f"{name}: 70.0%")
    QToolTip.hideText()
