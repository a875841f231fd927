"""What every exporter does: write beside the place, prove, then move the files into it."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cnnstudio.core.files import exists
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, check, ignore, never
from cnnstudio.export.errors import ExportError

if TYPE_CHECKING:
    from cnnstudio.export.verification import Proof
    from cnnstudio.runs.run import Run
    from cnnstudio.training.model import Model


@dataclass(frozen=True)
class ExportResult:
    """What was written, and how far its answers are from the program's own."""

    files: tuple[Path, ...]
    largest_difference: float | None
    """Of all scores before the softmax; None where nothing was compared."""
    message: str


class Exporter(ABC):
    """One format."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    """One line: what comes out and what it is good for."""
    order: ClassVar[int] = 0
    files: ClassVar[tuple[str, ...]]
    """What it writes."""
    usage: ClassVar[str] = ""
    """A sentence on how the files are used."""

    def export(
        self,
        run: Run,
        folder: Path,
        verify: bool = True,
        progress: ProgressFunction = ignore,
        cancelled: CancelFunction = never,
    ) -> ExportResult:
        """Writes the best weights of `run` into `folder`, which is made where it is missing.

        A file that was there is replaced as a whole, after the new one has been proven. Raises ExportError,
        ExportFailed, RunError or Cancelled; then nothing has changed.
        """
        from cnnstudio.export.verification import Proof

        steps = 3 if verify else 2
        progress(Progress(0, steps, f"Reading the model for {self.title}"))
        model = run.model().to("cpu").eval()
        check(cancelled)
        with _workshop(folder) as workshop:
            progress(Progress(1, steps, f"Writing {self.title}"))
            self.write(run, model, workshop)
            check(cancelled)
            proof = None
            if verify:
                progress(Progress(2, steps, f"Comparing {self.title} with the original"))
                proof = Proof(run, model, workshop, cancelled)
                self.prove(proof)
            check(cancelled)
            files = _move(workshop, folder, proof.leftovers if proof else ())
        progress(Progress(steps, steps, f"{self.title}: done"))
        difference = proof.largest_difference if proof else None
        return ExportResult(files, difference, self._message(files, proof))

    @abstractmethod
    def write(self, run: Run, model: Model, folder: Path) -> None:
        """Writes the files into `folder`. `model` is on the CPU, in evaluation mode."""

    @abstractmethod
    def prove(self, proof: Proof) -> None:
        """Runs what was written elsewhere and hands its scores to `proof`, which raises ExportFailed."""

    def _message(self, files: Sequence[Path], proof: Proof | None) -> str:
        names = " and ".join(path.name for path in files)
        words = proof.words if proof else "Its answers were not compared."
        return f"{self.title}: {names}. {words} {self.usage}".strip()


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """An empty folder inside `folder`, gone afterwards. Raises ExportError where nothing can be written."""
    made = not exists(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    except OSError as error:
        raise ExportError(_unwritable(folder, error)) from error
    try:
        yield workshop
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
        if made:
            with suppress(OSError):
                folder.rmdir()  # which the system refuses where files were written


def _move(workshop: Path, folder: Path, leftovers: Sequence[str]) -> tuple[Path, ...]:
    moved = []
    try:
        for path in sorted(workshop.iterdir()):
            if path.name not in leftovers:
                os.replace(path, folder / path.name)
                moved.append(folder / path.name)
    except OSError as error:
        raise ExportError(_unwritable(folder, error)) from error
    return tuple(moved)


def _unwritable(folder: Path, error: OSError) -> str:
    return f"nothing can be written to {folder} ({error.strerror or error}); choose another folder"
