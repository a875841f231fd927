"""How weights begin and what holds them: small functions, for the program and for the code that it writes.

Each `…_HELPER` is the source of the function of that name, for a file that stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from cnnstudio.core.parameters import Choice, choice, number
from cnnstudio.layers.code import Arguments, Call, Name
from cnnstudio.layers.helpers import helper

if TYPE_CHECKING:
    from torch import Tensor, nn

    Weighty = TypeVar("Weighty", nn.Conv2d, nn.Linear)

# Name -> function of torch.nn.init. The names are Keras's; Keras cuts the tails of its normal distributions
# off, torch does not.
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
    """The layer, with these of its weights left as they are by the training."""
    for name in names:
        getattr(layer, name).requires_grad_(False)
    return layer
'''

_INITIALIZED_HELPER = '''
def initialized(layer, fill):
    """The layer, its weights begun by a function of nn.init and its biases at zero."""
    fill(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
'''

_DIRAC_HELPER = '''
def dirac(layer):
    """The convolution, whose first filters hand the channels on as they are; the others begin at random."""
    for weights in layer.weight.detach().chunk(layer.groups):
        nn.init.dirac_(weights[: weights.shape[1]])
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
'''

_PENALIZED_HELPER = '''
def penalized(layer, kernel_l2):
    """The layer, with a note for the training: add kernel_l2 * (layer.weight ** 2).sum() to the loss."""
    layer.kernel_l2 = kernel_l2
    return layer
'''

_KERAS_DIRAC_HELPER = '''
@keras.saving.register_keras_serializable()
class Dirac(keras.initializers.Initializer):
    """Of a convolution: its first filters hand the channels on as they are, the others begin at random."""

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
    """Of a depthwise convolution: each channel's first filter hands it on, the others begin at random."""

    def __call__(self, shape, dtype=None):
        import numpy as np

        kernel = np.array(keras.ops.convert_to_numpy(keras.initializers.GlorotUniform()(shape)))
        kernel[..., 0] = 0
        kernel[shape[0] // 2, shape[1] // 2, :, 0] = 1
        return keras.ops.convert_to_tensor(kernel, dtype=dtype)
'''


@runtime_checkable
class TakesImages(Protocol):
    """A module whose weights are not learned but taken from what reaches it, once, before the training."""

    def take_images(self, batches: Iterable[Tensor]) -> None:
        """Sets the weights. `batches`, (N, C, H, W), are its inputs for some of the training images."""


class InitializerChoice(Choice):
    """How weights begin, which code gives as a name, a function or an object."""

    def from_code(self, value: Any, note: Callable[[str], None]) -> Any:
        return _initializer(value, note)


def initializer_choice(*, dirac: bool) -> Any:
    """A dataclass field for how a layer's weights begin; `dirac` is for convolutions only."""
    known = (*_INITIALIZERS, "dirac") if dirac else _INITIALIZERS
    label, help = "Initial weights", "“auto” is PyTorch's own way"
    return choice("auto", known, label=label, help=help, kind=InitializerChoice)


def l2_number() -> Any:
    """A dataclass field for the L2 penalty on a layer's weights: the loss grows by it times their squares."""
    return number(
        0.0,
        minimum=0.0,
        maximum=1.0,
        label="L2 penalty",
        help="on large weights; the loss that is shown is without it",
    )


def prepared(layer: Weighty, initializer: str, kernel_l2: float) -> Weighty:
    """The layer with weights that begin as `initializer` says, its penalty noted for the training."""
    from torch import nn

    if initializer == "dirac":
        layer = helper("dirac", _DIRAC_HELPER)(layer)
    elif initializer != "auto":
        layer = helper("initialized", _INITIALIZED_HELPER)(layer, getattr(nn.init, _FUNCTIONS[initializer]))
    return helper("penalized", _PENALIZED_HELPER)(layer, kernel_l2) if kernel_l2 else layer


def prepared_code(code: str, initializer: str, kernel_l2: float) -> str:
    """The same as code."""
    if initializer == "dirac":
        code = f"dirac({code})"
    elif initializer != "auto":
        code = f"initialized({code}, nn.init.{_FUNCTIONS[initializer]})"
    return f"penalized({code}, kernel_l2={kernel_l2!r})" if kernel_l2 else code


def prepared_helpers(initializer: str, kernel_l2: float) -> tuple[str, ...]:
    """The sources that it needs."""
    helpers = (_PENALIZED_HELPER,) if kernel_l2 else ()
    if initializer == "auto":
        return helpers
    return (_DIRAC_HELPER if initializer == "dirac" else _INITIALIZED_HELPER, *helpers)


def keras_kernel(
    initializer: str, kernel_l2: float, kernels: Sequence[str] = ("kernel",), groups: int = 1
) -> str:
    """The arguments of a Keras layer for each of its `kernels`, as `, kernel_initializer="he_normal"`."""
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
    """The sources that they need."""
    if initializer != "dirac":
        return ()
    return tuple(
        _KERAS_DEPTHWISE_DIRAC_HELPER if kernel == "depthwise" else _KERAS_DIRAC_HELPER for kernel in kernels
    )


def kernel_from_keras(call: Arguments, kernels: Sequence[str]) -> dict[str, Any]:
    """How the weights of a Keras layer begin and what holds them, under the names of parameters."""
    initializers = [_initializer(call[f"{kernel}_initializer"], call.notes.append) for kernel in kernels]
    penalties = [_penalty(call[f"{kernel}_regularizer"], call.notes) for kernel in kernels]
    if len(set(initializers)) + len(set(penalties)) > 2:
        call.notes.append("its kernels begin or are held differently; all are drawn as the first")
    return {"kernel_initializer": initializers[0], "kernel_l2": penalties[0]}


def _initializer(value: Any, note: Callable[[str], None]) -> str:
    name = value.name if isinstance(value, Call) else value.last if isinstance(value, Name) else value
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(name)).lower()
    known = {"depthwise_dirac": "dirac", "identity": "dirac", "orthogonal_initializer": "orthogonal"}
    words = known.get(words, words)
    if words in (*_INITIALIZERS, "dirac"):
        return words
    note(f"weights that begin by {words} are not drawn")
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
    notes.append("a penalty on weights other than l2 is not drawn")
    return 0.0


def unprepared(call: Call) -> tuple[Call, dict[str, Any]]:
    """What `prepared_code` wrote its calls around, and the parameters that they stand for."""
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
