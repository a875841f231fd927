"""The design file: round trips, and errors that are reported with their location."""

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
from cnnstudio.design.network import MAXIMUM_DEPTH, MAXIMUM_NODES, IdGenerator, Network, Node
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import disabled, nested, network

HEAD = '"format": "cnnstudio.design", "version": 1'


def design(layers: str = "[]", *, head: str = HEAD, size: str = "[3, 32, 32]") -> str:
    return f'{{{head}, "input": {size}, "layers": {layers}}}'


def layer(fields: str) -> str:
    return design(f"[{{{fields}}}]")


def error_message(text: str) -> str:
    """The message of the DesignError for the text: one printable line of reasonable length."""
    with pytest.raises(DesignError) as caught:
        parse_design(text)
    message = str(caught.value)
    assert message
    assert len(message) < 500
    assert message.isprintable()
    return message


def file_error_message(path: Path, content: bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DesignError) as caught:
        read_design(path)
    return str(caught.value)


# Valid files


def test_a_handwritten_file_is_read() -> None:
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


def test_ids_names_and_states_survive_the_file(tmp_path: Path) -> None:
    value = network(
        Conv2D(5, padding="same"),
        (Repeat(), (Residual(), disabled(Dropout(0.123456789)))),
        Flatten(),
        Dense(),
    )
    write_design(tmp_path / "a.cnn.json", value)
    assert read_design(tmp_path / "a.cnn.json") == value
    assert parse_design(json.dumps(design_to_json(value))) == value


def test_every_layer_is_written_on_a_separate_line() -> None:
    lines = design_text(network(Conv2D(), (Repeat(), Flatten(), Dense()), Dropout())).splitlines()
    assert sum('"type"' in line for line in lines) == 5
    assert all(line.count('"type"') <= 1 for line in lines)


def test_the_largest_possible_design_survives_the_file(tmp_path: Path) -> None:
    maker = IdGenerator()
    name = "🙂" * 100
    leaves = tuple(maker.node(Conv2D(), name) for _ in range(MAXIMUM_NODES - MAXIMUM_DEPTH))
    top = maker.node(Repeat(), children=leaves)
    for _ in range(MAXIMUM_DEPTH - 1):
        top = maker.node(Repeat(), children=(top,))
    value = Network(nodes=(top,))
    write_design(tmp_path / "large.cnn.json", value)
    assert read_design(tmp_path / "large.cnn.json") == value


def test_a_lone_surrogate_in_a_name_does_not_prevent_writing(tmp_path: Path) -> None:
    # No edit produces such a name, but code that builds a network can.
    value = Network(nodes=(Node("flatten_1", Flatten(), "a\ud800"),), name="\udfff")
    write_design(tmp_path / "a.cnn.json", value)
    assert read_design(tmp_path / "a.cnn.json").node("flatten_1").name == "a"
    assert layers_from_text(layers_to_text(value.nodes), network())[0].name == "a"


def test_names_in_a_file_are_reduced_to_one_line() -> None:
    value = parse_design(layer('"type": "Flatten", "name": "a\\nb\\u0000\\ud800\\u202ec"'))
    assert value.nodes[0].title == "a b c"
    assert parse_design(layer('"type": "Flatten", "name": " "')).nodes[0].title == "Flatten"


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn.json"
    path.write_bytes(b"\xef\xbb\xbf" + design().encode())
    assert read_design(path) == Network(name="Untitled")


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FileError, match="Cannot write"):
        write_design(tmp_path / "file" / "a.cnn.json", network())
    assert (tmp_path / "file").read_text() == "kept"


