"""What a network knows of itself."""

from __future__ import annotations

from cnnstudio.design.templates import template


def test_layers_are_counted_as_a_person_would_groups_not_at_all() -> None:
    network = template("resnet-20").network
    groups = [node for node in network.walk() if node.is_group]
    assert groups
    assert network.layer_count == len(network) - len(groups) == 30
