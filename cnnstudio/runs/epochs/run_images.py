"""The images of a run as they were when it was trained on them, whatever was corrected since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cnnstudio.core.errors import UserError
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.dataset import DataError, Dataset
from cnnstudio.data.sources import Source, find_source
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.versions.version import read_version
from cnnstudio.runs.errors import RunError
from cnnstudio.runs.run import Run

Files = Mapping[str, Sequence[str]]
"""The names of the images by split."""


def source_of_run(run: Run) -> Source:
    """Where the run's images come from. Raises RunError if that is not known any more."""
    try:
        return find_source(run.dataset_name)
    except DataError as error:
        raise RunError(f"The data set of the run was not found: {run.dataset_name}.") from error


def load_run_images(
    run: Run, progress: ProgressFunction, cancelled: CancelFunction
) -> tuple[Dataset, Files | None]:
    """The images that the run was trained on, and the names of their files; None for images without files.

    Labels that were corrected since are as they were then, because the run's version names its corrections.
    Raises RunError if the files themselves have changed, DataError or Cancelled.
    """
    source = source_of_run(run)
    title = source.title
    for dataset, files in _candidates(source, run, progress, cancelled):
        title = dataset.title
        if dataset.fingerprint == run.dataset_fingerprint and dataset.classes == run.classes:
            return dataset, files
    raise RunError(f"The images of {title} have changed since the run was trained on them.")


def _candidates(
    source: Source, run: Run, progress: ProgressFunction, cancelled: CancelFunction
) -> Iterator[tuple[Dataset, Files | None]]:
    """What the images may have been, the most likely first."""
    if not isinstance(source, FileSource):
        yield source.load(progress, cancelled), None
        return
    yield source.load_with_files(progress, cancelled)
    yield source.load_corrected_by(_corrections_of(run), progress, cancelled)


def _corrections_of(run: Run) -> Mapping[str, str | None]:
    """The corrections that the run's images had; none if that is not known, as of runs before versions."""
    try:
        found = read_version(run.data_version)["corrections"]
    except UserError:
        return {}
    return {str(file): None if label is None else str(label) for file, label in dict(found).items()}
