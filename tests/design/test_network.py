"""Properties of the network value."""

from __future__ import annotations

from cnnstudio.design.templates import template


def test_the_layer_count_excludes_groups() -> None:
    network = template("resnet-20").network
    groups = [node for node in network.walk() if node.is_group]
    assert groups
    assert network.layer_count == len(network) - len(groups) == 30
