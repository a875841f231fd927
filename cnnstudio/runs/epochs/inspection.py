"""What instruments show of a run at one of its epochs, for views and for the command line."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cnnstudio.core.errors import UserError
from cnnstudio.core.formatting import format_count
from cnnstudio.data.dataset import Dataset, Labels, Pixels, Split, Subset
from cnnstudio.data.versions.version import version_of
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.insight.catalog import instrument
from cnnstudio.insight.instrument import InstrumentError, Need, Probabilities, Subject, Taking, part_of
from cnnstudio.insight.reading import Reading
from cnnstudio.layers.base import Role
from cnnstudio.runs.epochs.kept_readings import find_reading, keep_reading
from cnnstudio.runs.epochs.kept_weights import Weights, kept_epochs, read_weights
from cnnstudio.runs.epochs.saved_best import saved_best_epoch
from cnnstudio.runs.epochs.training_features import TrainingFeatures
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.evaluation_counts import count_test_look
from cnnstudio.runs.run import Run
from cnnstudio.training.sample_images import DISPLAYED_COUNT, choose_sample_images

if TYPE_CHECKING:
    from cnnstudio.insight.confidence.reference_images import References
    from cnnstudio.training.model import Model

_Finding = Generator[float, None, Reading | None]

SplitName = Literal["validation", "test", "train"]

_MAX_MODELS = 2
"""With their weights in memory: the one that is shown and the one that it is compared with."""
_MAX_REFERENCES = 2
_MAX_PROBABILITY_BYTES = 32 * 2**20
"""Of all probabilities that are remembered."""


@dataclass(frozen=True, eq=False)
class OwnImages:
    """Images of the user's own, uint8 (N, C, H, W) of the model's input size; equal if their pixels are."""

    pixels: Pixels = field(repr=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256(str(self.pixels.shape).encode())
        digest.update(np.ascontiguousarray(self.pixels).data)
        object.__setattr__(self, "_digest", digest.digest())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnImages) and vars(self)["_digest"] == vars(other)["_digest"]

    def __hash__(self) -> int:
        return hash(vars(self)["_digest"])


@dataclass(frozen=True)
class ReadingRequest:
    """Of which run and epoch, by which instrument, of what. Equal requests have equal readings."""

    folder: Path
    epoch: int
    """0 is before training."""
    instrument: str
    layer: str | None = None
    image: int = 0
    """The index of the image that is shown, of the run's example images or of `own_images`."""
    own_images: OwnImages | None = None
    """None stands for the run's example images."""
    cell: tuple[int, int] | None = None
    """Only images of the first class that are predicted as the second."""
    rows: tuple[int, ...] | None = None
    """Only these images of the split, by number."""
    split: SplitName = "validation"
    other_epoch: int | None = None
    """The epoch to compare with, for instruments that show a change or are brought into line with it."""


def inspectable_epochs(run: Run) -> list[int]:
    """The epochs of which there are weights, ascending: those that were kept, and the best one."""
    best = saved_best_epoch(run)
    return sorted({*kept_epochs(run.folder), *([] if best is None else [best])})


def resolve_epoch(run: Run, asked: int | None = None) -> int:
    """The epoch to look at: the one that is asked for, or else the best, or else the newest.

    Raises RunError if there are no weights of it.
    """
    epochs = inspectable_epochs(run)
    if not epochs:
        raise RunError(f"The run {run.id} has no saved weights: it ended before its first checkpoint.")
    if asked is None:
        best = saved_best_epoch(run)
        newest = epochs[-1] if best is None else best
        if newest == 0:
            # What has not learned anything is shown if it is asked for, and not as the run's result.
            raise RunError(
                f"The run {run.id} has no weights of a completed epoch, only those before training."
            )
        return newest
    if asked not in epochs:
        known = ", ".join(map(format_count, epochs))
        raise RunError(
            f"The weights of epoch {asked:,} were not kept; there are those of "
            f"{'epoch' if len(epochs) == 1 else 'epochs'} {known}."
        )
    return asked


def reference_epoch(epochs: Sequence[int]) -> int:
    """The epoch that the others are brought into line with, of those with weights, ascending.

    The last one up to a power of two, which stays the same while the run goes on to twice as many epochs.
    Where only some epochs are kept, powers of two are the ones that stay longest.
    """
    limit = power_of_two_up_to(epochs[-1])
    return max((each for each in epochs if each <= limit), default=epochs[-1])


