"""Remembers how the user wants views to be drawn: order, scale, colors, numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from PySide6.QtWidgets import QWidget

from cnnstudio.gui.dashboard.menu_choice import MenuChoice
from cnnstudio.gui.widgets.segments import Choice

_MAX_TEXT, _MAX_CHOICES = 10_000, 100


class RememberedChoices:
    """The values of the choices within widgets, by their object names; one without a name is not kept."""

    def __init__(self, text: str, save: Callable[[str], object]) -> None:
        """`text` is what `save` was last given; what cannot be read of it is as by default."""
        self._known = _read(text)
        self._save = save

    def restore(self, content: QWidget) -> None:
        """Makes the choices in `content` as they were, and remembers them from now on."""
        for menu in content.findChildren(MenuChoice):
            known = self._known.get(menu.objectName())
            if known in menu.values and known != menu.value:
                menu.choose(known)
            menu.changed.connect(partial(self._keep, menu.objectName()))
        for choice in content.findChildren(Choice):
            if not choice.objectName():
                continue
            values = list(map(str, range(len(choice.buttons))))
            known = self._known.get(choice.objectName())
            if known in values and known != str(choice.index):
                choice.buttons[values.index(known)].click()
            choice.changed.connect(partial(self._keep, choice.objectName()))

    def _keep(self, name: str, value: object) -> None:
        self._known[name] = str(value)
        self._save(json.dumps(self._known))


def _read(text: str) -> dict[str, str]:
    try:
        found = json.loads(text[:_MAX_TEXT]) if text else {}
    except (ValueError, RecursionError):
        return {}
    entries = list(found.items())[:_MAX_CHOICES] if isinstance(found, dict) else []
    return {name: value for name, value in entries if isinstance(value, str)}
