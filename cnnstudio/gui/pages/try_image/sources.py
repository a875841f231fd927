"""Images to try a network on: found in files and folders, and read at the network's input size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cnnstudio.core.formatting import format_count, list_names, pluralize
from cnnstudio.core.progress import CancelFunction, raise_if_cancelled
from cnnstudio.data.dataset import DataError, Pixels, ResizeMode
from cnnstudio.data.images.image_files import (
    fit_pixels,
    preview_of,
    read_pixels,
    read_preview,
    rgb_image,
    silence_pillow_warnings,
)
from cnnstudio.data.sources.folder_scan import scan
from cnnstudio.runs.epochs.inspection import OwnImages

Shape = tuple[int, int, int]
"""Channels, height and width of what a network gets."""


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Where an image comes from."""

    name: str
    origin: Path | Pixels
    """A file, or uint8 (C, h, w) with 1 or 3 channels."""
    actual: str = ""
    """Its class, empty if it is not known."""


@dataclass(frozen=True, eq=False)
class TriedImage:
    """An image as the network gets it."""

    source: ImageSource
    pixels: Pixels
    """uint8 (C, H, W)."""

    @cached_property
    def own_images(self) -> OwnImages:
        """The image alone, to ask about it."""
        return OwnImages(self.pixels[None])


@dataclass(frozen=True)
class FoundImages:
    """The images in files and folders."""

    sources: tuple[ImageSource, ...]
    note: str
    """What is left out, as sentences; empty if nothing is."""


@dataclass(frozen=True)
class ReadImages:
    """The images that could be read, and one sentence for each other one."""

    images: tuple[TriedImage, ...]
    unreadable: tuple[tuple[str, str], ...]
    """(name, sentence)."""


def find_images(paths: Sequence[Path], limit: int, cancelled: CancelFunction) -> FoundImages:
    """At most `limit` images: the files themselves, and all images in the folders. Raises Cancelled."""
    found: list[Path] = []
    notes = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = [Path(each) for names in scan(path, cancelled).images.values() for each in names]
        except DataError as error:
            notes.append(str(error))
            continue
        if not inside:
            notes.append(f"There are no images in {path.name}.")
        found += sorted(inside)
    if len(found) > limit:
        notes.append(f"Only {format_count(limit)} of {format_count(len(found))} images are shown.")
    return FoundImages(tuple(ImageSource(each.name, each) for each in found[:limit]), " ".join(notes))


def read_images(
    sources: Sequence[ImageSource], shape: Shape, cancelled: CancelFunction, resize: ResizeMode = "fill"
) -> ReadImages:
    """The images at a network's input size. Raises Cancelled."""
    images, unreadable = [], []
    with silence_pillow_warnings():
        for source in sources:
            raise_if_cancelled(cancelled)
            try:
                images.append(TriedImage(source, _read(source, shape, resize)))
            except DataError as error:
                sentence = str(error).replace(str(source.origin), source.name)
                unreadable.append((source.name, sentence))
    return ReadImages(tuple(images), tuple(unreadable))


def preview(source: ImageSource, side: int) -> Pixels:
    """The whole image with at most `side` pixels a side, uint8 (3, h, w). Raises DataError."""
    if isinstance(source.origin, Path):
        with silence_pillow_warnings():
            return read_preview(source.origin, side)
    return preview_of(rgb_image(source.origin), side)


def describe_unreadable(unreadable: Sequence[tuple[str, str]]) -> str:
    """One sentence that names what could not be read."""
    if len(unreadable) < 2:
        return "".join(sentence for _, sentence in unreadable)
    names = list_names(name for name, _ in unreadable)
    return f"{pluralize(len(unreadable), 'file')} cannot be read as images: {names}."


def describe_pixels(image: TriedImage) -> str:
    """`Network input: 32 × 32 pixels, gray`."""
    channels, height, width = image.pixels.shape
    gray = ", gray" if channels == 1 else ""
    return f"Network input: {width} × {height} pixels{gray}"


def _read(source: ImageSource, shape: Shape, resize: ResizeMode) -> Pixels:
    if isinstance(source.origin, Path):
        return read_pixels(source.origin, shape, resize)
    return fit_pixels(rgb_image(source.origin), shape, resize)
