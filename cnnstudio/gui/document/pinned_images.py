"""Images of the user's own that are followed through every run: small PNG files beside the settings.

They belong to the user, not to a run, into whose folder nothing is written by looking at it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PySide6.QtCore import QObject, Signal

from cnnstudio.core.files import FileError, read_json, read_regular, write_atomically, write_json
from cnnstudio.core.formatting import clean_line
from cnnstudio.core.locking import changing
from cnnstudio.data.dataset import Pixels, ResizeMode
from cnnstudio.data.images.image_files import fit_pixels, preview_of, rgb_image

MAX_PINNED = 12
_FORMAT, _VERSION = "cnnstudio.pinned", 1
_INDEX = "pinned.json"
_SIDE = 256
"""Of the whole image, in pixels at most."""
_MAX_BYTES, _MAX_SIDE = 4 * 2**20, 2_048
_MAX_NAME = 120
_FILE = re.compile(r"[0-9a-f]{16}\.png")


@dataclass(frozen=True, eq=False)
class PinnedImage:
    """One image, whole and as the network got it when it was pinned."""

    name: str
    whole: Pixels
    """uint8 (3, h, w)."""
    fitted: Pixels
    """uint8 (C, H, W)."""

    def pixels(self, shape: tuple[int, int, int], resize: ResizeMode = "fill") -> Pixels:
        """What a network gets of it, uint8 (C, H, W) of that shape."""
        if self.fitted.shape == shape:
            return self.fitted
        return fit_pixels(rgb_image(self.whole), shape, resize)


class PinnedImages(QObject):
    """A few images, in the order in which they were pinned. Files that cannot be read are left out."""

    changed = Signal()

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._images: tuple[PinnedImage, ...] | None = None

    @property
    def images(self) -> tuple[PinnedImage, ...]:
        """Read when they are first needed: they are few and small."""
        if self._images is None:
            self._images = _read(self._folder)
        return self._images

    @property
    def is_full(self) -> bool:
        return len(self.images) >= MAX_PINNED

    def find(self, fitted: Pixels, whole: Pixels | None = None) -> PinnedImage | None:
        """The pinned image of which a network gets these pixels; for another network, `whole` tells it.

        `whole` is the image as it was given to `pin`, if it is known.
        """
        same = (each for each in self.images if np.array_equal(each.fitted, fitted))
        found = next(same, None)
        if found is None and whole is not None and self.images:
            small = _shrunken(whole)
            found = next((each for each in self.images if np.array_equal(each.whole, small)), None)
        return found

    def pin(self, name: str, whole: Pixels, fitted: Pixels) -> None:
        """Pins an image: uint8 (C, h, w), and what the network gets of it. Raises FileError."""
        if self.is_full or self.find(fitted, whole) is not None:
            return
        image = PinnedImage(clean_line(name)[:_MAX_NAME], _shrunken(whole), fitted)
        with changing(self._folder / _INDEX):
            images = [each for each in self._kept() if _files(each) != _files(image)]
            # Another window may have pinned as many as there may be.
            if len(images) < MAX_PINNED:
                for pixels in (image.whole, image.fitted):
                    write_atomically(self._folder / _file_name(pixels), _png(pixels), durable=False)
                images.append(image)
            self._keep(images)
        self.changed.emit()

    def unpin(self, image: PinnedImage) -> None:
        """Removes an image and its files. Raises FileError."""
        with changing(self._folder / _INDEX):
            self._keep([each for each in self._kept() if _files(each) != _files(image)])
            used = {name for each in self.images for name in _files(each)}
            for name in set(_files(image)) - used:
                with contextlib.suppress(OSError):
                    (self._folder / name).unlink()
        self.changed.emit()

    def _kept(self) -> list[PinnedImage]:
        """The images as they are kept now, which another window may have changed."""
        known = {_files(each): each for each in self.images}
        return [known.get(_files(each), each) for each in _read(self._folder)]

    def _keep(self, images: Sequence[PinnedImage]) -> None:
        entries = []
        for each in images:
            whole, fitted = _files(each)
            entries.append({"name": each.name, "whole": whole, "fitted": fitted})
        write_json(self._folder / _INDEX, {"format": _FORMAT, "version": _VERSION, "images": entries})
        self._images = tuple(images)


def _shrunken(whole: Pixels) -> Pixels:
    """The image as it is kept."""
    return preview_of(rgb_image(whole), _SIDE)


def _read(folder: Path) -> tuple[PinnedImage, ...]:
    try:
        stored = read_json(folder / _INDEX)
    except FileError:
        return ()
    entries = stored.get("images") if isinstance(stored, dict) and stored.get("format") == _FORMAT else None
    found = (
        _read_entry(folder, each) for each in (entries if isinstance(entries, list) else [])[:MAX_PINNED]
    )
    return tuple(each for each in found if each is not None)


def _read_entry(folder: Path, entry: Any) -> PinnedImage | None:
    """None if it is damaged: the user can pin the image again."""
    try:
        name, whole, fitted = entry["name"], entry["whole"], entry["fitted"]
        if not all(isinstance(each, str) for each in (name, whole, fitted)):
            return None
        return PinnedImage(
            clean_line(name)[:_MAX_NAME], _read_png(folder, whole, "RGB"), _read_png(folder, fitted)
        )
    except Exception:  # Pillow raises almost anything for damaged files
        return None


def _read_png(folder: Path, name: str, mode: str = "") -> Pixels:
    if not _FILE.fullmatch(name):
        raise ValueError("not a file of this program")
    with Image.open(io.BytesIO(read_regular(folder / name, _MAX_BYTES)), formats=("PNG",)) as image:
        if max(image.size) > _MAX_SIDE or image.mode not in ((mode,) if mode else ("RGB", "L")):
            raise ValueError("not an image of this program")
        pixels = np.asarray(image)
    return np.ascontiguousarray(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))


def _files(image: PinnedImage) -> tuple[str, str]:
    """The names of its files, which tell images apart."""
    return _file_name(image.whole), _file_name(image.fitted)


def _file_name(pixels: Pixels) -> str:
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return f"{digest.hexdigest()[:16]}.png"


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(pixels[0]) if len(pixels) == 1 else rgb_image(pixels)
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
