"""Kernel options: how a layer's weights are initialized, and the L2 penalty on them.

Each `…_HELPER` is the source of a function of that name, used for training and written into generated files.

Sources: glorot_uniform and glorot_normal: Glorot and Bengio 2010, Understanding the Difficulty of Training
Deep Feedforward Neural Networks. he_uniform and he_normal: He et al. 2015, Delving Deep into Rectifiers.
orthogonal: Saxe, McClelland and Ganguli 2014, Exact Solutions to the Nonlinear Dynamics of Learning. dirac:
Zagoruyko and Komodakis 2017, DiracNets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from cnnstudio.core.parameters import Choice, choice, number
from cnnstudio.layers.code import Arguments, Call, Name
from cnnstudio.layers.helpers import load_helper

if TYPE_CHECKING:
    from torch import Tensor, nn

    WeightedLayer = TypeVar("WeightedLayer", nn.Conv2d, nn.Linear)

# Keras's name -> function of torch.nn.init. They differ in one respect: Keras truncates its normal
# distributions at two standard deviations, torch does not.
_FUNCTIONS = {
    "glorot_uniform": "xavier_uniform_",
    "glorot_normal": "xavier_normal_",
    "he_uniform": "kaiming_uniform_",
    "he_normal": "kaiming_normal_",
    "orthogonal": "orthogonal_",
    "zeros": "zeros_",
}
_INITIALIZERS = ("auto", *_FUNCTIONS)

FROZEN_HELPER = '''
def frozen(layer, *names):
    """Returns the layer with the named weights excluded from training."""
    for name in names:
        getattr(layer, name).requires_grad_(False)
    return layer
'''

_INITIALIZED_HELPER = '''
def initialized(layer, fill):
    """Initializes the weights with a function of nn.init and the biases with zeros; returns the layer."""
    fill(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
'''

_DIRAC_HELPER = '''
def dirac(layer):
    """Initializes the first filters of a convolution to pass their channels through; the rest stay random."""
    for weights in layer.weight.detach().chunk(layer.groups):
        nn.init.dirac_(weights[: weights.shape[1]])
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
'''

_PENALIZED_HELPER = '''
def penalized(layer, kernel_l2):
    """Marks the layer for the training loop: add kernel_l2 * (layer.weight ** 2).sum() to the loss."""
    layer.kernel_l2 = kernel_l2
    return layer
'''

_KERAS_DIRAC_HELPER = '''
@keras.saving.register_keras_serializable()
class Dirac(keras.initializers.Initializer):
    """For convolutions: the first filters pass their channels through, the rest are random."""

    def __init__(self, groups=1):
        self.groups = groups

    def __call__(self, shape, dtype=None):
        import numpy as np

        kernel = np.array(keras.ops.convert_to_numpy(keras.initializers.GlorotUniform()(shape)))
        for group in np.split(kernel, self.groups, axis=3):
            count = min(group.shape[2:])
            group[..., :count] = 0
            group[shape[0] // 2, shape[1] // 2, range(count), range(count)] = 1
        return keras.ops.convert_to_tensor(kernel, dtype=dtype)

    def get_config(self):
        return {"groups": self.groups}
'''

_KERAS_DEPTHWISE_DIRAC_HELPER = '''
@keras.saving.register_keras_serializable()
class DepthwiseDirac(keras.initializers.Initializer):
    """For depthwise convolutions: the first filter of each channel passes it through, the rest are random."""

    def __call__(self, shape, dtype=None):
        import numpy as np

        kernel = np.array(keras.ops.convert_to_numpy(keras.initializers.GlorotUniform()(shape)))
        kernel[..., 0] = 0
        kernel[shape[0] // 2, shape[1] // 2, :, 0] = 1
        return keras.ops.convert_to_tensor(kernel, dtype=dtype)
'''


@runtime_checkable
class DataDependentInit(Protocol):
    """A module whose weights are computed from its inputs once, before training, instead of being learned."""

    def initialize_from(self, batches: Iterable[Tensor]) -> None:
        """Sets the weights from `batches`: inputs for some training images, (N, C, H, W) float32."""


class InitializerChoice(Choice):
    """A parameter for an initializer. Imported code may give a string, a function or an object."""

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        found = _initializer(value, note)
        if found in self.choices:
            return found
        note(f"the initializer {found} is for convolutions only; PyTorch's default is used instead")
        return "auto"


def initializer_choice(*, dirac: bool) -> Any:
    """A dataclass field for the initializer of a layer's weights; `dirac` is for convolutions only."""
    known = (*_INITIALIZERS, "dirac") if dirac else _INITIALIZERS
    label, help = "Initial weights", "“auto” is PyTorch's default"
    return choice("auto", known, label=label, help=help, rare=True, kind=InitializerChoice)


def l2_number() -> Any:
    """A dataclass field for the L2 penalty: the factor of the squared weights that is added to the loss."""
    return number(
        0.0,
        minimum=0.0,
        maximum=1.0,
        label="L2 penalty",
        help="penalty on large weights; not included in the loss shown",
        rare=True,
    )


