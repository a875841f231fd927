"""Reads PyTorch code as a design: nn.Sequential, and modules with a simple forward, without running the code.

A module is an object of a class whose `forward` defines what it does. To find that out, `forward` is
interpreted with a `SymbolicTensor`, and the items between its argument and its result are the module's
content. Functions and methods on tensors (`F.relu(x)`, `x.view(…)`) are recorded as the equivalent module, so
that the assembler sees modules only.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from cnnstudio.design.network import UNTITLED, Network, clean_name, map_last_layer
from cnnstudio.interchange.assembly import with_ids
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.data_sets import FOLDER, KNOWN_DATA, NamedData, data_name
from cnnstudio.interchange.endings import last_line, with_one_unit_read
from cnnstudio.interchange.interpreter.calls import UNKNOWN_ARGUMENTS
from cnnstudio.interchange.interpreter.graph import SymbolicTensor
from cnnstudio.interchange.interpreter.helpers import helper_name, is_helper
from cnnstudio.interchange.interpreter.names import title_from_docstring
from cnnstudio.interchange.interpreter.values import BoundMethod, Function, Instance
from cnnstudio.interchange.pytorch.assembly import PYTORCH_SIGNATURES, PyTorchAssembler, bound_arguments
from cnnstudio.interchange.pytorch.choice import choose
from cnnstudio.interchange.pytorch.content import ContentReader
from cnnstudio.interchange.pytorch.file import NO_SOFTMAX_COMMENTS
from cnnstudio.interchange.pytorch.inputs import Inputs, infer_input_shape
from cnnstudio.interchange.pytorch.modules import (
    LAYER,
    NN,
    PARTS,
    WRAPPERS,
    ModuleSequence,
    children,
    clone,
    is_module,
    sequence_of,
    without_laziness,
)
from cnnstudio.interchange.pytorch.parts import KEPT_BRANCH, STOCHASTIC_DEPTH
from cnnstudio.interchange.pytorch.tensors import Sample
from cnnstudio.interchange.pytorch.training import is_training_call, read_training
from cnnstudio.interchange.pytorch.transforms import is_transform
from cnnstudio.interchange.settings import with_shift_in_pixels
from cnnstudio.interchange.source import ImportedDesign, Notes, comments, parse
from cnnstudio.layers.code import Call, Name, Unknown

_CONTAINERS = ("ModuleList", "ModuleDict")
_PROGRESS_BARS = frozenset({"tqdm", "trange", "tqdm_notebook"})
"""What is iterated over by a progress bar is the same as without it."""


def read_pytorch(text: str, network: str = "") -> ImportedDesign:
    """The design in PyTorch code, and the training settings. Raises CodeError.

    `network` is the name of the one to read, if the code has several.
    """
    tree = parse(text)
    reader = _Reader(Notes())
    reader.execute(tree.body, reader.module)
    chosen = choose(reader, tree, network)
    code_comments = comments(text)
    reader.inputs.add_constants(reader.module.names)
    reader.inputs.add_comments(code_comments)
    shape = infer_input_shape(chosen.module, chosen.items, reader.inputs, reader.notes)
    title = title_from_docstring(ast.get_docstring(tree))
    assembler = PyTorchAssembler(reader.notes, generated=title is not None)
    assembler.locked_calls = reader.locks.calls
    nodes_without_ids, _ = assembler.sequence(chosen.items, shape)
    if not nodes_without_ids:
        raise CodeError("none of the layers can be imported")
    nodes = with_ids(nodes_without_ids)
    if any(comment in NO_SOFTMAX_COMMENTS for _, comment in code_comments):
        # The exported code leaves the design's softmax to the loss function.
        nodes = map_last_layer(nodes, lambda layer: layer.with_values({"activation": "softmax"}))
    name = title or clean_name(chosen.title) or UNTITLED
    losses = [call.name for call in reader.training]
    design = with_one_unit_read(Network(shape, nodes, name), chosen.items, losses, reader.notes)
    reader.follow_own_optimizer(chosen.module)
    recipe = read_training(reader.training, reader.notes)
    recipe = with_shift_in_pixels(recipe, shape, chosen.line, reader.notes)
    return ImportedDesign(
        design,
        recipe,
        reader.notes.all(),
        "pytorch",
        networks=chosen.networks,
        data=reader.data,
        last_line=last_line(chosen.items),
    )


class _Reader(ContentReader):
    """Says what names and calls of torch mean; collects training settings and input shapes."""

    library = "pytorch"

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes)
        self.data: NamedData | None = None
        """The first data set that the code loads."""
        self.training: list[Call] = []
        """Calls of optimizers, losses and data loaders."""
        self.inputs = Inputs()

    # The meaning of names and calls

    def on_name(self, name: str) -> Any:
        """Resolves names of listings without their imports, or with `import *`."""
        known = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional", "optim": "torch.optim"}
        if name in known:
            return Name(known[name])
        if name == "OrderedDict":
            return Name("collections.OrderedDict")
        if is_helper(name):
            return Name(f"helpers.{name}")
        if name in PYTORCH_SIGNATURES or name in ("Sequential", "Module", *_CONTAINERS):
            return Name(f"{NN}{name}")
        return Unknown(name)

    def on_class(self, node: ast.ClassDef | ast.FunctionDef) -> Any:
        return Name(f"helpers.{node.name}") if helper_name(node) else None

    def on_call(self, call: Call, direct: bool) -> Any:
        path, name = call.path, call.name
        if name == "OrderedDict":
            return _entries(call.positional[0]) if call.positional else {}
        if name in _PROGRESS_BARS and call.positional:
            return _iterated(call)
        if name == "Trainer" and type(call.keywords.get("max_epochs")) is int:
            self.training.append(Call("epochs", (call.keywords["max_epochs"],), {}, call.line))
        for each in (*call.positional, *call.keywords.values()):
            if is_module(each):
                self.use(each)
        if name.lower() in STOCHASTIC_DEPTH:
            self.notes.add(call.line, KEPT_BRANCH)
            tensors = (each for each in call.positional if isinstance(each, SymbolicTensor))
            return next(tensors, None) or sequence_of((), call.line)
        if is_training_call(call):
            self.training.append(call)
            if is_transform(call):
                self.inputs.add_transform(name, call.positional, call.keywords)
            return Unknown(name)
        if path.startswith("torchvision.datasets.") or (
            name[:1].isupper() and data_name(name) in KNOWN_DATA and "." in path
        ):
            self._data_set(call)
            return Unknown(name)
        if name in WRAPPERS and call.positional and is_module(call.positional[0]):
            inner = call.positional[0]
            return clone(inner, self.effort.count_elements) if name == "deepcopy" else inner
        if _has_tensor(call):
            if path.startswith(("torch.", "helpers.")):
                return self.function_of_tensors(call, direct)
            self.effects += 1
            return self.lose([*call.positional, *call.keywords.values()], name, call.line)
        if path.startswith(("torch.nn.init", "torch.nn.functional")):
            return call
        if path.startswith("torch.nn.utils.") and call.positional and is_module(call.positional[0]):
            self.notes.add(call.line, f"{name} is not supported; its module is imported without it")
            return call.positional[0]
        if path.startswith((NN, "helpers.")):
            return self._module(call)
        return self._collect_input(call)

    def _module(self, call: Call) -> Any:
        self.effects += 1
        if call.name == "ModuleList":
            values = self.elements(call.positional[0]) if call.positional else []
            parts = call.positional[0] if call.positional else []
            return list(parts) if isinstance(parts, list | tuple) else values if values is not None else parts
        if call.name == "ModuleDict":
            return _entries(call.positional[0]) if call.positional else {}
        if UNKNOWN_ARGUMENTS in call.keywords:
            self.notes.add(call.line, f"{call.name} gets more arguments, which are only known at run time")
        keywords = {name: value for name, value in call.keywords.items() if name != UNKNOWN_ARGUMENTS}
        call = without_laziness(Call(f"{NN}{call.name}", call.positional, keywords, call.line))
        if call.name == "Sequential":
            sequence = sequence_of(call.positional, call.line)
            self.modules.append(sequence)
            return sequence
        return call

    def follow_own_optimizer(self, module: Any) -> None:
        """Calls the method of a LightningModule that makes its optimizer, as its trainer does."""
        method = self.attribute(module, "configure_optimizers") if isinstance(module, Instance) else None
        if isinstance(method, Function):
            self.call(method, [], {}, method.node.lineno, False)

    def on_sample(self, module: Any, sample: Sample) -> None:
        self.inputs.add_tried(module, sample.sizes)

    def _collect_input(self, call: Call) -> Unknown:
        """What tells the input shape: `torch.randn(1, 3, 32, 32)`, `transforms.Resize(64)`, a data set."""
        sizes: list[Any] = [*call.positional, *call.keywords.values()]
        if call.path.startswith("torch.") and call.name in ("randn", "rand", "zeros", "ones"):
            whole = sizes[0] if sizes and isinstance(sizes[0], tuple | list) else tuple(call.positional)
            one = self.inputs.add_tensor(call.keywords.get("size", whole))
            return Unknown(call.name) if one is None else Sample(call.name, one)
        if call.name == "summary":
            for each in sizes:
                self.inputs.add_tensor(each)
        return Unknown(call.name)

    def _data_set(self, call: Call) -> None:
        folder = call.name in ("ImageFolder", "DatasetFolder")
        found = NamedData(FOLDER if folder else data_name(call.name), call.line)
        self.data = self.data or found
        self.inputs.add_data_set(found)
        if "resize" in call.keywords:
            self.inputs.add_transform("Resize", (call.keywords["resize"],), {})

    def on_library_init(
        self, instance: Instance, positional: Sequence[Any], keywords: Mapping[str, Any], line: int
    ) -> None:
        base = instance.kind.library_base()
        name = base.rpartition(".")[2]
        if not base.startswith("torch."):
            return
        if name == "Sequential":
            instance.names[PARTS] = sequence_of(positional, line)
        elif name in _CONTAINERS:
            given = positional[0] if positional else {} if name == "ModuleDict" else []
            parts = (_entries(given),) if name == "ModuleDict" else self.elements(given) or ()
            instance.names[PARTS] = sequence_of(parts, line)
        elif name not in ("Module", "ScriptModule"):
            call = self._module(Call(base, tuple(positional), keywords, instance.line or line))
            instance.names[LAYER] = call

    def on_instance(self, instance: Instance) -> None:
        if is_module(instance):
            self.effects += 1
            self.modules.append(instance)
        elif instance.kind.node.name == "Cutout":
            # Not in torchvision: everybody copies the authors' class, whose parameters are these.
            size = instance.names.get("length", instance.names.get("size"))
            if type(size) is int:
                self.training.append(Call("cutout", (size,), {}, instance.line))

    def on_assign(self, owner: Instance, name: str, value: Any) -> None:
        if isinstance(value, Instance | ModuleSequence):
            self.given_names.setdefault(id(value), name)

    def on_assign_attribute(self, owner: Any, name: str, value: Any, line: int) -> None:
        if name == "requires_grad":
            self.set_requires_grad(owner, value, line)
        elif isinstance(owner, ModuleSequence) and is_module(value):
            owner.add(name, value, line)
        elif isinstance(owner, Call) and name in ("weight", "bias"):
            self.notes.add(
                line, f"{name} is set here, which is not imported: layers have weights of their own"
            )

    def on_assign_item(self, owner: Any, index: Any, value: Any, line: int) -> None:
        if isinstance(owner, Instance):
            owner = owner.names.get(PARTS)
        if isinstance(owner, ModuleSequence):
            owner.replace(index, value, line)
            self.effects += 1
        else:
            super().on_assign_item(owner, index, value, line)

    def on_attribute(self, owner: Any, name: str) -> Any:
        if name == "training" and isinstance(owner, Instance):
            # As in training, so that layers under `if self.training:`, such as dropout, are found.
            return True
        if name == "_modules" and is_module(owner):
            return dict(children(owner))
        if isinstance(owner, tuple) and len(owner) == 2 and isinstance(owner[0], SymbolicTensor):
            # What `x.max(1)` gives.
            return owner[name == "indices"] if name in ("values", "indices") else BoundMethod(owner, name)
        if isinstance(owner, SymbolicTensor):
            found = self.tensor_attribute(owner, name)
            return BoundMethod(owner, name) if found is None else found
        if isinstance(owner, Instance) and isinstance(owner.names.get(LAYER), Call):
            owner = owner.names[LAYER]
        if isinstance(owner, Instance) and isinstance(owner.names.get(PARTS), ModuleSequence):
            found = owner.names[PARTS].part(name)
            return BoundMethod(owner, name) if found is None else found
        if isinstance(owner, Call):
            arguments = bound_arguments(owner)
            if name in arguments:
                return arguments[name]
        if isinstance(owner, ModuleSequence):
            found = owner.part(name)
            if found is not None:
                return found
        return BoundMethod(owner, name)

    def on_isinstance(self, value: Any, path: str) -> bool | None:
        name = path.rpartition(".")[2]
        if not is_module(value):
            return None
        if name == "Module":
            return True
        if isinstance(value, Instance):
            base = value.kind.library_base().rpartition(".")[2]
            return base == name if base else None
        return name == "Sequential" if isinstance(value, ModuleSequence) else value.name == name

    def on_loop(self, node: ast.For, values: Sequence[Any], scope: Any) -> Any:
        target = node.target
        if isinstance(target, ast.Name) and "epoch" in target.id.lower() and isinstance(values, range):
            self.training.append(Call("epochs", (len(values),), {}, node.lineno))
            values = values[:1]  # what it contains is training, which is the same in every epoch
        return self.unroll(node, values, scope)


def _iterated(call: Call) -> Any:
    """What a progress bar iterates over: `tqdm(loader)`, `trange(10)`."""
    if call.name != "trange":
        return call.positional[0]
    whole = all(type(each) is int for each in call.positional) and len(call.positional) < 3
    return range(*call.positional) if whole else Unknown("trange")


def _has_tensor(call: Call) -> bool:
    """Whether tensors are among the arguments, or in a list among them."""
    for each in (*call.positional, *call.keywords.values()):
        if isinstance(each, SymbolicTensor):
            return True
        if isinstance(each, list | tuple) and any(isinstance(one, SymbolicTensor) for one in each[:1_000]):
            return True
    return False


def _entries(value: Any) -> Any:
    """The dict for the argument of OrderedDict: pairs, or a dict."""
    if isinstance(value, dict):
        return dict(value)
    if not isinstance(value, list | tuple):
        return Unknown("OrderedDict")
    pairs = [(pair[0], pair[1]) for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
    if len(pairs) < len(value) or not all(isinstance(key, str) for key, _ in pairs):
        return Unknown("OrderedDict")
    return dict(pairs)
