"""Which layer of one design is which of another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence

from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import Layer

_MOST_DIFFERENCES = 1000
"""With more, two lists have only their beginning and end in common: to know better would take seconds."""

Pairs = Mapping[str, str]
"""Id in the design after -> id in the design before."""


def pairs_by_id(before: Network, after: Network) -> Pairs:
    """Layers of the same type and id; what is left, by its values in the same order."""
    pairs = {
        node.id: node.id
        for node in after.walk()
        if node.id in before and type(before.node(node.id).layer) is type(node.layer)
    }
    left = [node for node in before.walk() if node.id not in pairs]
    right = [node for node in after.walk() if node.id not in pairs]
    for i, j in common([node.layer for node in left], [node.layer for node in right]):
        pairs[right[j].id] = left[i].id
    return pairs


def pairs_by_order(before: Network, after: Network) -> Pairs:
    """Layers of equal values in the same order, whatever their ids; between them, layers of one type."""
    left, right = list(_with_depth(before.nodes)), list(_with_depth(after.nodes))
    values = [[(depth, node.layer) for depth, node in line] for line in (left, right)]
    equal = common(values[0], values[1])
    pairs: dict[str, str] = {}
    done = (0, 0)
    for i, j in (*equal, (len(left), len(right))):
        pairs.update(_of_one_type(left[done[0] : i], right[done[1] : j]))
        if i < len(left):
            pairs[right[j][1].id] = left[i][1].id
        done = i + 1, j + 1
    return pairs


def _of_one_type(
    left: Sequence[tuple[int, Node]], right: Sequence[tuple[int, Node]]
) -> Iterator[tuple[str, str]]:
    """Each of the right with the next of the left that has its type and depth; (right id, left id)."""
    places: dict[tuple[int, type[Layer]], list[int]] = {}
    for place, (depth, node) in enumerate(left):
        places.setdefault((depth, type(node.layer)), []).append(place)
    done = 0
    for depth, node in right:
        candidates = places.get((depth, type(node.layer)), [])
        number = bisect_left(candidates, done)
        if number < len(candidates):
            done = candidates[number] + 1
            yield node.id, left[candidates[number]][1].id


def moved(before: Network, after: Network, pairs: Pairs) -> set[str]:
    """Ids, in the design after, of the fewest layers that have to be moved to get its order."""
    found: set[str] = set()
    for parent in (None, *(node.id for node in after.walk() if node.is_group)):
        here = [node.id for node in after.children(parent) if node.id in pairs]
        known = parent is None or parent in pairs
        home = pairs[parent] if parent is not None and known else None
        places = [before.place(pairs[node_id]) for node_id in here]
        staying = [
            (place.index, node_id)
            for node_id, place in zip(here, places, strict=True)
            if known and place.parent == home
        ]
        found |= {*here} - {staying[number][1] for number in rising([index for index, _ in staying])}
    return found


def common(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The places of a longest common subsequence (Myers, An O(ND) Difference Algorithm, 1986)."""
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    inner = _middle(left[start : len(left) - end], right[start : len(right) - end])
    return [
        *((place, place) for place in range(start)),
        *((i + start, j + start) for i, j in inner),
        *((len(left) - end + place, len(right) - end + place) for place in range(end)),
    ]


def _middle(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    if not left or not right:
        return []
    # Comparing numbers is quicker than comparing layers.
    numbers: dict[Hashable, int] = {}
    a, b = ([numbers.setdefault(each, len(numbers)) for each in line] for line in (left, right))
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for differences in range(min(len(a) + len(b), _MOST_DIFFERENCES) + 1):
        history.append(dict(furthest))
        for diagonal in range(-differences, differences + 1, 2):
            down = _goes_down(furthest, diagonal, differences)
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            while x < len(a) and x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return _way_back(history, len(a), len(b))
    return []


def _goes_down(furthest: Mapping[int, int], diagonal: int, differences: int) -> bool:
    """Whether the path to this diagonal comes from the one above it, by leaving out a value of the right."""
    if abs(diagonal) == differences:
        return diagonal == -differences
    return furthest[diagonal - 1] < furthest[diagonal + 1]


def _way_back(history: Sequence[Mapping[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for differences, furthest in reversed(list(enumerate(history))):
        diagonal = x - y
        came_from = diagonal + 1 if _goes_down(furthest, diagonal, differences) else diagonal - 1
        begin = furthest[came_from]
        while x > begin and y > begin - came_from:
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = begin, begin - came_from
    return found[::-1]


def rising(values: Sequence[int]) -> list[int]:
    """The places of a longest rising subsequence."""
    ends: list[int] = []
    best: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect_left(ends, value)
        before.append(best[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        best[length : length + 1] = [place]
    place = best[-1] if best else -1
    found = []
    while place >= 0:
        found.append(place)
        place = before[place]
    return found[::-1]


def _with_depth(nodes: Sequence[Node], depth: int = 0) -> Iterator[tuple[int, Node]]:
    for node in nodes:
        yield depth, node
        yield from _with_depth(node.children, depth + 1)
