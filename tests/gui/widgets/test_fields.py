"""Fields accept valid values, explain invalid ones, and have sensible steps."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from cnnstudio.core.numbers import parse_number
from cnnstudio.core.parameters import Choice, Flag, Integer, Number, Pair, Parameter, Sides
from cnnstudio.gui.widgets.fields.choices import ChoiceField, FlagField
from cnnstudio.gui.widgets.fields.make_field import Field, make_field
from cnnstudio.gui.widgets.fields.numbers import IntegerField, NumberField
from cnnstudio.gui.widgets.fields.sides import PairField, SidesField

KEY = Qt.Key

COUNT = Integer("filters", 32, "how many", "Filters", minimum=1, maximum=65_536)
RATE = Number("rate", 0.5, "share", "Rate", minimum=0.0, maximum=0.99)
WIDE = Number("learning_rate", 0.001, "", "Learning rate", minimum=1e-8, maximum=100.0)
WORD = Choice("padding", "valid", "", "Padding", choices=("valid", "same"))
SWITCH = Flag("use_bias", True, "", "Bias")
SIZE = Pair("kernel_size", (3, 3), "", "Kernel size", maximum=255)
STRIDE = Pair("strides", None, "", "Strides", maximum=255, optional=True, empty="as pool size")
BORDER = Sides("padding", ((1, 1), (1, 1)), "pixels to add", "Padding", maximum=255)


class Signals:
    """Records the signals of a field."""

    def __init__(self, field: Field) -> None:
        self.values: list[Any] = []
        self.errors: list[str] = []
        self.notes: list[str] = []
        field.edited.connect(self.values.append)
        field.invalid_input.connect(self.errors.append)
        if not isinstance(field, ChoiceField | FlagField):
            field.corrected.connect(self.notes.append)


def shown(qtbot: QtBot, parameter: Parameter) -> tuple[Any, Signals]:
    field = make_field(parameter)
    qtbot.addWidget(field)
    with qtbot.waitActive(field):
        field.show()
    return field, Signals(field)


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
    field, signals = shown(qtbot, parameter)
    assert type(field) is kind
    assert field.objectName() == f"param_{parameter.name}"
    assert field.accessibleName() == parameter.label
    field.set_value(value)
    assert field.value() == value
    assert signals.values == [], "showing a value is not an edit"


def test_typing_emits_every_valid_value(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, COUNT)
    retype(qtbot, field, "128")
    assert signals.values == [12, 128]


def test_setting_the_spin_box_by_program_emits_the_value(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, COUNT)
    field.setValue(64)
    assert signals.values == [64]


@pytest.mark.parametrize("with_enter", [True, False])
@pytest.mark.parametrize(
    ("typed", "message", "value", "note"),
    [
        ("70000", "Must be between 1 and 65,536, got 70,000.", 65_536, "At most 65,536."),
        ("9" * 500, "Must be between 1 and 65,536, got a number", 65_536, "At most 65,536."),
        ("0", "Must be between 1 and 65,536, got 0.", 1, "At least 1."),
        ("3,5", "Must be an integer from 1 to 65,536, got 3.5.", 32, "Must be an integer from 1 to 65,536"),
        ("12x", "Must be an integer from 1 to 65,536, got “12x”.", 32, "Must be an integer from 1 to 65,536"),
    ],
)
def test_an_invalid_number_is_explained_and_replaced_with_a_note_by_the_nearest_or_the_one_before(
    qtbot: QtBot, typed: str, message: str, value: int, note: str, with_enter: bool
) -> None:
    field, signals = shown(qtbot, COUNT)
    field.set_value(32)
    field.lineEdit().setMaxLength(600)
    retype(qtbot, field, typed)
    assert message in signals.errors[-1]
    qtbot.keyClick(field, KEY.Key_Return) if with_enter else field.clearFocus()
    assert (field.value(), field.text()) == (value, f"{value:,}")
    assert [each[: len(note)] for each in signals.notes] == [note]


def test_what_was_typed_counts_no_longer_once_the_arrows_set_the_value(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, RATE)
    field.set_value(0.5)
    retype(qtbot, field, "7")
    qtbot.keyClick(field, KEY.Key_Up)
    qtbot.keyClick(field, KEY.Key_Return)
    assert (field.value(), signals.notes) == (0.55, [])


@pytest.mark.parametrize(
    ("parameter", "typed", "value"),
    [
        (WIDE, "0,001", 0.001),
        (RATE, "0,5", 0.5),
        (WIDE, "1,5e-3", 0.0015),
        (COUNT, "1,024", 1024),
        (COUNT, "12 345", 12_345),
    ],
)
def test_a_comma_is_a_decimal_sign_unless_it_separates_thousands(
    qtbot: QtBot, parameter: Parameter, typed: str, value: float
) -> None:
    field, signals = shown(qtbot, parameter)
    retype(qtbot, field, typed)
    field.clearFocus()
    assert field.value() == value
    assert parse_number(field.text(), whole=parameter is COUNT) == value, "shown as it is typed"
    assert signals.notes == []


def test_a_comma_of_unclear_meaning_is_refused(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, WIDE)
    field.set_value(0.01)
    retype(qtbot, field, "1,500")
    qtbot.keyClick(field, KEY.Key_Return)
    assert field.value() == 0.01
    assert signals.notes == ["1,500 could be 1.500 or 1500: type one of these."]


def test_a_valid_value_after_an_invalid_one_removes_the_error(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, COUNT)
    retype(qtbot, field, "70000")
    assert signals.errors[-1]
    qtbot.keyClick(field.lineEdit(), KEY.Key_Backspace)
    assert signals.errors[-1] == ""
    assert field.value() == 7000


def test_large_numbers_have_separators_and_may_be_typed_with_them(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, COUNT)
    field.set_value(12_345)
    assert field.text() == "12,345"
    retype(qtbot, field, "1,024")
    assert signals.values[-1] == 1024


def test_numbers_are_shown_without_trailing_zeros(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, WIDE)
    for value, text in ((0.001, "0.001"), (1e-8, "1e-08"), (100.0, "100")):
        field.set_value(value)
        assert (field.text(), field.value()) == (text, value)
    retype(qtbot, field, "3e-4")
    assert signals.values[-1] == pytest.approx(3e-4)


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
def test_steps_suit_the_range(
    qtbot: QtBot, parameter: Number, start: float, key: Qt.Key, values: list[float]
) -> None:
    field, signals = shown(qtbot, parameter)
    field.set_value(start)
    for _ in values:
        qtbot.keyClick(field, key)
    assert signals.values == pytest.approx(values)


def test_a_choice_and_a_flag_emit_one_value_per_edit(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, WORD)
    qtbot.keyClick(field, KEY.Key_Down)
    assert signals.values == ["same"]
    field, signals = shown(qtbot, SWITCH)
    field.set_value(True)
    assert field.text() == "on"
    qtbot.keyClick(field, KEY.Key_Space)
    assert (signals.values, field.text()) == ([False], "off")


def test_an_unknown_choice_is_offered_only_while_it_is_shown(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, WORD)
    for unknown in ("odd", "odder"):
        field.set_value(unknown)
        assert [field.itemText(index) for index in range(field.count())] == ["valid", "same", unknown]

    field.set_value("same")

    assert [field.itemText(index) for index in range(field.count())] == ["valid", "same"]
    assert (field.value(), signals.values) == ("same", [])


def test_a_pair_emits_both_sides(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, SIZE)
    field.set_value((3, 3))
    retype(qtbot, field.findChild(IntegerField, "kernel_size_width"), "5")
    assert signals.values == [(3, 5)]


def test_each_side_of_a_border_has_its_own_field(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, BORDER)
    field.set_value(((0, 1), (2, 3)))
    spin_boxes = {box.objectName(): box for box in field.findChildren(IntegerField)}
    assert list(spin_boxes) == ["padding_top", "padding_bottom", "padding_left", "padding_right"]
    assert [box.value() for box in spin_boxes.values()] == [0, 1, 2, 3]
    assert spin_boxes["padding_left"].accessibleName() == "Padding, left"
    retype(qtbot, spin_boxes["padding_left"], "7")
    assert signals.values == [((0, 1), (7, 3))]
    retype(qtbot, spin_boxes["padding_right"], "300")
    assert signals.errors[-1] == "Must be between 0 and 255, got 300."


def test_an_optional_pair_can_be_left_empty(qtbot: QtBot) -> None:
    field, signals = shown(qtbot, STRIDE)
    field.set_value(None)
    field.suggest((2, 2))
    box = field.findChild(QCheckBox)
    assert (box.text(), box.accessibleName()) == ("as pool size", "Strides, as pool size")
    assert not field.findChild(IntegerField).isEnabled()
    qtbot.keyClick(box, KEY.Key_Space)
    assert signals.values == [(2, 2)]
    qtbot.keyClick(box, KEY.Key_Space)
    assert signals.values[-1] is None


@pytest.mark.parametrize("parameter", [COUNT, RATE, WORD])
def test_the_wheel_scrolls_the_page_unless_the_field_has_the_focus(
    qtbot: QtBot, parameter: Parameter
) -> None:
    field, signals = shown(qtbot, parameter)
    field.clearFocus()
    down = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(field, down)
    assert signals.values == []
    assert not down.isAccepted()


def test_there_is_no_field_for_an_unknown_kind_of_parameter() -> None:
    with pytest.raises(TypeError):
        make_field(Parameter("x", 1))
