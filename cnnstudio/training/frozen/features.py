"""The features of a training: what the locked beginning of its network gives for each image."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cnnstudio.core.progress import (
    CancelFunction,
    Cancelled,
    Progress,
    ProgressFunction,
    raise_if_cancelled,
    throttled,
)
from cnnstudio.data.augmentation.augmentation import NO_AUGMENTATION, Augmentation
from cnnstudio.data.batches import Batches, alternately_mirrored
from cnnstudio.data.dataset import Split, Subset
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.training.frozen.batches import FeatureBatches
from cnnstudio.training.frozen.frozen_part import FrozenPart, MirroredMean, RestOfModel, frozen_length
from cnnstudio.training.frozen.store import (
    BFLOAT16,
    FLOAT32,
    Features,
    Values,
    find_features,
    load_or_compute,
    require_room,
)
from cnnstudio.training.hardware.spare_threads import SpareThreads
from cnnstudio.training.hardware.torch_state import MAX_UNSHARED
from cnnstudio.training.model import Model
from cnnstudio.training.preflight.prepare import TRAINING, PreparedTraining, fitting_batch_size
from cnnstudio.training.recipe.recipe import Recipe

__all__ = ["Cancelled", "FrozenFeatures", "KeptFeatures", "can_use_features", "find_kept_features"]

_BATCH = 32
"""Images at a time: more are not faster, and take more memory."""


def can_use_features(recipe: Recipe) -> bool:
    """Whether each image has the same features in all epochs, or in turn those of a few copies of it."""
    augmentation = recipe.augmentation
    if augmentation.mixes_images:
        return False
    return augmentation == _none_like(augmentation) or recipe.feature_copies > 0


def _none_like(augmentation: Augmentation) -> Augmentation:
    """No augmentation, with the border of this one, which means nothing without a shift."""
    return Augmentation(shift_border=augmentation.shift_border)


def _key(
    part: FrozenPart,
    source: Sequence[object],
    augmentation: Augmentation = NO_AUGMENTATION,
    number: int = 0,
    seed: int = 0,
    *,
    mirrors: bool = False,
) -> str:
    """What features are found by. `source` is the fingerprint of the images, their size, the name of their
    split, and which of them.
    """
    return repr([part.key, [*source], augmentation, number, seed, *(["mirrored"] if mirrors else [])])


@dataclass(frozen=True, eq=False)
class KeptFeatures:
    """What the locked beginning of a model makes of all training images, and the rest, which takes it."""

    copies: tuple[Features, ...]
    """(images, values) each, mapped read-only."""
    unchanged: npt.NDArray[np.int64] | None
    """(images,), which of two copies has an image as it is; None if there are only the images as they are."""
    shape: tuple[int, ...]
    """Of those of one image, as the rest takes them."""
    model: Model
    rest: RestOfModel

    def of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Those of some images, float32 (n, values)."""
        if self.unchanged is None:
            return self.copies[0][rows]
        first, second = (each[rows] for each in self.copies)
        return np.where(self.unchanged[rows, None] == 0, first, second)


def find_kept_features(
    model: Model, recipe: Recipe, fingerprints: Iterable[str], count: int
) -> KeptFeatures | None:
    """Those that a training by this recipe kept of its data set's `count` training images; None without.

    Of the images as they are: copies of them have other features, unless they are each image and its mirror
    image. The data set has one of these fingerprints.
    """
    names = [*fingerprints]
    found = (_find_kept(each, recipe, names, count) for each in _in_stages(model, recipe))
    return next((each for each in found if each is not None), None)


def _in_stages(model: Model, recipe: Recipe) -> Iterator[Model]:
    """The model with the locks of each stage of its training."""
    yield model
    if recipe.unlocks and model.network.locked_ids:
        later = copy.deepcopy(model)
        later.unlock([node.id for node in later.last_locked(recipe.unlock_groups)])
        yield later


def _find_kept(model: Model, recipe: Recipe, fingerprints: Sequence[str], count: int) -> KeptFeatures | None:
    length = frozen_length(model)
    if not length:
        return None
    part = FrozenPart(model, length, bfloat16=recipe.precision == "bfloat16")
    dims = model.network.input.dims
    one = part.example(dims)
    shape, rest = tuple(one.shape[1:]), RestOfModel(model, length)

    def find(fingerprint: str, *copied: Any) -> Features | None:
        key = _key(part, [fingerprint, dims, TRAINING, None], *copied)
        return find_features(key, (count, math.prod(shape)), _dtype(one))

    augmentation = recipe.augmentation
    only_flips = dataclasses.replace(_none_like(augmentation), flip="alternating")
    for fingerprint in fingerprints:
        found = find(fingerprint)
        if found is not None:
            return KeptFeatures((found,), None, shape, model, rest)
        if augmentation != only_flips or recipe.feature_copies < 2:
            continue
        first, second = (find(fingerprint, augmentation, number, recipe.seed) for number in (1, 2))
        if first is not None and second is not None:
            mirrored = alternately_mirrored(count, recipe.seed, 1)
            return KeptFeatures((first, second), mirrored.numpy(), shape, model, rest)
    return None


