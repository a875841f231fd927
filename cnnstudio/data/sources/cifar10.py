"""CIFAR-10: downloaded or from the user's own archive, read by torchvision's class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cnnstudio.core.paths import datasets_folder
from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, check, ignore, never
from cnnstudio.data.dataset import DataError, Dataset, Split, from_channels_last
from cnnstudio.data.sources.base import Source
from cnnstudio.data.storage.decoded_cache import kept_or_made
from cnnstudio.data.torchvision_import import import_torchvision
from cnnstudio.data.transfer.archive import extract
from cnnstudio.data.transfer.download import (
    DEFAULT_PATIENCE,
    Expected,
    Patience,
    download,
    file_md5,
    megabytes,
)

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"


@dataclass(frozen=True)
class Release:
    """The published files with their MD5s. Tests make a small one of their own."""

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
        """Name in the archive -> MD5, of every file that is read."""
        return {f"{self.folder}/{name}": md5 for name, md5 in (*self.train, *self.test, self.names)}


OFFICIAL = Release()


class Cifar10(Source):
    """60,000 photographs, Krizhevsky 2009."""

    name = "cifar10"
    title = "CIFAR-10"
    description = (
        "60,000 color photographs, 32 × 32, of ten kinds of animals and vehicles (170 MB to download)"
    )
    can_download: ClassVar[bool] = True
    can_import: ClassVar[bool] = True
    classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

    def __init__(self, release: Release = OFFICIAL, patience: Patience = DEFAULT_PATIENCE) -> None:
        self._release = release
        self._patience = patience

    @property
    def folder(self) -> Path:
        """Where the images stand, or will."""
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
        self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never, url: str | None = None
    ) -> None:
        """Download and unpack. `url` is by default $CNNSTUDIO_CIFAR10_URL, else the author's page.

        An archive that is here already, because it could not be unpacked then, is not fetched again.
        """
        archive = self.folder / "cifar-10-python.tar.gz"
        expected = Expected(self.title, self._release.archive_md5, self._release.archive_size)
        url = url or os.environ.get("CNNSTUDIO_CIFAR10_URL") or URL
        if not self._is_here(archive, cancelled):
            download(url, archive, expected, progress, cancelled, self._patience)
        self._unpack(archive, progress, cancelled)
        archive.unlink(missing_ok=True)

    def _is_here(self, archive: Path, cancelled: CancelFunction) -> bool:
        try:
            return file_md5(archive, cancelled) == self._release.archive_md5
        except OSError:
            return False

    def import_archive(
        self, path: Path, progress: ProgressFunction = ignore, cancelled: CancelFunction = never
    ) -> None:
        """Unpack the user's own cifar-10-python.tar.gz, which stays where it is."""
        try:
            size = path.stat().st_size
            progress(Progress(0, None, f"Checking {path.name}"))
            possible = self._release.archive_size in (None, size)  # spares reading through a huge other file
            right = possible and file_md5(path, cancelled) == self._release.archive_md5
        except OSError as error:
            raise DataError(f"Cannot read {path}: {error.strerror or error}.") from error
        if not right:
            raise DataError(f"{path} {self._fault(size)}: use cifar-10-python.tar.gz as it is on {URL}.")
        self._unpack(path, progress, cancelled)

    def _fault(self, size: int) -> str:
        whole = self._release.archive_size
        if whole is not None and size < whole:
            return f"is not the whole archive of {self.title} ({megabytes(size)} of {megabytes(whole)} MB)"
        return f"is not the archive of {self.title}, or is damaged (its checksum is wrong)"

    def _unpack(self, archive: Path, progress: ProgressFunction, cancelled: CancelFunction) -> None:
        target = self.folder / self._release.folder
        extract(archive, self._release.members(), target, progress, cancelled)

    def load(self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never) -> Dataset:
        if not self.available():
            raise DataError(
                f"{self.title} is not on this computer yet: "
                f"download it (cnnstudio data download {self.name}), "
                "or give your own copy of cifar-10-python.tar.gz."
            )
        # The MD5s say all of the files, so that those that were read once need not be whole any more.
        return kept_or_made(
            self.name,
            sorted(self._release.members().items()),
            lambda drafts: drafts.take(self._decoded(progress, cancelled)),
            progress,
            cancelled,
        )

    def _decoded(self, progress: ProgressFunction, cancelled: CancelFunction) -> Dataset:
        progress(Progress(0, 2, f"Reading {self.title}"))
        train, classes = self._read(train=True)
        check(cancelled)
        progress(Progress(1, 2, f"Reading {self.title}"))
        test, _ = self._read(train=False)
        check(cancelled)
        progress(Progress(2, 2, f"{self.title} is ready"))
        return Dataset(self.name, self.title, classes, train, test)

    def _read(self, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        """One split by torchvision's class, which checks each file's MD5 before it unpickles it."""
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
                # WORKAROUND pytorch/vision #9340: numpy pickled the files in 2009, and numpy 2.4 finds
                # fault with how they spell a dtype.
                warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
                part = reader(self.folder, train=train)
        except (RuntimeError, OSError) as error:
            raise DataError(
                f"The files of {self.title} in {self.folder} are damaged: "
                "download it again, or give your own copy of cifar-10-python.tar.gz."
            ) from error
        images = np.ascontiguousarray(part.data)
        return Split(from_channels_last(images), np.array(part.targets, np.int64)), tuple(part.classes)