# Errors in the text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('"type": "Conv3D"', "layers[0].type: unknown layer type “Conv3D”; did you mean Conv2D?"),
        ('"type": "conv2d"', "layers[0].type: unknown layer type “conv2d”; did you mean Conv2D?"),
        ('"type": 3', "layers[0].type: must be the name of a layer type, got 3"),
        ('"filters": 3', "layers[0].type: must be the name of a layer type, got null"),
        (
            '"type": "Dense", "filters": 3',
            "layers[0].filters: Dense has no such parameter; it has units, activation, use_bias, "
            "kernel_initializer, kernel_l2",
        ),
        ('"type": "Flatten", "units": 3', "layers[0].units: Flatten has no parameters"),
        (
            '"type": "Conv2D", "filters": "32"',
            "layers[0].filters: must be an integer from 1 to 65,536, got “32”",
        ),
        (
            '"type": "Conv2D", "filters": true',
            "layers[0].filters: must be an integer from 1 to 65,536, got true",
        ),
        (
            '"type": "Conv2D", "filters": 2.5',
            "layers[0].filters: must be an integer from 1 to 65,536, got 2.5",
        ),
        (
            '"type": "Conv2D", "filters": 0',
            "layers[0].filters: must be between 1 and 65,536, got 0",
        ),
        (
            '"type": "Conv2D", "filters": -7',
            "layers[0].filters: must be between 1 and 65,536, got -7",
        ),
        (
            '"type": "Conv2D", "filters": 1e9',
            "layers[0].filters: must be between 1 and 65,536, got 1,000,000,000; "
            "that would take 4 GB for each pixel of each image",
        ),
        (
            '"type": "Repeat", "times": 1000000000',
            "layers[0].times: must be between 1 and 1,000, got 1,000,000,000",
        ),
        (
            f'"type": "Conv2D", "filters": 1{"0" * 5000}',
            "layers[0].filters: must be between 1 and 65,536, got a number with more than 18 digits",
        ),
        (
            f'"type": "Dropout", "rate": {"9" * 400}',
            "layers[0].rate: must be between 0 and 0.99, got a number with more than 18 digits",
        ),
        (
            '"type": "Conv2D", "filters": NaN',
            "layers[0].filters: must be an integer from 1 to 65,536, got NaN",
        ),
        (
            '"type": "Dropout", "rate": NaN',
            "layers[0].rate: must be between 0 and 0.99, got NaN",
        ),
        (
            '"type": "Dropout", "rate": -Infinity',
            "layers[0].rate: must be between 0 and 0.99, got -infinity",
        ),
        (
            '"type": "Dropout", "rate": 1e999',
            "layers[0].rate: must be between 0 and 0.99, got infinity",
        ),
        (
            '"type": "Dropout", "rate": [0.5]',
            "layers[0].rate: must be a number from 0 to 0.99, got a list of 1",
        ),
        (
            '"type": "Conv2D", "padding": "full"',
            "layers[0].padding: “full” is not valid; choose valid or same",
        ),
        ('"type": "Dense", "use_bias": 1', "layers[0].use_bias: must be true or false, got 1"),
        (
            '"type": "Conv2D", "kernel_size": [3]',
            "layers[0].kernel_size: must be two integers (height, width), got a list of 1",
        ),
        (
            '"type": "Conv2D", "kernel_size": [3, 0]',
            "layers[0].kernel_size: must be between 1 and 255, got 0",
        ),
        (
            '"type": "Conv2D", "kernel_size": null',
            "layers[0].kernel_size: must be two integers (height, width), got null",
        ),
        ('"type": "Flatten", "name": 3', "layers[0].name: must be text, got 3"),
        ('"type": "Flatten", "enabled": "no"', "layers[0].enabled: must be true or false, got “no”"),
        (
            '"type": "Flatten", "layers": []',
            "layers[0].layers: Flatten is not a group and cannot contain layers",
        ),
        ('"type": "Repeat", "layers": {}', "layers[0].layers: must be a list of layers, got an object"),
        (
            '"type": "Repeat", "layers": [{"type": "Flatten"}, {"type": "Dense", "units": 0}]',
            "layers[0].layers[1].units: must be between 1 and 1,048,576, got 0",
        ),
        (
            '"type": "Flatten", "id": "Conv 1"',
            "layers[0].id: must be lowercase letters, digits and _, ending in a number, such as conv2d_1, "
            "got “Conv 1”",
        ),
        (
            '"type": "Flatten", "id": "weight"',
            "layers[0].id: must be lowercase letters, digits and _, ending in a number, such as conv2d_1, "
            "got “weight”",
        ),
        (
            '"type": "Repeat", "id": "a_1", "layers": [{"type": "Flatten", "id": "a_1"}]',
            "layers[0].id: two layers have the id “a_1”; ids must be unique",
        ),
        (
            '"type": "Dense", "units": 3, "units": 4',
            "layers[0].units: this key appears twice; keep one",
        ),
    ],
)
def test_an_error_in_a_layer_is_reported_with_its_location(fields: str, message: str) -> None:
    assert error_message(layer(fields)) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "this is not a design of CNN Studio: open a file that was saved with File ▸ Save"),
        (
            '{"format": "other", "layers": []}',
            "this is not a design of CNN Studio: open a file that was saved with File ▸ Save",
        ),
        ('{"layers": []}', 'a design begins with "format": "cnnstudio.design", which is missing here'),
        (
            design(head='"format": "cnnstudio.design"'),
            "version: must be an integer of at least 1, got null",
        ),
        (
            design(head='"format": "cnnstudio.design", "version": true'),
            "version: must be an integer of at least 1, got true",
        ),
        (
            design(head='"format": "cnnstudio.design", "version": 3'),
            "version: must be at most 2, got 3; update CNN Studio to open this design",
        ),
        (
            design(head=f'"format": "cnnstudio.design", "version": {"9" * 9999}'),
            "version: must be at most 2, got a number with more than 18 digits; "
            "update CNN Studio to open this design",
        ),
        (
            design(head=HEAD + ', "layer": []'),
            "layer: unknown key; a design has format, version, name, input, weights and layers",
        ),
        (design(head=HEAD + ', "name": 5'), "name: must be text, got 5"),
        (design(head=HEAD + ', "input": [1, 2, 3]'), "input: this key appears twice; keep one"),
        (design(layers='{"type": "Flatten"}'), "layers: must be a list of layers, got an object"),
        (design(layers='["Flatten"]'), 'layers[0]: must be an object with a "type", got “Flatten”'),
        (
            design(layers='[{"type": "Flatten"}, null]'),
            'layers[1]: must be an object with a "type", got null',
        ),
        *(
            (
                design(size=size),
                f"input: must be [channels, height, width], integers from 1 to 1024, got {got}",
            )
            for size, got in [
                ("null", "null"),
                ("[3, 32]", "[3, 32]"),
                ("[3, 0, 32]", "[3, 0, 32]"),
                ("[3, 32, 2048]", "[3, 32, 2,048]"),
                ("[3, 32, 32.0]", "[3, 32, 32]"),
                ("[3, true, 32]", "[3, true, 32]"),
                ("[3, 32, NaN]", "[3, 32, NaN]"),
                ("[1, 2, 3, 4, 5]", "a list of 5"),
                ('"3x32x32"', "“3x32x32”"),
            ]
        ),
        ("", "this is empty"),
        (" \n", "this is empty"),
    ],
)
def test_an_error_outside_the_layers_is_reported(text: str, message: str) -> None:
    assert error_message(text) == message


