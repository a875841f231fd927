"""The small plot of a learning curve."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from cnnstudio.gui.experiments.curve_plot import LearningCurvePlot
from cnnstudio.tuning.learning_curve import CurvePoint
from tests.gui.shown_texts import Painted


def test_both_axes_say_what_they_measure(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = LearningCurvePlot()
    qtbot.addWidget(plot)
    plot.show_points((CurvePoint(0.1, 200, 24, 0.9, 0.3), CurvePoint(1.0, 2_000, 6, 0.7, 0.5)))
    painted = Painted(monkeypatch)
    plot.grab()
    assert {"training images", "accuracy", "200", "2,000", "50%"} <= painted.texts
