"""Saves, after epochs, what instruments show of the model, and its weights."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from cnnstudio.core.files import FileError, is_disk_full
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.catalog import instruments
from cnnstudio.insight.feature_maps import FeatureMaps, collect_feature_maps
from cnnstudio.insight.instrument import Instrument, InstrumentError, Need, Subject, When, finish
from cnnstudio.insight.instruments.histograms import MAX_LAYERS
from cnnstudio.insight.layer_statistics import LayerStatistics
from cnnstudio.insight.reading import Reading
from cnnstudio.runs.epochs import snapshot_budget
from cnnstudio.runs.epochs.kept_weights import delete_epochs, kept_epochs
from cnnstudio.runs.epochs.weight_keeper import WeightKeeper
from cnnstudio.runs.errors import describe_full_disk
from cnnstudio.runs.snapshots import size_limits, snapshot_epochs, snapshot_path, write_snapshot
from cnnstudio.training.events import EpochEnded, Event, UnitsChecked, Warned
from cnnstudio.training.hardware.device_memory import is_out_of_memory
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import PreparedTraining
from cnnstudio.training.sample_images import DISPLAYED_COUNT

_MAX_SNAPSHOTS = 200

_NO_MEMORY = "There is not enough memory for"
_MAX_READING_BYTES = 256 * 2**10
"""Larger readings, as with very many classes, are taken from the kept weights when somebody looks."""


class SnapshotRecorder:
    """Writes the snapshots of one run, within bounds on their size, their number and the time they take.

    With a `keeper`, the weights are kept at the same epochs.
    """

    def __init__(
        self,
        folder: Path,
        prepared: PreparedTraining,
        emit: Callable[[Event], None],
        keeper: WeightKeeper | None = None,
    ) -> None:
        self._folder = folder
        self._examples = prepared.sample_images
        self._epochs = prepared.recipe.epochs
        self._emit = emit
        self._saved_images = self._examples.select(np.arange(min(DISPLAYED_COUNT, len(self._examples))))
        shapes = [report.output.dims for report in analyze(prepared.network).reports if report.output]
        self._max_maps, self._max_side = size_limits(shapes, len(self._saved_images))
        self._every = -(-self._epochs // _MAX_SNAPSHOTS)
        self._budget = snapshot_budget.SnapshotBudget(time.perf_counter(), snapshot_budget.GRACE_SECONDS)
        self._keeper = keeper
        self._told: set[str] = set()
        """What has been said, which is not said again."""
        self._too_large: set[str] = set()
        """The instruments whose readings do not fit into a snapshot."""
        self._best_epoch: int | None = None
        self._subject = Subject(
            classes=prepared.classes,
            images=self._examples.images,
            labels=self._examples.labels,
            split=prepared.validation,
            flip=prepared.recipe.test_time_flip,
        )
        self._logits: Tensor | None = None

    def note_epoch(self, ended: EpochEnded) -> None:
        """Every epoch that ends, and those of the run that is resumed, are reported here."""
        if ended.best:
            self._best_epoch = ended.epoch

    def forget_after(self, epoch: int) -> None:
        """The run goes on after that epoch: what was kept of later ones belongs to another course."""
        delete_epochs(self._folder, [each for each in kept_epochs(self._folder) if each > epoch])
        for each in snapshot_epochs(self._folder):
            if each > epoch:
                with contextlib.suppress(OSError):
                    snapshot_path(self._folder, each).unlink()

    def after_validation(self, logits: Tensor) -> None:
        """Gets the logits of the validation images, float (N, classes), for the next `after_epoch`."""
        self._logits = logits

    def finish(self) -> None:
        """Waits for what is still to be written; called before the run's last event."""
        self.close()
        self._tell_keeper_failure()

    def close(self) -> None:
        """The same, without reporting anything: nothing can be any more."""
        if self._keeper is not None:
            self._keeper.close()

    def _tell_keeper_failure(self) -> None:
        """Training continues, since the weights are kept only to be looked at."""
        # Once: the thread that writes may succeed meanwhile.
        error = self._keeper.error if self._keeper is not None else None
        if error is not None:
            self._warn_of_error("Cannot keep the weights of epochs", error)

    def _warn_of_error(self, what: str, error: Exception) -> None:
        is_full = is_disk_full(error)
        text = describe_full_disk(self._folder) if is_full else f"{what}; training continues. {error}"
        self._warn_once(what, text)

    def _warn_once(self, about: str, text: str) -> None:
        if about not in self._told:
            self._told.add(about)
            self._emit(Warned(text))

    def after_epoch(self, epoch: int, model: Model) -> None:
        """Takes a snapshot if one is due; after the last epoch always."""
        started = time.perf_counter()
        is_due = not epoch % self._every and self._budget.allows(started)
        logits, self._logits = self._logits, None
        if not is_due and epoch != self._epochs:
            return
        try:
            self._take(epoch, model, logits)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._warn_once("memory", f"{_NO_MEMORY} the feature maps; training continues without them.")
        if self._keeper is not None:
            self._keeper.keep(epoch, model, self._best_epoch)
            self._tell_keeper_failure()
        ended = time.perf_counter()
        self._budget.record(ended - started, ended)

    def _take(self, epoch: int, model: Model, logits: Tensor | None) -> None:
        # All example images, of which only the first are saved: a unit counts as dead if none of them
        # excites it.
        statistics = LayerStatistics(model, MAX_LAYERS)
        maps = collect_feature_maps(
            model,
            self._examples.images,
            image_indices=range(len(self._saved_images)),
            max_maps=self._max_maps,
            max_side=self._max_side,
            also=statistics.observe,
        )
        statistics.end_images()
        self._emit(_units_checked(epoch, maps))
        try:
            readings = self._readings(model, logits, statistics)
            write_snapshot(snapshot_path(self._folder, epoch), maps, self._saved_images, readings)
        except (FileError, OSError, ValueError) as error:
            # Training continues: without snapshots, the results are still complete.
            self._warn_of_error("Cannot save the feature maps", error)

    def _readings(
        self, model: Model, logits: Tensor | None, statistics: LayerStatistics
    ) -> Iterator[tuple[str, Reading]]:
        """What instruments that are taken at each epoch's end show, by name; only what is small."""
        probabilities = None if logits is None else logits.float().softmax(1).cpu().numpy()
        examples = replace(self._subject, probabilities=probabilities, statistics=statistics)
        shown = replace(examples, images=self._saved_images.images, labels=self._saved_images.labels)
        for instrument in instruments().values():
            # Feature maps are saved for all layers. Another pass over the validation images would take long.
            if When.EPOCH not in instrument.when or Need.LAYER in instrument.needs:
                continue
            if instrument.name in self._too_large:
                continue
            if Need.SPLIT in instrument.needs and probabilities is None:
                continue
            subject = examples if Need.EXAMPLES in instrument.needs else shown
            reading = self._reading(instrument, model, subject)
            if reading is not None:
                yield instrument.name, reading

    def _reading(self, instrument: Instrument, model: Model, subject: Subject) -> Reading | None:
        """What it shows; None if it shows nothing, or if that does not fit into memory or a snapshot."""
        try:
            reading = finish(instrument.take(model, subject))
        except InstrumentError:
            return None
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            text = f"{_NO_MEMORY} “{instrument.title}”; training continues without it."
            self._warn_once(instrument.name, text)
            return None
        if reading.nbytes <= _MAX_READING_BYTES:
            return reading
        self._too_large.add(instrument.name)
        text = f"“{instrument.title}” is too large to be saved after each epoch"
        self._warn_once(instrument.name, f"{text}: it is computed when you look at it.")
        return None


def _units_checked(epoch: int, maps: Sequence[FeatureMaps]) -> UnitsChecked:
    """The dead and all units of each layer, which are the same in the maps of each image."""
    layers = {each.node_id: each for each in maps}
    dead, total = (len(each.dead) for each in layers.values()), (len(each.maps) for each in layers.values())
    return UnitsChecked(epoch, tuple(layers), tuple(dead), tuple(total))
