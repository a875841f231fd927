"""Image files of all formats become upright RGB or grayscale arrays, broken ones an error."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnstudio.data.dataset import RESIZE_MODES, DataError, ResizeMode
from cnnstudio.data.images.image_files import (
    image_size,
    read_pixels,
    resize_image,
    silence_pillow_warnings,
)
from cnnstudio.design.templates import template
from cnnstudio.interchange.pytorch.writer import write_module


def halves(mode: str, dark: object, bright: object, size: tuple[int, int] = (8, 6)) -> Image.Image:
    """An image whose left half has one color and its right half another."""
    image = Image.new(mode, size, dark)  # type: ignore[arg-type]  # colors of all modes
    image.paste(bright, (size[0] // 2, 0, *size))  # type: ignore[arg-type]
    return image


@pytest.mark.parametrize(
    ("mode", "dark", "bright", "name", "left", "right"),
    [
        ("RGB", (10, 20, 30), (200, 210, 220), "a.png", (10, 20, 30), (200, 210, 220)),
        ("L", 10, 200, "a.png", (10, 10, 10), (200, 200, 200)),
        ("1", 0, 1, "a.png", (0, 0, 0), (255, 255, 255)),
        ("LA", (10, 255), (10, 0), "a.png", (10, 10, 10), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30, 0), "a.png", (10, 20, 30), (255, 255, 255)),
        ("I;16", 0, 65535, "a.png", (0, 0, 0), (255, 255, 255)),
        ("I;16", 257 * 10, 257 * 200, "a.tif", (10, 10, 10), (200, 200, 200)),
        ("I", 257 * 10, 257 * 200, "a.tif", (10, 10, 10), (200, 200, 200)),
        ("F", 0.0, 1.0, "a.tif", (0, 0, 0), (255, 255, 255)),
        ("F", 10.0, 200.0, "a.tif", (10, 10, 10), (200, 200, 200)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0, 0), "a.tif", (0, 0, 0), (255, 255, 255)),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0, 0), "a.jpg", (0, 0, 0), (255, 255, 255)),
        ("YCbCr", (0, 128, 128), (255, 128, 128), "a.jpg", (0, 0, 0), (255, 255, 255)),
    ],
)
def test_every_mode_keeps_its_colors(
    tmp_path: Path,
    mode: str,
    dark: object,
    bright: object,
    name: str,
    left: tuple[int, ...],
    right: tuple[int, ...],
) -> None:
    halves(mode, dark, bright).save(tmp_path / name)
    pixels = read_pixels(tmp_path / name, (3, 6, 8))
    assert pixels.shape == (3, 6, 8)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[:, 3, 0], left, atol=3)
    np.testing.assert_allclose(pixels[:, 3, 7], right, atol=3)


def test_a_palette_with_a_transparent_color_shows_white_there(tmp_path: Path) -> None:
    image = halves("P", 0, 1)
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.save(tmp_path / "a.gif", transparency=1)
    pixels = read_pixels(tmp_path / "a.gif", (3, 6, 8))
    assert pixels[:, 0, 0].tolist() == [10, 20, 30]
    assert pixels[:, 0, 7].tolist() == [255, 255, 255]


def test_nan_and_infinity_become_black_and_change_nothing_else(tmp_path: Path) -> None:
    values = np.array([[0.0, 1.0], [np.nan, np.inf], [-np.inf, 0.5]], np.float32)
    Image.fromarray(values).save(tmp_path / "float.tif")
    found = read_pixels(tmp_path / "float.tif", (1, 3, 2))
    assert found.dtype == np.uint8
    assert found[0].tolist() == [[0, 255], [0, 0], [0, 128]]


def test_grayscale_is_returned_on_request(tmp_path: Path) -> None:
    halves("RGB", (0, 0, 0), (255, 0, 0)).save(tmp_path / "a.png")
    pixels = read_pixels(tmp_path / "a.png", (1, 6, 8))
    assert pixels.shape == (1, 6, 8)
    assert pixels[0, 0].tolist() == [0] * 4 + [76] * 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((6, 10, 3), np.uint8)
    upright[:3, :5], upright[:3, 5:], upright[3:, :5] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    turns = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](upright)))
    stored.save(tmp_path / "a.png", exif=exif)
    assert image_size(tmp_path / "a.png") == (10, 6)
    assert np.array_equal(read_pixels(tmp_path / "a.png", (3, 6, 10)).transpose(1, 2, 0), upright)


def test_another_aspect_ratio_is_cropped_not_squeezed(tmp_path: Path) -> None:
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert (read_pixels(tmp_path / "a.png", (3, 10, 10)).mean(axis=(0, 1))[1:-1] == 255).all()


def test_a_large_jpeg_keeps_its_content(tmp_path: Path) -> None:
    halves("RGB", (20, 20, 20), (230, 100, 50), (1600, 1200)).save(tmp_path / "a.jpg")
    pixels = read_pixels(tmp_path / "a.jpg", (3, 24, 32))
    np.testing.assert_allclose(pixels[:, 12, 2], (20, 20, 20), atol=4)
    np.testing.assert_allclose(pixels[:, 12, 29], (230, 100, 50), atol=4)


def png_that_claims(width: int, height: int) -> bytes:
    """A valid PNG header with almost no data after it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_decompression_bomb_is_not_decoded(tmp_path: Path, side: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png_that_claims(side, side))
    with (
        silence_pillow_warnings(),
        pytest.raises(DataError, match=r"bomb\.png cannot be read as an image: it has too many pixels"),
    ):
        read_pixels(tmp_path / "bomb.png", (3, 8, 8))


