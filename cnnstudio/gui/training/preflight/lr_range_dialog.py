"""The learning rate finder in the window: the range test as a curve, and the rate that it suggests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from cnnstudio.core.parameters import Number, parameters
from cnnstudio.core.progress import CancelFunction
from cnnstudio.data.dataset import Dataset
from cnnstudio.design.network import Network
from cnnstudio.gui.compute.session import TrainingSession
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.training.preflight.base_dialog import TrialDialog
from cnnstudio.gui.training.preflight.lr_range_plot import RatePlot
from cnnstudio.gui.widgets.fields import NumberField
from cnnstudio.gui.widgets.labels import Label, Panel
from cnnstudio.training.preflight.lr_range import RateTest
from cnnstudio.training.recipe.recipe import UNNAMED, Recipe

_HELP = (
    "The network makes a hundred steps on weights of its own, each with a higher learning rate than the one "
    "before. Too low, and the loss stays; too high, and it rises. Between the two it falls."
)
_FIELD_WIDTH = 132


class RateDialog(TrialDialog):
    """Finds a learning rate for the project's recipe; what is used is one undo step."""

    def __init__(self, project: Project, session: TrainingSession, parent: QWidget | None = None) -> None:
        super().__init__("Find a learning rate", _HELP, project, session, parent)
        self.setObjectName("rateDialog")
        parameter = next(each for each in parameters(Recipe) if each.name == "learning_rate")
        assert isinstance(parameter, Number)
        self.plot = RatePlot()
        self.field = NumberField(parameter)
        self.field.setObjectName("foundRate")
        self.field.setAccessibleName("Learning rate to use")
        self.field.setFixedWidth(_FIELD_WIDTH)
        self._words = Label("", "help", "secondary", wrap=True)
        self._words.setObjectName("rateWords")
        self.use.setText("Use this rate")
        self.use.setObjectName("useRate")
        self._rate = project.recipe.learning_rate
        self._fill()
        self.plot.chosen.connect(self._on_chosen)
        self.field.edited.connect(self._on_edited)
        self.use.clicked.connect(self._on_use)
        self.show_nothing()

    def _fill(self) -> None:
        panel = Panel()
        inside = QVBoxLayout(panel)
        inside.setContentsMargins(8, 8, 8, 8)
        inside.addWidget(self.plot)
        row = QHBoxLayout()
        row.setSpacing(8)
        label = Label("Learning rate")
        label.setBuddy(self.field)
        row.addWidget(label)
        row.addWidget(self.field)
        row.addWidget(self._words, 1)
        self.content.addWidget(panel, 1)
        self.content.addLayout(row)

    def attempt(
        self,
        network: Network,
        dataset: Dataset,
        recipe: Recipe,
        tell: Callable[[object], None],
        cancelled: CancelFunction,
    ) -> RateTest:
        from cnnstudio.training.preflight.learning_rate_finder import find_learning_rate
        from cnnstudio.training.preflight.prepare import prepare

        prepared = prepare(network, dataset, recipe, self.device, cancelled=cancelled)
        return find_learning_rate(prepared, tell=tell, cancelled=cancelled)

    def show_progress(self, value: Any) -> tuple[int, int | None, str]:
        self.plot.show_test(value)
        done = len(value.rates)
        return done, value.steps, f"Learning rate {value.rates[-1]:.2g}, loss {value.losses[-1]:.3f}"

    def show_result(self, result: Any) -> None:
        self.plot.show_test(result)
        now = self.project.recipe.learning_rate
        if result.suggestion is None:
            words = f"The loss falls at none of these rates. The recipe has {now:g}."
        else:
            words = (
                f"Suggested: {result.suggestion:g}. The loss falls between {result.lowest:.2g} and "
                f"{result.highest:.2g}; the recipe has {now:g}."
            )
        self._words.setText(words)
        self.plot.setAccessibleDescription(words)
        self.field.setEnabled(True)
        self._choose(result.suggestion or now)
        self.use.setEnabled(True)
        self.use.setFocus()

    def show_nothing(self) -> None:
        self.plot.clear_test()
        self.field.set_value(self.project.recipe.learning_rate)
        self.field.setEnabled(False)
        self._words.setText("")
        self.use.setEnabled(False)

    def _choose(self, rate: float) -> None:
        self._rate = rate
        self.field.set_value(rate)
        self.plot.show_rate(rate)

    def _on_chosen(self, rate: object) -> None:
        assert isinstance(rate, float)
        self._rate = rate
        self.field.set_value(rate)

    def _on_edited(self, value: object) -> None:
        assert isinstance(value, float)
        self._rate = value
        self.plot.show_rate(value)

    def _on_use(self) -> None:
        recipe = self.project.recipe
        if self._rate != recipe.learning_rate:
            self.project.set_recipe(recipe.replace(learning_rate=self._rate, name=UNNAMED))
        self.accept()
