"""The lines of complete programs, each with the layer that it belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from cnnstudio.design.network import Network
from cnnstudio.design.templates import Template, templates
from cnnstudio.interchange.chain import CodeError, locate_lines
from cnnstudio.interchange.keras import writer
from cnnstudio.interchange.pytorch import writer as pytorch
from tests.interchange.networks import networks


def test_lines_are_found_at_any_indentation() -> None:
    lines = locate_lines("# head\nnet = [\n    one,\n    two,\n]\n", [("a", "one,"), ("b", "two,")])
    assert lines == [(None, "# head"), (None, "net = ["), ("a", "    one,"), ("b", "    two,"), (None, "]")]


def test_without_the_lines_nothing_is_assigned() -> None:
    assert locate_lines("one\n", [("a", "two")]) == [(None, "one")]


@pytest.mark.parametrize("each", templates().values(), ids=lambda each: each.name)
def test_every_layer_of_a_template_has_lines_in_the_program(each: Template) -> None:
    for lines, text in (
        (pytorch.file_code(each.network), pytorch.write_module(each.network)),
        (writer.file_code(each.network), writer.write_model(each.network)),
    ):
        assert "\n".join(line for _, line in lines) == text.rstrip("\n")
        owners = {owner for owner, _ in lines if owner is not None}
        assert owners == {node.id for top in each.network.nodes for node in top.walk_active()}


@settings(max_examples=30, deadline=None)
@given(networks())
def test_every_line_belongs_to_an_existing_layer(network: Network) -> None:
    known = {node.id for node in network.walk()} | {None}
    assert {owner for owner, _ in pytorch.file_code(network)} <= known
    assert {owner for owner, _ in writer.file_code(network)} <= known


def test_a_network_with_problems_has_no_program() -> None:
    for write in (pytorch.file_code, writer.file_code):
        with pytest.raises(CodeError):
            write(Network())
