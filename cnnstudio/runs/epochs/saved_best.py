"""Which epoch the best weights in a run's folder are from, from its manifest.

Needs torch only for old runs.
"""

from __future__ import annotations

import contextlib
from typing import Any

from cnnstudio.core.files import FileError, exists, read_json
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.event_check import MAX_EPOCHS
from cnnstudio.runs.run import Run


def saved_best_epoch(run: Run) -> int | None:
    """The epoch of the best weights that the folder has, also of a run that was killed; None if unknown.

    A run tells its best epoch when it ends. That of one that did not end is in the checkpoint itself.
    """
    path = run.folder / "checkpoints" / "best.json"
    if not exists(path):
        return None
    manifest: Any = {}
    with contextlib.suppress(FileError):
        manifest = read_json(path)
    info = manifest.get("info") if isinstance(manifest, dict) else None
    epoch = _valid(info) or run.best_epoch
    return _in_data_file(run) if epoch is None else epoch


def describe_missing_best(run: Run) -> str:
    """Says, in a sentence, that the folder lacks the weights of the run's best epoch; empty if it has them.

    They may not have been saved in time, because the disk was full or the process was killed. Whatever reads
    the best weights then gets those of an earlier epoch. Empty also if the events cannot be read.
    """
    saved, best = saved_best_epoch(run), None
    with contextlib.suppress(RunError):
        best = max((each.epoch for each in run.history if each.best), default=None)
    if saved is None or best is None or saved == best:
        return ""
    return (
        f"The weights of the best epoch, {best:,}, are not in the run's folder: the best that were saved are "
        f"those of epoch {saved:,}."
    )


def _valid(info: Any) -> int | None:
    epoch = info.get("epoch") if isinstance(info, dict) else None
    return epoch if type(epoch) is int and 1 <= epoch <= MAX_EPOCHS else None


def _in_data_file(run: Run) -> int | None:
    """The epoch that the weights' own file tells, as in the oldest format."""
    from cnnstudio.training.checkpoints.store import CheckpointError, CheckpointStore

    with contextlib.suppress(CheckpointError):
        return _valid(CheckpointStore(run.folder / "checkpoints").load("best").info)
    return None
