"""Residual: a shortcut connection around the layers inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from cnnstudio.core.parameters import choice
from cnnstudio.layers.activations import (
    activation_choice,
    activation_from_pytorch,
    build_activation,
    keras_activation_layers,
    pytorch_activation_code,
)
from cnnstudio.layers.base import Fix, Group, Layer, SetParameters, SetParametersInside, Shape, ShapeError
from cnnstudio.layers.code import Arguments, Call, Signatures, UnsupportedCall
from cnnstudio.layers.helpers import load_helper
from cnnstudio.layers.sliding_window import pair_code

if TYPE_CHECKING:
    from torch import nn

_HELPER = '''
class Residual(nn.Module):
    """activation(body(x) + shortcut(x)); without a shortcut module, x itself is added."""

    def __init__(self, body, shortcut=None, activation=None):
        super().__init__()
        self.body = body
        self.shortcut = shortcut or nn.Identity()
        self.activation = activation or nn.Identity()

    def forward(self, x):
        return self.activation(self.body(x) + self.shortcut(x))
'''


@dataclass(frozen=True)
class Residual(Group):
    """activation(body(x) + shortcut(x)).

    From He et al. 2015, Deep Residual Learning for Image Recognition; "projection" is their option B, a 1 × 1
    convolution with batch normalization.
    """

    description: ClassVar[str] = "Adds its input to the output of the layers inside it."
    usage_hint: ClassVar[str] = "Use it to train deep networks: the shortcut passes the gradient through."
    has_shortcut: ClassVar[bool] = True

    shortcut: str = choice(
        "identity",
        ("identity", "projection"),
        help="“projection” matches the shapes with a 1 × 1 convolution",
    )
    activation: str = activation_choice("relu", help="function applied to the sum")

    pytorch_helper: ClassVar[str] = _HELPER
    pytorch_calls: ClassVar[Signatures] = {"Residual": "body, shortcut=None, activation=None"}

    def summary(self) -> str:
        text = "adds its input" if self.shortcut == "identity" else "adds its projected input"
        return text if self.activation == "linear" else f"{text}, {self.activation}"

    def group_output_shape(self, shape: Shape, body_outputs: Sequence[Shape]) -> Shape:
        (body,) = body_outputs
        if self.shortcut == "projection" or shape == body:
            self._projection_strides(shape, body)
            return body
        raise ShapeError(
            f"cannot add its input ({shape}{{source}}) to the output of its layers ({body})",
            self._fix(shape, body),
            assumed=body,
            why="The shortcut adds the two element by element, so both need the same shape.",
        )

    def _fix(self, shape: Shape, body: Shape) -> Fix | None:
        try:
            self._projection_strides(shape, body)
        except ShapeError as error:
            return error.fix
        return SetParameters({"shortcut": "projection"}, "set shortcut to projection")

    def _projection_strides(self, shape: Shape, body: Shape) -> tuple[int, int]:
        """Strides of the 1 × 1 convolution from `shape` to `body`. Raises ShapeError if there are none."""
        if shape.is_flat and body.is_flat:
            return 1, 1
        if shape.is_image and body.is_image:
            vertical = _stride(shape.height, body.height)
            horizontal = _stride(shape.width, body.width)
            if vertical and horizontal:
                return vertical, horizontal
        images = shape.is_image and body.is_image
        raise ShapeError(
            f"cannot project its input ({shape}{{source}}) to the output of its layers ({body}), "
            "because a projection can change only the channels and the stride",
            SetParametersInside({"padding": "same"}, "set padding to same inside it") if images else None,
            assumed=body,
            why="The shortcut adds the two element by element, so both need the same shape.",
        )

    def group_parameter_count(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        return (shape.channels + 2) * body_outputs[0].channels if self.shortcut == "projection" else 0

    def group_macs(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        return shape.channels * body_outputs[0].size if self.shortcut == "projection" else 0

    def group_activation_count(self, shape: Shape, body_outputs: Sequence[Shape]) -> int:
        projected = body_outputs[0].size if self.shortcut == "projection" else 0
        return body_outputs[0].size + projected

    def build_group(
        self, shape: Shape, body_outputs: Sequence[Shape], bodies: Sequence[nn.Module]
    ) -> nn.Module:
        from torch import nn

        (body_shape,), (body,) = body_outputs, bodies
        shortcut: nn.Module | None = None
        if self.shortcut == "projection" and shape.is_flat:
            shortcut = nn.Sequential(
                nn.Linear(shape.features, body_shape.features, bias=False),
                nn.BatchNorm1d(body_shape.features),
            )
        elif self.shortcut == "projection":
            strides = self._projection_strides(shape, body_shape)
            shortcut = nn.Sequential(
                nn.Conv2d(shape.channels, body_shape.channels, 1, stride=strides, bias=False),
                nn.BatchNorm2d(body_shape.channels),
            )
        activation = build_activation(self.activation)
        kind = load_helper("Residual", _HELPER)
        module: nn.Module = kind(body, shortcut, activation[0][1] if activation else None)
        return module

    def pytorch_group_code(self, shape: Shape, body_outputs: Sequence[Shape], body: str) -> str:
        (body_shape,) = body_outputs
        arguments = [body]
        if self.shortcut == "projection" and shape.is_flat:
            arguments.append(
                f"nn.Sequential(nn.Linear({shape.features}, {body_shape.features}, bias=False), "
                f"nn.BatchNorm1d({body_shape.features}))"
            )
        elif self.shortcut == "projection":
            sizes = f"{shape.channels}, {body_shape.channels}, 1"
            stride = pair_code(self._projection_strides(shape, body_shape))
            arguments.append(
                f"nn.Sequential(nn.Conv2d({sizes}, stride={stride}, bias=False), "
                f"nn.BatchNorm2d({body_shape.channels}))"
            )
        arguments += [f"activation={code}" for _, code in pytorch_activation_code(self.activation)]
        return f"Residual({', '.join(arguments)})"

    def keras_group_code(
        self,
        shape: Shape,
        body_outputs: Sequence[Shape],
        bodies: Sequence[list[str]],
        unique_name: Callable[[str], str],
    ) -> list[str]:
        (body_shape,), (body,) = body_outputs, bodies
        shortcut = unique_name("shortcut")
        lines = [f"{shortcut} = x", *body]
        if self.shortcut == "projection" and shape.is_flat:
            lines.append(f"{shortcut} = layers.Dense({body_shape.features}, use_bias=False)({shortcut})")
        elif self.shortcut == "projection":
            arguments = (
                f"{body_shape.channels}, (1, 1), strides={self._projection_strides(shape, body_shape)}"
            )
            lines.append(f"{shortcut} = layers.Conv2D({arguments}, use_bias=False)({shortcut})")
        if self.shortcut == "projection":
            lines.append(f"{shortcut} = layers.BatchNormalization(momentum=0.9, epsilon=1e-05)({shortcut})")
        # On one line: on import, an activation on a separate line is a layer after the group.
        code = f"layers.add([x, {shortcut}])"
        for activation in keras_activation_layers(self.activation):
            code = f"{activation}({code})"
        return [*lines, f"x = {code}"]

    @classmethod
    def from_branches(
        cls, mode: str, branches: Sequence[Sequence[Layer]]
    ) -> tuple[Residual, list[int]] | None:
        if mode != "add" or len(branches) != 2:
            return None
        for body, other in ((0, 1), (1, 0)):
            if not branches[other]:
                return cls("identity", "linear"), [body]
            if _is_projection(branches[other]) and not _is_projection(branches[body]):
                return cls("projection", "linear"), [body]
        return None

    @classmethod
    def from_pytorch_group(cls, call: Arguments) -> tuple[Residual, list[Any]]:
        shortcut, activation = call["shortcut"], call["activation"]
        if shortcut is not None and not _is_module_projection(shortcut):
            raise UnsupportedCall("has a shortcut that is not a projection")
        name = activation_from_pytorch(activation) if isinstance(activation, Call) else "linear"
        return cls("projection" if shortcut else "identity", name or "linear"), [call["body"]]


def _stride(size: int, target: int) -> int | None:
    """The stride at which a 1 × 1 convolution turns `size` pixels into `target`; None if there is none."""
    return next((stride for stride in range(1, size + 1) if (size - 1) // stride + 1 == target), None)


def _is_projection(row: Sequence[Layer]) -> bool:
    """Whether these layers are a projection as `keras_group_code` writes it."""
    from cnnstudio.layers.catalog import layer_type

    if len(row) != 2:
        return False
    first, last = row
    norm = layer_type("BatchNormalization")(momentum=0.9, epsilon=1e-05)  # type: ignore[call-arg]  # its own fields
    flat = layer_type("Dense")().with_values({"units": getattr(first, "units", 1), "use_bias": False})
    image = layer_type("Conv2D")().with_values(
        {
            "filters": getattr(first, "filters", 1),
            "kernel_size": (1, 1),
            "strides": getattr(first, "strides", (1, 1)),
            "use_bias": False,
        }
    )
    return last == norm and first in (flat, image)


def _is_module_projection(shortcut: Any) -> bool:
    """Whether this value of PyTorch code is a projection as `pytorch_group_code` writes it."""
    parts = list(shortcut.positional) if isinstance(shortcut, Call) else []
    names = [part.name for part in parts if isinstance(part, Call)]
    return names in (["Conv2d", "BatchNorm2d"], ["Linear", "BatchNorm1d"])