def power_of_two_up_to(epoch: int) -> int:
    """The largest power of two that is not above `epoch`; 0 for 0."""
    return 1 << epoch.bit_length() - 1 if epoch > 0 else 0


def load_weights(run: Run, epoch: int) -> Weights:
    """The weights of that epoch: name -> array, as in the model's state dict. Raises RunError."""
    return read_weights(run.folder, epoch, str(run.metadata.get("created")))


def model_at(run: Run, epoch: int) -> Model:
    """The model as it was evaluated at the end of that epoch, in evaluation mode.

    Raises RunError or CheckpointError.
    """
    import torch

    from cnnstudio.training.checkpoints.store import restore_weights

    if epoch == saved_best_epoch(run):
        # In full precision.
        return run.model("best")
    weights = load_weights(run, epoch)
    model = run.untrained_model()
    restore_weights(model, {name: torch.from_numpy(each) for name, each in weights.items()})
    return model


def default_layer(run: Run) -> str | None:
    """The first convolution, or the first layer whose output is an image; None if there is none."""
    reports = [
        report
        for report in analyze(run.network).reports
        if report.node.is_active and report.output is not None and len(report.output.dims) == 3
    ]
    convolutions = [report for report in reports if report.node.layer.role is Role.LINEAR]
    return next((report.node.id for report in [*convolutions, *reports]), None)


def images_of(dataset: Dataset, run: Run, split: SplitName) -> Split | Subset:
    """The images of a data set, at the network's input size, that the run used as that split."""
    from cnnstudio.training.preflight.prepare import split_validation

    if split == "test":
        return dataset.test
    rows, validation, _ = split_validation(dataset, run.recipe)
    if split == "validation":
        return validation
    return dataset.train if len(rows) == len(dataset.train) else Subset(dataset.train, rows)


def _count_test_images(run: Run, request: ReadingRequest, dataset: Dataset) -> None:
    """Counts a look at test images, unless it shows only what the run's training has seen of them."""
    validates_on_test = run.validation_source == "test"
    is_test = request.split == "test" or (request.split == "validation" and validates_on_test)
    evaluates_anew = instrument(request.instrument).evaluates_anew
    if is_test and (evaluates_anew or not validates_on_test):
        count_test_look(run, dataset, request.instrument if evaluates_anew else "inspect", request.epoch)


