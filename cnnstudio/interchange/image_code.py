"""Python code that reads an image file as this program does, for files and examples that others run."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from types import MappingProxyType

TO_RGB = '''
def to_rgb(image):
    """An image of any mode as 8-bit RGB: transparent areas become white, deeper grays are scaled."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        values = image.convert("F")
        highest = values.getextrema()[1]
        if image.mode == "F" and highest <= 1:
            scale = 255
        else:
            scale = 1 / 257 if highest > 255 or image.mode.startswith("I;16") else 1
        image = values.point(lambda value: value * scale + 0.5).convert("L")
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
'''.strip()
"""A function, which needs Pillow's Image."""

_RESIZED: Mapping[str, str] = MappingProxyType(
    {
        "fill": "image = ImageOps.fit(image, (width, height), Image.Resampling.BICUBIC)",
        # As ImageOps.pad, which fails for very long images.
        "fit": """\
if image.width * height > image.height * width:
    size = width, max(round(image.height / image.width * width), 1)
else:
    size = max(round(image.width / image.height * height), 1), height
whole = image.resize(size, Image.Resampling.BICUBIC)
image = Image.new("RGB", (width, height))
image.paste(whole, (round((width - size[0]) * 0.5), round((height - size[1]) * 0.5)))""",
        "stretch": "image = image.resize((width, height), Image.Resampling.BICUBIC)",
    }
)
"""How an image of another shape is brought to the size of the input, as in training."""

_OPENED = """\
with Image.open(path) as image:
    # A large JPEG is decoded at a part of its size.
    image.draft(None, (2 * max(width, height), 2 * max(width, height)))
    image = to_rgb(ImageOps.exif_transpose(image))
RESIZED
    image = image.convert("L" if channels == 1 else "RGB")"""


def opening_code(resize: str) -> str:
    """Lines of a function that open `path` as `image`, an RGB or gray image of the input's size.

    They need TO_RGB, Pillow's Image and ImageOps, and channels, height and width of the input. `resize`
    (fill, fit, stretch) is how images of another shape are brought to it.
    """
    return indent(_OPENED.replace("RESIZED", indent(_RESIZED[resize], "    ")), "    ")
