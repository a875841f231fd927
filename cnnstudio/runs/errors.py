"""What can be wrong with a run folder."""

from __future__ import annotations

from pathlib import Path

from cnnstudio.core.errors import UserError


class RunError(UserError):
    """A run that cannot be created, read or resumed; the message says why."""


def describe_full_disk(folder: Path) -> str:
    """What a full disk means for what a training can do without; the same whatever finds out."""
    return (
        f"No space is left for {folder}: feature maps and weights of epochs are not kept for now, but "
        "training continues."
    )
