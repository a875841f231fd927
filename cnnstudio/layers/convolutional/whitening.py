"""Whitening: a frozen convolution whose outputs are decorrelated and have equal variance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from cnnstudio.core.parameters import flag, number, pair
from cnnstudio.layers.base import (
    Family,
    Layer,
    NamedModules,
    ReceptiveField,
    SetParameters,
    Shape,
    ShapeError,
)
from cnnstudio.layers.code import Arguments, Call, Signatures
from cnnstudio.layers.helpers import load_helper
from cnnstudio.layers.shape import format_sizes
from cnnstudio.layers.sliding_window import pair_code, require_image

MAXIMUM_PATCH = 1024
"""Values per patch. The eigendecomposition is cubic in their number and takes about a second at the limit."""

_HELPER = '''
class Whitening(nn.Conv2d):
    """Decorrelates image patches and equalizes their variances. `initialize_from` sets the weights."""

    def __init__(self, channels, kernel_size, epsilon=0.0005, bias=True):
        size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        super().__init__(channels, 2 * channels * size[0] * size[1], size, bias=bias)
        self.epsilon = epsilon
        self.weight.requires_grad_(False)
        if bias:
            nn.init.zeros_(self.bias)

    @torch.no_grad()
    def initialize_from(self, batches):
        """Sets the weights from batches of inputs, (N, C, H, W). Call it once, before training."""
        total, count = 0, 0
        for images in batches:
            patches = nn.functional.unfold(images, self.kernel_size).mT.flatten(0, 1)
            total = total + (patches.T @ patches).cpu().double()
            count += len(patches)
        variances, directions = torch.linalg.eigh(total / count)
        rows = (directions / (variances.clamp(min=0) + self.epsilon).sqrt()).T.flip(0)
        self.weight.copy_(torch.cat([rows, -rows]).view_as(self.weight))
'''

_KERAS_HELPER = '''
@keras.saving.register_keras_serializable()
class Whitening(layers.Layer):
    """Decorrelates image patches and equalizes their variances. `initialize_from` sets the weights."""

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

    def initialize_from(self, batches):
        """Sets the weights from batches of inputs, (N, H, W, C). Call it once, before training."""
        import numpy as np

        height, width = self.kernel_size
        channels, total, count = self.kernel.shape[2], 0, 0
        for images in batches:
            windows = np.lib.stride_tricks.sliding_window_view(images, self.kernel_size, axis=(1, 2))
            patches = windows.reshape(-1, channels * height * width)
            total = total + patches.T @ patches
            count += len(patches)
        variances, directions = np.linalg.eigh(total / count)
        columns = (directions / np.sqrt(variances.clip(0) + self.epsilon))[:, ::-1]
        columns = np.concatenate([columns, -columns], axis=1)
        self.kernel.assign(columns.reshape(channels, height, width, -1).transpose(1, 2, 0, 3))

    def get_config(self):
        options = {"kernel_size": self.kernel_size, "epsilon": self.epsilon, "use_bias": self.use_bias}
        return {**super().get_config(), **options}
'''


@dataclass(frozen=True)
class Whitening(Layer):
    """A convolution whose filters are scaled eigenvectors of the patches' second moments, and the negatives.

    With the (uncentered) second moments E[x xᵀ] = Σ λ v vᵀ of the patches x, the filters are v / sqrt(λ +
    epsilon), largest λ first. The negatives keep what a relu after the layer would cut off. The weights are
    computed from training images before the first step and stay frozen; only the bias is trained.

    From Page 2018, How to Train Your ResNet, part 8; the negatives and the trainable bias from Jordan 2024,
    94% on CIFAR-10 in 3.29 Seconds on a Single GPU, section 3.2.
    """

    family: ClassVar[Family] = Family.ACTIVATION
    description: ClassVar[str] = "Converts small image patches into feature maps that are uncorrelated."
    usage_hint: ClassVar[str] = "Use it as the first layer when a network has to learn in a few epochs."
    order: ClassVar[int] = 6

    kernel_size: tuple[int, int] = pair((2, 2), maximum=32, help="height × width of a patch in pixels")
    epsilon: float = number(
        0.0005, minimum=1e-12, maximum=1.0, help="limits how much rare patterns are amplified"
    )
    use_bias: bool = flag(True, label="Bias", help="a trainable offset for each feature map")

    pytorch_helper: ClassVar[str] = _HELPER
    keras_helper: ClassVar[str] = _KERAS_HELPER

    pytorch_calls: ClassVar[Signatures] = {
        "Whitening": "channels, kernel_size, epsilon=0.0005, bias=True",
    }

    def summary(self) -> str:
        return f"patches {format_sizes(self.kernel_size)}"

    def _patch_size(self, shape: Shape) -> int:
        return shape.channels * self.kernel_size[0] * self.kernel_size[1]

    def output_shape(self, shape: Shape) -> Shape:
        require_image(shape)
        height, width = self.kernel_size
        if shape.height < height or shape.width < width:
            smaller = min(height, shape.height), min(width, shape.width)
            raise ShapeError(
                f"needs an image of at least {format_sizes(self.kernel_size)}, "
                f"but gets {shape.height} × {shape.width}{{source}}",
                SetParameters({"kernel_size": smaller}, f"set kernel size to {format_sizes(smaller)}"),
                why="Its patches have to lie inside the image, and not even one fits.",
            )
        output = Shape.of(2 * self._patch_size(shape), shape.height - height + 1, shape.width - width + 1)
        if self._patch_size(shape) > MAXIMUM_PATCH:
            single = SetParameters({"kernel_size": (1, 1)}, "set kernel size to 1 × 1")
            raise ShapeError(
                f"takes patches of at most {MAXIMUM_PATCH:,} values, but gets {self._patch_size(shape):,}: "
                f"{format_sizes(self.kernel_size)} pixels of {shape.channels:,} channels{{source}}",
                single if shape.channels <= MAXIMUM_PATCH else None,
                assumed=output,
                why="It compares every pair of values in a patch, so the cost grows quadratically.",
            )
        return output

    def parameter_count(self, shape: Shape) -> int:
        return 2 * self._patch_size(shape) if self.use_bias else 0

    def macs(self, shape: Shape) -> int:
        return self._patch_size(shape) * self.output_shape(shape).size

    def receptive_field(self, shape: Shape) -> ReceptiveField:
        return ReceptiveField(self.kernel_size)

    def build(self, shape: Shape) -> NamedModules:
        kind = load_helper("Whitening", _HELPER)
        return [("", kind(shape.channels, self.kernel_size, self.epsilon, self.use_bias))]

    def pytorch_code(self, shape: Shape) -> list[tuple[str, str]]:
        bias = "" if self.use_bias else ", bias=False"
        sizes = f"{shape.channels}, kernel_size={pair_code(self.kernel_size)}"
        return [("", f"Whitening({sizes}, epsilon={self.epsilon!r}{bias})")]

    def keras_code(self, shape: Shape) -> list[str]:
        bias = "" if self.use_bias else ", use_bias=False"
        return [f"Whitening({self.kernel_size}, epsilon={self.epsilon!r}{bias})"]

    @classmethod
    def from_pytorch(cls, calls: Sequence[Call], shape: Shape) -> Iterable[Self]:
        call = Arguments(calls[0], cls.pytorch_calls["Whitening"])
        yield cls(kernel_size=call["kernel_size"], epsilon=call["epsilon"], use_bias=call["bias"])
