"""Layer types are found by their names here, in Keras and in PyTorch, by initials, and by what they do."""

from __future__ import annotations

import pytest

from cnnstudio.design.text.palette_search import find_types
from cnnstudio.layers.catalog import layer_types


def best(text: str) -> str:
    return find_types(text)[0].type_name()


@pytest.mark.parametrize("name", layer_types())
def test_a_type_is_the_best_for_its_own_name(name: str) -> None:
    assert best(name) == name
    assert best(name.lower()) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("conv", "Conv2D"),
        ("pool", "MaxPooling2D"),
        ("max pool", "MaxPooling2D"),
        ("maxpool", "MaxPooling2D"),
        ("global average pooling", "GlobalAveragePooling2D"),
        ("bn", "BatchNormalization"),
        ("gap", "GlobalAveragePooling2D"),
        ("GMP", "GlobalMaxPooling2D"),
        ("linear", "Dense"),
        ("BatchNorm2d", "BatchNormalization"),
        ("relu", "Activation"),
        ("drop", "Dropout"),
        ("res", "Residual"),
        ("concat", "Parallel"),
        ("random values", "Dropout"),
    ],
)
def test_the_best_is_what_people_mean(text: str, name: str) -> None:
    assert best(text) == name


def test_all_words_have_to_fit() -> None:
    found = {kind.type_name() for kind in find_types("pooling global")}
    assert found >= {"GlobalAveragePooling2D", "GlobalMaxPooling2D"}
    assert "MaxPooling2D" not in found
    assert find_types("pooling xyzzy") == []


def test_no_words_find_all_in_the_order_of_the_palette() -> None:
    assert find_types("  ") == list(layer_types().values())
