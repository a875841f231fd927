"""MNIST and the sets in its format: four gzip files, which torchvision reads when they are unpacked."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np

from cnnstudio.core.files import open_regular
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.core.temporary import temporary_folder
from cnnstudio.data.dataset import DataError, Split
from cnnstudio.data.sources.published.published_set import PublishedSet
from cnnstudio.data.torchvision_import import import_torchvision
from cnnstudio.data.transfer.download import file_md5

_MAX_BYTES = 100_000_000
"""Of an unpacked file: twice what the largest one has."""
_MAX_PACKED_BYTES = 100_000_000
_BLOCK_BYTES = 2**20


class IdxSet(PublishedSet):
    """Gray images of 28 × 28 pixels in ten classes."""

    torchvision_class: ClassVar[str]
    shape = (1, 28, 28)
    counts = (60_000, 10_000)

    @contextmanager
    def opened(self, cancelled: CancelFunction) -> Iterator[Path]:
        """A temporary folder with the files as torchvision expects them. Raises DataError or Cancelled."""
        try:
            with temporary_folder(self.folder, "idx") as folder:
                raw = folder / self.torchvision_class / "raw"
                raw.mkdir(parents=True)
                for name, md5 in self.release.contents.items():
                    self._unpack(name, md5, raw / name.removesuffix(".gz"), cancelled)
                yield folder
        except OSError as error:
            raise DataError(
                f"Cannot unpack {self.title} in {self.folder}: {error.strerror or error}."
            ) from error

    def _unpack(self, name: str, md5: str, target: Path, cancelled: CancelFunction) -> None:
        """Unpacks a file whose checksum is right. The checksum first: a small file can unpack to any size."""
        try:
            if file_md5(self.folder / name, cancelled) != md5:
                raise self.damaged(ValueError(name))
            with (
                open_regular(self.folder / name, _MAX_PACKED_BYTES) as file,
                gzip.open(file) as packed,
                open(target, "wb") as unpacked,
            ):
                written = 0
                while block := packed.read(_BLOCK_BYTES):
                    raise_if_cancelled(cancelled)
                    written += len(block)
                    if written > _MAX_BYTES:
                        raise self.damaged(ValueError(name))
                    unpacked.write(block)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise self.damaged(error) from error

    def read_split(self, folder: Path, *, train: bool) -> tuple[Split, tuple[str, ...]]:
        try:
            part = getattr(import_torchvision().datasets, self.torchvision_class)(folder, train=train)
            images, labels = part.data.numpy(), part.targets.numpy().astype(np.int64)
        except (RuntimeError, OSError, ValueError, TypeError, AssertionError) as error:
            raise self.damaged(error) from error
        return Split(images[:, None], labels), self.classes
