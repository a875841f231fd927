"""The interface of a source of images."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore_progress, never_cancelled
from cnnstudio.data.dataset import DataError, Dataset


class Source(ABC):
    """A data set that can be loaded, such as CIFAR-10 or a folder of images."""

    name: str
    """The identifier used in commands and files."""
    title: str
    """The name shown to people."""
    description: str
    """One line."""
    built_in: ClassVar[bool] = True
    """Whether it is part of the program, rather than added by the user."""
    can_download: ClassVar[bool] = False
    can_import: ClassVar[bool] = False
    license: ClassVar[str] = ""
    """As its authors state it, for published data sets; empty for others."""
    citation: ClassVar[str] = ""
    homepage: ClassVar[str] = ""
    former_fingerprints: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Fingerprints that earlier versions gave to the same images, with the ones that they have now."""

    @classmethod
    def discover(cls) -> list[Self]:
        """The sources of this class that the user has; one by default."""
        return [cls()]

    @abstractmethod
    def available(self) -> bool:
        """Whether `load` works now, without a network connection."""

    @abstractmethod
    def load(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> Dataset:
        """The data set. May be called on any thread. Raises DataError or Cancelled."""

    def info(self) -> dict[str, Any]:
        """What is known without loading the images, ready for JSON."""
        terms = {"license": self.license, "citation": self.citation, "homepage": self.homepage}
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "available": self.available(),
            "can_download": self.can_download,
            "can_import": self.can_import,
            **{key: text for key, text in terms.items() if text},
        }

    def image_shape(self, cancelled: CancelFunction = never_cancelled) -> tuple[int, int, int] | None:
        """(C, H, W) of the images that `load` gives, without decoding any; None if that is not known.

        Raises DataError or Cancelled.
        """
        return None

    def unequal_sizes(self, cancelled: CancelFunction = never_cancelled) -> str:
        """A sentence without its period if the classes are far apart in size; else empty.

        Reads no images. Raises DataError or Cancelled.
        """
        return ""

    def checked_info(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> dict[str, Any]:
        """`info` after a look into the files, which may take a while."""
        return self.info()

    def download(
        self, progress: ProgressFunction = ignore_progress, cancelled: CancelFunction = never_cancelled
    ) -> None:
        """Downloads the images to this computer. Raises DataError or Cancelled."""
        raise DataError(f"{self.title} needs no download: its images are on this computer.")

    def discard_download(self) -> None:
        """Deletes what an interrupted download has left. Raises DataError."""
        raise DataError(f"{self.title} needs no download: its images are on this computer.")

    def import_archive(
        self,
        path: Path,
        progress: ProgressFunction = ignore_progress,
        cancelled: CancelFunction = never_cancelled,
    ) -> None:
        """Unpacks the images from the user's own copy of the archive. Raises DataError or Cancelled."""
        raise DataError(f"{self.title} is not distributed as an archive.")
