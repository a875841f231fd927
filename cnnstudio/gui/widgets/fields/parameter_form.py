"""A form for the parameters of a layer type, or of another class that declares parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QGridLayout, QSizePolicy, QWidget

from cnnstudio.core.formatting import screen_reader_text
from cnnstudio.core.parameters import Pair, Parameter, parameters
from cnnstudio.gui.theme.text_metrics import TextMetrics
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.fields.choices import ChoiceField, FlagField
from cnnstudio.gui.widgets.fields.make_field import make_field
from cnnstudio.gui.widgets.fields.sides import PairField
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_text, plain_tooltip

_LABEL_WIDTH = 92
_MAX_WIDTH = 344
"""Fields do not get wider in a wide panel: they belong to their labels."""
_ROW_HEIGHT, _ROW_GAP = 32, 4
_TAB = Qt.FocusPolicy.TabFocus


class ParameterForm(QWidget):
    """One row per parameter: label and field; below it the help while the field has the focus, and errors.

    Parameters that few networks need follow on demand; until then their values stand in one line.
    """

    edited = Signal(object)
    """(name, value) after every change by the user."""
    finished = Signal(object)
    """The name of the parameter whose field the user has left."""
    more_toggled = Signal(object)
    """Whether the user wants to see the rare parameters."""

    def __init__(self, owner: type[Any]) -> None:
        super().__init__()
        declared = parameters(owner)
        rare = [parameter for parameter in declared if parameter.is_rare]
        self._parameters = (*(each for each in declared if not each.is_rare), *rare)
        self._rare = {parameter.name for parameter in rare}
        self.fields = {parameter.name: make_field(parameter) for parameter in self._parameters}
        self._labels = {parameter.name: Label(parameter.label) for parameter in self._parameters}
        self._helps = {
            parameter.name: Label(parameter.help, "help", "secondary", wrap=True)
            for parameter in self._parameters
        }
        self._errors = {
            parameter.name: Label("", "help", "wrong", wrap=True) for parameter in self._parameters
        }
        self.more = _MoreButton()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(_ROW_GAP)
        self._grid.setColumnStretch(1, 1)
        self._focused = ""
        """The name of the parameter whose field has the focus."""
        self._different: set[str] = set()
        """The parameters of which several values are shown."""
        self._compose(len(declared) - len(rare))
        self.more.clicked.connect(lambda is_shown: self.more_toggled.emit(is_shown))
        self.more.toggled.connect(self._show_rows)
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._on_focus_changed)

    def _compose(self, common: int) -> None:
        for row, parameter in enumerate(self._parameters):
            if row == common:
                self._grid.addWidget(self.more, 3 * row, 0, 1, 2)
            self._add(3 * row + 1, parameter)
        if common == len(self._parameters):
            self.more.setParent(self)
        self.more.setVisible(bool(self._rare))
        self._show_rows()

    @property
    def tab_stops(self) -> list[QWidget]:
        """The widgets that Tab visits, from top to bottom."""
        # The popup list of a combo box is a separate window.
        inside = [each for each in self.findChildren(QWidget) if each.window() is self.window()]
        return [each for each in inside if each.focusPolicy() & _TAB and each.focusProxy() is None]

    def show_values(self, instances: Sequence[Any]) -> None:
        """Shows the values of the instances; if they differ, the first one, and the help lists all."""
        for parameter in self._parameters:
            values = [getattr(instance, parameter.name) for instance in instances]
            field = self.fields[parameter.name]
            if field.value() != values[0]:
                self._show_error(parameter.name, "")
            field.set_value(values[0])
            if isinstance(field, PairField) and values[0] is None:
                field.suggest(self._first_pair(instances[0]))
            different = list(dict.fromkeys(map(parameter.text, values)))
            (self._different.add if len(different) > 1 else self._different.discard)(parameter.name)
            self._helps[parameter.name].setText(
                parameter.help if len(different) == 1 else f"currently {', '.join(different)}"
            )
        self.more.show_values(self._rare_values(instances[0]))
        self._show_helps()

    def _rare_values(self, instance: Any) -> str:
        """The values of the rare parameters in words; those that are not the default come first."""
        rare = [parameter for parameter in self._parameters if parameter.is_rare]
        rare.sort(key=lambda parameter: getattr(instance, parameter.name) == parameter.default)
        texts = (
            f"{each.label[:1].lower()}{each.label[1:]} {each.text(getattr(instance, each.name))}"
            for each in rare
        )
        return " · ".join(texts).replace("l2 ", "L2 ")

    def clear_errors(self) -> None:
        """Removes the errors about invalid input."""
        for name in self._errors:
            self._show_error(name, "")

    def set_named(self, named: bool) -> None:
        """Sets or clears the object names of the fields: a form that is not shown must not duplicate them."""
        for name, field in self.fields.items():
            field.setObjectName(f"param_{name}" if named else "")

    def _add(self, row: int, parameter: Parameter) -> None:
        name = parameter.name
        field, label = self.fields[name], self._labels[name]
        label.setBuddy(field)
        label.setMinimumWidth(_LABEL_WIDTH)
        label.setMinimumHeight(_ROW_HEIGHT)
        field.setMinimumHeight(_ROW_HEIGHT)
        field.setToolTip(plain_tooltip(parameter.help))
        field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        top = Qt.AlignmentFlag.AlignTop
        self._grid.addWidget(label, row, 0, top)
        self._grid.addWidget(field, row, 1)
        self._grid.addWidget(self._helps[name], row + 1, 1, top)
        self._grid.addWidget(self._errors[name], row + 2, 1, top)
        self._errors[name].hide()
        field.edited.connect(partial(self._on_edited, name))
        field.invalid_input.connect(partial(self._show_error, name))
        field.finished.connect(partial(self._on_finished, name))
        if not isinstance(field, ChoiceField | FlagField):
            field.corrected.connect(partial(self._show_error, name))

    def _show_rows(self, *_: object) -> None:
        """Shows the rare parameters if they are wanted."""
        for name in self._rare:
            for part in (self._labels[name], self.fields[name]):
                part.setVisible(self.more.isChecked())
        self._show_helps()

    def minimumSizeHint(self) -> QSize:
        # Without the margin of a wide panel, which would keep the form from becoming narrow again at once.
        hint = super().minimumSizeHint()
        return QSize(hint.width() - self._grid.contentsMargins().right(), hint.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        right = max(self.width() - _MAX_WIDTH, 0)
        # Setting the same margins again would lay out the panel again.
        if right != self._grid.contentsMargins().right():
            self._grid.setContentsMargins(0, 0, right, 0)

    def _on_focus_changed(self, _: QWidget | None, now: QWidget | None) -> None:
        found = (
            name
            for name, field in self.fields.items()
            if now is not None and (field is now or field.isAncestorOf(now))
        )
        focused = next(found, "")
        if focused != self._focused:
            self._focused = focused
            self._show_helps()

    def _show_helps(self) -> None:
        for name, label in self._helps.items():
            has_row = name not in self._rare or self.more.isChecked()
            label.setVisible(has_row and (name == self._focused or name in self._different))

    def _on_edited(self, name: str, value: object) -> None:
        self._show_error(name, "")
        self.edited.emit((name, value))

    def _on_finished(self, name: str, _: object) -> None:
        # By now the field has replaced an invalid text.
        self._show_error(name, "")
        self.finished.emit(name)

    def _show_error(self, name: str, text: str) -> None:
        label = self._errors[name]
        if text != label.text():
            label.setText(text)
            label.setVisible(bool(text))

    def _first_pair(self, instance: Any) -> tuple[int, int]:
        """The value that an empty pair stands for: that of the pair before it."""
        values = [
            getattr(instance, parameter.name) for parameter in self._parameters if isinstance(parameter, Pair)
        ]
        return next((value for value in values if value is not None), (1, 1))


class _MoreButton(QAbstractButton):
    """An arrow, More, and what the hidden parameters are set to; checked while they are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("moreParameters")
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setFixedHeight(_ROW_HEIGHT)
        self._values = ""
        self.toggled.connect(lambda _: self.show_values(self._values))

    def show_values(self, values: str) -> None:
        self._values = values
        state = "expanded" if self.isChecked() else "collapsed"
        self.setAccessibleName(f"More settings, {state}: {screen_reader_text(values)}")
        self.setToolTip(plain_tooltip(values))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        colors, painter = theme(), QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            painter.setPen(QPen(colors.color("accent"), 2))
            painter.drawRoundedRect(self.rect().adjusted(1, 2, -1, -2), 5, 5)
        strong, small = TextMetrics(colors.font("content")), TextMetrics(colors.font("help"))
        middle = self.height() / 2
        icon = colors.pixmap(
            "down" if self.isChecked() else "next", "secondary", 13, self.devicePixelRatioF()
        )
        painter.drawPixmap(2, round(middle - 6.5), icon)
        painter.setFont(strong.font)
        painter.setPen(colors.color("text"))
        painter.drawText(22, strong.baseline(middle), "More")
        if not self.isChecked():
            left = 22 + strong.width("More") + 10
            area = QRect(left, 0, self.width() - left - 2, self.height())
            painter.setFont(small.font)
            painter.setPen(colors.color("secondary"))
            text = small.elided(plain_text(self._values), area.width())
            painter.drawText(left, small.baseline(middle), text)
        painter.end()
