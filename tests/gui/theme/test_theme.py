"""The theme: enough contrast in both schemes, one color per meaning, and a complete style sheet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QAction, QColor, QIcon
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

import cnnstudio
from cnnstudio.core.resources import resource
from cnnstudio.gui.theme.theme import PIXELS, TOKENS, Theme, family_token
from cnnstudio.layers.base import Family
from cnnstudio.layers.catalog import layer_types, snake_case

PACKAGE = Path(cnnstudio.__file__).parent
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

GROUNDS = ("background", "panel", "field", "grid", "selection")
TEXTS = ("text", "secondary")
FAMILIES = tuple(family_token(family) for family in Family)
ON_PANEL = ("accent", "wrong", "good", "training", "validation", *FAMILIES)


@pytest.fixture
def app_theme(qapp: QApplication) -> Iterator[Theme]:
    theme = Theme()
    yield theme
    theme.set_scheme("system")


def contrast(one: QColor, other: QColor) -> float:
    """WCAG 2.2, "contrast ratio"."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: QColor) -> float:
    channels = (color.redF(), color.greenF(), color.blueF())
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    ("front", "ground"),
    [
        *((text, ground) for text in TEXTS for ground in GROUNDS),
        *((color, "panel") for color in ON_PANEL),
        *((text, "wrong_ground") for text in (*TEXTS, "wrong")),
        ("on_accent", "accent"),
        ("panel", "wrong"),
    ],
)
def test_text_has_enough_contrast(
    app_theme: Theme, scheme: Literal["light", "dark"], front: str, ground: str
) -> None:
    app_theme.set_scheme(scheme)
    assert contrast(app_theme.color(front), app_theme.color(ground)) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("ground", ["grid", "selection"])
@pytest.mark.parametrize("front", [*FAMILIES, "accent"])
def test_bars_and_lines_stand_out(
    app_theme: Theme, scheme: Literal["light", "dark"], front: str, ground: str
) -> None:
    app_theme.set_scheme(scheme)
    assert contrast(app_theme.color(front), app_theme.color(ground)) >= 3.0


def test_every_family_has_its_own_color(app_theme: Theme) -> None:
    colors = [app_theme.color(family_token(family)).name() for family in Family if family is not Family.GROUP]
    assert len(set(colors)) == len(colors)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_style_sheet_has_no_placeholder_left(app_theme: Theme, scheme: Literal["light", "dark"]) -> None:
    app_theme.set_scheme(scheme)
    assert re.findall(r"@\w+@", app_theme.style_sheet()) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_drawn_controls_have_the_colors_of_the_scheme(
    app_theme: Theme, scheme: Literal["light", "dark"]
) -> None:
    app_theme.set_scheme(scheme)
    for name, token in (("up", "secondary"), ("down", "secondary"), ("check", "on_accent")):
        drawing = resource(f"controls/{scheme}/{name}.svg").read_text("utf-8")
        assert app_theme.color(token).name().upper() in drawing.upper()


def test_a_change_of_scheme_is_announced(app_theme: Theme, qtbot: QtBot) -> None:
    app_theme.set_scheme("light")
    with qtbot.waitSignal(app_theme.changed) as signal:
        app_theme.set_scheme("dark")
    assert signal.args == ["dark"]
    assert app_theme.color("panel").name().upper() == TOKENS["panel"][1]


def test_the_application_gets_the_colors(app_theme: Theme, qapp: QApplication) -> None:
    app_theme.apply(qapp)
    app_theme.set_scheme("dark")
    assert qapp.palette().text().color().name().upper() == TOKENS["text"][1]
    app_theme.set_scheme("light")
    assert qapp.palette().text().color().name().upper() == TOKENS["text"][0]
    assert TOKENS["panel"][0].lower() in qapp.styleSheet().lower()


@pytest.mark.parametrize("name", layer_types())
def test_every_layer_type_has_an_icon_in_its_color(app_theme: Theme, name: str) -> None:
    kind = layer_types()[name]
    image = app_theme.pixmap(snake_case(name), family_token(kind.family), ratio=2.0).toImage()
    pixels = {
        image.pixelColor(x, y).name()
        for x in range(34)
        for y in range(34)
        if image.pixelColor(x, y).alpha() > 250
    }
    assert app_theme.color(family_token(kind.family)).name() in pixels


def test_an_icon_is_sharp_on_a_high_resolution_screen(app_theme: Theme) -> None:
    icon = app_theme.icon("undo")
    assert icon.pixmap(QSize(17, 17), 2.0).width() == 34


def test_a_bound_icon_follows_the_scheme_until_its_action_is_deleted(app_theme: Theme, qtbot: QtBot) -> None:
    def ink(icon: QIcon) -> set[str]:
        image = icon.pixmap(17, 17).toImage()
        colors = (image.pixelColor(x, y) for x in range(17) for y in range(17))
        return {color.name() for color in colors if color.alpha() == 255}

    app_theme.set_scheme("light")
    action, button = QAction(), QPushButton()
    qtbot.addWidget(button)
    app_theme.bind_icon(action, "stop")
    app_theme.bind_icon(button, "stop", "accent")
    light = ink(action.icon())
    app_theme.set_scheme("dark")
    assert ink(action.icon()) != light
    assert TOKENS["accent"][1].lower() in ink(button.icon())
    del action
    app_theme.set_scheme("light")


def test_there_are_five_font_sizes(app_theme: Theme) -> None:
    assert {app_theme.font(role).pixelSize() for role in PIXELS} == {11, 12, 13, 14, 20}
    assert app_theme.monospace().pixelSize() == PIXELS["help"]


def test_disabled_icons_look_different(app_theme: Theme) -> None:
    icon = app_theme.icon("train", "accent")
    on = icon.pixmap(QSize(17, 17), 1.0, QIcon.Mode.Normal).toImage()
    off = icon.pixmap(QSize(17, 17), 1.0, QIcon.Mode.Disabled).toImage()
    assert on != off


def test_the_style_sheet_has_no_rule_twice_and_none_for_what_does_not_exist() -> None:
    rules = re.sub(r"/\*.*?\*/", "", resource("style.qss").read_text(encoding="utf-8"), flags=re.DOTALL)
    alone = [part.strip() for part in re.findall(r"([^{}]+){", rules) if "," not in part]
    assert sorted(alone) == sorted(set(alone))
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    used = [*re.findall(r'role="(\w+)"', rules), *re.findall(r"#(\w+)", rules)]
    assert [name for name in used if f'"{name}"' not in sources] == []
