"""Reads image files of common formats as upright 8-bit RGB or grayscale arrays."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnstudio.core.files import open_regular
from cnnstudio.data.dataset import DataError, Pixels, ResizeMode

# An explicit list, because some of Pillow's readers start other programs (EPS runs Ghostscript).
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "TGA")
_OPTIONAL_FORMATS = {"AVIF": "AVIF", "HEIC": "HEIF"}
"""What people call them -> Pillow's name."""
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"P5", b"P6")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")
_ORIENTATION = 0x0112  # the Exif tag
_ROTATED_90 = (5, 6, 7, 8)  # its values for images whose width and height are swapped
_MAX_PIXELS = 90_000_000  # a tiny file can claim any size (a decompression bomb)
_MAX_BYTES = 2**30  # more than 90 million pixels take in any format


@contextmanager
def silence_pillow_warnings() -> Iterator[None]:
    """Suppresses Pillow's warnings about single files while many are read.

    Warning filters belong to the process, not to a thread, so this goes around the thread pool, not inside
    it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def read_pixels(path: Path, shape: tuple[int, int, int], mode: ResizeMode = "fill") -> Pixels:
    """The image as uint8 (C, H, W) of that shape, upright and resized.

    C is 1 or 3. Raises DataError if the file is not a complete image or has more than 90 million pixels.
    """
    return _channels_first(read_channels_last(path, shape, mode))


def read_channels_last(path: Path, shape: tuple[int, int, int], mode: ResizeMode = "fill") -> Pixels:
    """The same as uint8 (H, W, C), as Pillow has it: for who writes many, two copies fewer of each."""
    _, height, width = shape
    try:
        with _open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError("it has too many pixels")
            # Lets libjpeg decode a large JPEG at 1/2, 1/4 or 1/8 of its size, as long as that is still at
            # least twice the size needed: several times faster, and no visible loss after resizing.
            image.draft(None, (2 * max(width, height), 2 * max(width, height)))
            ImageOps.exif_transpose(image, in_place=True)
            return _fitted(to_rgb(image), shape, mode)
    except Exception as error:  # for damaged files Pillow raises almost anything, SyntaxError included
        raise DataError(f"{path} cannot be read as an image: {_reason(error, path)}.") from error


def fit_pixels(image: Image.Image, shape: tuple[int, int, int], mode: ResizeMode = "fill") -> Pixels:
    """An RGB image as uint8 (C, H, W) of that shape."""
    return _channels_first(_fitted(image, shape, mode))


def _fitted(image: Image.Image, shape: tuple[int, int, int], mode: ResizeMode) -> Pixels:
    """An RGB image as uint8 (H, W, C), perhaps read-only."""
    channels, height, width = shape
    resized = resize_image(image, (width, height), mode)
    return np.asarray(resized if channels == 3 else resized.convert("L")).reshape(height, width, channels)


def _channels_first(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def read_preview(path: Path, side: int) -> Pixels:
    """The whole image, upright, as uint8 (3, h, w) with at most `side` pixels a side. Raises DataError."""
    try:
        with _open(path) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError("it has too many pixels")
            image.draft(None, (2 * side, 2 * side))
            return preview_of(to_rgb(ImageOps.exif_transpose(image)), side)
    except Exception as error:  # as in read_pixels
        raise DataError(f"{path} cannot be read as an image: {_reason(error, path)}.") from error


def rgb_image(pixels: Pixels) -> Image.Image:
    """uint8 (C, h, w) with 1 or 3 channels as an RGB image."""
    rgb = np.repeat(pixels, 3, axis=0) if len(pixels) == 1 else pixels
    return Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))


def preview_of(image: Image.Image, side: int) -> Pixels:
    """An RGB image as uint8 (3, h, w), with at most `side` pixels a side."""
    reduced = image.copy()
    reduced.thumbnail((side, side), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(reduced).transpose(2, 0, 1))


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of the upright image, reading only the file's header. Raises DataError."""
    try:
        with _open(path) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _ROTATED_90:
                return height, width
            return width, height
    except Exception as error:  # as in read_pixels
        raise DataError(f"{path} cannot be read as an image: {_reason(error, path)}.") from error


