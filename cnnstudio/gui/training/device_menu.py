"""The menu of the devices to train on, if the machine has more than its CPU."""

from __future__ import annotations

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from cnnstudio.gui.compute.session import AUTO, TrainingSession
from cnnstudio.gui.document.settings import Settings
from cnnstudio.gui.widgets.plain_text import plain_entry, plain_tooltip

_KEY = "device"


class DeviceMenu(QMenu):
    """Becomes visible once there is a choice of devices; the choice is stored in the settings.

    A chosen device that is currently missing, such as a removed card, is used again once it is back.
    """

    def __init__(self, session: TrainingSession, settings: Settings, parent: QMenu | None = None) -> None:
        super().__init__("&Device", parent)
        self.setObjectName("deviceMenu")
        self._session = session
        self._settings = settings
        self._group = QActionGroup(self)
        session.chosen_device = settings.text(_KEY, AUTO)
        session.devices_changed.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        self.clear()
        for action in self._group.actions():
            self._group.removeAction(action)
        devices = self._session.devices
        for name, title in {AUTO: "Automatic (fastest available)", **devices}.items():
            action = self.addAction(plain_entry(title))
            action.setToolTip(plain_tooltip(title))
            action.setObjectName(f"device_{name}")
            action.setCheckable(True)
            action.setChecked(name == self._session.device)
            action.triggered.connect(lambda _checked=False, name=name: self._choose(name))
            self._group.addAction(action)
        self.menuAction().setVisible(len(devices) > 1)

    def _choose(self, name: str) -> None:
        self._session.chosen_device = name
        self._settings.set_text(_KEY, name)