class Inspector:
    """Takes readings of runs, and remembers what the next ones may need again. For one thread at a time."""

    def __init__(self, load_dataset: Callable[[Run], Dataset], device: str = "auto") -> None:
        """`load_dataset` gives a run's images, at the network's input size; it may raise a UserError."""
        self._load_dataset = load_dataset
        self._device = device
        self._models: OrderedDict[tuple[Path, int], Model] = OrderedDict()
        self._probabilities: OrderedDict[tuple[Path, int, SplitName], Probabilities] = OrderedDict()
        self._references: OrderedDict[ReadingRequest, Reading] = OrderedDict()
        self._training_features = TrainingFeatures()

    def take(self, request: ReadingRequest) -> Taking:
        """The reading, in slices of about 10 ms; loading a model or images takes as long as it takes.

        Raises UserError (RunError, CheckpointError, InstrumentError, DataError).
        """
        found = instrument(request.instrument)
        run = Run.open(request.folder)
        if found.is_kept:
            kept = find_reading(run, request.epoch, found.name, request.split)
            if kept is not None:
                return kept
        model = self._model(run, request.epoch)
        yield 0.0
        subject = self._subject(run, request, found.needs)
        yield 0.0
        key = (request.folder, request.epoch, request.split)
        if subject.split is not None and found.needs_probabilities:
            if key not in self._probabilities:
                from cnnstudio.insight.slices import probabilities

                self._remember(key, (yield from probabilities(model, subject)))
            subject = replace(subject, probabilities=self._probabilities[key])
        if subject.training is not None and len(subject.training):
            getting = self._training_features.get(
                run, request.epoch, model, self._load_dataset(run), subject.training
            )
            subject = replace(subject, references=(yield from part_of(getting, 0.0, 0.9)))
        if found.is_aligned:
            reference = yield from part_of(self._reference(run, request), 0.0, 0.5)
            taking = found.take(model, replace(subject, reference=reference))
            return (yield from part_of(taking, 0.0 if reference is None else 0.5, 1.0))
        reading = yield from found.take(model, subject)
        if found.is_kept:
            version = version_of(self._load_dataset(run))
            keep_reading(reading, run, request.epoch, found.name, request.split, version)
        return reading

    def references(self, folder: Path, epoch: int) -> Generator[float, None, References]:
        """The training images that others are compared with, as the model at that epoch sees them.

        In slices like those of `take`, and with the same errors.
        """
        run = Run.open(folder)
        model = self._model(run, epoch)
        yield 0.0
        dataset = self._load_dataset(run)
        training = images_of(dataset, run, "train")
        if not len(training):
            raise InstrumentError("There are no training images to compare with.")
        yield 0.0
        return (yield from self._training_features.get(run, epoch, model, dataset, training))

    def forget(self) -> None:
        """Frees the memory."""
        self._models.clear()
        self._probabilities.clear()
        self._references.clear()
        self._training_features.forget()

    def _reference(self, run: Run, request: ReadingRequest) -> _Finding:
        """The reading that those of the run's other epochs are brought into line with; yields like `take`."""
        epoch = request.other_epoch
        if epoch is None:
            epoch = reference_epoch(inspectable_epochs(run))
        wanted = replace(request, epoch=epoch, other_epoch=epoch)
        if request.epoch == epoch:
            return None
        if wanted not in self._references:
            reading = yield from self.take(wanted)
            self._references[wanted] = reading
            while len(self._references) > _MAX_REFERENCES:
                self._references.popitem(last=False)
        self._references.move_to_end(wanted)
        return self._references[wanted]

    def _model(self, run: Run, epoch: int) -> Model:
        from cnnstudio.training.hardware.device import choose_device

        key = (run.folder, epoch)
        if key not in self._models:
            model = model_at(run, epoch)
            while len(self._models) >= _MAX_MODELS:
                self._models.popitem(last=False)
            self._models[key] = model.to(choose_device(self._device))
        self._models.move_to_end(key)
        return self._models[key]

    def _subject(self, run: Run, request: ReadingRequest, needs: frozenset[Need]) -> Subject:
        split, training, images, labels = None, None, None, None
        if Need.SPLIT in needs:
            dataset = self._load_dataset(run)
            split = images_of(dataset, run, request.split)
            _count_test_images(run, request, dataset)
        if Need.TRAINING in needs:
            training = images_of(self._load_dataset(run), run, "train")
        if needs & {Need.IMAGES, Need.EXAMPLES}:
            if request.own_images is not None:
                images = request.own_images.pixels
            else:
                images, labels = self._example_images(run)
                if Need.EXAMPLES not in needs:
                    images, labels = images[:DISPLAYED_COUNT], labels[:DISPLAYED_COUNT]
        other_epoch = None if instrument(request.instrument).is_aligned else request.other_epoch
        other = None if other_epoch is None else load_weights(run, other_epoch)
        return Subject(
            classes=run.classes,
            layer=request.layer or (default_layer(run) if Need.LAYER in needs else None),
            images=images,
            image=request.image,
            labels=labels,
            split=split,
            split_title=_title(run, request.split),
            training=training,
            cell=request.cell,
            rows=request.rows,
            flip=run.recipe.test_time_flip,
            other_weights=other,
        )

    def _example_images(self, run: Run) -> tuple[Pixels, Labels]:
        """The images that the run's snapshots show and a few more, with their classes.

        Where the data set is not available, those in a snapshot.
        """
        try:
            examples = choose_sample_images(self._load_dataset(run).test)
        except UserError:
            epochs = run.snapshot_epochs
            if not epochs:
                raise
            snapshot = run.snapshot(epochs[-1])
            return snapshot.images, snapshot.labels
        return examples.images, examples.labels

    def _remember(self, key: tuple[Path, int, SplitName], found: Probabilities) -> None:
        self._probabilities[key] = found
        while len(self._probabilities) > 1 and _total_bytes(self._probabilities) > _MAX_PROBABILITY_BYTES:
            self._probabilities.popitem(last=False)


def _title(run: Run, split: SplitName) -> str:
    """What the images of a split are, for people: without validation images, those of the test set."""
    if split == "validation" and run.validation_source == "test":
        split = "test"
    return f"{'training' if split == 'train' else split} images"


def _total_bytes(arrays: Mapping[Any, Probabilities]) -> int:
    return sum(each.nbytes for each in arrays.values())
