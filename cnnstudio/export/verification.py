"""Verifies that an exported model gives the same logits as the original."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from cnnstudio.core.errors import UserError
from cnnstudio.core.files import exists
from cnnstudio.core.formatting import format_count
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import Pixels
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.sources import find_source
from cnnstudio.export.errors import ExportFailed, ResultsDiffer

if TYPE_CHECKING:
    from cnnstudio.insight.confidence.reference_images import References
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

Floats = npt.NDArray[np.float32]

BATCHES = (1, 2, 13)
"""Batch sizes to compare: a single image, the smallest real batch, and an odd number.

Exports that fix the batch size, or squeeze it away when it is 1, fail with one of these.
"""

LARGE_BATCH = 32
"""The size of the batches after those, in which further images of the data set are compared."""
_MAX_SAMPLES = 1_000
_MAX_SAMPLE_BYTES = 24 * 2**20
"""Of the images from the data set, which other programs get as float32, four times as large."""
_SECONDS = 3.0
"""For computing the original's logits; the exported model takes about as long once more."""

TOLERANCE = 1e-4
"""Relative to the largest logit. float32 sums in another order differ by about a hundredth of this."""

# Only to end a process that hangs: importing a framework from a slow disk takes long enough.
_TIMEOUT_SECONDS = 600.0
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""On Windows, keeps a console window from flashing up."""
_IMAGES, _LOGITS, _DISTANCES = "images.npy", "logits.npy", "distances.npy"


class Verification:
    """Compares the logits of an exported model with those of the original for a set of test images."""

    def __init__(
        self,
        run: Run,
        model: Model,
        folder: Path,
        cancelled: CancelFunction,
        references: References | None = None,
    ) -> None:
        """`references` are the training images whose features are in the folder, if there are any."""
        self.run = run
        self.folder = folder
        self.largest_difference: float | None = None
        self._cancelled = cancelled
        self._model = model
        self._references = references
        # Real images reach the values that training has reached; random ones, black and white go beyond.
        samples = _dataset_images(run, cancelled)
        few, more = samples[: sum(BATCHES) // 2], samples[sum(BATCHES) // 2 :]
        mixed = np.concatenate([few, _random_images(run, sum(BATCHES) - len(few))])
        self.images, self._logits = _compute_within(_SECONDS, model, mixed, more, cancelled)
        """uint8 (N, C, H, W), float32 (N, classes)."""
        self._sample_count = len(few) + len(self.images) - len(mixed)

    @property
    def scratch_files(self) -> tuple[str, ...]:
        """Files that the comparison itself writes, which are not part of the export."""
        return _IMAGES, _LOGITS, _DISTANCES

    @property
    def compares_images(self) -> bool:
        """Whether the files say how far images are from the training images: see `compare_distances`."""
        return self._references is not None

    @property
    def pixels(self) -> Floats:
        """`images` in the form that other programs take: float32 (N, C, H, W), 0 to 1, not normalized."""
        return self.images.astype(np.float32) / np.float32(255)

    @property
    def summary(self) -> str:
        """The result of the comparison, in one sentence."""
        count = len(self.images)
        origin = "generated at random"
        if self._sample_count:
            origin = f"{format_count(self._sample_count)} from the data set"
        largest = f"{self.largest_difference:.1e}" if self.largest_difference else "0"
        return f"Largest difference of any logit: {largest} ({format_count(count)} images, {origin})."

    def compare(self, logits: Floats) -> None:
        """Compares logits float32 (N, classes) for `images` with those of the original model.

        Raises ExportFailed if they differ by more than rounding.
        """
        # The shape first: arrays of different shapes might broadcast, and compare as equal.
        expected = self._logits
        if logits.shape != expected.shape:
            raise ExportFailed(
                f"the exported model gives logits of shape {logits.shape}, the original {expected.shape}"
            )
        # Explicitly, because a comparison with NaN is always false, and `>` below would let it pass.
        if not np.isfinite(logits).all():
            raise ExportFailed("the exported model gives logits that are NaN or infinite")
        differences = np.abs(logits - expected).max(axis=1)
        self.largest_difference = float(differences.max())
        # Relative to the largest logit and not to each: a logit near 0 is the small difference of large sums,
        # whose rounding errors it has. Never below TOLERANCE itself, for networks with tiny logits.
        allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if self.largest_difference > allowed:
            differing = int((differences > allowed).sum())
            raise ResultsDiffer(
                f"the exported model gives other results: logits differ by {self.largest_difference:.2g} "
                f"({differing} of {len(differences)} images), where rounding explains at most {allowed:.2g}; "
                "no file was written",
                self.largest_difference,
                differing,
                len(differences),
            )

    def compare_distances(self, distances: Floats) -> None:
        """Compares distances float32 (N,) of `images` from the training images with those of this program.

        Raises ExportFailed if they differ by more than rounding.
        """
        expected = self._distances()
        if distances.shape != expected.shape or not np.isfinite(distances).all():
            raise ExportFailed("the exported model does not say how far images are from the training images")
        largest = float(np.abs(distances - expected).max())
        if largest > TOLERANCE:
            raise ExportFailed(
                "the exported model compares images with the training images in another way: distances "
                f"differ by {largest:.2g}, where rounding explains at most {TOLERANCE:.2g}; "
                "no file was written"
            )

    def _distances(self) -> Floats:
        from cnnstudio.insight.confidence.references import last_features, search
        from cnnstudio.insight.instrument import finish

        assert self._references is not None, "there is nothing to compare with"
        batches = np.array_split(self.images, range(LARGE_BATCH, len(self.images), LARGE_BATCH))
        features = np.concatenate([last_features(self._model, batch) for batch in batches])
        searching = search(features, self._references.features, self._references.neighbors)
        found: Floats = 1 - finish(searching, cancelled=self._cancelled).similarities[:, -1]
        return found

    def compare_in_fresh_process(self, script: str) -> None:
        """Compares the logits that `script` computes in a new Python process, without this package.

        This proves that the files work on their own, with nothing left over in memory. The script runs in the
        folder of the files. It is given `batches`, a list of float32 arrays (n, C, H, W), and sets `results`,
        a list of arrays (n, classes), and where `compares_images`, also `distances`, a list of arrays (n,).
        Raises ExportFailed if it fails or if they differ; Cancelled.
        """
        # Through files, so that the script needs neither this package nor a protocol.
        np.save(self.folder / _IMAGES, self.pixels)
        program = f"import sys\nimport numpy\n{_LOAD_BATCHES}{script}\n{_SAVE_RESULTS}"
        # -P: do not import modules from the folder with the files; a file there may be called like a module.
        command = [sys.executable, "-P", "-c", program, *map(str, _batch_sizes(len(self.images)))]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            creationflags=_NO_WINDOW,
        )
        message = self._wait(process)
        if process.returncode != 0:
            # The last line of a traceback is the error itself.
            reason = (message.strip().splitlines() or ["no reason given"])[-1]
            raise ExportFailed(f"the exported model fails in a new Python process: {reason}")
        self.compare(np.load(self.folder / _LOGITS, allow_pickle=False))
        if self.compares_images:
            if not exists(self.folder / _DISTANCES):
                raise ExportFailed("the exported model does not compare images with the training images")
            self.compare_distances(np.load(self.folder / _DISTANCES, allow_pickle=False))

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        """Waits for the process and returns what it wrote to standard error. Kills it if cancelled."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        try:
            while True:
                try:
                    # May be called again after its timeout without losing output. It also keeps emptying the
                    # pipe, so that a library with many warnings does not block.
                    _, errors = process.communicate(timeout=0.1)
                    return errors.decode(errors="replace")
                except subprocess.TimeoutExpired:
                    raise_if_cancelled(self._cancelled)
                    if time.monotonic() > deadline:
                        raise ExportFailed("the exported model gave no result within ten minutes") from None
        finally:
            # Whatever happened: the temporary folder is deleted next, which fails on Windows while it is in
            # use.
            if process.poll() is None:
                process.kill()
                process.communicate()


