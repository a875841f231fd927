"""The settings of data augmentation, as a value. `batches` applies them."""

from __future__ import annotations

from dataclasses import dataclass

FLIPS = ("off", "random", "alternating")
BORDERS = ("reflect", "zero")


@dataclass(frozen=True)
class Augmentation:
    """Random changes to training images, independent for each image. By default there are none."""

    flip: str = "off"
    """random: mirrored left to right with probability 0.5. alternating: mirrored in every other epoch; half
    of the images start mirrored (Jordan 2024, section 3.6 of airbench)."""
    shift: int = 0
    """Largest shift in each direction, in pixels."""
    shift_border: str = "reflect"
    """What fills the border after a shift: the mirrored image, or black."""
    crop: float = 0.0
    """Largest fraction of width and height that is cropped; the rest is resized to the original size."""
    cutout: int = 0
    """Side in pixels of a square that is replaced by the mean color (DeVries and Taylor 2017)."""
    brightness: float = 0.0
    """As in torchvision's ColorJitter, the factor is between 1 - x and 1 + x; so for the next two."""
    contrast: float = 0.0
    saturation: float = 0.0
    mixup: float = 0.0
    """Alpha of the Beta distribution from which mixing weights are drawn; 0 is off (Zhang et al. 2018)."""
    cutmix: float = 0.0
    """The same for pasting a rectangle from another image (Yun et al. 2019). With both, each image gets one
    of the two with equal probability."""

    @property
    def moves_pixels(self) -> bool:
        """Whether pixels are moved without changing their values (flips and shifts)."""
        return self.flip != "off" or self.shift > 0

    @property
    def changes_colors(self) -> bool:
        """Whether brightness, contrast or saturation change."""
        return self.brightness > 0 or self.contrast > 0 or self.saturation > 0

    @property
    def mixes_images(self) -> bool:
        """Whether images are mixed, which makes their labels class probabilities."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def changes_values(self) -> bool:
        """Whether pixel values change, and not only their positions."""
        return self.changes_colors or self.crop > 0 or self.cutout > 0 or self.mixes_images


NO_AUGMENTATION = Augmentation()
