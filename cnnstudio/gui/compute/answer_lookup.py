"""Looks up in a run's folder what answers a question: a recorded reading, or the weights to take one from.

Called in a thread that may wait for a slow drive; nothing here computes with torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import cast

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction
from cnnstudio.gui.compute.questions import Answer, Question
from cnnstudio.insight.catalog import instrument
from cnnstudio.insight.instrument import When
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.epochs.inspection import ReadingRequest, SplitName, inspectable_epochs
from cnnstudio.runs.epochs.kept_readings import find_reading
from cnnstudio.runs.run import Run

Found = Answer | ReadingRequest
"""An answer, or what has to be computed for one."""

_NO_WEIGHTS = "Nothing was kept of this epoch: runs of earlier versions, searches and seed sweeps keep none."


def look_up(questions: Iterable[Question], cancelled: CancelFunction) -> dict[Question, Found]:
    """What is found for each of the questions, until `cancelled`."""
    found: dict[Question, Found] = {}
    runs: dict[Path, Run] = {}
    for question in questions:
        if cancelled():
            break
        try:
            assert question.folder is not None, "a run without a folder has nothing to look up"
            if question.folder not in runs:
                runs[question.folder] = Run.open(question.folder)
            found[question] = _look_up(runs[question.folder], question)
        except UserError as error:
            found[question] = Answer(problem=str(error))
    return found


def _look_up(run: Run, question: Question) -> Found:
    """Raises UserError."""
    recorded, recorded_epoch = _recorded(run, question)
    if recorded_epoch == question.epoch and recorded is not None:
        return Answer(recorded, recorded_epoch)
    computable = _latest(inspectable_epochs(run), question.epoch)
    if computable is not None and (recorded_epoch is None or computable > recorded_epoch):
        request = _request(run, computable, question)
        if instrument(question.instrument).is_kept:
            kept = find_reading(run, computable, request.instrument, request.split)
            if kept is not None:
                return Answer(kept, computable)
        return request
    if recorded is not None:
        return Answer(recorded, recorded_epoch)
    return Answer(problem=_NO_WEIGHTS)


def _recorded(run: Run, question: Question) -> tuple[Reading | None, int | None]:
    """The newest recorded reading up to the question's epoch, and its epoch; (None, None) without one."""
    chosen = instrument(question.instrument)
    if When.EPOCH not in chosen.when or question.options:
        return None, None
    epoch = run.latest_snapshot_epoch(question.epoch)
    reading = None if epoch is None else run.snapshot(epoch).reading(chosen)
    return (None, None) if reading is None else (reading, epoch)


def _latest(epochs: Iterable[int], epoch: int) -> int | None:
    return max((each for each in epochs if each <= epoch), default=None)


def _request(run: Run, epoch: int, question: Question) -> ReadingRequest:
    options = dict(question.options)
    since = cast("int | None", options.get("since"))
    return ReadingRequest(
        run.folder,
        epoch,
        question.instrument,
        layer=cast("str | None", options.get("layer")),
        image=cast("int", options.get("image", 0)),
        own_images=question.own_images,
        cell=cast("tuple[int, int] | None", options.get("cell")),
        rows=cast("tuple[int, ...] | None", options.get("rows")),
        split=cast("SplitName", options.get("split", "validation")),
        other_epoch=None if since is None else _latest(inspectable_epochs(run), since),
    )
