"""The images and labels in Keras code, as far as a network depends on them: shapes and numbers of classes.

`input_shape=x_train.shape[1:]` and `Dense(len(np.unique(y_train)))` are known without loading anything if the
code names a data set whose images are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cnnstudio.interchange.data_sets import FOLDER, NamedData
from cnnstudio.layers.code import Call, Unknown

Sizes = tuple[int | None, ...]


@dataclass(frozen=True)
class Data:
    """An array, a `tf.data.Dataset` or a generator of batches; `shape` begins with the number of images."""

    shape: Sizes | None = None
    classes: int | None = None
    """For labels: how many different ones there are."""
    batch_size: int | None = None
    generator: Call | None = None
    """The ImageDataGenerator that changes the images."""
    source: NamedData | None = None
    """The data set that it comes from."""

    @property
    def image_shape(self) -> Sizes | None:
        """(height, width, channels) of an image, as far as known."""
        return self.shape[1:] if self.shape and len(self.shape) > 1 else None


_ELEMENTWISE = frozenset(
    {"astype", "copy", "asarray", "array", "float32", "cast", "convert_to_tensor", "constant", "squeeze"}
)
_PIPELINE = frozenset(
    {"shuffle", "prefetch", "cache", "repeat", "take", "skip", "map", "with_options", "unbatch", "ravel"}
    | {"make_one_shot_iterator", "make_initializable_iterator", "as_numpy_iterator"}
)


def load_data(source: NamedData) -> tuple[tuple[Data, Data], tuple[Data, Data]] | None:
    """What `load_data` of `keras.datasets` returns for a data set; None for an unknown one."""
    found = source.known
    if found is None:
        return None
    channels, height, width = found.images.dims
    size = (height, width) if channels == 1 else (height, width, channels)
    pair = Data((None, *size), source=source), Data((None,), classes=found.classes)
    return pair, pair


def known_image_shape(data: NamedData) -> Sizes:
    """(height, width, channels) of the images of a data set; three unknown sizes for an unknown one."""
    if data.known is None:
        return None, None, None
    channels, height, width = data.known.images.dims
    return height, width, channels


def images_of_folder(call: Call, size_argument: str) -> Data:
    """What `image_dataset_from_directory` or `flow_from_directory` gives: batches of images of one size."""
    height, width = _pair(call.keywords.get(size_argument, (256, 256)))
    gray = call.keywords.get("color_mode") == "grayscale"
    size = call.keywords.get("batch_size", 32)
    shape = (None, height, width, 1 if gray else 3)
    source = NamedData(FOLDER, call.line)
    return Data(shape, batch_size=size if type(size) is int else None, source=source)


def flow_batch_size(call: Call, place: int) -> int | None:
    """The batch size of `flow`, 32 by default; None if it is only known at run time."""
    value = call.keywords.get("batch_size", 32)
    value = call.positional[place] if len(call.positional) > place else value
    return value if type(value) is int else None


def resized(call: Call) -> Sizes | None:
    """(height, width, 3) from `Resizing(180, 180)` or `tf.image.resize(image, (180, 180))`."""
    numbers = [each for each in call.positional if type(each) is int]
    numbers += [value for key in ("height", "width") if type(value := call.keywords.get(key)) is int]
    pair = next((each for each in call.positional[1:] if isinstance(each, list | tuple)), None)
    height, width = _pair(call.keywords.get("size", pair or numbers))
    return (height, width, 3) if height and width else None


def _pair(value: Any) -> Sizes:
    sizes = [each if type(each) is int else None for each in value] if isinstance(value, list | tuple) else []
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (None, None)


def data_attribute(data: Data, name: str) -> Any:
    """An attribute of an array; None if it is not one that matters."""
    if data.shape is None:
        return None
    if name == "shape":
        return tuple(Unknown("number of images") if size is None else size for size in data.shape)
    return len(data.shape) if name == "ndim" else None


def data_method(data: Data, name: str, positional: Sequence[Any], keywords: Any) -> Any:
    """The value of a method of an array or of a pipeline of images; None if it is not known."""
    if name == "reshape":
        sizes = positional[0] if len(positional) == 1 and not isinstance(positional[0], int) else positional
        return replace(data, shape=_reshaped(sizes))
    if name == "batch":
        size = positional[0] if positional else keywords.get("batch_size")
        return replace(data, batch_size=size if type(size) is int else None)
    if name in ("get_next", "next"):
        return data, Unknown("labels")
    if name in ("max", "min") and data.classes is not None:
        return data.classes - 1 if name == "max" else 0
    return data if name in _ELEMENTWISE | _PIPELINE else None


def data_function(call: Call) -> Any:
    """The value of a function of numpy or TensorFlow on data; None if it is not known."""
    first = call.positional[0] if call.positional else None
    if call.name == "from_tensor_slices":
        return first[0] if isinstance(first, tuple) and first and isinstance(first[0], Data) else first
    if call.name in ("zeros", "ones", "normal", "uniform", "random", "rand", "randn", "random_sample"):
        return _filled(call)
    if not isinstance(first, Data):
        return None
    match call.name:
        case "expand_dims":
            axis = call.positional[1] if len(call.positional) > 1 else call.keywords.get("axis")
            return _with_axis(first, axis)
        case "to_categorical":
            count = call.positional[1] if len(call.positional) > 1 else call.keywords.get("num_classes")
            count = count if type(count) is int else first.classes
            return Data((None, count), classes=count)
        case "reshape":
            return data_method(first, "reshape", call.positional[1:], call.keywords)
        case "unique":
            return [*range(first.classes)] if first.classes is not None else None
        case "max" | "min" | "amax":
            return data_method(first, call.name.removeprefix("a"), (), {})
        case "concatenate" | "vstack":
            return first
    return first if call.name in _ELEMENTWISE else None


def indexed(data: Data, index: Sequence[Any]) -> Data:
    """`data[…]` with these indices: Ellipsis, None for a new axis, a slice, or a number."""
    if data.shape is None:
        return data
    sizes: list[int | None] = []
    rest = list(data.shape)
    for each in index:
        if each is Ellipsis:
            following = sum(1 for later in index[index.index(each) + 1 :] if later is not None)
            sizes += rest[: len(rest) - following]
            rest = rest[len(rest) - following :]
        elif each is None:
            sizes.append(1)
        elif rest:
            size = rest.pop(0)
            if isinstance(each, slice):
                # Without bounds the axis stays as it is; a part of it is only known when the code runs.
                sizes.append(size if each == slice(None) else None)
    return replace(data, shape=(*sizes, *rest))


def _reshaped(sizes: Any) -> Sizes | None:
    if not isinstance(sizes, list | tuple):
        return None
    return tuple(each if type(each) is int and each > 0 else None for each in sizes)


def _with_axis(data: Data, axis: Any) -> Data:
    if data.shape is None or type(axis) is not int or not -len(data.shape) - 1 <= axis <= len(data.shape):
        return replace(data, shape=None)
    place = axis if axis >= 0 else len(data.shape) + 1 + axis
    return replace(data, shape=(*data.shape[:place], 1, *data.shape[place:]))


def _filled(call: Call) -> Data | None:
    """An array of zeros or random numbers, such as `tf.zeros((1, 28, 28, 1))`."""
    sizes = call.positional[0] if call.positional else call.keywords.get("shape", call.keywords.get("size"))
    if isinstance(sizes, int):
        sizes = call.positional
    found = _reshaped(sizes)
    return Data((None, *found[1:])) if found and len(found) in (2, 3, 4) else None
