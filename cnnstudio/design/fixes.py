"""Mends: the edit that each kind of mend stands for."""

from __future__ import annotations

from cnnstudio.design import edits
from cnnstudio.design.analysis import Problem
from cnnstudio.design.network import Network, Place
from cnnstudio.layers.base import Append, InsertBefore, SetInside, SetParameters
from cnnstudio.layers.catalog import layer_type


def mended(network: Network, problem: Problem) -> Network:
    """The network with the problem's mend applied. Raises EditError where it has none."""
    mend, node_id = problem.mend, problem.node_id
    if isinstance(mend, Append):
        fresh = network.fresh_ids()
        added = [fresh.node(layer_type(name)(**values)) for name, values in mend.layers]
        return edits.insert(network, Place(None, len(network.nodes)), added)
    if node_id is None or node_id not in network:
        raise edits.EditError("this problem has no mend; change the layers by hand")
    if isinstance(mend, InsertBefore):
        added = [network.fresh_ids().node(layer_type(mend.layer_type)(**mend.values))]
        return edits.insert(network, network.place(node_id), added)
    if isinstance(mend, SetParameters):
        node = network.node(node_id)
        for each in node.walk_active() if isinstance(mend, SetInside) else [node]:
            network = edits.replace(network, each.id, layer=each.layer.taking(mend.values))
        return network
    raise edits.EditError("this problem has no mend; change the layers by hand")