def test_a_truncated_file_is_reported_with_line_and_column() -> None:
    text = design_text(network(Conv2D(), (Repeat(), Flatten())))
    for end in range(1, len(text) - 2, 7):
        assert "this is not JSON (" in error_message(text[:end])
    assert error_message('{"format":\n x}').startswith("line 2, column 2: this is not JSON (Expecting value)")


def test_the_nesting_limit_is_that_of_edits() -> None:
    deepest = network(nested(Residual(), MAXIMUM_DEPTH, Flatten()))
    assert parse_design(design_text(deepest)) == deepest
    message = error_message(design_text(network(nested(Residual(), MAXIMUM_DEPTH + 1, Flatten()))))
    assert message.endswith("groups can be nested at most 24 deep")
    assert message.startswith("layers[0].layers[0].layers")


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_deep_nesting_is_rejected(depth: int) -> None:
    many = '{"type": "Repeat", "layers": [' * depth + "]}" * depth
    assert "nested" in error_message(design(f"[{many}]"))
    assert error_message("[" * depth + "]" * depth)
    assert error_message(design("[" * depth + "]" * depth))
    assert error_message("[" * depth)
    assert error_message('{"a":' * depth)


def test_too_many_layers_are_rejected() -> None:
    assert error_message(design("[" + ",".join(['{"type":"Flatten"}'] * 20_001) + "]")) == (
        "a design can have at most 20,000 layers"
    )


