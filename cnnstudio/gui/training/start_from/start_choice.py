"""The value that the dialog gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StartChoice:
    """Weights to start from."""

    source: str
    """By which `find_start_weights` finds them: a run, with or without an epoch, or a file."""
    title: str
    """What they are, on one line."""
