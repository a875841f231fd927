"""The base of all exporters: write to a temporary folder, verify, then move the files to their place."""

from __future__ import annotations

import filecmp
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from cnnstudio.core.formatting import join_words
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.core.temporary import temporary_folder
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.export.errors import ExportError, ExportFailed
from cnnstudio.export.training_features import FEATURES_FILE, estimate_features, write_training_features
from cnnstudio.runs.epochs.untrained import describe_untrained

if TYPE_CHECKING:
    from cnnstudio.export.verification import Verification
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model


_BYTES_PER_PARAMETER = 4
_FLIP = "The run's accuracy is that of the mean scores of each image and its mirror image (test-time flip)."


@dataclass(frozen=True)
class ExportResult:
    """The files that were written, and how much their outputs differ from those of the original model."""

    files: tuple[Path, ...]
    largest_difference: float | None
    """The largest absolute difference of any logit; None if nothing was compared."""
    message: str
    images: int = 0
    """The number of images that were compared."""
    not_sure: str = ""
    """When the network is not sure, in a sentence or two; empty if that is not known."""


class Exporter(ABC):
    """One export format."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    """One line: the files and what they are good for."""
    order: ClassVar[int] = 0
    """The position in lists of formats."""
    files: ClassVar[tuple[str, ...]]
    """The names of the files it writes."""
    compares_images: ClassVar[bool] = False
    """Whether its files say where an image is unlike any training image.

    The features of the training images are then one more file, where they are known: see `all_files`.
    """
    usage: ClassVar[str] = ""
    """A sentence on how to use the files."""
    needs: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Module -> title of the packages that writing the files needs."""
    verification_needs: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Module -> title of the packages that comparing the files with the original needs as well."""

    @property
    def all_files(self) -> tuple[str, ...]:
        """The names of all files that it may write."""
        return (*self.files, FEATURES_FILE) if self.compares_images else self.files

    @property
    def obstacle(self) -> str:
        """Why the files cannot be written on this computer; empty if they can."""
        return _missing(self.needs)

    @property
    def verification_obstacle(self) -> str:
        """Why the files cannot be compared with the original on this computer; empty if they can."""
        return _missing(self.verification_needs)

    def estimate(self, run: Run) -> int:
        """How large its files will probably be, in bytes. Raises RunError, FileError or DesignError."""
        analysis = analyze(run.network)
        weights = _BYTES_PER_PARAMETER * analysis.parameters
        return weights + (estimate_features(analysis, run.train_images) if self.compares_images else 0)

    def example(self, folder: Path, run: Run) -> str:
        """Python code that uses the files in `folder`; empty if the format has none."""
        return ""

    def export(
        self,
        run: Run,
        folder: Path,
        verify: bool = True,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
    ) -> ExportResult:
        """Exports the best weights of `run` into `folder`, which is created if it is missing.

        Existing files are replaced only after the new ones have been verified. Raises ExportError,
        ExportFailed, RunError or Cancelled; then nothing has changed.
        """
        from cnnstudio.export.verification import Verification
        from cnnstudio.runs.epochs.answering import prepare_rule

        missing = self.obstacle or (self.verification_obstacle if verify else "")
        if missing:
            what = f"export {self.title}" if self.obstacle else f"verify {self.title} here"
            raise ExportFailed(f"{missing}, which is needed to {what}; no file was written")
        steps = 3 if verify else 2
        progress(Progress(0, steps, f"Reading the model for {self.title}"))
        model = run.model().to("cpu").eval()
        raise_if_cancelled(cancelled)

        def show_part(part: Progress) -> None:
            """Describing many training images takes longer than all that follows."""
            done, total = (part.done, part.total) if part.total else (0, 1)
            progress(Progress(done, steps * total, part.text))

        rule = prepare_rule(run, show_part, cancelled, compares=self.compares_images)
        with _staging_folder(folder) as staging:
            progress(Progress(1, steps, f"Writing {self.title}"))
            if rule.references is not None:
                write_training_features(staging, model, rule.references)
            self.write(run, model, staging)
            raise_if_cancelled(cancelled)
            verification = None
            if verify:
                progress(Progress(2, steps, f"Comparing {self.title} with the original"))
                verification = Verification(run, model, staging, cancelled, rule.references)
                self.verify(verification)
            raise_if_cancelled(cancelled)
            files = _move(staging, folder, verification.scratch_files if verification else ())
        progress(Progress(steps, steps, f"{self.title}: done"))
        difference = verification.largest_difference if verification else None
        compared = len(verification.images) if verification else 0
        not_sure = rule.describe()
        message = self._message(run, files, verification, not_sure)
        return ExportResult(files, difference, message, compared, not_sure)

    @abstractmethod
    def write(self, run: Run, model: Model, folder: Path) -> None:
        """Writes the files into `folder`. `model` is on the CPU, in evaluation mode.

        If it compares images and the training images are known, FEATURES_FILE is in the folder already.
        """

    @abstractmethod
    def verify(self, verification: Verification) -> None:
        """Computes logits from the written files and compares them with those of the original model.

        Raises ExportFailed if they differ or if the files cannot be used.
        """

    def _message(
        self, run: Run, files: Sequence[Path], verification: Verification | None, not_sure: str
    ) -> str:
        names = join_words([path.name for path in files])
        summary = verification.summary if verification else "Not compared with the original model."
        notice = f"The network was {run.weights_notice}." if run.weights_notice else ""
        flip = _FLIP if run.recipe.test_time_flip else ""
        about = self.usage, not_sure, flip, describe_untrained(run), notice
        parts = (f"{self.title}: {names}.", summary, *about)
        return " ".join(filter(None, parts))


def _missing(packages: Mapping[str, str]) -> str:
    """The first of these packages that is not installed, as the beginning of a sentence."""
    for module, title in packages.items():
        if find_spec(module) is None:
            return f"{title} is not installed"
    return ""


@contextmanager
def _staging_folder(folder: Path) -> Iterator[Path]:
    """An empty temporary folder inside `folder`, deleted afterwards. Raises ExportError if not writable."""
    with ExitStack() as stack:
        try:
            staging = stack.enter_context(temporary_folder(folder, "export"))
        except OSError as error:
            raise ExportError(_unwritable(folder, error)) from error
        yield staging


def _move(staging: Path, folder: Path, leftovers: Sequence[str]) -> tuple[Path, ...]:
    moved = []
    try:
        for path in sorted(staging.iterdir()):
            if path.name not in leftovers:
                target = folder / path.name
                # Formats share the file of the weights, and one must not look changed because of another.
                if not (target.exists() and filecmp.cmp(path, target, shallow=False)):
                    os.replace(path, target)
                moved.append(target)
    except OSError as error:
        raise ExportError(_unwritable(folder, error)) from error
    return tuple(moved)


def _unwritable(folder: Path, error: OSError) -> str:
    return f"{folder} is not writable ({error.strerror or error}); choose another folder"
