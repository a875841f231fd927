"""What Keras code says about its data and its training."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from cnnstudio.interchange.data_sets import FOLDER, NamedData, archive_name, data_name
from cnnstudio.interchange.interpreter.graph import Item, LayerCall, iter_calls
from cnnstudio.interchange.interpreter.values import Scope
from cnnstudio.interchange.keras.augmentation import read_layer
from cnnstudio.interchange.keras.choice import networks_of
from cnnstudio.interchange.keras.data_values import (
    Data,
    data_function,
    flow_batch_size,
    images_of_folder,
    indexed,
    known_image_shape,
    load_data,
    resized,
)
from cnnstudio.interchange.keras.models import Model
from cnnstudio.interchange.keras.tensors import TensorReader
from cnnstudio.interchange.keras.training import read_compile, read_fit, read_optimizer
from cnnstudio.interchange.settings import is_number, with_shift_in_pixels
from cnnstudio.interchange.source import Notes
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Name, Unknown


class DataReader(TensorReader):
    """Follows images and labels from where they are loaded, and collects training settings."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.data: NamedData | None = None
        """The data set that the network is trained with, else the first that the code loads."""
        self.image_size: tuple[Any, ...] | None = None
        """(height, width, channels) that images are resized to."""
        self.general: dict[str, Any] = {}
        """Training settings outside of the calls of `compile` and `fit`."""
        self.augmentation: list[Call] = []
        """Layers that augment images, inside of models and outside."""
        self.optimizers: list[Call] = []
        self._downloaded = ""
        """The last archive that the code downloads of which the classes are known."""
        self._balances = False
        """Whether the code computes class weights that are inversely proportional to the sizes."""

    def data_call(self, call: Call) -> Any:
        """What the code loads or computes from data; None for any other call."""
        parts = call.path.split(".")
        if call.name == "compute_class_weight":
            self._balances |= "balanced" in (*call.positional[:1], call.keywords.get("class_weight"))
            return Unknown("class weights")
        if call.name in ("get_file", "urlretrieve", "download_and_extract_archive"):
            names = [each for each in (*call.positional, *call.keywords.values()) if isinstance(each, str)]
            self._downloaded = next(filter(None, map(archive_name, names)), self._downloaded)
        if call.name == "load_data" and "datasets" in parts:
            return load_data(self._name_data(data_name(parts[-2]), call.line))
        if parts[0] in ("tensorflow_datasets", "tfds") and call.name == "load":
            return self._tensorflow_data(call)
        if call.name == "image_dataset_from_directory":
            self._name_data(FOLDER, call.line)
            found = images_of_folder(call, "image_size")
            self.image_size = found.image_shape
            share = call.keywords.get("validation_split")
            if is_number(share) and share:
                self.general["validation_share"] = float(share)
            return (found, found) if call.keywords.get("subset") == "both" else found
        if call.name == "Resizing" or call.path == "tensorflow.image.resize":
            self.image_size = resized(call) or self.image_size
        if parts[0] in ("numpy", "np", "tensorflow") or call.path.startswith(("keras.utils", "keras.ops")):
            return data_function(call)
        return None

    def _name_data(self, name: str, line: int) -> NamedData:
        found = NamedData(name, line, self._downloaded if name == FOLDER else "")
        self.data = self.data or found
        return found

    def _tensorflow_data(self, call: Call) -> Any:
        """`tfds.load("mnist", split=["train", "test"], with_info=True)`."""
        name = call.positional[0] if call.positional else call.keywords.get("name")
        if not isinstance(name, str):
            return Unknown()
        source = self._name_data(data_name(name.partition(":")[0].partition("/")[0]), call.line)
        found = Data((None, *known_image_shape(source)), source=source)
        split = call.keywords.get("split")
        data: Any = [found] * len(split) if isinstance(split, list | tuple) else found
        data = {"train": found, "test": found} if split is None else data
        return (data, Unknown("info")) if call.keywords.get("with_info") is True else data

    def flow(self, generator: Call, call: Call) -> Data:
        """`generator.flow(x, y, batch_size=64)` and `generator.flow_from_directory(…)`."""
        first = call.positional[0] if call.positional else call.keywords.get("x")
        if call.name == "flow":
            found = first if isinstance(first, Data) else Data()
            return replace(found, generator=generator, batch_size=flow_batch_size(call, 2))
        self._name_data(FOLDER, call.line)
        found = images_of_folder(call, "target_size")
        if self.image_size is None:
            self.image_size = found.image_shape
        return replace(found, generator=generator)

    def on_binary(self, operator: ast.operator, left: Any, right: Any, line: int) -> Any:
        data = next((each for each in (left, right) if isinstance(each, Data)), None)
        return super().on_binary(operator, left, right, line) if data is None else data

    def on_element(self, value: Any) -> Any:
        return (value, Unknown("labels")) if isinstance(value, Data) else super().on_element(value)

    def on_subscript(self, owner: Any, index: ast.expr, scope: Scope) -> Any:
        if isinstance(owner, Data):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
            return indexed(owner, [self._index(part, scope) for part in parts])
        return super().on_subscript(owner, index, scope)

    def _index(self, node: ast.expr, scope: Scope) -> Any:
        if isinstance(node, ast.Slice):
            return slice(None) if node.lower is node.upper is node.step is None else slice(0)
        if isinstance(node, ast.Constant) and node.value is Ellipsis:
            return Ellipsis
        value = self.evaluate(node, scope)
        return None if isinstance(value, Name) and value.last == "newaxis" else value

    def apply_to_data(self, function: Any, data: Data) -> Any:
        """A model that is applied to images shows the shape that it takes."""
        model = self.model_of(function)
        if model is not None and model.shape is None:
            model.shape = data.image_shape
        if model is not None and data.batch_size is not None:
            model.batch_size = data.batch_size
        return data if isinstance(function, Call) else Unknown()

    def recipe_of(self, model: Model, shape: Shape) -> dict[str, Any]:
        """The training settings of a model that takes images of that shape."""
        recipe, line = dict(self.general), model.line
        for call in self._augmentation_of(model):
            recipe |= read_layer(call, self.notes)
        recipe |= {} if model.batch_size is None else {"batch_size": model.batch_size}
        if not any(each.name == "compile" for each in model.training) and self.optimizers:
            recipe |= read_optimizer(self.optimizers[-1], model.line, self.notes)
        for each in model.training:
            line = each.line
            if each.name == "compile":
                recipe |= read_compile(each.positional, each.keywords, line, self.notes)
            else:
                images = each.images
                if isinstance(images, Data) and images.source is not None:
                    source = images.source
                    self.data = self._name_data(FOLDER, source.line) if source.name == FOLDER else source
                recipe |= read_fit(
                    each.name, each.positional, each.keywords, line, self.notes, balances=self._balances
                )
        return with_shift_in_pixels(recipe, shape, line, self.notes)

    def _augmentation_of(self, model: Model) -> list[Call]:
        """The layers that augment the images of a model: its own, and those that are in no other network."""
        own = {id(call) for call in iter_calls(model.items)}
        others = [each for each in networks_of(self.models) if each is not model]
        found = {id(call) for each in others for call in _direct_calls(each.items)} - own
        return [call for call in self.augmentation if id(call) not in found]


def _direct_calls(items: Iterable[Item]) -> Iterator[Call]:
    """The layers of a model without those of other models in it."""
    return (item.call for item in items if isinstance(item, LayerCall))
