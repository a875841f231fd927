"""The actions that turn pages, go between panels, and move the cursor over the epochs."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent

from cnnstudio.gui.pages.pages import Pages
from cnnstudio.gui.runs.cursor import Cursor
from cnnstudio.gui.runs.shown_run import ShownRun
from cnnstudio.gui.widgets.actions import ActionSpec
from cnnstudio.gui.widgets.canvas.keys import is_plain

_EPOCHS = "View/Epoch"


class PageOwner(Protocol):
    """What the actions operate on."""

    pages: Pages
    shown_run: ShownRun


def _turn(number: int, owner: PageOwner) -> None:
    owner.pages.turn_to(number)


def _is_shown(number: int, owner: PageOwner) -> bool:
    return owner.pages.currentIndex() == number


def _page_action(number: int, title: str, tooltip: str) -> ActionSpec[PageOwner]:
    return ActionSpec(
        f"actionPage{title}",
        title,
        partial(_turn, number),
        menu="View",
        tooltip=tooltip,
        shortcuts=(f"Ctrl+{number + 1}",),
        checked=partial(_is_shown, number),
        exclusive_group="page",
    )


def _show_design_panel(number: int, owner: PageOwner) -> None:
    owner.pages.turn_to(Pages.DESIGN)
    owner.pages.design.show_panel(number)


def _toggle_drawing(owner: PageOwner) -> None:
    owner.pages.turn_to(Pages.DESIGN)
    owner.pages.design.toggle_drawing()


def _has_epochs(owner: PageOwner) -> bool:
    return owner.pages.current.has_timeline and bool(owner.shown_run.cursor.stops)


def _panel_action(number: int, name: str, title: str, key: str) -> ActionSpec[PageOwner]:
    return ActionSpec(
        name,
        title,
        partial(_show_design_panel, number),
        menu="View",
        tooltip=f"Show {title} on the Design page",
        shortcuts=(key,),
        separator_before=number == 0,
    )


PAGE_ACTIONS: tuple[ActionSpec[PageOwner], ...] = (
    _page_action(Pages.DATA, "Data", "Data sets and their images"),
    _page_action(Pages.DESIGN, "Design", "The layers of the network"),
    _page_action(Pages.TRAIN, "Train", "Learning curves and feature maps"),
    _page_action(Pages.EXPLORE, "Explore", "What a trained network sees and mistakes"),
    _page_action(Pages.USE, "Use", "Try the network on an image, and export it"),
    _panel_action(0, "actionInspector", "Inspector", "Alt+2"),
    _panel_action(1, "actionCode", "Code", "Alt+3"),
    _panel_action(2, "actionReceptiveField", "Receptive field", "Alt+4"),
    ActionSpec(
        "actionDrawing",
        "Drawing",
        _toggle_drawing,
        menu="View",
        tooltip="Show or hide the drawing of the network on the Design page",
        shortcuts=("Alt+5",),
    ),
    ActionSpec(
        "actionNextPanel",
        "Next panel",
        lambda owner: owner.pages.focus_next_panel(1),
        menu="View",
        tooltip="Go to the next panel of this page",
        shortcuts=("F6",),
        separator_before=True,
    ),
    ActionSpec(
        "actionPreviousPanel",
        "Previous panel",
        lambda owner: owner.pages.focus_next_panel(-1),
        menu="View",
        tooltip="Go to the previous panel of this page",
        shortcuts=("Shift+F6",),
    ),
    ActionSpec(
        "actionPreviousEpoch",
        "&Previous epoch",
        lambda owner: owner.shown_run.cursor.step(-1),
        menu=_EPOCHS,
        tooltip="Look at the run one epoch earlier",
        shortcuts=("Alt+Left",),
        enabled=_has_epochs,
    ),
    ActionSpec(
        "actionNextEpoch",
        "&Next epoch",
        lambda owner: owner.shown_run.cursor.step(1),
        menu=_EPOCHS,
        tooltip="Look at the run one epoch later",
        shortcuts=("Alt+Right",),
        enabled=_has_epochs,
    ),
    ActionSpec(
        "actionPlayEpochs",
        "P&lay",
        lambda owner: owner.shown_run.cursor.toggle_play(),
        menu=_EPOCHS,
        tooltip="Show one epoch after the other",
        enabled=_has_epochs,
        dynamic_title=lambda owner: "Stop p&laying" if owner.shown_run.cursor.is_playing else "P&lay",
    ),
    ActionSpec(
        "actionFollowLive",
        "&Follow live",
        lambda owner: owner.shown_run.cursor.follow_end(),
        menu=_EPOCHS,
        tooltip="Return to the end of the run and follow the training",
        enabled=_has_epochs,
    ),
)


def epoch_key(cursor: Cursor, event: QKeyEvent) -> bool:
    """Moves the cursor by a key that no field and no view has used; False for any other key."""
    actions = {
        Qt.Key.Key_Left: lambda: cursor.step(-1),
        Qt.Key.Key_Right: lambda: cursor.step(1),
        Qt.Key.Key_Home: cursor.go_to_start,
        Qt.Key.Key_End: cursor.follow_end,
        Qt.Key.Key_Space: cursor.toggle_play,
        Qt.Key.Key_L: cursor.follow_end,
    }
    action = actions.get(Qt.Key(event.key())) if is_plain(event) else None
    if action is None:
        return False
    action()
    event.accept()
    return True
