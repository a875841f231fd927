"""A table of image files with their labels, as a data set."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

from cnnstudio.core.progress import CancelFunction, never_cancelled
from cnnstudio.data.dataset import ResizeMode
from cnnstudio.data.images.sizes import AUTOMATIC, Size
from cnnstudio.data.sources.file_source import FileSource
from cnnstudio.data.sources.folder_list import RegisteredSet, registered_sets
from cnnstudio.data.sources.listing import Listing, make_listing
from cnnstudio.data.versions.split_plan import SplitPlan


class ImageTable(FileSource):
    """A CSV file with the columns file, label and perhaps split; see `label_table`."""

    def __init__(
        self,
        path: Path,
        name: str = "",
        plan: SplitPlan | None = None,
        resize: ResizeMode = "fill",
        size: Size = AUTOMATIC,
    ) -> None:
        super().__init__(path, name or path.stem, plan or SplitPlan(), resize, size)
        self.description = f"Images listed in {self.path}"

    @classmethod
    def discover(cls) -> list[Self]:
        return [cls.registered(name, entry) for name, entry in registered_sets().items() if entry.is_table]

    @classmethod
    def registered(cls, name: str, entry: RegisteredSet) -> Self:
        """The table as it is in the user's list."""
        return cls(entry.path, name, entry.plan, entry.resize, entry.size)

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def entry(self) -> RegisteredSet:
        return RegisteredSet(self.path, is_table=True, plan=self.plan, resize=self.resize, size=self.size)

    def available(self) -> bool:
        return os.path.isfile(self.path)

    def _about(self, listing: Listing) -> dict[str, Any]:
        return {"table": str(self.path), **super()._about(listing)}

    def listing(self, cancelled: CancelFunction = never_cancelled) -> Listing:
        """The classes and files that the table names. Raises DataError or Cancelled."""
        # Imported here, because few users have tables.
        from cnnstudio.data.tables.label_table import read_table
        from cnnstudio.data.tables.table_files import layout_of_table

        layout = layout_of_table(self.path, read_table(self.path, cancelled), cancelled)
        return make_listing(str(self.path), layout, layout.notes, "add images of another class")
