"""Says what a folder, a table or a zip file is understood to be, before it becomes a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import QWidget

from cnnstudio.core.files import is_folder
from cnnstudio.core.formatting import format_count, join_words, pluralize
from cnnstudio.core.progress import CancelFunction, ProgressFunction
from cnnstudio.data.sources import Source, register
from cnnstudio.data.sources.adding import ZIP_SUFFIX, add_images
from cnnstudio.data.sources.folder_layout import Question, Reading
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.sources.image_table import ImageTable
from cnnstudio.data.sources.listing import Listing
from cnnstudio.data.versions.split_plan import TEST_FRACTION
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.gui.widgets.plain_text import plain_line

_MAX_CLASSES, _MAX_NAME, _MAX_NOTE = 6, 24, 120
_SPLITS = {"train": "training", "validation": "validation", "test": "test"}
_ZIP = "Its images are unpacked into the folder of CNN Studio; the zip file stays as it is."
_ANSWERS = (
    Answer("cancel", "&Cancel", escape=True),
    Answer("add", "&Add data set", default=True, primary=True),
)


@dataclass(frozen=True)
class FolderOffer:
    """Images that can be added, and what they are in words."""

    title: str
    text: str
    add: Callable[[ProgressFunction, CancelFunction], Source]
    """Adds them, in any thread."""


def read_offer(path: Path, reading: Reading | None, cancelled: CancelFunction) -> FolderOffer | Question:
    """What a folder, a table or a zip file holds, or what is in doubt about a folder. Raises DataError."""
    if path.suffix.lower() == ZIP_SUFFIX and not is_folder(path):

        def add(progress: ProgressFunction, cancelled: CancelFunction) -> Source:
            return add_images(path, progress=progress, cancelled=cancelled)

        return FolderOffer(path.name, _ZIP, add)
    source = ImageFolder(path, reading=reading) if is_folder(path) else ImageTable(path)
    listing = source.listing(cancelled)
    if listing.question is not None:
        return listing.question
    return FolderOffer(source.title, _describe(listing), lambda *_: register(source))


def _describe(listing: Listing) -> str:
    names = [plain_line(name, _MAX_NAME) for name in listing.classes[:_MAX_CLASSES]]
    if len(listing.classes) > _MAX_CLASSES:
        names.append(f"{len(listing.classes) - _MAX_CLASSES:,} more")
    counts = {part: len(files) for part, files in listing.parts.items()}
    lines = [f"{format_count(len(listing.classes))} classes: {join_words(names)}."]
    if listing.test is None:
        lines.append(
            f"{pluralize(counts['train'], 'image')}, of which {TEST_FRACTION:.0%} become the test set."
        )
    else:
        parts = [f"{format_count(counts[part])} {_SPLITS[part]}" for part in _SPLITS if part in counts]
        lines.append(f"{join_words(parts)} images.")
    lines += [plain_line(note, _MAX_NOTE) for note in listing.notes[:1]]
    return "\n".join((*lines, "The images stay where they are."))


def ask_to_add(window: QWidget, offer: FolderOffer) -> bool:
    """Whether the user wants to add the folder."""
    title = plain_line(offer.title, 60)
    box = MessageBox(window, "Add data set", f"Add “{title}” as a data set?", offer.text, answers=_ANSWERS)
    return box.ask() == "add"
