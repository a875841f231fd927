"""What happens to training images by chance, as a value. `batches` does it."""

from __future__ import annotations

from dataclasses import dataclass

FLIPS = ("off", "random", "alternating")
BORDERS = ("reflect", "zero")


@dataclass(frozen=True)
class Augmentation:
    """Nothing happens where nothing is said. Each image meets its own chance."""

    flip: str = "off"
    """random: each image is mirrored left to right in half of the epochs, by chance. alternating: in every
    other epoch, half of the images beginning with the first (Jordan 2024, section 3.6 of airbench)."""
    shift: int = 0
    """Pixels that an image moves at most, each way."""
    shift_border: str = "reflect"
    """What comes in at the side: the image's mirror image, or black."""
    crop: float = 0.0
    """Share of width and height that is cut away at most; the rest is enlarged to the image's size."""
    cutout: int = 0
    """Side in pixels of a square that is painted over with the mean color (DeVries and Taylor 2017)."""
    brightness: float = 0.0
    """Each factor lies between 1 - x and 1 + x, as torchvision's ColorJitter has it."""
    contrast: float = 0.0
    saturation: float = 0.0
    mixup: float = 0.0
    """Alpha of the Beta distribution by which two images are mixed; 0 for off (Zhang et al. 2018)."""
    cutmix: float = 0.0
    """The same for a rectangle out of another image (Yun et al. 2019). With both on, each image gets one
    of the two by chance."""

    @property
    def moves(self) -> bool:
        """Whether whole pixels change places."""
        return self.flip != "off" or self.shift > 0

    @property
    def colors(self) -> bool:
        """Whether colors change."""
        return self.brightness > 0 or self.contrast > 0 or self.saturation > 0

    @property
    def mixes(self) -> bool:
        """Whether images are mixed, so that their labels are shares of classes."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def changes_pixels(self) -> bool:
        """Whether more happens than that pixels change places."""
        return self.colors or self.crop > 0 or self.cutout > 0 or self.mixes


UNCHANGED = Augmentation()
