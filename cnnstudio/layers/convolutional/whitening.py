"""Whitening: a frozen convolution that gives the patches of images equal spread in every direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import flag, number, pair
from cnnstudio.layers.base import Family, Layer, Pieces, SetParameters, Shape, ShapeError, Window
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.helpers import helper
from cnnstudio.layers.shape import times
from cnnstudio.layers.sliding_window import as_code, require_image

MAXIMUM_PATCH = 1024
"""Numbers in one patch. Its directions take the third power of that to find, a second for so many."""

_HELPER = '''
class Whitening(nn.Conv2d):
    """Gives the patches of images equal spread in every direction. `take_images` sets the weights."""

    def __init__(self, channels, kernel_size, epsilon=0.0005, bias=True):
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        super().__init__(channels, 2 * channels * size[0] * size[1], size, bias=bias)
        self.epsilon = epsilon
        self.weight.requires_grad_(False)
        if bias:
            nn.init.zeros_(self.bias)

    @torch.no_grad()
    def take_images(self, batches):
        """Call it once, before the training, with batches of inputs of this layer, (N, C, H, W)."""
        total, count = 0, 0
        for images in batches:
            patches = nn.functional.unfold(images, self.kernel_size).mT.flatten(0, 1)
            total = total + (patches.T @ patches).cpu().double()
            count += len(patches)
        spreads, directions = torch.linalg.eigh(total / count)
        rows = (directions / (spreads.clamp(min=0) + self.epsilon).sqrt()).T.flip(0)
        self.weight.copy_(torch.cat([rows, -rows]).view_as(self.weight))
'''

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class Whitening(layers.Layer):
    """Gives the patches of images equal spread in every direction. `take_images` sets the weights."""

    def __init__(self, kernel_size=(2, 2), epsilon=0.0005, use_bias=True, **options):
        super().__init__(**options)
        self.kernel_size = tuple(kernel_size)
        self.epsilon = epsilon
        self.use_bias = use_bias

    def build(self, shape):
        height, width = self.kernel_size
        count = 2 * height * width * shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(height, width, shape[-1], count), trainable=False)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(count,), initializer="zeros")

    def call(self, x):
        x = keras.ops.conv(x, self.kernel)
        return x + self.bias if self.use_bias else x

    def take_images(self, batches):
        """Call it once, before the training, with batches of its inputs, (N, height, width, channels)."""
        import numpy as np

        height, width = self.kernel_size
        channels, total, count = self.kernel.shape[2], 0, 0
        for images in batches:
            windows = np.lib.stride_tricks.sliding_window_view(images, self.kernel_size, axis=(1, 2))
            patches = windows.reshape(-1, channels * height * width)
            total = total + patches.T @ patches
            count += len(patches)
        spreads, directions = np.linalg.eigh(total / count)
        columns = (directions / np.sqrt(spreads.clip(0) + self.epsilon))[:, ::-1]
        columns = np.concatenate([columns, -columns], axis=1)
        self.kernel.assign(columns.reshape(channels, height, width, -1).transpose(1, 2, 0, 3))

    def get_config(self):
        own = {"kernel_size": self.kernel_size, "epsilon": self.epsilon, "use_bias": self.use_bias}
        return {**super().get_config(), **own}
'''


@dataclass(frozen=True)
class Whitening(Layer):
    """A convolution whose filters are the eigenvectors of the patches' second moments, and their negatives.

    Each filter is divided by sqrt(eigenvalue + epsilon). The weights come from the training images before
    the first step and stay as they are; only the bias learns. After Page 2018, How to Train Your ResNet, and
    Jordan 2024, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, section 3.2.
    """

    family: ClassVar[Family] = Family.ACTIVATION
    description: ClassVar[str] = "Takes small patches apart so that no two of its feature maps say the same."
    advice: ClassVar[str] = "Use it as the very first layer, where a network has to learn in few epochs."
    order: ClassVar[int] = 6

    kernel_size: tuple[int, int] = pair((2, 2), maximum=32, help="height × width of a patch in pixels")
    epsilon: float = number(0.0005, minimum=1e-12, maximum=1.0, help="keeps rare patches from growing large")
    use_bias: bool = flag(True, label="Bias", help="a trained number added to each feature map")

    pytorch_helper: ClassVar[str] = _HELPER
    keras_helper: ClassVar[str] = _KERAS_HELPER

    pytorch_calls: ClassVar[Signatures] = {
        "Whitening": "channels, kernel_size, epsilon=0.0005, bias=True",
    }

    def summary(self) -> str:
        return f"patches {times(self.kernel_size)}"

    def _patch(self, shape: Shape) -> int:
        return shape.channels * self.kernel_size[0] * self.kernel_size[1]

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        height, width = self.kernel_size
        if shape.height < height or shape.width < width:
            smaller = min(height, shape.height), min(width, shape.width)
            raise ShapeError(
                f"needs an image of at least {times(self.kernel_size)}, "
                f"but gets {shape.height} × {shape.width}{{source}}",
                SetParameters({"kernel_size": smaller}, f"set the kernel size to {times(smaller)}"),
                why="It looks at whole patches of the image, and not one of them fits in.",
            )
        output = Shape.of(2 * self._patch(shape), shape.height - height + 1, shape.width - width + 1)
        if self._patch(shape) > MAXIMUM_PATCH:
            single = SetParameters({"kernel_size": (1, 1)}, "set the kernel size to 1 × 1")
            raise ShapeError(
                f"would take patches of {self._patch(shape):,} numbers apart, {times(self.kernel_size)} "
                f"pixels of {shape.channels:,} channels{{source}}; at most {MAXIMUM_PATCH:,} are possible",
                single if shape.channels <= MAXIMUM_PATCH else None,
                assumed=output,
                why="It compares each number of a patch with each other one, which grows with the square.",
            )
        return output

    def parameter_count(self, shape: Shape) -> int:
        return 2 * self._patch(shape) if self.use_bias else 0

    def macs(self, shape: Shape) -> int:
        return self._patch(shape) * self.output_shape(shape).size

    def window(self, shape: Shape) -> Window:
        return Window(self.kernel_size)

    def build(self, shape: Shape) -> Pieces:
        kind = helper("Whitening", _HELPER)
        return [("", kind(shape.channels, self.kernel_size, self.epsilon, self.use_bias))]

    def pytorch(self, shape: Shape) -> list[tuple[str, str]]:
        bias = "" if self.use_bias else ", bias=False"
        sizes = f"{shape.channels}, kernel_size={as_code(self.kernel_size)}"
        return [("", f"Whitening({sizes}, epsilon={self.epsilon!r}{bias})")]

    def keras(self, shape: Shape) -> list[str]:
        bias = "" if self.use_bias else ", use_bias=False"
        return [f"Whitening({self.kernel_size}, epsilon={self.epsilon!r}{bias})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["Whitening"])
        yield cls(kernel_size=call["kernel_size"], epsilon=call["epsilon"], use_bias=call["bias"])
