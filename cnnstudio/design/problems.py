"""What stops a network from training, in words, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnnstudio.design.flows import MAXIMUM_LAYERS, MAXIMUM_PARAMETERS, Flow, Part, too_many
from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import Append, Mend, Shape


@dataclass(frozen=True)
class Problem:
    """What stops the network from training: one sentence, and what would mend it."""

    node_id: str | None
    """The faulty layer; None for the network as a whole."""
    message: str
    """What is wrong, without the mend."""
    mends: tuple[Mend, ...] = ()
    """What would mend it, the best one first."""
    why: str = ""
    """Why it matters, in one sentence; empty where the message says so itself."""

    @property
    def mend(self) -> Mend | None:
        """The best mend."""
        return self.mends[0] if self.mends else None

    @property
    def sentence(self) -> str:
        """What is wrong and what to do: `Dense takes …, but gets …: insert Flatten before it`."""
        return f"{self.message}: {self.mends[0].advice}" if self.mends else self.message


def of_the_whole(flow: Flow) -> Iterator[Problem]:
    """What no single layer is to blame for."""
    if flow.layers == 0:
        yield Problem(
            None, "The network has no layers yet: drag some in from the palette, or open a template"
        )
    if flow.layers > MAXIMUM_LAYERS:
        yield Problem(
            None,
            f"The network would have {flow.layers:,} layers, all copies counted; "
            f"at most {MAXIMUM_LAYERS:,} are possible",
        )
    if flow.parameters > MAXIMUM_PARAMETERS:
        yield Problem(None, f"The network would have {too_many(flow.parameters)}")


def of_the_ending(network: Network, flow: Flow, classes: int | None) -> Problem | None:
    """What keeps the network's output from being one learnt score a class."""
    last = next((node for node in reversed(network.nodes) if node.is_active), None)
    if last is None or flow.output is None:
        return None
    dense = ("Dense", {"units": classes or 10})
    if not flow.output.is_flat:
        message = f"The network ends with {flow.output} from {last.title}, but class scores are a flat vector"
        return Problem(last.id, message, (Append((("Flatten", {}), dense)),))
    if classes is None:
        return None
    if flow.output.features != classes:
        message = f"{last.title} gives {flow.output} scores, but the data has {classes} classes"
        decisive = _decisive(network.nodes, flow.parts, classes)
        if decisive is not None:
            return Problem(decisive[0].id, message, (decisive[1],))
        return Problem(last.id, message, (Append((dense,)),))
    if flow.parameters == 0:
        return Problem(last.id, "The network has no weights that could learn", (Append((dense,)),))
    return None


def _decisive(nodes: Sequence[Node], parts: Sequence[Part], classes: int) -> tuple[Node, Mend] | None:
    """The last layer that decides how many scores there are, and how to tell it, if it can be told."""
    scores = Shape.of(classes)
    for node, part in zip(reversed(nodes), reversed(parts), strict=True):
        if not node.is_active:
            continue
        if node.is_transparent:
            found = _decisive(node.children, part.bodies[0][0].parts, classes)
            if found is not None or any(child.is_active for child in node.children):
                return found
            continue
        mend = node.layer.giving(classes)
        if mend is not None:
            return node, mend
        passes_on = not node.is_group and part.input is not None and part.input.is_flat
        if not passes_on or node.layer.output_shape(scores) != scores:
            break
    return None