def test_long_texts_are_shortened_in_messages() -> None:
    long = "x" * 100_000
    assert "x…" in error_message(layer(f'"type": "{long}"'))
    assert "x…" in error_message(layer(f'"type": "Flatten", "{long}": 1'))
    assert "x…" in error_message(layer(f'"type": "Flatten", "id": "{long}"'))
    assert "x…" in error_message(design(head=HEAD + f', "{long}": 1'))
    assert error_message(layer('"type": "a\\n\\u001b[31mb"')).startswith(
        "layers[0].type: unknown layer type “a [31mb”"
    )


def test_no_value_anywhere_raises_another_exception() -> None:
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


# Errors of the file itself


def test_messages_start_with_the_file_name(tmp_path: Path) -> None:
    message = file_error_message(tmp_path / "my.cnn.json", layer('"type": "Conv2D", "filters": 0').encode())
    assert message == "my.cnn.json: layers[0].filters: must be between 1 and 65,536, got 0"


def test_files_that_are_not_designs_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn.json"
    assert file_error_message(path) == f"{path}: there is no such file"
    assert file_error_message(tmp_path) == f"{tmp_path.name}: this is a folder, not a design file"
    assert file_error_message(path, b"") == "a.cnn.json: this is empty"
    assert file_error_message(path, b"\x89PNG\r\n\x1a\n\0\0") == (
        "a.cnn.json: this is not UTF-8 text, so it is not a design (JSON)"
    )
    assert "this is not JSON" in file_error_message(path, b"\0\1\2\3")
    assert "not UTF-8 text" in file_error_message(path, design().encode("utf-16"))


def test_a_huge_file_is_rejected_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.cnn.json"
    with path.open("wb") as file:
        file.truncate(33 * 2**20)
    assert file_error_message(path) == "a.cnn.json: this file is larger than 16 MB, so it is not a design"


@pytest.mark.parametrize("text", ["[" * 10, "[],", "{},", '"a",', '{"a":1},'])
def test_text_that_would_take_too_much_memory_is_rejected_before_it_is_parsed(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnstudio.design.file.json.loads", None)
    with pytest.raises(DesignError, match="too large for a design, which has at most 20,000 layers"):
        parse_design(text * (15 * 2**20 // len(text)))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_rejected_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in file_error_message(tmp_path / "pipe")


# Clipboard and drags


def test_layers_copied_as_text_get_new_ids() -> None:
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
def test_other_text_on_the_clipboard_is_rejected(text: str) -> None:
    with pytest.raises(DesignError):
        layers_from_text(text, network())


def test_a_billion_channels_are_rejected_with_their_memory_cost() -> None:
    for layer, sentence in (
        (
            {"type": "Conv2D", "filters": 10**9},
            "layers[0].filters: must be between 1 and 65,536, got 1,000,000,000; "
            "that would take 4 GB for each pixel of each image",
        ),
        (
            {"type": "Dense", "units": 10**12},
            "layers[0].units: must be between 1 and 1,048,576, got 1,000,000,000,000; "
            "that would take 4,000 GB for each image",
        ),
        (
            {"type": "Repeat", "times": 10**9, "layers": []},
            "layers[0].times: must be between 1 and 1,000, got 1,000,000,000",
        ),
    ):
        with pytest.raises(DesignError) as caught:
            nodes_from_json([layer])
        assert str(caught.value) == sentence


def test_a_group_that_contains_its_own_id_is_rejected() -> None:
    inner = {"type": "Repeat", "id": "repeat_1", "layers": []}
    with pytest.raises(DesignError, match=r"layers\[0\]\.id: two layers have the id “repeat_1”"):
        nodes_from_json([{"type": "Block", "id": "repeat_1", "layers": [inner]}])
