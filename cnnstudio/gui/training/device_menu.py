"""Where it is trained: the choice among the machine's devices, where it has more than its processor."""

from __future__ import annotations

from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu

from cnnstudio.gui.compute.session import AUTO, TrainingSession
from cnnstudio.gui.document.settings import Settings

_KEY = "device"


class DeviceMenu(QMenu):
    """Shows itself once the devices are known and there is a choice; the choice is remembered.

    A device that is not there today, such as a card that was taken out, is chosen again when it is back.
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
        for name, title in {AUTO: "Automatic: the fastest there is", **devices}.items():
            action = self.addAction(title)
            action.setObjectName(f"device_{name}")
            action.setCheckable(True)
            action.setChecked(name == self._session.device)
            action.triggered.connect(lambda _checked=False, name=name: self._choose(name))
            self._group.addAction(action)
        self.menuAction().setVisible(len(devices) > 1)

    def _choose(self, name: str) -> None:
        self._session.chosen_device = name
        self._settings.set_text(_KEY, name)