_LOAD_BATCHES = f"""
images = numpy.load({_IMAGES!r})
sizes = [int(size) for size in sys.argv[1:]]
starts = [sum(sizes[:index]) for index in range(len(sizes))]
batches = [images[start:start + size] for start, size in zip(starts, sizes)]
"""
_SAVE_RESULTS = f"""
numpy.save({_LOGITS!r}, numpy.concatenate(results).astype(numpy.float32))
if "distances" in globals():
    numpy.save({_DISTANCES!r}, numpy.concatenate(distances).astype(numpy.float32))
"""


def compute_logits(model: Model, images: Pixels) -> Floats:
    """The model's logits, float32 (N, classes), for images uint8 (N, C, H, W), computed batch by batch."""
    ends = np.cumsum(_batch_sizes(len(images)))[:-1]
    return np.concatenate([_logits_of(model, batch) for batch in np.split(images, ends)])


def _logits_of(model: Model, batch: Pixels) -> Floats:
    with torch.inference_mode():
        logits: Floats = model(model.normalize(batch)).float().cpu().numpy()
    return logits


def _compute_within(
    seconds: float, model: Model, first: Pixels, more: Pixels, cancelled: CancelFunction
) -> tuple[Pixels, Floats]:
    """The images whose logits were computed in about that time, and these: all of `first`, some of `more`."""
    deadline = time.monotonic() + seconds
    logits = [compute_logits(model, first)]
    count = 0
    while count < len(more) and time.monotonic() < deadline:
        raise_if_cancelled(cancelled)
        batch = more[count : count + LARGE_BATCH]
        logits.append(_logits_of(model, batch))
        count += len(batch)
    return np.concatenate([first, more[:count]]), np.concatenate(logits)


def _batch_sizes(count: int) -> list[int]:
    """The sizes of the batches in which so many images are compared."""
    left = count - sum(BATCHES)
    return [*BATCHES, *(min(LARGE_BATCH, left - begin) for begin in range(0, left, LARGE_BATCH))]


def _random_images(run: Run, count: int) -> Pixels:
    """uint8 (count, C, H, W): noise, and one black and one white image."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *run.network.input.dims), np.uint8)
    images[0], images[-1] = 0, 255
    return images


def _dataset_images(run: Run, cancelled: CancelFunction) -> Pixels:
    """Test images of the run's data set, drawn at random, if it is available: uint8 (n, C, H, W)."""
    channels, height, width = shape = run.network.input.dims
    try:
        dataset = find_source(run.dataset_name).load(cancelled=cancelled)
        size = max(dataset.test.images[:1].nbytes, channels * height * width, 1)
        count = min(len(dataset.test), _MAX_SAMPLES, _MAX_SAMPLE_BYTES // size)
        # Not the first ones: in a folder they are all of one class.
        rows = np.random.default_rng(0).permutation(len(dataset.test))[:count]
        some = dataset.test.select(rows)
        sample = dataclasses.replace(dataset, train=some, test=some)
        return np.ascontiguousarray(resize(sample, (channels, height, width)).test.images)
    # The data set may have been deleted since; random images are enough to compare.
    except UserError:
        return np.empty((0, *shape), np.uint8)
