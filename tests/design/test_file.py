"""The design file: what is written is read again, and what is wrong is named with its place."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core.files import FileError
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import (
    DesignError,
    design_from_json,
    design_text,
    design_to_json,
    layers_from_text,
    layers_to_text,
    nodes_from_json,
    parse_design,
    read_design,
    write_design,
)
from cnnstudio.design.network import MAXIMUM_DEPTH, MAXIMUM_NODES, IdMaker, Network, Node
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import nested, network, off

HEAD = '"format": "cnnstudio.design", "version": 1'


def design(layers: str = "[]", *, head: str = HEAD, size: str = "[3, 32, 32]") -> str:
    return f'{{{head}, "input": {size}, "layers": {layers}}}'


def layer(fields: str) -> str:
    return design(f"[{{{fields}}}]")


def refusal(text: str) -> str:
    """The message that the text is refused with: one line of bearable length, and no other error."""
    with pytest.raises(DesignError) as caught:
        parse_design(text)
    message = str(caught.value)
    assert message
    assert len(message) < 500
    assert message.isprintable()
    return message


def file_refusal(path: Path, content: bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DesignError) as caught:
        read_design(path)
    return str(caught.value)


# What is right


def test_the_file_that_people_write_by_hand_is_read() -> None:
    value = parse_design(
        """{"format": "cnnstudio.design", "version": 1, "name": "By hand", "input": [3, 32, 32], "layers": [
            {"type": "Conv2D", "filters": 16, "kernel_size": 5, "activation": "relu"},
            {"type": "Residual", "layers": [{"type": "Repeat", "times": 3.0, "enabled": false}]},
            {"type": "Flatten", "name": "to a row", "id": "flatten_7"}]}"""
    )
    assert value == Network(
        Shape.of(3, 32, 32),
        (
            Node("conv2d_1", Conv2D(16, (5, 5), activation="relu")),
            Node("residual_1", Residual(), children=(Node("repeat_1", Repeat(3), None, False),)),
            Node("flatten_7", Flatten(), "to a row"),
        ),
        "By hand",
    )


def test_a_written_file_is_read_back_with_ids_names_and_states(tmp_path: Path) -> None:
    value = network(
        Conv2D(5, padding="same"), (Repeat(), (Residual(), off(Dropout(0.123456789)))), Flatten(), Dense()
    )
    write_design(tmp_path / "a.cnn.json", value)
    assert read_design(tmp_path / "a.cnn.json") == value
    assert parse_design(json.dumps(design_to_json(value))) == value


def test_every_layer_stands_on_a_line_of_its_own() -> None:
    lines = design_text(network(Conv2D(), (Repeat(), Flatten(), Dense()), Dropout())).splitlines()
    assert sum('"type"' in line for line in lines) == 5
    assert all(line.count('"type"') <= 1 for line in lines)


def test_the_largest_design_is_read_back(tmp_path: Path) -> None:
    maker = IdMaker()
    name = "🙂" * 100
    leaves = tuple(maker.node(Conv2D(), name) for _ in range(MAXIMUM_NODES - MAXIMUM_DEPTH))
    top = maker.node(Repeat(), children=leaves)
    for _ in range(MAXIMUM_DEPTH - 1):
        top = maker.node(Repeat(), children=(top,))
    value = Network(nodes=(top,))
    write_design(tmp_path / "large.cnn.json", value)
    assert read_design(tmp_path / "large.cnn.json") == value


def test_half_a_sign_in_a_name_does_not_keep_a_design_from_being_written(tmp_path: Path) -> None:
    # No edit makes such a name; whoever builds a network in code can.
    value = Network(nodes=(Node("flatten_1", Flatten(), "a\ud800"),), name="\udfff")
    write_design(tmp_path / "a.cnn.json", value)
    assert read_design(tmp_path / "a.cnn.json").node("flatten_1").name == "a"
    assert layers_from_text(layers_to_text(value.nodes), network())[0].name == "a"


def test_names_in_a_file_become_one_line() -> None:
    value = parse_design(layer('"type": "Flatten", "name": "a\\nb\\u0000\\ud800\\u202ec"'))
    assert value.nodes[0].title == "a b c"
    assert parse_design(layer('"type": "Flatten", "name": " "')).nodes[0].title == "Flatten"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn.json"
    path.write_bytes(b"\xef\xbb\xbf" + design().encode())
    assert read_design(path) == Network(name="Untitled")


def test_writing_where_nothing_can_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FileError, match="Cannot write"):
        write_design(tmp_path / "file" / "a.cnn.json", network())
    assert (tmp_path / "file").read_text() == "kept"


# What is wrong in the text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('"type": "Conv3D"', "layers[0].type: there is no layer type “Conv3D”; did you mean Conv2D?"),
        ('"type": "conv2d"', "layers[0].type: there is no layer type “conv2d”; did you mean Conv2D?"),
        ('"type": 3', "layers[0].type: the name of a layer type is needed, not 3"),
        ('"filters": 3', "layers[0].type: the name of a layer type is needed, not null"),
        (
            '"type": "Dense", "filters": 3',
            "layers[0].filters: Dense has no such parameter; it has units, activation, use_bias, "
            "kernel_initializer, kernel_l2",
        ),
        ('"type": "Flatten", "units": 3', "layers[0].units: Flatten has no such parameter; it has none"),
        (
            '"type": "Conv2D", "filters": "32"',
            "layers[0].filters: a whole number from 1 to 65,536 is needed, not “32”",
        ),
        (
            '"type": "Conv2D", "filters": true',
            "layers[0].filters: a whole number from 1 to 65,536 is needed, not true",
        ),
        (
            '"type": "Conv2D", "filters": 2.5',
            "layers[0].filters: a whole number from 1 to 65,536 is needed, not 2.5",
        ),
        (
            '"type": "Conv2D", "filters": 0',
            "layers[0].filters: 0 is out of range: 1 to 65,536 is possible",
        ),
        (
            '"type": "Conv2D", "filters": -7',
            "layers[0].filters: -7 is out of range: 1 to 65,536 is possible",
        ),
        (
            '"type": "Conv2D", "filters": 1e9',
            "layers[0].filters: 1,000,000,000 is out of range: 1 to 65,536 is possible; "
            "it would take 4 GB for each pixel of each image",
        ),
        (
            '"type": "Repeat", "times": 1000000000',
            "layers[0].times: 1,000,000,000 is out of range: 1 to 1,000 is possible",
        ),
        (
            f'"type": "Conv2D", "filters": 1{"0" * 5000}',
            "layers[0].filters: a number of more than 18 digits is out of range: 1 to 65,536 is possible",
        ),
        (
            f'"type": "Dropout", "rate": {"9" * 400}',
            "layers[0].rate: a number of more than 18 digits is out of range: 0 to 0.99 is possible",
        ),
        (
            '"type": "Conv2D", "filters": NaN',
            "layers[0].filters: a whole number from 1 to 65,536 is needed, not a number that is not finite",
        ),
        (
            '"type": "Dropout", "rate": NaN',
            "layers[0].rate: a number that is not finite is out of range: 0 to 0.99 is possible",
        ),
        (
            '"type": "Dropout", "rate": -Infinity',
            "layers[0].rate: a number that is not finite is out of range: 0 to 0.99 is possible",
        ),
        (
            '"type": "Dropout", "rate": 1e999',
            "layers[0].rate: a number that is not finite is out of range: 0 to 0.99 is possible",
        ),
        (
            '"type": "Dropout", "rate": [0.5]',
            "layers[0].rate: a number from 0 to 0.99 is needed, not a list of 1",
        ),
        (
            '"type": "Conv2D", "padding": "full"',
            "layers[0].padding: “full” is not possible; one of valid, same is",
        ),
        ('"type": "Dense", "use_bias": 1', "layers[0].use_bias: true or false is needed, not 1"),
        (
            '"type": "Conv2D", "kernel_size": [3]',
            "layers[0].kernel_size: two whole numbers, height and width, are needed, not a list of 1",
        ),
        (
            '"type": "Conv2D", "kernel_size": [3, 0]',
            "layers[0].kernel_size: 0 is out of range: 1 to 255 is possible",
        ),
        (
            '"type": "Conv2D", "kernel_size": null',
            "layers[0].kernel_size: two whole numbers, height and width, are needed, not null",
        ),
        ('"type": "Flatten", "name": 3', "layers[0].name: text is needed, not 3"),
        ('"type": "Flatten", "enabled": "no"', "layers[0].enabled: true or false is needed, not “no”"),
        (
            '"type": "Flatten", "layers": []',
            "layers[0].layers: Flatten is no group and cannot hold layers",
        ),
        ('"type": "Repeat", "layers": {}', "layers[0].layers: a list of layers is needed, not an object"),
        (
            '"type": "Repeat", "layers": [{"type": "Flatten"}, {"type": "Dense", "units": 0}]',
            "layers[0].layers[1].units: 0 is out of range: 1 to 1,048,576 is possible",
        ),
        (
            '"type": "Flatten", "id": "Conv 1"',
            "layers[0].id: small letters, digits and _ are needed, such as conv2d_1, not “Conv 1”",
        ),
        (
            '"type": "Flatten", "id": "weight"',
            "layers[0].id: small letters, digits and _ are needed, such as conv2d_1, not “weight”",
        ),
        (
            '"type": "Repeat", "id": "a_1", "layers": [{"type": "Flatten", "id": "a_1"}]',
            "layers[0].id: “a_1” is the id of two layers; each needs its own",
        ),
        (
            '"type": "Dense", "units": 3, "units": 4',
            "layers[0].units: this stands twice in one object; keep one",
        ),
    ],
)
def test_a_mistake_in_a_layer_is_named_with_its_place(fields: str, message: str) -> None:
    assert refusal(layer(fields)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", 'this is no design: a design is a JSON object with "format": "cnnstudio.design"'),
        (
            '{"format": "other"}',
            'this is no design: a design is a JSON object with "format": "cnnstudio.design"',
        ),
        (
            design(head='"format": "cnnstudio.design"'),
            "version: a whole number from 1 is needed, not null",
        ),
        (
            design(head='"format": "cnnstudio.design", "version": true'),
            "version: a whole number from 1 is needed, not true",
        ),
        (
            design(head='"format": "cnnstudio.design", "version": 2'),
            "version: this design is of version 2, but this program reads up to 1: update it",
        ),
        (
            design(head=f'"format": "cnnstudio.design", "version": {"9" * 9999}'),
            "version: this design is of version a number of more than 18 digits, "
            "but this program reads up to 1: update it",
        ),
        (
            design(head=HEAD + ', "layer": []'),
            "layer: a design has no such entry; it has format, version, name, input and layers",
        ),
        (design(head=HEAD + ', "name": 5'), "name: text is needed, not 5"),
        (design(head=HEAD + ', "input": [1, 2, 3]'), "input: this stands twice in one object; keep one"),
        (design(layers='{"type": "Flatten"}'), "layers: a list of layers is needed, not an object"),
        (design(layers='["Flatten"]'), 'layers[0]: a layer is an object with a "type", not “Flatten”'),
        (
            design(layers='[{"type": "Flatten"}, null]'),
            'layers[1]: a layer is an object with a "type", not null',
        ),
        *(
            (
                design(size=size),
                "input: three whole numbers from 1 to 1024, [channels, height, width], are needed, not "
                + words,
            )
            for size, words in [
                ("null", "null"),
                ("[3, 32]", "[3, 32]"),
                ("[3, 0, 32]", "[3, 0, 32]"),
                ("[3, 32, 2048]", "[3, 32, 2,048]"),
                ("[3, 32, 32.0]", "[3, 32, 32]"),
                ("[3, true, 32]", "[3, true, 32]"),
                ("[3, 32, NaN]", "[3, 32, a number that is not finite]"),
                ("[1, 2, 3, 4, 5]", "a list of 5"),
                ('"3x32x32"', "“3x32x32”"),
            ]
        ),
        ("", "there is nothing in it"),
        (" \n", "there is nothing in it"),
    ],
)
def test_a_mistake_around_the_layers_is_named(text: str, message: str) -> None:
    assert refusal(text) == message


def test_a_truncated_file_is_named_with_line_and_column() -> None:
    text = design_text(network(Conv2D(), (Repeat(), Flatten())))
    for end in range(1, len(text) - 2, 7):
        assert "this is not JSON (" in refusal(text[:end])
    assert refusal('{"format":\n x}').startswith("line 2, column 2: this is not JSON (Expecting value)")


def test_groups_nest_as_deep_as_edits_allow_and_no_deeper() -> None:
    deepest = network(nested(Residual(), MAXIMUM_DEPTH, Flatten()))
    assert parse_design(design_text(deepest)) == deepest
    message = refusal(design_text(network(nested(Residual(), MAXIMUM_DEPTH + 1, Flatten()))))
    assert message.endswith("groups can stand at most 24 deep in each other")
    assert message.startswith("layers[0].layers[0].layers")


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    many = '{"type": "Repeat", "layers": [' * depth + "]}" * depth
    assert "deep in each other" in refusal(design(f"[{many}]"))
    assert refusal("[" * depth + "]" * depth)
    assert refusal(design("[" * depth + "]" * depth))
    assert refusal("[" * depth)
    assert refusal('{"a":' * depth)


def test_too_many_layers_are_refused() -> None:
    assert refusal(design("[" + ",".join(['{"type":"Flatten"}'] * 20_001) + "]")) == (
        "a design has at most 20,000 layers"
    )


def test_long_texts_are_cut_in_messages() -> None:
    long = "x" * 100_000
    assert "x…" in refusal(layer(f'"type": "{long}"'))
    assert "x…" in refusal(layer(f'"type": "Flatten", "{long}": 1'))
    assert "x…" in refusal(layer(f'"type": "Flatten", "id": "{long}"'))
    assert "x…" in refusal(design(head=HEAD + f', "{long}": 1'))
    assert refusal(layer('"type": "a\\n\\u001b[31mb"')).startswith(
        "layers[0].type: there is no layer type “a [31mb”"
    )


def test_no_kind_of_value_anywhere_causes_another_error() -> None:
    odd: list[Any] = [
        None,
        True,
        0,
        -1,
        2.5,
        10**4000,
        float("nan"),
        float("inf"),
        "",
        "\ud800",
        [],
        {},
        [[]],
        {"a": 1},
    ]
    good = design_to_json(network(Conv2D(), (Repeat(), Dropout())))
    places: list[tuple[Any, Any]] = [(good, key) for key in good]
    places += [(good["layers"], 0), (good["layers"], 1)]
    places += [(entry, key) for entry in good["layers"] for key in entry]
    for container, key in places:
        kept = container[key]
        for value in odd:
            container[key] = value
            with contextlib.suppress(DesignError):
                analyze(design_from_json(good), classes=10)
        container[key] = kept
    assert design_from_json(good)


# What is wrong with the file


def test_the_name_of_the_file_comes_first(tmp_path: Path) -> None:
    message = file_refusal(tmp_path / "my.cnn.json", layer('"type": "Conv2D", "filters": 0').encode())
    assert message == "my.cnn.json: layers[0].filters: 0 is out of range: 1 to 65,536 is possible"


def test_files_that_are_no_designs_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn.json"
    assert file_refusal(path) == f"{path}: there is no such file"
    assert file_refusal(tmp_path) == f"{tmp_path.name}: this is a folder, not a design file"
    assert file_refusal(path, b"") == "a.cnn.json: there is nothing in it"
    assert file_refusal(path, b"\x89PNG\r\n\x1a\n\0\0") == (
        "a.cnn.json: this is not UTF-8 text, so it is no design, which is JSON"
    )
    assert "this is not JSON" in file_refusal(path, b"\0\1\2\3")
    assert "not UTF-8 text" in file_refusal(path, design().encode("utf-16"))


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn.json"
    with path.open("wb") as file:
        file.truncate(33 * 2**20)
    assert file_refusal(path) == "a.cnn.json: the file is larger than 32 MB, so it is no design"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "no file with content of its own" in file_refusal(tmp_path / "pipe")


# Clipboard and drags


def test_layers_travel_as_text_and_arrive_under_fresh_ids() -> None:
    value = network(Conv2D(), (Repeat(), Flatten()))
    copies = layers_from_text(layers_to_text(value.nodes), value)
    assert [node.id for top in copies for node in top.walk()] == ["conv2d_2", "repeat_2", "flatten_2"]
    assert [node.id for node in layers_from_text(design_text(value), network())] == ["conv2d_1", "repeat_1"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"format": "cnnstudio.layers"}',
        '{"format": "cnnstudio.layers", "layers": [1]}',
    ],
)
def test_other_text_on_the_clipboard_is_refused(text: str) -> None:
    with pytest.raises(DesignError):
        layers_from_text(text, network())


def test_a_billion_channels_are_refused_with_the_memory_that_they_would_take() -> None:
    for layer, sentence in (
        (
            {"type": "Conv2D", "filters": 10**9},
            "layers[0].filters: 1,000,000,000 is out of range: 1 to 65,536 is possible; "
            "it would take 4 GB for each pixel of each image",
        ),
        (
            {"type": "Dense", "units": 10**12},
            "layers[0].units: 1,000,000,000,000 is out of range: 1 to 1,048,576 is possible; "
            "it would take 4,000 GB for each image",
        ),
        (
            {"type": "Repeat", "times": 10**9, "layers": []},
            "layers[0].times: 1,000,000,000 is out of range: 1 to 1,000 is possible",
        ),
    ):
        with pytest.raises(DesignError) as caught:
            nodes_from_json([layer])
        assert str(caught.value) == sentence


def test_a_group_that_is_said_to_hold_itself_is_refused() -> None:
    inner = {"type": "Repeat", "id": "repeat_1", "layers": []}
    with pytest.raises(DesignError, match=r"layers\[0\]\.id: “repeat_1” is the id of two layers"):
        nodes_from_json([{"type": "Block", "id": "repeat_1", "layers": [inner]}])
