"""Small images for a network with pretrained weights: its first layer enlarges them.

Photographs in which the weights have learned their edges and textures are larger. Interpolated to that size,
small images give more accurate features than as they are, and than enlarged by the sharper filter that
resizes images before training. As a layer, it is part of the design and of its exports, and the enlarged
images need no space.
"""

from __future__ import annotations

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.network import Network, Node, Place
from cnnstudio.design.templates import templates
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.up_sampling2d import UpSampling2D

_SMALLER = Shape.of(3, 96, 96)
_LEAST, _MOST = 2, 10
"""Factors. Larger images are resized as for any network; so are smaller ones, which show next to nothing."""


def fit_input(network: Network, shape: Shape | None) -> Network:
    """The network with pretrained weights for images of that shape, C × H × W; None: they are not known.

    Small ones become its input, at their own size, and are enlarged by an integer factor to about the size
    that the layers after it take. For others, an input that was fitted to small ones gets the size back that
    the template of the weights has. The channels stay, because the weights are those of colors. Networks
    without pretrained weights, and those that take images of that size already, stay the same object.
    """
    if network.weights is None or shape is None or not shape.is_image:
        return network
    enlarging = _enlarging(network)
    if enlarging is not None and network.input.dims[1:] == shape.dims[1:]:
        return network
    known = templates().get(network.weights)
    size = network.input if enlarging is None or known is None else known.network.input
    factor = enlarging_factor(shape, size)
    if factor is None:
        if enlarging is None:
            return network
        found = edits.set_input(edits.remove(network, [enlarging.id]), size)
    else:
        found = _with_factor(network, enlarging, factor)
        found = edits.set_input(found, Shape.of(network.input.channels, *shape.dims[1:]))
    return network if analyze(found).problems and not analyze(network).problems else found


def enlarge_less(network: Network) -> Network:
    """The network with its small images enlarged to about 96 pixels at most, for a training of all layers.

    Layers that learn get used to smaller edges and textures, and a training step takes a third of the time
    that it takes at 160 pixels. Networks that enlarge nothing, or no more than that, stay the same object.
    """
    enlarging = _enlarging(network)
    if network.weights is None or enlarging is None:
        return network
    is_large = max(network.input.dims[1:]) > _SMALLER.height / _LEAST
    factor = _LEAST if is_large else enlarging_factor(network.input, _SMALLER)
    if factor is None:
        return network
    found = _with_factor(network, enlarging, factor)
    before, after = enlarged_shape(network), enlarged_shape(found)
    is_less = before is not None and after is not None and after.height < before.height
    return found if is_less and not analyze(found).problems else network


def enlarged_shape(network: Network) -> Shape | None:
    """What the first layer makes of small images, C × H × W; None if it enlarges none."""
    enlarging = _enlarging(network)
    return None if enlarging is None else enlarging.layer.output_shape(network.input)


def loses_details(network: Network, shape: Shape) -> bool:
    """Whether images of that shape would be made smaller, only for the first layer to enlarge them again."""
    return (
        _enlarging(network) is not None
        and shape.height * shape.width > network.input.height * network.input.width
        and fit_input(network, shape) is not network
    )


def enlarging_factor(shape: Shape, size: Shape) -> int | None:
    """By what images of that shape come nearest to that size; None if they are too small or large enough.

    One factor for both sides, so that nothing is distorted: the sides are compared by their geometric mean.
    Of two that come equally near, the larger one: with images of 32 × 32, enlarging to 192 is 1 to 2 points
    better than to 128 (and 160 is best).
    """
    wanted, side = ((each.height * each.width) ** 0.5 for each in (size, shape))
    if not all(wanted / _MOST <= each <= wanted / _LEAST for each in shape.dims[1:]):
        return None
    return min(range(_LEAST, _MOST + 1), key=lambda factor: (abs(factor * side - wanted), -factor))


def _enlarging(network: Network) -> Node | None:
    """The first layer, if it is one that interpolates between pixels."""
    first = next((node for node in network.nodes if node.is_active), None)
    if first is not None and isinstance(first.layer, UpSampling2D):
        return first if first.layer.interpolation == "bilinear" else None
    return None


def _with_factor(network: Network, enlarging: Node | None, factor: int) -> Network:
    layer = UpSampling2D((factor, factor), "bilinear")
    if enlarging is not None:
        return edits.replace(network, enlarging.id, layer=layer)
    # No lock, also on a locked beginning: it has no weights, and code cannot say that it is locked.
    return edits.insert(network, Place(None, 0), [network.fresh_ids().node(layer)])
