"""CIFAR-10, downloaded or from the user's own archive, read with torchvision's class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import DataError, Dataset, Split, from_channels_last
from cnnstudio.data.sources.base import Source
from cnnstudio.data.storage.decoded_cache import get_or_create
from cnnstudio.data.torchvision_import import import_torchvision
from cnnstudio.data.transfer.archive import extract_members
from cnnstudio.data.transfer.download import (
    DEFAULT_RETRY_POLICY,
    ExpectedFile,
    RetryPolicy,
    download,
    file_md5,
    format_megabytes,
)

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"


@dataclass(frozen=True)
class Release:
    """The published files and their MD5 checksums. Tests use a smaller release."""

    archive_md5: str = "c58f30108f718f92721af3b95e74349a"
    archive_size: int | None = 170_498_071
    folder: str = "cifar-10-batches-py"
    train: tuple[tuple[str, str], ...] = (
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    )
    test: tuple[tuple[str, str], ...] = (("test_batch", "40351d587109b95175f43aff81a1287e"),)
    names: tuple[str, str] = ("batches.meta", "5ff9c542aee3614f3951f8cda6e48888")

    def members(self) -> Mapping[str, str]:
        """Name in the archive -> MD5, for every file that is read."""
        return {f"{self.folder}/{name}": md5 for name, md5 in (*self.train, *self.test, self.names)}


OFFICIAL = Release()


class Cifar10(Source):
    """60,000 photographs in ten classes (Krizhevsky 2009)."""

    name = "cifar10"
    title = "CIFAR-10"
    description = "60,000 color photos, 32 × 32, of animals and vehicles in ten classes (170 MB download)"
    can_download: ClassVar[bool] = True
    can_import: ClassVar[bool] = True
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def __init__(self, release: Release = OFFICIAL, retry: RetryPolicy = DEFAULT_RETRY_POLICY) -> None:
        self._release = release
        self._retry = retry

    @property
    def folder(self) -> Path:
        """Where the downloaded files are stored."""
        return datasets_folder() / "cifar10"

    def available(self) -> bool:
        return all((self.folder / member).is_file() for member in self._release.members())

    def info(self) -> dict[str, Any]:
        return super().info() | {
            "folder": str(self.folder),
            "classes": list(self.classes),
            "shape": [3, 32, 32],
            "train": 50_000,
            "test": 10_000,
        }

    def download(
        self,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
        url: str | None = None,
    ) -> None:
        """Downloads and unpacks the archive. `url` defaults to $CNNSTUDIO_CIFAR10_URL, or the author's site.

        A complete archive that is already here, because it could not be unpacked the last time, is used.
        """
        archive = self.folder / "cifar-10-python.tar.gz"
        expected = ExpectedFile(self.title, self._release.archive_md5, self._release.archive_size)
        url = url or os.environ.get("CNNSTUDIO_CIFAR10_URL") or URL
        if not self._is_downloaded(archive, cancelled):
            download(url, archive, expected, progress, cancelled, self._retry)
        self._unpack(archive, progress, cancelled)
        archive.unlink(missing_ok=True)

    def _is_downloaded(self, archive: Path, cancelled: CancelFunction) -> bool:
        try:
            return file_md5(archive, cancelled) == self._release.archive_md5
        except OSError:
            return False

    def import_archive(
        self,
        path: Path,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
    ) -> None:
        """Unpacks the user's own cifar-10-python.tar.gz, which is left where it is.

        Raises Cancelled, and DataError if the file cannot be read or is not the original archive.
        """
        try:
            size = path.stat().st_size
            progress(Progress(0, None, f"Checking {path.name}"))
            # Comparing sizes first avoids reading through a huge file that is something else.
            same_size = self._release.archive_size in (None, size)
            is_right = same_size and file_md5(path, cancelled) == self._release.archive_md5
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
        if not is_right:
            mismatch = self._describe_mismatch(size)
            raise DataError(f"{path} {mismatch}: use the original cifar-10-python.tar.gz from {URL}.")
        self._unpack(path, progress, cancelled)

    def _describe_mismatch(self, size: int) -> str:
        expected = self._release.archive_size
        if expected is not None and size < expected:
            sizes = f"{format_megabytes(size)} of {format_megabytes(expected)} MB"
            return f"is not the whole archive of {self.title} ({sizes})"
        return f"is not the archive of {self.title}, or is damaged (wrong checksum)"

    def _unpack(self, archive: Path, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        target = self.folder / self._release.folder
        extract_members(archive, self._release.members(), target, progress, cancelled)

    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        if not self.available():
            raise DataError(
                f"{self.title} is not on this computer yet: "
                f"download it (cnnstudio data download {self.name}), "
                "or import your own copy of cifar-10-python.tar.gz."
            )
        # The expected checksums identify the result. Once decoded, the files on disk are not read again.
        return get_or_create(
            self.name,
            sorted(self._release.members().items()),
            lambda writer: writer.write(self._decoded(progress, cancelled)),
            progress,
            cancelled,
        )

    def _decoded(self, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        progress(Progress(0, 2, f"Reading {self.title}"))
        train, classes = self._read(train=True)
        raise_if_cancelled(cancelled)
        progress(Progress(1, 2, f"Reading {self.title}"))
        test, _ = self._read(train=False)
        raise_if_cancelled(cancelled)
        progress(Progress(2, 2, f"{self.title} is ready"))
        return Dataset(self.name, self.title, classes, train, test)

    def _read(self, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        """One split, read with torchvision's class, which verifies each file's MD5 before it unpickles it.

        The files are pickles, which can run any code when loaded. The checksum is the only protection, so a
        file is never unpickled unless it is one of the published ones.
        """
        reader = type(
            "Release",
            (import_torchvision().datasets.CIFAR10,),
            {
                "base_folder": self._release.folder,
                "train_list": [list(entry) for entry in self._release.train],
                "test_list": [list(entry) for entry in self._release.test],
                "meta": {
                    "filename": self._release.names[0],
                    "key": "label_names",
                    "md5": self._release.names[1],
                },
            },
        )
        try:
            with warnings.catch_warnings():
                # WORKAROUND pytorch/vision #9340: the files were pickled by a numpy of 2009, and numpy 2.4
                # warns of the way they spell a dtype.
                warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
                part = reader(self.folder, train=train)
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"The files of {self.title} in {self.folder} are damaged: "
                "download it again, or import your own copy of cifar-10-python.tar.gz."
            ) from error
        images = np.ascontiguousarray(part.data)
        return Split(from_channels_last(images), np.array(part.targets, np.int64)), tuple(part.classes)
