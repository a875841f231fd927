"""The small curves without axes."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from cnnstudio.gui.plots.metrics import METRIC
from cnnstudio.gui.plots.sparkline import Sparkline
from cnnstudio.gui.runs.history import RunHistory
from cnnstudio.gui.theme.theme import theme
from tests.gui.canned import epoch_ended, run_events, started


@pytest.mark.parametrize("epochs", [1, 5])
def test_the_lines_and_the_newest_value_are_shown(epochs: int, qtbot: QtBot) -> None:
    widget = Sparkline(METRIC["accuracy"])
    qtbot.addWidget(widget)
    widget.resize(160, 90)
    history = RunHistory()
    history.feed([started(), *(epoch_ended(epoch + 1) for epoch in range(epochs))])

    widget.show_curves(history.accuracy, 8)

    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32)
    for token in ("training", "validation"):
        assert (pixels == np.uint32(theme().color(token).rgb())).any()
    assert widget.accessibleName() == f"Accuracy: {widget.value}"
    assert widget.value.startswith("valid. ")


def test_nothing_is_placed_again_while_nothing_changes(qtbot: QtBot) -> None:
    widget = Sparkline(METRIC["loss"])
    qtbot.addWidget(widget)
    history = RunHistory()
    history.feed(run_events(epochs=2))
    widget.show_curves(history.loss, 8)
    before = widget._lines

    widget.show_curves(history.loss, 8)

    assert widget._lines is before
