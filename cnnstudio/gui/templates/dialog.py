"""The template gallery: diagram, cost and accuracy of each template, and a new design from one."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from cnnstudio.core.colors import scheme_colors
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.diagram.svg import draw_network, svg
from cnnstudio.design.templates import Template, templates
from cnnstudio.gui.templates.cards import IMAGE, Cards
from cnnstudio.gui.templates.facts import template_facts
from cnnstudio.gui.theme.svg_pixmap import svg_pixmap
from cnnstudio.gui.theme.theme import theme
from cnnstudio.gui.widgets.dialog_layout import button_row, dialog_column, leave_button
from cnnstudio.gui.widgets.labels import Label, Line, Panel
from cnnstudio.training.pretrained.catalog import PRETRAINED, PretrainedWeights
from cnnstudio.training.pretrained.installed import is_installed

_LARGE = QSize(420, 172)
_FACTS = (
    ("layers", "Layers"),
    ("input", "Input"),
    ("parameters", "Parameters"),
    ("macs", "Multiply-adds"),
    ("accuracy", "Test accuracy"),
    ("time", "Training time"),
)


def _about_weights(weights: PretrainedWeights) -> str:
    """Under which terms they are, and what to do if they are not installed."""
    terms = f"{weights.notice[:1].upper()}{weights.notice[1:]}."
    return terms if is_installed(weights.name) else f"{terms} {weights.missing_message}."


class TemplateDialog(QDialog):
    """A card for each template, and the details of the selected one beside them."""

    chosen = Signal(object)
    """The Template to start from; `recipe` is then the recipe to train it with."""

    def __init__(self, parent: QWidget | None = None, recipe: str = "") -> None:
        """`recipe` is the name of the current recipe."""
        super().__init__(parent)
        self.setObjectName("templateDialog")
        self.setWindowTitle("New from template")
        self.resize(1130, 680)
        self._analyses: dict[str, Analysis] = {}
        self._cards = Cards(list(templates().values()))
        self._image = QLabel()
        self._title = Label("", "title", wrap=True)
        self._description = Label("", "help", "secondary", wrap=True)
        self._measured = Label("", "help", "secondary", wrap=True)
        self._notice = Label("", "help", "secondary", wrap=True)
        self._values = {name: Label("", "help") for name, _ in _FACTS}
        self._current_recipe = recipe
        self._with_recipe = QCheckBox()
        self._use = QPushButton("Use this template")
        # Reading, analyzing and drawing all templates takes longer than a frame, so each timeout does one.
        self._fill_timer = QTimer(self)
        self._fill_timer.timeout.connect(self._fill_next)
        self._unfilled: list[str] = []
        self._compose()
        self._cards.current_changed.connect(self._show_template)
        self._cards.chosen.connect(self._on_chosen)
        theme().changed.connect(self._fill_cards)
        self._cards.setCurrentRow(0)

    def _compose(self) -> None:
        self._title.setObjectName("templateTitle")
        self._measured.setObjectName("templateMeasured")
        self._notice.setObjectName("templateNotice")
        self._with_recipe.setObjectName("templateRecipe")
        self._with_recipe.setToolTip(
            "The recipe tuned for this template; other recipes may need more epochs or time"
        )
        self._with_recipe.setChecked(True)
        self._image.setFixedSize(_LARGE)
        side = Panel("templateDetails")
        side.setFixedWidth(_LARGE.width() + 34)
        column = QVBoxLayout(side)
        column.setContentsMargins(16, 16, 16, 16)
        column.setSpacing(10)
        for widget in (self._image, self._title, self._description, Line()):
            column.addWidget(widget)
        column.addLayout(self._facts_grid())
        column.addWidget(self._measured)
        column.addWidget(self._notice)
        column.addWidget(self._with_recipe)
        column.addStretch(1)
        self._use.setObjectName("useTemplate")
        self._use.setProperty("role", "primary")
        self._use.setDefault(True)
        self._use.clicked.connect(lambda: self._on_chosen(self._cards.current_name))
        frame = Panel()
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(6, 6, 4, 6)
        inside.addWidget(self._cards)
        body = QHBoxLayout()
        body.setSpacing(12)
        body.addWidget(frame, 1)
        body.addWidget(side)
        whole = dialog_column(self)
        whole.addLayout(body, 1)
        whole.addLayout(button_row(leave_button(self, "Cancel"), self._use))

    def _facts_grid(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(1, 1)
        for row, (name, text) in enumerate(_FACTS):
            grid.addWidget(Label(text, "help", "secondary"), row, 0)
            value = self._values[name]
            value.setObjectName(f"template_{name}")
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            grid.addWidget(value, row, 1)
        return grid

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._cards.setFocus(Qt.FocusReason.OtherFocusReason)
        self._fill_cards()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._fill_timer.stop()

    # Filling the cards

    def _fill_cards(self, *_: object) -> None:
        """Draws all cards in the colors of the current scheme, from the top."""
        if self.isVisible():
            self._unfilled = list(templates())
            self._fill_timer.start()
            self._show_template(self._cards.current_name)

    def _fill_next(self) -> None:
        name = self._unfilled.pop(0)
        self._cards.show_facts(name, template_facts(templates()[name], self._analysis(name)))
        self._cards.show_image(name, self._diagram(name, IMAGE, labels=False))
        if not self._unfilled:
            self._fill_timer.stop()

    def _analysis(self, name: str) -> Analysis:
        if name not in self._analyses:
            self._analyses[name] = analyze(templates()[name].network)
        return self._analyses[name]

    def _diagram(self, name: str, size: QSize, *, labels: bool) -> QPixmap:
        drawing = draw_network(self._analysis(name), labels=labels)
        text = svg(drawing, scheme_colors(theme().scheme), background=False)
        return svg_pixmap(text, size, self.devicePixelRatioF())

    def _show_template(self, name: object) -> None:
        template = templates()[str(name)]
        details = template_facts(template, self._analysis(template.name))
        self._title.setText(template.title)
        self._description.setText(template.description)
        for value, label in self._values.items():
            label.setText(getattr(details, value))
        self._measured.setText(template.measured)
        self._measured.setVisible(bool(template.measured))
        known = PRETRAINED.get(template.network.weights or "")
        self._notice.setText("" if known is None else _about_weights(known))
        self._notice.setVisible(known is not None)
        self._with_recipe.setText(f"Train with the recipe {template.recipe}")
        self._with_recipe.setVisible(template.recipe not in (None, self._current_recipe))
        self._image.setPixmap(self._diagram(template.name, _LARGE, labels=True))
        self._image.setAccessibleName(f"Diagram of {template.title}")

    # User input

    @property
    def recipe(self) -> str | None:
        """The name of the recipe to train the selected template with; None to keep the current recipe."""
        is_wanted = not self._with_recipe.isHidden() and self._with_recipe.isChecked()
        return templates()[self._cards.current_name].recipe if is_wanted else None

    def _on_chosen(self, name: object) -> None:
        template: Template = templates()[str(name)]
        self.accept()
        self.chosen.emit(template)
