"""What all published data sets have in common: downloading, importing, and decoding once into the cache."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import (
    CancelFunction,
    Progress,
    ProgressFunction,
    ignore_progress,
    never_cancelled,
    raise_if_cancelled,
)
from cnnstudio.data.dataset import DataError, Dataset, Split
from cnnstudio.data.sources.base import Source
from cnnstudio.data.sources.published.getting import (
    copy_files,
    discard_download,
    download_files,
    downloaded_bytes,
    unpack,
)
from cnnstudio.data.sources.published.release import Release
from cnnstudio.data.storage.decoded_cache import get_or_create
from cnnstudio.data.storage.writers import DatasetWriter
from cnnstudio.data.transfer.response import DEFAULT_RETRY_POLICY, RetryPolicy


class PublishedSet(Source):
    """A data set that its authors publish as archives, read with torchvision's class for it."""

    can_download: ClassVar[bool] = True
    can_import: ClassVar[bool] = True
    classes: ClassVar[tuple[str, ...]]
    shape: ClassVar[tuple[int, int, int]]
    """(C, H, W) of every image."""
    counts: ClassVar[tuple[int, int]]
    """The number of training and of test images."""

    def __init__(self, release: Release | None = None, retry: RetryPolicy = DEFAULT_RETRY_POLICY) -> None:
        self.release = release or self.official
        self._retry = retry

    @property
    @abstractmethod
    def official(self) -> Release:
        """What its authors have published."""

    @abstractmethod
    def read_split(self, folder: Path, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        """One split and the classes, from the files in that folder. Raises DataError if they are damaged.

        Nothing may be read before its checksum is known to be right: some of the files are pickles.
        """

    @contextmanager
    def opened(self, cancelled: CancelFunction) -> Iterator[Path]:
        """The folder for `read_split`, for as long as the context lasts."""
        yield self.folder

    @property
    def folder(self) -> Path:
        """Where the downloaded files are stored."""
        return datasets_folder() / self.name

    @property
    def archive_name(self) -> str:
        """The file that a user may have already; the first one of several."""
        return self.release.files[0].name

    def available(self) -> bool:
        return all((self.folder / name).is_file() for name in self.release.contents)

    def image_shape(self, cancelled: CancelFunction = never_cancelled) -> tuple[int, int, int] | None:
        channels, height, width = self.shape
        return channels, height, width

    def info(self) -> dict[str, Any]:
        train, test = self.counts
        return super().info() | {
            "folder": str(self.folder),
            "classes": list(self.classes),
            "shape": list(self.shape),
            "train": train,
            "test": test,
            "download_bytes": self.release.size,
            "downloaded_bytes": downloaded_bytes(self.release, self.folder),
        }

    def download(
        self,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
        url: str | None = None,
    ) -> None:
        """Downloads and unpacks the files. `url` defaults to $CNNSTUDIO_<NAME>_URL, or the authors' site.

        What is here already, because an earlier download was interrupted, is used.
        """
        override = url or os.environ.get(f"CNNSTUDIO_{self.name.upper()}_URL") or None
        download_files(self.title, self.release, self.folder, override, progress, cancelled, self._retry)
        for file in self.release.files:
            if file.members:
                unpack(self.release, file, self.folder / file.name, self.folder, progress, cancelled)
                (self.folder / file.name).unlink(missing_ok=True)

    def discard_download(self) -> None:
        discard_download(self.release, self.folder)

    def import_archive(
        self,
        path: Path,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
    ) -> None:
        """Takes the images from the user's own copy of the files, which are left where they are.

        `path` is the archive; of a set of several files, one of them, or the folder with all of them. Raises
        Cancelled, and DataError if a file cannot be read or is not the original.
        """
        copy_files(self.title, self.release, path, self.folder, progress, cancelled)

    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        if not self.available():
            raise DataError(
                f"{self.title} is not on this computer yet: "
                f"download it (cnnstudio data download {self.name}), "
                f"or import your own copy of {self.archive_name}."
            )
        # The expected checksums identify the result. Once decoded, the files on disk are not read again.
        return get_or_create(
            self.name,
            sorted(self.release.contents.items()),
            lambda writer: self._decoded(writer, progress, cancelled),
            progress,
            cancelled,
        )

    def damaged(self, error: Exception) -> DataError:
        """The error for files that torchvision does not accept."""
        found = DataError(
            f"The files of {self.title} in {self.folder} are damaged: "
            f"download it again, or import your own copy of {self.archive_name}."
        )
        found.__cause__ = error
        return found

    def _decoded(
        self, writer: DatasetWriter, progress: ProgressFunction, cancelled: CancelFunction
    ) -> Dataset:
        """The splits one after the other, because both together may be large."""
        channels, height, width = self.shape
        writer.reserve(self.title, sum(self.counts) * channels * height * width)
        splits: dict[str, Split] = {}
        classes = self.classes
        with self.opened(cancelled) as folder:
            for number, train in enumerate((True, False)):
                progress(Progress(number, 2, f"Reading {self.title}"))
                split, classes = self.read_split(folder, train=train)
                raise_if_cancelled(cancelled)
                if train:
                    writer.announce(classes)
                part = "train" if train else "test"
                splits[part] = writer.write_split(part, split)
                del split
        raise_if_cancelled(cancelled)
        progress(Progress(2, 2, f"{self.title} is ready"))
        return Dataset(self.name, self.title, classes, splits["train"], splits["test"])
