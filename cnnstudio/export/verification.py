"""The comparison of an exported model with the one that it was made from."""

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
from cnnstudio.core.progress import CancelFunction, check
from cnnstudio.data.images.resizing import resize
from cnnstudio.data.sources import find_source
from cnnstudio.export.errors import ExportFailed

if TYPE_CHECKING:
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model

Floats = npt.NDArray[np.float32]

BATCHES = (1, 2, 13)
"""Sizes of the batches that are compared: one image, the fewest that are a batch, an odd number."""

TOLERANCE = 1e-4
"""Relative to the largest score. Sums of float32 in another order differ by about a hundredth of it."""

_LONGEST = 600.0
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""On Windows a console would flash up beside the program's own window."""
_IMAGES, _SCORES = "images.npy", "scores.npy"


class Proof:
    """Images, the model's scores for them, and the comparison with the scores from elsewhere."""

    def __init__(self, run: Run, model: Model, folder: Path, cancelled: CancelFunction) -> None:
        self.run = run
        self.folder = folder
        self.largest_difference: float | None = None
        self._cancelled = cancelled
        real = _real_images(run, cancelled)
        self._real = len(real)
        self.images = np.concatenate([real, _made_images(run, sum(BATCHES) - len(real))])
        self._scores = scores(model, self.images)

    @property
    def leftovers(self) -> tuple[str, ...]:
        """Files of the comparison itself."""
        return _IMAGES, _SCORES

    @property
    def pixels(self) -> Floats:
        """The uint8 `images` as others take them: float32 (N, C, H, W), 0 to 1, not normalized."""
        return self.images.astype(np.float32) / np.float32(255)

    @property
    def words(self) -> str:
        """What was compared, in a sentence."""
        count = len(self.images)
        origin = f"{self._real} of them from the data set" if self._real else "made at random"
        largest = f"{self.largest_difference:.1e}" if self.largest_difference else "0"
        return f"Largest difference of any score {largest} ({count} images, {origin})."

    def compare(self, found: Floats) -> None:
        """Raises ExportFailed where `found`, the scores for `pixels`, are not those of the model."""
        expected = self._scores
        if found.shape != expected.shape:
            raise ExportFailed(f"the exported model gives {found.shape} scores, not {expected.shape}")
        if not np.isfinite(found).all():
            raise ExportFailed("the exported model gives scores that are no numbers")
        self.largest_difference = float(np.abs(found - expected).max())
        allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
        if self.largest_difference > allowed:
            raise ExportFailed(
                f"the exported model gives other answers: scores differ by {self.largest_difference:.2g}, "
                f"and at most {allowed:.2g} is rounding; no file was written"
            )

    def compare_elsewhere(self, program: str) -> None:
        """The same for the scores that `program` gives in a fresh Python, without this package.

        `program` runs in the folder of the files. It has `batches`, a list of float32 (n, C, H, W), and makes
        `results`, a list of arrays (n, classes).
        """
        np.save(self.folder / _IMAGES, self.pixels)
        frame = f"import sys\nimport numpy\n{_TAKE}{program}\n{_GIVE}"
        # -P: the folder of the files is not searched for modules.
        command = [sys.executable, "-P", "-c", frame, *map(str, BATCHES)]
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
            last = (message.strip().splitlines() or ["no reason was given"])[-1]
            raise ExportFailed(f"the exported model does not run in a fresh Python: {last}")
        self.compare(np.load(self.folder / _SCORES, allow_pickle=False))

    def _wait(self, process: subprocess.Popen[bytes]) -> str:
        deadline = time.monotonic() + _LONGEST
        try:
            while True:
                try:
                    _, errors = process.communicate(timeout=0.1)
                    return errors.decode(errors="replace")
                except subprocess.TimeoutExpired:
                    check(self._cancelled)
                    if time.monotonic() > deadline:
                        raise ExportFailed("the exported model gave no answer within ten minutes") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


_TAKE = f"""
images = numpy.load({_IMAGES!r})
sizes = [int(size) for size in sys.argv[1:]]
starts = [sum(sizes[:index]) for index in range(len(sizes))]
batches = [images[start:start + size] for start, size in zip(starts, sizes)]
"""
_GIVE = f"""
numpy.save({_SCORES!r}, numpy.concatenate(results).astype(numpy.float32))
"""


def scores(model: Model, images: npt.NDArray[np.uint8]) -> Floats:
    """The model's scores before the softmax, (N, classes), for uint8 (N, C, H, W)."""
    with torch.inference_mode():
        found: Floats = model(model.normalize(images)).float().cpu().numpy()
    return found


def _made_images(run: Run, count: int) -> npt.NDArray[np.uint8]:
    """Noise, and among it one black and one white image."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *run.network.input.dims), np.uint8)
    images[0], images[-1] = 0, 255
    return images


def _real_images(run: Run, cancelled: CancelFunction) -> npt.NDArray[np.uint8]:
    """Half of what is compared comes from the run's own data set, where that is on this machine."""
    channels, height, width = shape = run.network.input.dims
    try:
        dataset = find_source(run.dataset_name).load(cancelled=cancelled)
        few = dataset.test.rows(np.arange(min(sum(BATCHES) // 2, len(dataset.test))))
        sample = dataclasses.replace(dataset, train=few, test=few)
        return np.ascontiguousarray(resize(sample, (channels, height, width)).test.images)
    except UserError:
        return np.empty((0, *shape), np.uint8)
