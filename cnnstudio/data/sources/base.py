"""What every source of images offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from cnnstudio.core.progress import CancelFunction, ProgressFunction, ignore, never
from cnnstudio.data.dataset import DataError, Dataset


class Source(ABC):
    """A place that images come from."""

    name: str
    """What commands and files call it."""
    title: str
    """What people call it."""
    description: str
    """One line."""
    built_in: ClassVar[bool] = True
    """Part of the program, not added by the user."""
    can_download: ClassVar[bool] = False
    can_import: ClassVar[bool] = False

    @classmethod
    def found(cls) -> list[Self]:
        """The sources of this kind that the user has: one, unless the kind says otherwise."""
        return [cls()]

    @abstractmethod
    def available(self) -> bool:
        """Whether `load` works now and without the network."""

    @abstractmethod
    def load(self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never) -> Dataset:
        """The images. Raises DataError or Cancelled; may run in any thread."""

    def info(self) -> dict[str, Any]:
        """What is known without loading, ready for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "available": self.available(),
            "can_download": self.can_download,
            "can_import": self.can_import,
        }

    def download(self, progress: ProgressFunction = ignore, cancelled: CancelFunction = never) -> None:
        """Bring the images to this machine. Raises DataError or Cancelled."""
        raise DataError(f"There is nothing to download for {self.title}: its images are on this computer.")

    def import_archive(
        self, path: Path, progress: ProgressFunction = ignore, cancelled: CancelFunction = never
    ) -> None:
        """Take the images from the user's own copy of the archive. Raises DataError or Cancelled."""
        raise DataError(f"{self.title} does not come as an archive.")
