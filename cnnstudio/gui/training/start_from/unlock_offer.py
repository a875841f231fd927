"""Offers to unlock layers that would stay random, where the engine has said so."""

from __future__ import annotations

from collections.abc import Collection

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network
from cnnstudio.gui.document.project import Project
from cnnstudio.gui.widgets.message_bar import Message
from cnnstudio.training.pretrained.random_locks import describe_random_locks, random_locks


def unlock_offer(
    project: Project, trained: Network | None, fresh: Collection[str] | None, warning: str
) -> Message | None:
    """The warning with a button that unlocks these layers; None if it is about something else.

    `trained` is the run's network, and `fresh` what of it started afresh, as in `random_locks`.
    """
    if trained is None or not trained.locked_ids:
        return None
    analysis = analyze(trained)
    if warning != describe_random_locks(analysis, fresh):
        return None
    ids = random_locks(analysis, fresh)

    def locked() -> list[str]:
        network = project.network
        return [each for each in ids if each in network and each in network.locked_ids]

    def unlock() -> None:
        found = locked()
        if found:
            text = "unlock layer" if len(found) == 1 else f"unlock {len(found)} layers"
            project.edit(text, edits.set_trainable(project.network, found, True))

    button = "Unlock it" if len(ids) == 1 else "Unlock them"
    return Message(warning, button=button, action=unlock, is_note=True, holds=lambda: bool(locked()))
