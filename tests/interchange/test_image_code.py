"""The code that others run reads image files as the program does, whatever is in them."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnstudio.data.images.image_files import ResizeMode, read_pixels
from cnnstudio.export.examples import onnx_example
from cnnstudio.interchange.pytorch.writer import write_module
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from tests.training.networks import network


def noise(*shape: int, high: int = 256, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def transparent(mode: str) -> Image.Image:
    image = Image.fromarray(noise(40, 30, 3)).convert(mode)
    image.putalpha(Image.fromarray(noise(40, 30)))
    return image


def palette(path: Path) -> None:
    Image.fromarray(noise(40, 30, 3)).quantize(16).save(path, transparency=3)


def rotated(path: Path) -> None:
    image = Image.fromarray(noise(300, 200, 3))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)


def big_endian(path: Path) -> None:
    values = noise(40, 30, high=65536, dtype=np.uint16).astype(">u2")
    Image.frombytes("I;16B", (30, 40), values.tobytes()).save(path)


KINDS: dict[str, Callable[[Path], None]] = {
    "large.jpg": lambda path: Image.fromarray(noise(900, 700, 3)).save(path),
    "rotated.jpg": rotated,
    "cmyk.jpg": lambda path: Image.fromarray(noise(40, 30, 3)).convert("CMYK").save(path),
    "transparent.png": lambda path: transparent("RGBA").save(path),
    "transparent-gray.png": lambda path: transparent("LA").save(path),
    "palette.png": palette,
    # Of an RGB image, the program shows what is below a transparent color.
    "transparent-color.png": lambda path: Image.new("RGB", (40, 30), "red").save(
        path, transparency=(255, 0, 0)
    ),
    "gray.png": lambda path: Image.fromarray(noise(40, 30)).save(path),
    "deep.png": lambda path: Image.fromarray(noise(40, 30, high=65536, dtype=np.uint16)).save(path),
    "deep-big-endian.tif": big_endian,
    "deep-dark.tif": lambda path: Image.fromarray(noise(40, 30, high=200, dtype=np.uint16)).save(path),
    "integers.tif": lambda path: Image.fromarray(noise(40, 30, high=200, dtype=np.int32)).save(path),
    "float.tif": lambda path: Image.fromarray((noise(40, 30) / 255).astype(np.float32)).save(path),
    "one.png": lambda path: Image.new("RGB", (1, 1), (200, 30, 30)).save(path),
    "wide.png": lambda path: Image.fromarray(noise(2, 300, 3)).save(path),
    "tall.bmp": lambda path: Image.fromarray(noise(300, 2, 3)).save(path),
    "same.png": lambda path: Image.fromarray(noise(10, 12, 3)).save(path),
}


@pytest.mark.parametrize("resize", ["fill", "fit", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_the_programs_own(channels: int, resize: ResizeMode, tmp_path: Path) -> None:
    shape = (channels, 10, 12)
    source = write_module(network(Flatten(), Dense(2), input=Shape.of(*shape)), resize=resize)
    (tmp_path / "model.py").write_text(source)
    read_image = runpy.run_path(str(tmp_path / "model.py"))["read_image"]
    for name, save in KINDS.items():
        save(tmp_path / name)
        found = np.round(read_image(tmp_path / name)[0].numpy() * 255).astype(np.uint8)
        np.testing.assert_array_equal(found, read_pixels(tmp_path / name, shape, resize), err_msg=name)
    # The code to copy for ONNX has the same lines.
    opening = source.partition("    channels, height, width = INPUT\n")[2].partition("    pixels =")[0]
    assert opening.count("\n") >= 6
    assert opening in onnx_example(tmp_path / "model.onnx", resize)
