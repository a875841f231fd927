"""Fields: they take what the parameter takes, explain the rest, and step in sensible steps."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.core.parameters import Choice, Flag, Integer, Number, Pair, Parameter, Sides
from cnnstudio.gui.widgets.fields import (
    ChoiceField,
    Field,
    FlagField,
    IntegerField,
    NumberField,
    PairField,
    SidesField,
    make_field,
)

KEY = Qt.Key

COUNT = Integer("filters", 32, "how many", "Filters", minimum=1, maximum=65_536)
RATE = Number("rate", 0.5, "share", "Rate", minimum=0.0, maximum=0.99)
WIDE = Number("learning_rate", 0.001, "", "Learning rate", minimum=1e-8, maximum=100.0)
WORD = Choice("padding", "valid", "", "Padding", choices=("valid", "same"))
SWITCH = Flag("use_bias", True, "", "Bias")
SIZE = Pair("kernel_size", (3, 3), "", "Kernel size", maximum=255)
STRIDE = Pair("strides", None, "", "Strides", maximum=255, optional=True, empty="as pool size")
BORDER = Sides("padding", ((1, 1), (1, 1)), "pixels to add", "Padding", maximum=255)


class Heard:
    """What a field said."""

    def __init__(self, field: Field) -> None:
        self.values: list[Any] = []
        self.mistakes: list[str] = []
        field.edited.connect(self.values.append)
        field.mistaken.connect(self.mistakes.append)


def shown(qtbot: QtBot, parameter: Parameter) -> tuple[Any, Heard]:
    field = make_field(parameter)
    qtbot.addWidget(field)
    with qtbot.waitActive(field):
        field.show()
    return field, Heard(field)


def retype(qtbot: QtBot, field: QWidget, text: str) -> None:
    line = field if isinstance(field, QLineEdit) else field.findChild(QLineEdit)
    line.selectAll()
    qtbot.keyClicks(line, text)


@pytest.mark.parametrize(
    ("parameter", "kind", "value"),
    [
        (COUNT, IntegerField, 64),
        (RATE, NumberField, 0.25),
        (WORD, ChoiceField, "same"),
        (SWITCH, FlagField, False),
        (SIZE, PairField, (5, 3)),
        (STRIDE, PairField, None),
        (STRIDE, PairField, (2, 2)),
        (BORDER, SidesField, ((0, 1), (2, 3))),
    ],
)
def test_each_kind_of_parameter_has_its_field(
    qtbot: QtBot, parameter: Parameter, kind: type, value: object
) -> None:
    field, heard = shown(qtbot, parameter)
    assert type(field) is kind
    assert field.objectName() == f"param_{parameter.name}"
    assert field.accessibleName() == parameter.label
    field.set_value(value)
    assert field.value() == value
    assert heard.values == [], "showing a value is no edit"


def test_typing_is_heard_digit_by_digit(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, COUNT)
    retype(qtbot, field, "128")
    assert heard.values == [12, 128]


def test_setting_the_spin_box_by_program_is_heard(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, COUNT)
    field.setValue(64)
    assert heard.values == [64]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("70000", "70,000 is out of range: 1 to 65,536 is possible."),
        ("0", "0 is out of range: 1 to 65,536 is possible."),
        ("3.5", "A whole number from 1 to 65,536 is needed, not 3.5."),
        ("many", "A whole number from 1 to 65,536 is needed, not “many”."),
        ("9" * 5000, "A whole number from 1 to 65,536 is needed"),
    ],
)
def test_a_wrong_value_explains_itself_and_is_taken_back(qtbot: QtBot, typed: str, sentence: str) -> None:
    field, heard = shown(qtbot, COUNT)
    field.set_value(32)
    field.lineEdit().setMaxLength(6000)
    field.lineEdit().setText("")
    field.lineEdit().insert(typed)
    field.lineEdit().textEdited.emit(field.lineEdit().text())
    assert sentence in heard.mistakes[-1]
    qtbot.keyClick(field, KEY.Key_Return)
    assert (field.value(), field.text()) == (32, "32")


def test_a_right_value_after_a_wrong_one_takes_the_sentence_away(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, COUNT)
    retype(qtbot, field, "70000")
    assert heard.mistakes[-1]
    qtbot.keyClick(field.lineEdit(), KEY.Key_Backspace)
    assert heard.mistakes[-1] == ""
    assert field.value() == 7000


def test_large_numbers_have_separators_and_may_be_typed_with_them(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, COUNT)
    field.set_value(12_345)
    assert field.text() == "12,345"
    retype(qtbot, field, "1,024")
    assert heard.values[-1] == 1024


def test_numbers_are_shown_as_short_as_they_are(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, WIDE)
    for value, text in ((0.001, "0.001"), (1e-8, "1e-08"), (100.0, "100")):
        field.set_value(value)
        assert (field.text(), field.value()) == (text, value)
    retype(qtbot, field, "3e-4")
    assert heard.values[-1] == pytest.approx(3e-4)


@pytest.mark.parametrize(
    ("parameter", "start", "key", "values"),
    [
        (RATE, 0.5, KEY.Key_Up, [0.55, 0.6]),
        (RATE, 0.5, KEY.Key_Down, [0.45, 0.4]),
        (RATE, 0.99, KEY.Key_Down, [0.95, 0.9]),
        (RATE, 0.95, KEY.Key_Up, [0.99]),
        (WIDE, 0.001, KEY.Key_Up, [0.002, 0.005, 0.01]),
        (WIDE, 0.001, KEY.Key_Down, [0.0005, 0.0002]),
        (WIDE, 0.003, KEY.Key_Down, [0.002]),
    ],
)
def test_steps_fit_the_range(
    qtbot: QtBot, parameter: Number, start: float, key: Qt.Key, values: list[float]
) -> None:
    field, heard = shown(qtbot, parameter)
    field.set_value(start)
    for _ in values:
        qtbot.keyClick(field, key)
    assert heard.values == pytest.approx(values)


def test_a_choice_and_a_flag_are_heard_once(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, WORD)
    qtbot.keyClick(field, KEY.Key_Down)
    assert heard.values == ["same"]
    field, heard = shown(qtbot, SWITCH)
    field.set_value(True)
    assert field.text() == "on"
    qtbot.keyClick(field, KEY.Key_Space)
    assert (heard.values, field.text()) == ([False], "off")


def test_a_foreign_value_is_offered_only_while_it_is_shown(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, WORD)
    for foreign in ("odd", "odder"):
        field.set_value(foreign)
        assert [field.itemText(index) for index in range(field.count())] == ["valid", "same", foreign]

    field.set_value("same")

    assert [field.itemText(index) for index in range(field.count())] == ["valid", "same"]
    assert (field.value(), heard.values) == ("same", [])


def test_a_pair_gives_both_sides(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, SIZE)
    field.set_value((3, 3))
    retype(qtbot, field.findChild(IntegerField, "kernel_size_width"), "5")
    assert heard.values == [(3, 5)]


def test_each_side_of_a_border_is_a_field_of_its_own(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, BORDER)
    field.set_value(((0, 1), (2, 3)))
    spin_boxes = {box.objectName(): box for box in field.findChildren(IntegerField)}
    assert list(spin_boxes) == ["padding_top", "padding_bottom", "padding_left", "padding_right"]
    assert [box.value() for box in spin_boxes.values()] == [0, 1, 2, 3]
    assert spin_boxes["padding_left"].accessibleName() == "Padding, left"
    retype(qtbot, spin_boxes["padding_left"], "7")
    assert heard.values == [((0, 1), (7, 3))]
    retype(qtbot, spin_boxes["padding_right"], "300")
    assert heard.mistakes[-1] == "300 is out of range: 0 to 255 is possible."


def test_an_optional_pair_can_follow_the_pool(qtbot: QtBot) -> None:
    field, heard = shown(qtbot, STRIDE)
    field.set_value(None)
    field.suggest((2, 2))
    box = field.findChild(QCheckBox)
    assert (box.text(), box.accessibleName()) == ("as pool size", "Strides, as pool size")
    assert not field.findChild(IntegerField).isEnabled()
    qtbot.keyClick(box, KEY.Key_Space)
    assert heard.values == [(2, 2)]
    qtbot.keyClick(box, KEY.Key_Space)
    assert heard.values[-1] is None


@pytest.mark.parametrize("parameter", [COUNT, RATE, WORD])
def test_the_wheel_scrolls_the_page_unless_the_field_is_in_use(qtbot: QtBot, parameter: Parameter) -> None:
    field, heard = shown(qtbot, parameter)
    field.clearFocus()
    down = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(field, down)
    assert heard.values == []
    assert not down.isAccepted()


def test_there_is_no_field_for_an_unknown_kind_of_parameter() -> None:
    with pytest.raises(TypeError):
        make_field(Parameter("x", 1))
