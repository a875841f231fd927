"""The slim list of the layers of a run."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from pytestqt.qtbot import QtBot

from cnnstudio.design.templates import template
from cnnstudio.gui.pages.layer_strip import StripView
from cnnstudio.gui.pages.strip_rows import StripModel
from cnnstudio.gui.runs.activity import LayerActivity
from tests.gui.shown_texts import Painted


def painted_columns(view: StripView, row: int) -> list[int]:
    """Where something is painted in a row, in pixels from its left edge."""
    place = view.visualRect(view.model().index(row, 0))
    image = view.viewport().grab(place).toImage()
    ground = image.pixel(0, 0)
    lines = range(image.height())
    return [x for x in range(image.width()) if any(image.pixel(x, y) != ground for y in lines)]


def test_long_names_keep_their_numbers_and_texts_beside_bars_are_whole(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = StripModel()
    model.show_network(template("efficientnet-lite0").network)
    model.show_activities({layer: LayerActivity(0.25, 12, 96) for layer in model.layers})
    view = StripView(model)
    qtbot.addWidget(view)
    view.resize(QSize(220, 3_000))
    painted = Painted(monkeypatch)
    view.grab()
    groups = {text for text in painted.texts if text.startswith("Inv")}
    assert len(groups) > 5
    assert all(text[-1].isdigit() for text in groups)
    assert {text for text in painted.texts if "active" in text} == {"25% active · 12 dead"}


def test_a_scroll_bar_cuts_no_icon_of_the_layers_in_a_rail(qtbot: QtBot) -> None:
    model = StripModel()
    model.show_network(template("resnet-20").network)
    view = StripView(model)
    qtbot.addWidget(view)
    view.set_rail(True)
    view.resize(QSize(46, 10_000))
    view.show()
    qtbot.waitUntil(lambda: not view.verticalScrollBar().isVisible())
    whole = painted_columns(view, 1)
    assert len(whole) > 15
    view.resize(QSize(46, 400))
    qtbot.waitUntil(view.verticalScrollBar().isVisible)
    beside = painted_columns(view, 1)
    assert [x - beside[0] for x in beside] == [x - whole[0] for x in whole]
