"""Search for layer types by name (here, in Keras and in PyTorch), by initials, and by what they do."""

from __future__ import annotations

import pytest

from cnnstudio.design.text.palette_search import search_layer_types
from cnnstudio.layers.catalog import layer_types


def best_match(text: str) -> str:
    return search_layer_types(text)[0].type_name()


@pytest.mark.parametrize("name", layer_types())
def test_a_type_is_the_best_match_for_its_own_name(name: str) -> None:
    assert best_match(name) == name
    assert best_match(name.lower()) == name


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
def test_common_search_terms_find_the_intended_type(text: str, name: str) -> None:
    assert best_match(text) == name


def test_all_words_have_to_match() -> None:
    found = {kind.type_name() for kind in search_layer_types("pooling global")}
    assert found >= {"GlobalAveragePooling2D", "GlobalMaxPooling2D"}
    assert "MaxPooling2D" not in found
    assert search_layer_types("pooling xyzzy") == []


def test_an_empty_search_returns_all_types_in_palette_order() -> None:
    assert search_layer_types("  ") == list(layer_types().values())
