"""What the layer list shows while there are no layers: how to begin, and templates to begin with."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from cnnstudio.design.adaptation import AdaptationError, fit_to_data
from cnnstudio.design.templates import Template, templates
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.labels import Label
from cnnstudio.gui.widgets.plain_text import plain_tooltip

_OFFERED = ("lesson-32", "lenet-5", "resnet-9")


class EmptyHint(QWidget):
    """Shown as long as the network has no layers. Layers can be dropped on it as on the list."""

    def __init__(self, project: Project, viewport: QWidget) -> None:
        super().__init__(viewport)
        self._viewport = viewport
        self._project = project
        self.setObjectName("emptyHint")
        middle = Qt.AlignmentFlag.AlignHCenter
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addStretch(1)
        for template in (templates()[name] for name in _OFFERED):
            button = QPushButton(template.title)
            button.setObjectName(f"template_{template.name}")
            button.setToolTip(plain_tooltip(template.description))
            button.setAccessibleName(f"Start from {template.title}")
            button.clicked.connect(partial(self._use, template))
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addStretch(2)
        column.addWidget(Label("Drop layers here, or type one", "title"), 0, middle)
        column.addWidget(Label("Or start from a template:", "help", "secondary"), 0, middle)
        column.addLayout(row)
        column.addStretch(3)
        project.network_changed.connect(self._show)
        self._show()

    def _show(self, *_: object) -> None:
        self.setVisible(not self._project.network.nodes)

    def _use(self, template: Template, *_: object) -> None:
        network = template.network
        if self._project.classes is not None:
            try:
                network = fit_to_data(network, self._project.classes, self._project.image_shape)
            except AdaptationError:
                network = template.network
        # Otherwise the focus would go with the button.
        self._viewport.setFocus(Qt.FocusReason.OtherFocusReason)
        self._project.edit(f"start from {template.title}", network, select=())
