"""Says what a folder of images is understood to be, before it becomes a data set."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from cnnstudio.core.formatting import format_count, join_words, pluralize
from cnnstudio.data.sources.image_folder import ImageFolder
from cnnstudio.data.sources.listing import Listing
from cnnstudio.data.versions.split_plan import TEST_FRACTION
from cnnstudio.gui.widgets.message_box import Answer, MessageBox
from cnnstudio.gui.widgets.plain_text import plain_line

_MAX_CLASSES, _MAX_NAME, _MAX_NOTE = 6, 24, 120
_SPLITS = {"train": "training", "validation": "validation", "test": "test"}
_ANSWERS = (
    Answer("cancel", "&Cancel", escape=True),
    Answer("add", "&Add data set", default=True, primary=True),
)


@dataclass(frozen=True)
class FolderOffer:
    """A folder that can be added, and what it holds in words."""

    source: ImageFolder
    text: str

    @classmethod
    def of(cls, source: ImageFolder, listing: Listing) -> FolderOffer:
        names = [plain_line(name, _MAX_NAME) for name in listing.classes[:_MAX_CLASSES]]
        if len(listing.classes) > _MAX_CLASSES:
            names.append(f"{len(listing.classes) - _MAX_CLASSES:,} more")
        counts = {part: len(files) for part, files in listing.parts.items()}
        images = join_words(
            [f"{format_count(counts[part])} {_SPLITS[part]}" for part in _SPLITS if part in counts]
        )
        lines = [
            f"{format_count(len(listing.classes))} classes: {join_words(names)}.",
            f"{images} images.",
        ]
        if listing.test is None:
            lines = [
                lines[0],
                f"{pluralize(counts['train'], 'image')}, of which {TEST_FRACTION:.0%} become the test set.",
            ]
        lines += [plain_line(note, _MAX_NOTE) for note in listing.notes[:1]]
        lines.append("The images stay where they are.")
        return cls(source, "\n".join(lines))


def ask_to_add(window: QWidget, offer: FolderOffer) -> bool:
    """Whether the user wants to add the folder."""
    title = plain_line(offer.source.title, 60)
    box = MessageBox(window, "Add data set", f"Add “{title}” as a data set?", offer.text, answers=_ANSWERS)
    return box.ask() == "add"
