"""The cost of an edit in designs of 500 and 1,000 layers: the edit itself, and the analysis after it.

    python benchmarks/analysis_speed.py [--rounds 30] [--json FILE]

Each analysis after an edit alternates with one from scratch of the same network; medians are compared. The
layers are in 20 Residual groups, or all in one list. The first kind of edit changes no shape, the second one
changes the shapes and receptive fields of a few layers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import IdGenerator, Network, Node, Place
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization

SIZES = (500, 1000)
GROUPS = 20
CONVOLUTION = Conv2D(32, padding="same", activation="relu")

Edit = Callable[[Network, int], Network]


def design(layers: int, groups: int) -> Network:
    """A convolution, then alternating convolutions and norms, in `groups` groups or in one list."""
    ids = IdGenerator()

    def block(count: int) -> tuple[Node, ...]:
        kinds = (BatchNormalization(), CONVOLUTION)
        return tuple(ids.node(kinds[number % 2]) for number in range(count))

    stem = ids.node(CONVOLUTION)
    if not groups:
        return Network(nodes=(stem, *block(layers - 1)))
    inside = layers // groups - 1
    return Network(nodes=(stem, *(ids.node(Residual(), children=block(inside)) for _ in range(groups))))


def middle(network: Network) -> Place:
    """The place of a convolution in the middle of the list."""
    nodes = list(network.walk())
    found = next(node for node in nodes[len(nodes) // 2 :] if isinstance(node.layer, Conv2D))
    return network.place(found.id)


def insert(network: Network, round_number: int) -> Network:
    """Inserts a layer that keeps the shape."""
    return edits.insert(network, middle(network), [network.fresh_ids().node(CONVOLUTION)])


def widen(network: Network, round_number: int) -> Network:
    """Gives a layer a new number of filters, which the following layers accept."""
    place = middle(network)
    node = network.children(place.parent)[place.index]
    return edits.replace(network, node.id, layer=Conv2D(33 + round_number, padding="same"))


def measure(network: Network, edit: Edit, rounds: int) -> dict[str, float]:
    """Medians in milliseconds."""
    times: dict[str, list[float]] = {"edit": [], "after the edit": [], "from scratch": []}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        times[name].append((time.perf_counter() - start) * 1000)
        return result

    analysis = analyze(network)
    for number in range(rounds):
        fresh = Network(network.input, network.nodes)  # without the index of the last round
        edited = timed("edit", lambda fresh=fresh, number=number: edit(fresh, number))
        after = timed("after the edit", lambda edited=edited: analyze(edited, analysis))
        assert after == timed("from scratch", lambda edited=edited: analyze(edited))
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    figures = []
    print(f"{'design':>22} {'edit':>8} {'edit ms':>9} {'after it ms':>12} {'scratch ms':>11} {'ratio':>6}")
    for layers in SIZES:
        for groups in (GROUPS, 0):
            for edit in (insert, widen):
                found = measure(design(layers, groups), edit, arguments.rounds)
                ratio = found["from scratch"] / found["after the edit"]
                name = f"{layers} in {groups} groups" if groups else f"{layers} in one list"
                figures.append({"design": name, "edit": edit.__name__, "ratio": ratio, "milliseconds": found})
                print(
                    f"{name:>22} {edit.__name__:>8} {found['edit']:9.3f} {found['after the edit']:12.3f} "
                    f"{found['from scratch']:11.2f} {ratio:6.1f}"
                )
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
