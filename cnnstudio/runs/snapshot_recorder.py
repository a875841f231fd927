"""Saves, after epochs, what the layers compute for the example images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cnnstudio.core.files import FileError
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.feature_maps import FeatureMaps, collect_feature_maps
from cnnstudio.runs.snapshots import size_limits, snapshot_path, write_snapshot
from cnnstudio.training.checkpoints.save_schedule import DEFAULT_INTERVAL, SaveSchedule
from cnnstudio.training.events import Event, UnitsChecked, Warned
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.sample_images import DISPLAYED_COUNT

_MAX_SNAPSHOTS = 200


class SnapshotRecorder:
    """Writes the snapshots of one run, within bounds on their size, their number and the time they take."""

    def __init__(self, folder: Path, prepared: PreparedTraining, emit: Callable[[Event], None]) -> None:
        self._folder = folder
        self._examples = prepared.sample_images
        self._epochs = prepared.recipe.epochs
        self._emit = emit
        self._saved_images = self._examples.select(np.arange(min(DISPLAYED_COUNT, len(self._examples))))
        shapes = [report.output.dims for report in analyze(prepared.network).reports if report.output]
        self._max_maps, self._max_side = size_limits(shapes, len(self._saved_images))
        self._every = -(-self._epochs // _MAX_SNAPSHOTS)
        # The same share of the time as checkpoints have, so that very short epochs are not spent on
        # snapshots.
        self._schedule = SaveSchedule(DEFAULT_INTERVAL, 0.0)
        self._has_failed = False

    def after_epoch(self, epoch: int, model: Model) -> None:
        """Takes a snapshot if one is due; after the last epoch always."""
        started = time.perf_counter()
        is_due = not epoch % self._every and self._schedule.is_within_budget(started)
        if not is_due and epoch != self._epochs:
            return
        self._take(epoch, model)
        ended = time.perf_counter()
        self._schedule.record_save(ended, ended - started)

    def _take(self, epoch: int, model: Model) -> None:
        # All example images, of which only the first are saved: a unit counts as dead if none of them
        # excites it.
        maps = collect_feature_maps(
            model,
            self._examples.images,
            image_indices=range(len(self._saved_images)),
            max_maps=self._max_maps,
            max_side=self._max_side,
        )
        self._emit(_units_checked(epoch, maps))
        try:
            write_snapshot(snapshot_path(self._folder, epoch), maps, self._saved_images)
        except (FileError, OSError, ValueError) as error:
            # Reported once, and training continues: without snapshots, the results are still complete.
            if not self._has_failed:
                self._has_failed = True
                self._emit(Warned(f"Cannot save the feature maps; training continues. {error}"))


def _units_checked(epoch: int, maps: Sequence[FeatureMaps]) -> UnitsChecked:
    """The dead and all units of each layer, which are the same in the maps of each image."""
    layers = {each.node_id: each for each in maps}
    dead, total = (len(each.dead) for each in layers.values()), (len(each.maps) for each in layers.values())
    return UnitsChecked(epoch, tuple(layers), tuple(dead), tuple(total))
