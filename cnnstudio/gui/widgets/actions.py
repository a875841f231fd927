"""Declarative tables of actions, the single source for menus, toolbar, context menus and the shortcuts page.

A table is a tuple of `ActionSpec` next to the class that implements the callbacks. An `ActionSet` creates the
QActions of one table and keeps their state up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from cnnstudio.gui.theme.theme import theme

Owner = TypeVar("Owner")

Key = str | QKeySequence.StandardKey

MAX_CONTEXT_ENTRIES = 9
"""More would have to be searched; everything is in the menu bar."""
ICON_NAME = "iconName"
"""The QAction property that holds the name of its icon, for buttons that tint the icon themselves."""


@dataclass(frozen=True)
class ActionSpec(Generic[Owner]):
    """One action. Its functions are called with the owner of the table.

    `enabled`, `checked` and the `dynamic_…` functions are evaluated again whenever one of the set's refresh
    signals is emitted.
    """

    name: str
    """The object name, for automated use."""
    title: str
    """The menu text with its mnemonic: `&Save`."""
    callback: Callable[[Owner], object] | None
    """Called when the action is triggered; None if the widget that shows the action connects it."""
    menu: str
    """The menu that contains the action, with a submenu after a slash: `View/Theme`."""
    tooltip: str
    """What it does, as a phrase without a period. The first shortcut is appended."""
    shortcuts: tuple[Key, ...] = ()
    shortcut_scope: str = ""
    """Where the shortcuts work: `in the layer list`, whose widget adds the action. Empty for the window."""
    icon: str = ""
    enabled: Callable[[Owner], bool] | None = None
    """None means always."""
    checked: Callable[[Owner], bool] | None = None
    """Makes the action checkable."""
    exclusive_group: str = ""
    """Exactly one of the actions with the same group name is checked."""
    dynamic_title: Callable[[Owner], str] | None = None
    dynamic_tooltip: Callable[[Owner], str] | None = None
    dynamic_icon: Callable[[Owner], str] | None = None
    separator_before: bool = False
    """Whether a separator precedes it in its menu."""
    toolbar: Literal["", "button", "primary"] = ""
    """Whether it appears in the toolbar: as a button, or as the primary button."""
    context_rank: int = 0
    """Its importance in the context menu, from 1; 0 if it is not in it. See `fill_context_menu`."""
    context_submenu: str = ""
    """The submenu of the context menu that contains it."""
    context_if: Callable[[Owner], bool] | None = None
    """Whether it concerns what the context menu is about; such actions come first."""

    @property
    def plain_title(self) -> str:
        """The title without mnemonic and ellipsis: `Save as`."""
        return self.title.replace("&", "").rstrip("…")

    @property
    def keys(self) -> list[QKeySequence]:
        return [QKeySequence(key) for key in self.shortcuts]

    @property
    def shortcuts_text(self) -> str:
        """`Ctrl+R, F5`, in the system's notation."""
        return ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in self.keys)


class _Signal(Protocol):
    def connect(self, slot: Callable[..., object], /) -> object: ...