def broken_files() -> dict[str, bytes]:
    jpeg = Path("whole.jpg")
    return {
        "empty.jpg": b"",
        "text.png": b"this is not an image",
        "claims.png": png_that_claims(50, 50),
        str(jpeg): b"\xff\xd8\xff\xe0\x00\x10JFIF",
        "program.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    }


@pytest.mark.parametrize("name", broken_files())
def test_a_broken_file_is_reported_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(broken_files()[name])
    with (
        silence_pillow_warnings(),
        pytest.raises(DataError, match=r"cannot be read as an image: .+\.$") as error,
    ):
        read_pixels(tmp_path / name, (3, 8, 8))
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_truncated_jpeg_is_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated"):
        read_pixels(tmp_path / "a.jpg", (3, 64, 64))


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_pixels(tmp_path / "a.jpg", (3, 8, 8))
    with pytest.raises(DataError, match="No such file"):
        image_size(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("fill", [100, 100, 100, 100]),
        ("fit", [0, 100, 100, 0]),
        ("stretch", [50, 100, 100, 50]),
    ],
)
def test_another_shape_is_cropped_padded_or_distorted(
    tmp_path: Path, mode: ResizeMode, row: list[int]
) -> None:
    # Twice as high as wide: 100, between stripes of 50 at the top and at the bottom.
    tall = np.full((16, 8), 50, np.uint8)
    tall[4:12] = 100
    Image.fromarray(tall.T if mode == "stretch" else tall).save(tmp_path / "a.png")
    pixels = read_pixels(tmp_path / "a.png", (1, 4, 4), mode)[0]
    assert np.abs(pixels[2].astype(int) - row).max() <= 12


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("size", [(37, 16), (11, 30), (8, 8)])
def test_an_exported_file_reads_images_as_the_program_does(
    tmp_path: Path, mode: ResizeMode, size: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    names: dict[str, Any] = {}
    exec(write_module(template("lesson-32").network, resize=mode), names)  # our own code
    exported = names["read_image"](tmp_path / "a.png")[0].numpy() * 255
    assert np.array_equal(np.rint(exported), read_pixels(tmp_path / "a.png", (3, 32, 32), mode))


def test_no_size_is_refused_because_of_rounding() -> None:
    """59 × 64 at 57 × 57 leaves a margin of 0, which rounding makes -7e-15."""
    for height in range(40, 80):
        image = Image.new("RGB", (64, height))
        for side in (57, 58):
            assert resize_image(image, (side, side)).size == (side, side)
