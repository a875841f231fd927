"""Any sequence of edits keeps networks immutable, ids unique, files readable and analyses exact."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.edits import EditError
from cnnstudio.design.file import design_text, layers_from_text, layers_to_text, parse_design
from cnnstudio.design.network import MAXIMUM_DEPTH, Network
from tests.strategies import Edit, network_edits, networks


def edited(network: Network, edit: Edit) -> Network:
    """The network after the edit, or unchanged if the edit is invalid. Only EditError is allowed."""
    try:
        return edit.make(network)
    except EditError:
        return network


@given(networks(), st.data())
def test_the_old_network_is_unchanged_and_equal_nodes_are_shared(
    network: Network, data: st.DataObject
) -> None:
    for _ in range(4):
        before = design_text(network)
        after = edited(network, data.draw(network_edits(network)))
        assert design_text(network) == before
        for node in after.walk():
            if node.id in network and network.node(node.id) == node:
                assert network.node(node.id) is node
        network = after


@given(networks(), st.data())
def test_ids_stay_unique_and_places_correct(network: Network, data: st.DataObject) -> None:
    for _ in range(4):
        network = edited(network, data.draw(network_edits(network)))
        ids = [node.id for node in network.walk()]
        assert len(ids) == len(set(ids)) == len(network)
        for node_id in ids:
            place = network.place(node_id)
            assert network.children(place.parent)[place.index] is network.node(node_id)
            assert network.depth(node_id) <= MAXIMUM_DEPTH


@given(networks(), st.data())
def test_edited_networks_survive_the_file(network: Network, data: st.DataObject) -> None:
    for _ in range(3):
        network = edited(network, data.draw(network_edits(network)))
        again = parse_design(design_text(network).encode("utf-8", "backslashreplace").decode())
        assert again == network


@given(networks(), st.integers(1, 12), st.data())
def test_an_analysis_that_reuses_another_equals_one_from_scratch(
    network: Network, classes: int, data: st.DataObject
) -> None:
    analysis, first = analyze(network, classes=classes), network
    for _ in range(5):
        network = edited(network, data.draw(network_edits(network)))
        analysis = analyze(network, analysis, classes=classes)
        assert analysis == analyze(network, classes=classes)
        assert [report.node for report in analysis.reports] == list(network.walk())
    # As after undoing all edits.
    assert analyze(first, analysis, classes=classes) == analyze(first, classes=classes)


@given(networks(), networks())
def test_pasted_layers_are_equal_with_new_ids(source: Network, target: Network) -> None:
    pasted = layers_from_text(layers_to_text(source.nodes), target)
    assert [node.layer for top in pasted for node in top.walk()] == [node.layer for node in source.walk()]
    new_ids = [node.id for top in pasted for node in top.walk()]
    assert len(set(new_ids)) == len(new_ids)
    assert not any(node_id in target for node_id in new_ids)


@settings(max_examples=30)
@given(networks(largest=None))
def test_values_from_the_whole_range_can_be_analyzed_and_written(network: Network) -> None:
    assert parse_design(design_text(network)) == network
    for problem in analyze(network, classes=10).problems:
        assert len(problem.full_message) < 400