class ActionSet(QObject, Generic[Owner]):
    """The QActions of one table, in the table's order."""

    def __init__(
        self,
        owner: Owner,
        specs: Sequence[ActionSpec[Owner]],
        parent: QObject,
        refresh_on: Iterable[_Signal] = (),
        call: Callable[[Callable[[], object]], object] | None = None,
    ) -> None:
        """Creates the actions; they are refreshed on each of the signals `refresh_on`.

        `call`, if given, runs the callbacks, for example to report their errors.
        """
        super().__init__(parent)
        self._owner = owner
        self._call = call
        self._groups: dict[str, QActionGroup] = {}
        self.pairs: tuple[tuple[ActionSpec[Owner], QAction], ...] = tuple(
            (spec, self._create_action(spec)) for spec in specs
        )
        self.by_name = {spec.name: action for spec, action in self.pairs}
        theme().changed.connect(self._on_theme_changed)
        for signal in refresh_on:
            signal.connect(self.refresh)
        self.refresh()

    def __getitem__(self, name: str) -> QAction:
        return self.by_name[name]

    @property
    def all(self) -> list[QAction]:
        return list(self.by_name.values())

    def for_toolbar(self, *places: str) -> list[tuple[ActionSpec[Owner], QAction]]:
        """The actions with one of these values of `toolbar`, with their specs."""
        return [(spec, action) for spec, action in self.pairs if spec.toolbar in places]

    def add_to(self, window: QWidget) -> None:
        """Makes the window-wide shortcuts work; widgets add those with a `shortcut_scope` themselves."""
        window.addActions([action for spec, action in self.pairs if not spec.shortcut_scope])

    def fill_context_menu(self, menu: QMenu) -> None:
        """Adds what can be done now: the most important entries, in the table's order.

        The actions of a submenu count as one entry.
        """
        usable = [
            (spec, action)
            for spec, action in sorted(self.pairs, key=lambda pair: pair[0].context_if is None)
            if spec.context_rank
            and action.isEnabled()
            and (spec.context_if is None or spec.context_if(self._owner))
        ]
        ranks = sorted({spec.context_rank for spec, _ in usable})[:MAX_CONTEXT_ENTRIES]
        submenus: dict[str, QMenu] = {}
        was_special = False
        for spec, action in usable:
            if spec.context_rank not in ranks:
                continue
            if (spec.separator_before or (spec.context_if is None and was_special)) and not menu.isEmpty():
                menu.addSeparator()
            was_special = spec.context_if is not None
            target = menu
            if spec.context_submenu:
                title = spec.context_submenu
                target = submenus[title] if title in submenus else menu.addMenu(title)
                submenus[title] = target
            target.addAction(action)

    def refresh(self, *_: object) -> None:
        """Updates enabled, checked, title, tooltip and icon of all actions."""
        if not shiboken6.isValid(self._owner):
            # While an owner is destroyed, its children go one by one, and some of them still emit signals.
            return
        for spec, action in self.pairs:
            if spec.enabled is not None:
                action.setEnabled(spec.enabled(self._owner))
            if spec.checked is not None:
                action.setChecked(spec.checked(self._owner))
            if spec.dynamic_title is not None:
                action.setText(spec.dynamic_title(self._owner))
            if spec.dynamic_tooltip is not None:
                self._set_tooltip(spec, action, spec.dynamic_tooltip(self._owner))
            if spec.dynamic_icon is not None:
                self._set_icon(action, spec.dynamic_icon(self._owner))

    def _create_action(self, spec: ActionSpec[Owner]) -> QAction:
        action = QAction(spec.title, self)
        action.setObjectName(spec.name)
        action.setShortcuts(spec.keys)
        if spec.shortcut_scope:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        if spec.checked is not None:
            action.setCheckable(True)
        if spec.exclusive_group:
            if spec.exclusive_group not in self._groups:
                self._groups[spec.exclusive_group] = QActionGroup(self)
            self._groups[spec.exclusive_group].addAction(action)
        self._set_tooltip(spec, action, spec.tooltip)
        if spec.icon:
            self._set_icon(action, spec.icon)
        if spec.callback is not None:
            action.triggered.connect(lambda _checked=False, callback=spec.callback: self._trigger(callback))
        return action

    def _trigger(self, callback: Callable[[Owner], object]) -> None:
        if self._call is None:
            callback(self._owner)
        else:
            self._call(lambda: callback(self._owner))
        # Qt toggles a checkable action on a click, even if the callback changed nothing.
        self.refresh()

    def _set_tooltip(self, spec: ActionSpec[Owner], action: QAction, text: str) -> None:
        first = spec.shortcuts_text.split(", ")[0]
        action.setToolTip(f"{text} ({first})" if first else text)
        action.setStatusTip(text)

    def _set_icon(self, action: QAction, icon: str) -> None:
        if action.property(ICON_NAME) != icon:
            action.setProperty(ICON_NAME, icon)
            action.setIcon(theme().icon(icon))

    def _on_theme_changed(self, _: object = None) -> None:
        for _spec, action in self.pairs:
            name = action.property(ICON_NAME)
            if name:
                action.setIcon(theme().icon(name))
