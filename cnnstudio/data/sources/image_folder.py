"""A folder of images, with one subfolder per class, as a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from cnnstudio.core.files import is_folder
from cnnstudio.core.formatting import pluralize
from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.data.dataset import DataError, ResizeMode
from cnnstudio.data.images.sizes import AUTOMATIC, Size
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_layout import Reading, find_layout
from cnnstudio.data.sources.folder_list import RegisteredSet, registered_sets
from cnnstudio.data.sources.folder_scan import FolderScan, scan
from cnnstudio.data.sources.listing import Listing, make_listing
from cnnstudio.data.versions.split_plan import SplitPlan

_READERS = {
    "HEIC": "install the package pi-heif, or save them as JPEG",
    "AVIF": "install a newer Pillow, or save them as JPEG",
}
_OTHER_FILES = {
    "table": "a table is not read with its folder: add the table itself",
    "archive": "archives are not opened: unpack it, or add it itself if it is a zip file",
    "arrays": "arrays are not read: save the images as files, in class folders",
}


class ImageFolder(FileSource):
    """`train/<class>/…` and `test/<class>/…`, or only `<class>/…`, of which 20% become the test set.

    Other layouts are recognized too; see `folder_layout`.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "",
        seed: int = 0,
        reading: Reading | None = None,
        plan: SplitPlan | None = None,
        resize: ResizeMode = "fill",
        size: Size = AUTOMATIC,
    ) -> None:
        """`reading` is how the user wants the subfolders to be understood; None for the most likely way."""
        super().__init__(folder, name, plan or SplitPlan(seed), resize, size)
        self.description = f"Images in {self.folder}"
        self.reading = reading

    @classmethod
    def discover(cls) -> list[Self]:
        return [
            cls.registered(name, entry) for name, entry in registered_sets().items() if not entry.is_table
        ]

    @classmethod
    def registered(cls, name: str, entry: RegisteredSet) -> Self:
        """The folder as it is in the user's list."""
        return cls(
            entry.path, name, reading=entry.reading, plan=entry.plan, resize=entry.resize, size=entry.size
        )

    @property
    def folder(self) -> Path:
        return self.path

    @property
    def entry(self) -> RegisteredSet:
        return RegisteredSet(self.path, self.reading, plan=self.plan, resize=self.resize, size=self.size)

    def available(self) -> bool:
        return is_folder(self.folder)

    def listing(self, cancelled: CancelFunction = never_cancelled) -> Listing:
        """The folder's classes and image files, by name only. Raises DataError if it cannot be a data set."""
        if not is_folder(self.folder):
            raise DataError(f"There is no folder {self.folder}.")
        found = scan(self.folder, cancelled)
        layout = find_layout(found, self.reading)
        if not layout.train and not layout.test:
            raise DataError(
                f"{self.folder} has no images in class folders: "
                "expected train/<class>/… and test/<class>/…, or <class>/…, with one folder per class"
                f"{_instead(found)}."
            )
        notes = (*layout.notes, *_left_out(found))
        return make_listing(str(self.folder), layout, notes, "add a folder with images of another class")


def _left_out(found: FolderScan) -> Iterator[str]:
    for name, count in sorted(found.left_out.items()):
        verb = "was" if count == 1 else "were"
        yield f"{pluralize(count, f'{name} image')} {verb} left out: {_READERS[name]}."


def _instead(found: FolderScan) -> str:
    """What is there instead of images, for the end of a sentence."""
    if found.images:
        return ""
    for name, count in sorted(found.left_out.items()):
        return f". Its {pluralize(count, f'{name} image')} cannot be read here: {_READERS[name]}"
    for kind, name in found.others.items():
        return f". It has {name}, but {_OTHER_FILES[kind]}"
    return ""
