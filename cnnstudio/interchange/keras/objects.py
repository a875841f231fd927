"""Models and layers that are classes of the program: `class Net(keras.Model)` with a method `call`.

What such an object does is found out by interpreting `call` with a `SymbolicTensor`; the items between its
argument and its result are the object's content.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.interchange.interpreter.graph import (
    Items,
    SubModel,
    SymbolicTensor,
    UnsupportedTopology,
    items_between,
    iter_calls,
)
from cnnstudio.interchange.interpreter.syntax import parameter_names
from cnnstudio.interchange.interpreter.values import Function, Instance
from cnnstudio.interchange.keras.models import Model, canonical
from cnnstudio.interchange.keras.modes import ModeReader
from cnnstudio.layers.base import Shape
from cnnstudio.layers.code import Call, Unknown

_MODEL_BASES = ("keras.Model", "keras.models.Model", "keras.Sequential", "keras.models.Sequential")


class ObjectReader(ModeReader):
    """Follows `call` of the program's classes."""

    def shape_of(self, tensor: SymbolicTensor) -> Shape | None:
        """The shape of a tensor, as far as the layers before it are known."""
        raise NotImplementedError

    def on_instance(self, instance: Instance) -> None:
        self.effects += 1
        if canonical(instance.kind.library_base()) in _MODEL_BASES and self.model_of(instance) is None:
            self.models.append(Model([], instance.line, instance.kind.node.name, instance=instance))

    def on_library_init(
        self, instance: Instance, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> None:
        base = canonical(instance.kind.library_base())
        if base in _MODEL_BASES and self.model_of(instance) is None:
            if self._is_functional(instance, positional, keywords):
                model = self.functional(Call("keras.Model", tuple(positional), keywords, line))
                if model is not None:
                    model.instance = instance
                    model.name = model.name or instance.kind.node.name
                    return
            model = Model([], line, instance.kind.node.name, instance=instance)
            self.models.append(model)
            if base.endswith("Sequential") and positional:
                self.add_layers(model, positional[0], line)

    def _is_functional(
        self, instance: Instance, positional: Sequence[Any], keywords: Mapping[str, Any]
    ) -> bool:
        """Whether a class gives its base the input and the output of its layers, and has no `call`."""
        given = len(positional) >= 2 or bool(keywords.keys() & {"inputs", "outputs"})
        return given and not self._has_call(instance)

    def functional(self, call: Call) -> Model | None:
        """The model between the tensors of `keras.Model(inputs, outputs)`; None, with a note, for no such."""
        raise NotImplementedError

    def add_layers(self, model: Model, layers: Any, line: int) -> None:
        """Adds the layers of a list at the end of a Sequential."""
        raise NotImplementedError

    def model_of(self, value: Any) -> Model | None:
        if isinstance(value, Model):
            return value
        if not isinstance(value, Instance):
            return None
        return next((model for model in self.models if model.instance is value), None)

    def apply_object(
        self, instance: Instance, value: SymbolicTensor, line: int, trains: bool | None = None
    ) -> Any:
        """`instance(value)` for a model or layer of a class of the program; `trains` as in `in_mode`."""
        model = self.model_of(instance)
        if model is not None:
            model.is_part = True
            if model.items:
                if trains is not None:
                    self.note_mode(iter_calls(model.items), trains, line)
                return value.then(SubModel(tuple(model.items), line, model.name))
        result = self._result_of_call(instance, value, line, trains)
        if result is None:
            self.notes.add(
                line,
                f"what {instance.kind.node.name} does (line {instance.kind.node.lineno}) cannot be followed; "
                "it is skipped with its layers",
            )
            return value
        try:
            items = items_between(value, result)
        except UnsupportedTopology:
            return result
        return value.then(SubModel(items, line, instance.kind.node.name))

    def object_items(self, instance: Instance, line: int) -> Items:
        """An object as items of a Sequential; none if its `call` cannot be followed."""
        start = SymbolicTensor()
        return self.items_of(start, self.apply_object(instance, start, line), instance.kind.node.name, line)

    def items_of(self, start: SymbolicTensor, end: SymbolicTensor, name: str, line: int) -> Items:
        """The items between two tensors; none, with a note, if groups cannot express them."""
        try:
            return items_between(start, end)
        except UnsupportedTopology:
            self.notes.add(
                line,
                f"groups cannot express how the layers of {name} are connected, "
                "so it is skipped with its layers",
            )
            return ()

    def complete(self, model: Model, start: SymbolicTensor) -> None:
        """Finds the items of a model whose class has `call`; `start` stands for its input."""
        instance = model.instance
        if instance is None or model.items or not self._has_call(instance):
            return
        result = self._result_of_call(instance, start, model.line)
        found: Items | None = None
        if isinstance(result, SymbolicTensor):
            try:
                found = items_between(start, result)
            except UnsupportedTopology:
                found = None
        if found is None:
            self.notes.add(
                instance.kind.node.lineno, f"what {instance.kind.node.name} does in call cannot be followed"
            )
        else:
            model.items = list(found)

    def _has_call(self, instance: Instance) -> bool:
        return isinstance(self.attribute(instance, "call"), Function)

    def _result_of_call(
        self, instance: Instance, value: SymbolicTensor, line: int, trains: bool | None = None
    ) -> SymbolicTensor | None:
        """The result of `call`, None if it is not known. Layers that `build` creates are created first."""
        method = self.attribute(instance, "call")
        if not isinstance(method, Function):
            return None
        build = self.attribute(instance, "build")
        if isinstance(build, Function) and "built" not in instance.names:
            instance.names["built"] = True
            shape = self.shape_of(value)
            sizes = (None, *shape.dims[1:], shape.dims[0]) if shape is not None else Unknown("input_shape")
            self.call(build, [sizes], {}, line, False)
        # As in training, so that layers under `if training:`, such as dropout, are found.
        takes_mode = "training" in parameter_names(method.node)
        keywords: Mapping[str, Any] = {"training": trains is not False} if takes_mode else {}
        with self.in_mode(trains):
            result = self.call(method, [value], keywords, line, False)
        return result if isinstance(result, SymbolicTensor) else None