def with_kernel_options(layer: WeightedLayer, initializer: str, kernel_l2: float) -> WeightedLayer:
    """The torch layer with its weights initialized and its L2 penalty set for the training loop."""
    from torch import nn

    if initializer == "dirac":
        layer = load_helper("dirac", _DIRAC_HELPER)(layer)
    elif initializer != "auto":
        fill = getattr(nn.init, _FUNCTIONS[initializer])
        layer = load_helper("initialized", _INITIALIZED_HELPER)(layer, fill)
    return load_helper("penalized", _PENALIZED_HELPER)(layer, kernel_l2) if kernel_l2 else layer


def kernel_options_code(code: str, initializer: str, kernel_l2: float) -> str:
    """`code`, an expression for a torch layer, wrapped in calls that do what `with_kernel_options` does."""
    if initializer == "dirac":
        code = f"dirac({code})"
    elif initializer != "auto":
        code = f"initialized({code}, nn.init.{_FUNCTIONS[initializer]})"
    return f"penalized({code}, kernel_l2={kernel_l2!r})" if kernel_l2 else code


def kernel_options_helpers(initializer: str, kernel_l2: float) -> tuple[str, ...]:
    """The helper sources that `kernel_options_code` needs."""
    helpers = (_PENALIZED_HELPER,) if kernel_l2 else ()
    if initializer == "auto":
        return helpers
    return (_DIRAC_HELPER if initializer == "dirac" else _INITIALIZED_HELPER, *helpers)


def keras_kernel_arguments(
    initializer: str, kernel_l2: float, kernels: Sequence[str] = ("kernel",), groups: int = 1
) -> str:
    """Arguments of a Keras layer for each of its `kernels`: `, kernel_initializer="he_normal"`."""
    arguments = ""
    for kernel in kernels:
        if initializer == "dirac":
            arguments += f", {kernel}_initializer={_keras_dirac(kernel, groups)}"
        elif initializer != "auto":
            arguments += f', {kernel}_initializer="{initializer}"'
        if kernel_l2:
            arguments += f", {kernel}_regularizer=keras.regularizers.L2({kernel_l2!r})"
    return arguments


def _keras_dirac(kernel: str, groups: int) -> str:
    if kernel == "depthwise":
        return "DepthwiseDirac()"
    return "Dirac()" if groups == 1 else f"Dirac(groups={groups})"


def keras_kernel_helpers(initializer: str, kernels: Sequence[str] = ("kernel",)) -> tuple[str, ...]:
    """The helper sources that `keras_kernel_arguments` needs."""
    if initializer != "dirac":
        return ()
    return tuple(
        _KERAS_DEPTHWISE_DIRAC_HELPER if kernel == "depthwise" else _KERAS_DIRAC_HELPER for kernel in kernels
    )


def kernel_options_from_keras(call: Arguments, kernels: Sequence[str]) -> dict[str, Any]:
    """The kernel options of a Keras layer by parameter name: those of the first of its `kernels`."""
    initializers = [_initializer(call[f"{kernel}_initializer"], call.notes.append) for kernel in kernels]
    penalties = [_penalty(call[f"{kernel}_regularizer"], call.notes) for kernel in kernels]
    if len(set(initializers)) + len(set(penalties)) > 2:
        call.notes.append(
            "its kernels differ in initializer or regularizer; those of the first are used for all"
        )
    return {"kernel_initializer": initializers[0], "kernel_l2": penalties[0]}


def _initializer(value: Any, note: Callable[[str], None]) -> str:
    name = value.name if isinstance(value, Call) else value.last if isinstance(value, Name) else value
    snake_name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower()
    known = {"depthwise_dirac": "dirac", "identity": "dirac", "orthogonal_initializer": "orthogonal"}
    snake_name = known.get(snake_name, snake_name)
    if snake_name in (*_INITIALIZERS, "dirac"):
        return snake_name
    note(f"the initializer {snake_name} is not supported; PyTorch's default is used instead")
    return "auto"


def _penalty(value: Any, notes: list[str]) -> float:
    if value is None:
        return 0.0
    name = value.name if isinstance(value, Call) else value
    if str(name).lower() == "l2":
        given = [*value.positional, *value.keywords.values()] if isinstance(value, Call) else []
        strength = given[0] if given else 0.01
        if isinstance(strength, int | float):
            return float(strength)
    notes.append("only L2 regularizers are supported; this one is ignored")
    return 0.0


def unwrap_kernel_options(call: Call) -> tuple[Call, dict[str, Any]]:
    """The inverse of `kernel_options_code`: the call inside, and the kernel options by parameter name."""
    values: dict[str, Any] = {"kernel_initializer": "auto", "kernel_l2": 0.0}
    names = {function: name for name, function in _FUNCTIONS.items()}
    while call.name in ("penalized", "initialized", "dirac") and call.positional:
        inner = call.positional[0]
        if not isinstance(inner, Call):
            break
        if call.name == "penalized":
            values["kernel_l2"] = call.keywords.get("kernel_l2", 0.0)
        elif call.name == "dirac":
            values["kernel_initializer"] = "dirac"
        elif isinstance(call.positional[-1], Name):
            values["kernel_initializer"] = names.get(call.positional[-1].last, "auto")
        call = inner
    return call, values