class FrozenFeatures:
    """Features in place of images, and the rest of the model, which takes them."""

    def __init__(
        self, prepared: PreparedTraining, model: Model, progress: ProgressFunction, cancelled: CancelFunction
    ) -> None:
        length = frozen_length(model)
        self.rest = RestOfModel(model, length)
        self._mirrors = prepared.recipe.test_time_flip
        self.evaluated: nn.Module = MirroredMean(self.rest) if self._mirrors else self.rest
        """What takes the features of `unshuffled`."""
        self._prepared = prepared
        self._progress, self._cancelled = throttled(progress), cancelled
        self._threads = SpareThreads()
        # Figures are those of float32, as they are recomputed later; what is trained on may be less exact.
        self._exact = FrozenPart(model, length)
        is_half = prepared.recipe.precision == "bfloat16"
        self._fast = FrozenPart(model, length, bfloat16=True) if is_half else self._exact
        found = self._fast.example(prepared.network.input.dims)
        self._shape = tuple(found.shape[1:])
        self._dtypes = {self._exact: FLOAT32, self._fast: _dtype(found)}
        largest = max(found.numel() * (2 if self._mirrors else 1), _largest_output(model, length))
        # Not that of images: what the locked beginning gives may be a hundred times as large.
        self.evaluation_batch_size = fitting_batch_size(largest, prepared.device)

    @classmethod
    def of(
        cls, prepared: PreparedTraining, model: Model, progress: ProgressFunction, cancelled: CancelFunction
    ) -> FrozenFeatures | None:
        """Those of a training; None if it needs the images. Raises NotKept if they would be too large."""
        if not can_use_features(prepared.recipe) or not frozen_length(model):
            return None
        found = cls(prepared, model, progress, cancelled)
        require_room(found.size)
        return found

    @property
    def size(self) -> int:
        """Bytes that all features of this training take together."""
        return sum(math.prod(each.shape) * each.dtype.itemsize for each in self._wanted())

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the features of one image, as the rest takes them."""
        return self._shape

    def compute(self, images: Tensor) -> Tensor:
        """What the training gets in place of normalized images, float32 (n, C, H, W): (n, …)."""
        return self._fast(images)

    def count_missing(self, *, with_test: bool = True) -> int:
        """How many images have yet to be computed, with each copy and each mirror image, none being kept."""
        wanted = self._wanted(with_test=with_test)
        return sum(
            len(each.images) * (2 if each.mirrors else 1)
            for each in wanted
            if find_features(each.key, each.shape, each.dtype) is None
        )

    @property
    def _copies(self) -> Sequence[int]:
        """The numbers of the augmented copies of each image, from 1; that of the images as they are is 0."""
        recipe = self._prepared.recipe
        is_augmented = recipe.augmentation != _none_like(recipe.augmentation)
        return range(1, recipe.feature_copies + 1) if is_augmented else (0,)

    def rest_of(self, model: Model) -> RestOfModel:
        """What follows the locked beginning in another model of the same network."""
        return RestOfModel(model, frozen_length(model))

    def are_steps_small(self, batch_size: int) -> bool:
        """Whether steps of so many images are too small to be shared between threads.

        As where a last layer is all that trains: of flat features, an image takes as many multiplications as
        the rest has weights.
        """
        weights = sum(each.numel() for each in self.rest.parameters())
        return len(self._shape) == 1 and weights * batch_size <= MAX_UNSHARED

    def train_batches(self) -> FeatureBatches:
        """The training images in the recipe's batches, in the order of `PreparedTraining.batches`."""
        prepared, recipe = self._prepared, self._prepared.recipe
        copies = [self._features(prepared.train, self._fast, number) for number in self._copies]
        rows = prepared.train_rows if len(prepared.train_rows) < len(prepared.train) else None
        return FeatureBatches(
            prepared.train,
            copies,
            self._shape,
            prepared.device,
            batch_size=recipe.batch_size,
            shuffle=True,
            classes=len(prepared.classes),
            seed=recipe.seed,
            rows=rows,
        )

    def unshuffled(self, images: Split | Subset) -> FeatureBatches:
        """Images in their order, for an evaluation; with test-time flip, each beside its mirror image."""
        return FeatureBatches(
            images,
            [self._features(images, self._exact, mirrors=self._mirrors)],
            (2, *self._shape) if self._mirrors else self._shape,
            self._prepared.device,
            batch_size=self.evaluation_batch_size,
            shuffle=False,
        )

    def all_images(self, split: Split) -> Features:
        """Those of all images of a split without augmentation, (images, values), mapped read-only.

        As they are trained on: for the training images in the recipe's precision. Raises Cancelled.
        """
        return self._features(split, self._fast if split is self._prepared.train else self._exact)

    def _wanted(self, *, with_test: bool = True) -> list[_Wanted]:
        """All that this training asks for."""
        prepared = self._prepared
        tested = (prepared.test,) if with_test else ()
        evaluated = {id(each): each for each in (prepared.validation, *tested)}.values()
        return [
            *(self._want(prepared.train, self._fast, number) for number in self._copies),
            *(self._want(each, self._exact, mirrors=self._mirrors) for each in evaluated),
        ]

    def _want(
        self, images: Split | Subset, part: FrozenPart, number: int = 0, *, mirrors: bool = False
    ) -> _Wanted:
        prepared, recipe = self._prepared, self._prepared.recipe
        split, rows = (images.split, images.rows) if isinstance(images, Subset) else (images, None)
        name = next(name for name, each in prepared.splits.items() if each is split)
        augmentation, seed = (recipe.augmentation, recipe.seed) if number else (NO_AUGMENTATION, 0)
        chosen = None if rows is None else hashlib.sha256(rows.tobytes()).hexdigest()
        source = [prepared.fingerprint, prepared.network.input.dims, name, chosen]
        key = _key(part, source, augmentation, number, seed, mirrors=mirrors)
        shape = (len(images), math.prod(self._shape) * (2 if mirrors else 1))
        return _Wanted(
            images, name, part, augmentation, number, seed, mirrors, key, shape, self._dtypes[part]
        )

    def _features(
        self, images: Split | Subset, part: FrozenPart, number: int = 0, *, mirrors: bool = False
    ) -> Features:
        """(images, values); `number` is that of an augmented copy, from 1.

        With `mirrors`, those of each image are followed by those of its mirror image in the same row.
        Raises Cancelled, DataError if the images cannot be read, and NotKept if the disk is full.
        """
        prepared, wanted = self._prepared, self._want(images, part, number, mirrors=mirrors)
        split, rows = (images.split, images.rows) if isinstance(images, Subset) else (images, None)

        def compute(first: int) -> Iterator[Values]:
            batches = Batches(
                split,
                prepared.device,
                torch.tensor(prepared.mean),
                torch.tensor(prepared.std),
                batch_size=_BATCH,
                shuffle=False,
                augmentation=wanted.augmentation,
                seed=wanted.seed,
                rows=rows,
                uploaded=False,
            )
            done, which = first, f", copy {number} of {prepared.recipe.feature_copies}" if number else ""
            # Parts are batches, so that the first row is that of one.
            for pixels, _ in batches.epoch(number, first // _BATCH):
                raise_if_cancelled(self._cancelled)
                with self._threads.applied():
                    both = [
                        part(each).flatten(1) for each in (pixels, *([pixels.flip(3)] if mirrors else []))
                    ]
                values = torch.cat(both, 1).cpu()
                is_half = wanted.dtype == BFLOAT16
                yield (values.view(torch.uint16) if is_half else values.float()).numpy()
                done += len(pixels)
                text = f"Computing the locked layers{which}: {done:,} of {len(images):,} {wanted.name} images"
                self._progress(Progress(done, len(images), text))

        return load_or_compute(wanted.key, wanted.shape, wanted.dtype, compute)


@dataclass(frozen=True, eq=False)
class _Wanted:
    """Features of images, and what they are found by."""

    images: Split | Subset
    name: str
    """Of the images' split."""
    part: FrozenPart
    augmentation: Augmentation
    number: int
    """Of the augmented copy; 0 for the images as they are."""
    seed: int
    mirrors: bool
    """Whether those of the mirror image follow in each row."""
    key: str
    shape: tuple[int, int]
    """(images, values)"""
    dtype: np.dtype[Any]


def _dtype(values: Tensor) -> np.dtype[Any]:
    """The type in which values are kept, which loses nothing of them."""
    return BFLOAT16 if values.dtype == torch.bfloat16 else FLOAT32


def _largest_output(model: Model, length: int) -> int:
    """The most values per image that a layer gives whose modules are not all among the first `length`."""
    analysis, running = analyze(model.network), set(model.run_order[length:])
    outputs = [
        analysis[each.id].output
        for node in model.network.nodes
        if running.intersection(model.modules_by_node.get(node.id, ()))
        for each in node.walk()
    ]
    return max(output.size for output in outputs if output is not None)