def describe_file(path: Path) -> tuple[tuple[int, int], str, str, int]:
    """((width, height) as stored, mode such as RGB, format such as JPEG, bytes), from the file's header.

    Raises DataError.
    """
    try:
        with _open(path) as image:
            return image.size, image.mode, image.format or "", path.stat().st_size
    except Exception as error:  # as in read_pixels
        raise DataError(f"{path} cannot be read as an image: {_reason(error, path)}.") from error


def resize_image(image: Image.Image, size: tuple[int, int], mode: ResizeMode = "fill") -> Image.Image:
    """`image` at `size` (width, height), resized with antialiasing.

    Another aspect ratio is center-cropped ("fill"), padded with black ("fit"), or distorted ("stretch").
    """
    if image.size == size:
        return image
    if mode == "stretch":
        return image.resize(size, Image.Resampling.BICUBIC)
    if mode == "fit":
        return _padded(image, size)
    scale = min(image.width / size[0], image.height / size[1])
    # Rounding can make a margin less than 0 by the last digit, which Pillow refuses.
    margin_x, margin_y = (
        max((whole - part * scale) / 2, 0.0) for whole, part in zip(image.size, size, strict=True)
    )
    box = (margin_x, margin_y, image.width - margin_x, image.height - margin_y)
    return image.resize(size, Image.Resampling.BICUBIC, box=box)


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The whole image in the middle of a black one: `ImageOps.pad`, which fails for very long images."""
    width, height = size
    if image.width * height > image.height * width:
        height = max(round(image.height / image.width * width), 1)
    else:
        width = max(round(image.width / image.height * height), 1)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    padded = Image.new(image.mode, size)
    padded.paste(resized, (round((size[0] - width) * 0.5), round((size[1] - height) * 0.5)))
    return padded


def to_rgb(image: Image.Image) -> Image.Image:
    """`image` of any mode as 8-bit RGB: transparent areas become white, 16-bit gray is scaled to 8 bits."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_gray(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


@cache
def optional_formats() -> frozenset[str]:
    """Those of AVIF and HEIC that this installation reads; HEIC by the optional package pi-heif."""
    Image.init()
    found = {"AVIF"} if _OPTIONAL_FORMATS["AVIF"] in Image.OPEN else set()
    with suppress(ImportError):
        importlib.import_module("pi_heif").register_heif_opener()
        found.add("HEIC")
    return frozenset(found)


def _formats() -> tuple[str, ...]:
    return (*_FORMATS, *(_OPTIONAL_FORMATS[name] for name in optional_formats()))


def has_image_signature(path: Path) -> bool:
    """Whether the file begins like an image, whatever it is called. Files that cannot be read do not."""
    try:
        with open_regular(path, _MAX_BYTES) as file:
            start = file.read(12) or b""
    except OSError:
        return False
    return start.startswith(_SIGNATURES) and (not start.startswith(b"RIFF") or start.endswith(b"WEBP"))


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    # Loads all of Pillow's format plugins. Pillow loads most of them only after the first few have failed to
    # read a file, which does not happen if formats are requested by name.
    Image.init()
    with open_regular(path, _MAX_BYTES) as file, Image.open(file, formats=_formats()) as image:
        yield image


def _unread_format(path: Path) -> str:
    """What reads a file in a format that needs another package; empty if it is in no such format."""
    try:
        with open_regular(path, _MAX_BYTES) as file:
            start = file.read(12) or b""
    except OSError:
        return ""
    if start[4:8] != b"ftyp" or start[8:] not in _HEIC_BRANDS or "HEIC" in optional_formats():
        return ""
    return "it is a HEIC image: install the package pi-heif, or save it as JPEG"


def _from_deep_gray(image: Image.Image) -> Image.Image:
    """Scales 16-bit, 32-bit and floating-point gray to 8 bits; Pillow would clip everything above 255.

    NaN and infinity become black here, so that no later step has to deal with them.
    """
    values: npt.NDArray[np.floating[Any]] = np.asarray(image).astype(np.float32)
    values = np.where(np.isfinite(values), values, 0)
    highest = values.max(initial=0)
    if image.mode == "F" and highest <= 1:
        values = values * 255
    elif image.mode.startswith("I;16") or highest > 255:
        values = values / 257
    return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8)).convert("RGB")


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels"
    if isinstance(error, UnidentifiedImageError):
        return _unread_format(path) or "it is damaged or in an unknown format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().rstrip(".") or type(error).__name__
