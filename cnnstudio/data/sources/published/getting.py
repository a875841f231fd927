"""Gets the files of a published data set: from a mirror, or from a copy that the user has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cnnstudio.core.files import atomic_writer, is_folder, open_regular
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.published.release import PublishedFile, Release
from cnnstudio.data.storage.free_space import require_space
from cnnstudio.data.transfer.archive import extract_members
from cnnstudio.data.transfer.download import ExpectedFile, download, file_md5, format_megabytes, part_file
from cnnstudio.data.transfer.response import RetryPolicy, ServerError

_COPY_BYTES = 2**20


def downloaded_bytes(release: Release, folder: Path) -> int:
    """How much of an interrupted download is here already."""
    paths = (folder / file.name for file in release.files)
    return sum(_size(each) for path in paths for each in (path, part_file(path)))


def discard_download(release: Release, folder: Path) -> None:
    """Deletes what an interrupted download has left, but no images of a complete set. Raises DataError."""
    is_complete = all((folder / name).is_file() for name in release.contents)
    for file in release.files:
        try:
            part_file(folder / file.name).unlink(missing_ok=True)
            # One of several files that are kept as they are says nothing without the others.
            if file.members or not is_complete:
                (folder / file.name).unlink(missing_ok=True)
        except OSError as error:
            raise DataError(f"Cannot delete {folder / file.name}: {error.strerror or error}.") from error


def download_files(
    title: str,
    release: Release,
    folder: Path,
    override: str | None,
    progress: ProgressFunction,
    cancelled: CancelFunction,
    retry: RetryPolicy,
) -> None:
    """Downloads the files that are not in `folder` yet. Raises DataError or Cancelled.

    Each mirror is tried in turn; what one of them sent is continued by the next.
    """
    missing = release.size - downloaded_bytes(release, folder)
    require_space(folder, max(missing, 0) + release.unpacked_bytes, title)
    done = 0
    for file in release.files:
        path = folder / file.name
        if not _is_right(path, file, cancelled):
            name = title if len(release.files) == 1 else f"{title} ({file.name})"
            expected = ExpectedFile(name, file.md5, file.size)
            report = _shifted(progress, done, release.size or None)
            _download_from_any(release.addresses(file, override), path, expected, report, cancelled, retry)
        done += file.size or 0


def _shifted(progress: ProgressFunction, before: int, total: int | None) -> ProgressFunction:
    """Reports one file of several as a part of the whole."""

    def report(update: Progress) -> None:
        progress(Progress(before + update.done, total if total is not None else update.total, update.text))

    return report


def _download_from_any(
    addresses: list[str],
    path: Path,
    expected: ExpectedFile,
    progress: ProgressFunction,
    cancelled: CancelFunction,
    retry: RetryPolicy,
) -> None:
    errors = []
    for address in addresses:
        try:
            download(address, path, expected, progress, cancelled, retry)
        except ServerError as error:
            errors.append(error)
        else:
            return
    if len(errors) == 1:
        raise errors[0]
    raise DataError(f"{errors[0]} ({pluralize(len(errors) - 1, 'other address')} did not work either.)")


def _is_right(path: Path, file: PublishedFile, cancelled: CancelFunction) -> bool:
    try:
        return file_md5(path, cancelled) == file.md5
    except OSError:
        return False


def copy_files(
    title: str,
    release: Release,
    path: Path,
    folder: Path,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    """Takes the files from the user's copy: an archive, one of several files, or their folder."""
    require_space(folder, release.size * (len(release.files) > 1) + release.unpacked_bytes, title)
    for file, source in _own_files(title, release, path):
        _require_original(title, release, file, source, progress, cancelled)
        if file.members:
            unpack(release, file, source, folder, progress, cancelled)
        else:
            progress(Progress(0, None, f"Copying {source.name}"))
            _copy(source, folder / file.name, cancelled)


def unpack(
    release: Release,
    file: PublishedFile,
    archive: Path,
    folder: Path,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    """Unpacks the members of an archive into `folder`. Raises DataError or Cancelled."""
    target = folder / next(iter(file.members)).partition("/")[0]
    extract_members(archive, file.members, target, progress, cancelled, release.max_unpacked_bytes)


def _own_files(title: str, release: Release, path: Path) -> Iterator[tuple[PublishedFile, Path]]:
    """Each file with where the user has it. Raises DataError if one is missing."""
    if len(release.files) == 1 and not is_folder(path):
        yield release.files[0], path
        return
    parent = path if is_folder(path) else path.parent
    missing = [file.name for file in release.files if not os.path.exists(parent / file.name)]
    names = [file.name for file in release.files]
    if missing and (is_folder(path) or path.name in names):
        count = "" if len(names) == 1 else f" of the {len(names)} files of {title}"
        raise DataError(f"{parent} does not have {missing[0]}{count}.")
    if missing or not (is_folder(path) or path.name in names):
        raise DataError(
            f"{path} is none of the files of {title}: choose {names[0]}, with the others beside it."
        )
    yield from ((file, parent / file.name) for file in release.files)


def _require_original(
    title: str,
    release: Release,
    file: PublishedFile,
    path: Path,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> None:
    try:
        size = path.stat().st_size
        progress(Progress(0, None, f"Checking {path.name}"))
        # Comparing sizes first avoids reading through a huge file that is something else.
        is_right = file.size in (None, size) and file_md5(path, cancelled) == file.md5
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
    if not is_right:
        mismatch = _describe_mismatch(title, file, size)
        address = release.addresses(file, None)[0]
        raise DataError(f"{path} {mismatch}: use the original {file.name} from {address}.")


def _describe_mismatch(title: str, file: PublishedFile, size: int) -> str:
    what = "the archive" if file.members else "a file"
    if file.size is not None and size < file.size:
        sizes = f"{format_megabytes(size)} of {format_megabytes(file.size)} MB"
        whole = "the whole archive of" if file.members else "a whole file of"
        return f"is not {whole} {title} ({sizes})"
    return f"is not {what} of {title}, or is damaged (wrong checksum)"


def _copy(source: Path, target: Path, cancelled: CancelFunction) -> None:
    try:
        if target.exists() and os.path.samefile(source, target):
            return
        with open_regular(source, None) as file, atomic_writer(target) as copy:
            while block := file.read(_COPY_BYTES):
                raise_if_cancelled(cancelled)
                copy.write(block)
    except OSError as error:
        raise DataError(f"Cannot copy {source} to {target}: {error.strerror or error}.") from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
