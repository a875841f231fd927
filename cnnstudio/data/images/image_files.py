"""Image files of all kinds as upright 8-bit RGB or gray arrays."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnstudio.data.dataset import DataError, Pixels

# Named so that no other reader is ever tried: some of Pillow's start programs (EPS calls Ghostscript).
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "TGA")
_ORIENTATION = 0x0112  # the Exif tag
_MOST_PIXELS = 90_000_000  # a small file can claim any size (a decompression bomb)
_SIDEWAYS = (5, 6, 7, 8)  # its values for images that lie on their side


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Around whatever reads many images: what Pillow warns of in a file is not printed.

    The filter holds for the whole process, not for a thread; so this goes around a pool of threads.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def read_pixels(path: Path, shape: tuple[int, int, int]) -> Pixels:
    """The sized as uint8 (C, H, W) of `shape`, upright, cut to the sides' proportion around its middle.

    C is 1 or 3. Raises DataError for a file that is no whole sized, or one of more than 90 million pixels.
    """
    channels, height, width = shape
    try:
        with _open(path) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError("it has too many pixels")
            # A JPEG is decoded at half its size or less where that is still twice as large as needed.
            image.draft(None, (2 * max(width, height), 2 * max(width, height)))
            upright = ImageOps.exif_transpose(image)
            sized = resized(to_rgb(upright), (width, height))
            pixels = np.asarray(sized if channels == 3 else sized.convert("L"))
    except Exception as error:  # damaged files make Pillow raise almost anything, SyntaxError included
        raise DataError(f"{path} cannot be read as a sized: {_reason(error)}.") from error
    return np.ascontiguousarray(pixels.reshape(height, width, channels).transpose(2, 0, 1))


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) of the upright image, from the file's head alone. Raises DataError."""
    try:
        with _open(path) as image:
            width, height = image.size
            if image.getexif().get(_ORIENTATION) in _SIDEWAYS:
                return height, width
            return width, height
    except Exception as error:  # as above
        raise DataError(f"{path} cannot be read as an image: {_reason(error)}.") from error


def resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """`image` at `size` (width, height), antialiased and undistorted: what is too long is cut off."""
    if image.size == size:
        return image
    scale = min(image.width / size[0], image.height / size[1])
    cut_x, cut_y = (image.width - size[0] * scale) / 2, (image.height - size[1] * scale) / 2
    box = (cut_x, cut_y, image.width - cut_x, image.height - cut_y)
    return image.resize(size, Image.Resampling.BICUBIC, box=box)


def to_rgb(image: Image.Image) -> Image.Image:
    """`image` of any mode as 8-bit RGB; what is transparent becomes white, 16-bit gray keeps its range."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep_gray(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _open(path: Path) -> Image.Image:
    # A format asked for by name has to be known; left alone, Pillow learns most when the first ones fail.
    Image.init()
    return Image.open(path, formats=_FORMATS)


def _from_deep_gray(image: Image.Image) -> Image.Image:
    """16-bit and floating-point gray. Pillow's own conversion would cut everything above 255 off.

    Values that are no numbers become black: none gets any further than here.
    """
    values: npt.NDArray[np.floating[Any]] = np.asarray(image).astype(np.float32)
    values = np.where(np.isfinite(values), values, 0)
    highest = values.max(initial=0)
    if image.mode == "F" and highest <= 1:
        values = values * 255
    elif image.mode.startswith("I;16") or highest > 255:
        values = values / 257
    return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8)).convert("RGB")


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels"
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged or of an unknown kind"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().rstrip(".") or type(error).__name__
