"""The contract of every layer type, as far as it can be tested without torch."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import cnnstudio.layers
from cnnstudio.core.errors import ParameterError
from cnnstudio.core.parameters import parameters, values_from_json, values_to_json
from cnnstudio.core.resources import resource
from cnnstudio.interchange.interpreter.names import defined_names
from cnnstudio.layers.base import Family, Layer, Shape, ShapeError
from cnnstudio.layers.catalog import layer_type, layer_types, snake_case
from tests.layers.cases import LAYERS, PLAIN_TYPES, SHAPES, TYPES, examples, taken

by_type = pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.type_name())
by_plain_type = pytest.mark.parametrize("kind", PLAIN_TYPES, ids=lambda kind: kind.type_name())


def test_all_promised_types_exist() -> None:
    assert {
        *("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "MaxPooling2D", "AveragePooling2D"),
        *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "Flatten", "Dense", "Dropout", "SpatialDropout2D"),
        *("BatchNormalization", "LayerNormalization", "GroupNormalization", "Activation", "ZeroPadding2D"),
        *("UpSampling2D", "SqueezeExcite", "Scale", "Whitening", "Residual", "Repeat", "Parallel", "Block"),
    } <= set(layer_types())


@by_type
def test_a_type_is_in_the_file_of_its_name(kind: type[Layer]) -> None:
    package, _, module = kind.__module__.rpartition(".")
    assert package.startswith("cnnstudio.layers.")
    assert module == snake_case(kind.type_name())
    assert layer_type(kind.type_name()) is kind


@by_type
def test_every_example_survives_json(kind: type[Layer]) -> None:
    for layer in examples(kind):
        text = json.dumps(values_to_json(layer))
        assert kind(**values_from_json(kind, json.loads(text))) == layer


@by_type
def test_description_and_usage_hint_are_one_sentence_each(kind: type[Layer]) -> None:
    for text in (kind.description, kind.usage_hint):
        assert text[0].isupper()
        assert text.endswith(".")
        assert text.count(".") == 1
        assert 20 < len(text) < 100
    assert isinstance(kind.family, Family)


@by_type
def test_every_field_is_a_parameter_with_help_and_a_valid_default(kind: type[Layer]) -> None:
    declared = parameters(kind)
    assert [each.name for each in declared] == [field.name for field in dataclasses.fields(kind)]
    for parameter in declared:
        assert parameter.help
        assert not parameter.help.endswith(".")
        assert parameter.label[0].isupper()
        assert parameter.validate(parameter.default) == parameter.default
        with pytest.raises(ParameterError):
            parameter.validate(object())
        with pytest.raises(ParameterError, match=f"^{parameter.name}: "):
            kind(**{parameter.name: object()})


@by_type
def test_every_type_has_an_icon(kind: type[Layer]) -> None:
    icon = resource(f"icons/{snake_case(kind.type_name())}.svg")
    assert ElementTree.parse(icon).getroot().tag.endswith("svg")


@by_type
def test_the_summary_is_one_short_line(kind: type[Layer]) -> None:
    for layer in examples(kind):
        assert layer.summary().isprintable()
        assert 0 < len(layer.summary()) < 60


@by_plain_type
def test_the_defaults_and_most_other_values_accept_some_input(kind: type[Layer]) -> None:
    assert taken(kind())
    assert sum(map(bool, map(taken, examples(kind)))) > len(examples(kind)) / 2


@by_plain_type
def test_an_input_that_does_not_fit_raises_a_message_without_subject(kind: type[Layer]) -> None:
    for layer in examples(kind):
        for shape in SHAPES:
            try:
                assert isinstance(layer.output_shape(shape), Shape)
            except ShapeError as error:
                sentence = error.message.replace("{source}", " from Flatten")
                assert "{" not in sentence
                assert not sentence.endswith(".")
                assert sentence[0].islower()


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_keras_code_is_a_call_with_the_values_of_the_layer(layer: Layer) -> None:
    known = {parameter.name for parameter in parameters(layer)}
    helpers = defined_names(layer.keras_helpers())
    for line in (line for shape in taken(layer) for line in layer.keras_code(shape)):
        call = ast.parse(line, mode="eval").body
        assert isinstance(call, ast.Call)
        assert ast.unparse(call.func).startswith("layers.") or ast.unparse(call.func) in helpers
        for word in call.keywords:
            if word.arg in known and not isinstance(word.value, ast.Call | ast.Name):
                assert getattr(layer, word.arg) == ast.literal_eval(word.value)


def test_snake_case_keeps_the_numbers_of_keras_names() -> None:
    assert [snake_case(name) for name in ("Conv2D", "MaxPooling2D", "GlobalAveragePooling2D", "Dense")] == [
        *("conv2d", "max_pooling2d", "global_average_pooling2d", "dense")
    ]


def test_types_are_sorted_by_family() -> None:
    families = [kind.family for kind in TYPES]
    assert families == sorted(families, key=list(Family).index)


def test_no_module_imports_the_type_of_another_file() -> None:
    """Code never depends on a particular layer type; other files refer to one only by name, for a fix."""
    folder = Path(cnnstudio.layers.__file__).parent
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                own_files = {snake_case(kind.type_name()) for kind in TYPES}
                assert node.module.rpartition(".")[2] not in own_files, f"{path.name} imports {node.module}"
