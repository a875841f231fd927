"""Matching the layers of two designs: which layer of one is which of the other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping, Sequence

from cnnstudio.design.network import Network, Node
from cnnstudio.layers.base import Layer

_MAXIMUM_DIFFERENCES = 1000
"""The limit for Myers's algorithm, whose time and memory grow with the square of the number of differences.

Two lists with more are matched at their common prefix and suffix only; finding more would take seconds.
"""

Pairs = Mapping[str, str]
"""Id in the later design -> id in the earlier design."""


def match_by_id(before: Network, after: Network) -> Pairs:
    """Pairs layers with the same type and id, and the remaining ones by equal values in the same order."""
    # An id never changes its type by an edit (`edits.replace`). Equal ids of different types therefore come
    # from designs that were made independently, and mean nothing.
    pairs = {
        node.id: node.id
        for node in after.walk()
        if node.id in before and type(before.node(node.id).layer) is type(node.layer)
    }
    # The rest may be layers that were cut and pasted, which gives them new ids. At this point every pair has
    # equal ids on both sides, so that `pairs` serves for both.
    left = [node for node in before.walk() if node.id not in pairs]
    right = [node for node in after.walk() if node.id not in pairs]
    for i, j in longest_common_subsequence([node.layer for node in left], [node.layer for node in right]):
        pairs[right[j].id] = left[i].id
    return pairs


def match_by_order(before: Network, after: Network) -> Pairs:
    """Pairs layers with equal values in the same order, whatever their ids; in between, layers of one type.

    The first step finds what stayed the same, and the second what was changed in place.
    """
    # The tree is compared as a flat list. With the depth as part of the value, a layer inside a group is
    # never equal to one outside; an edit distance of trees would take at least quadratic time for little
    # gain.
    left, right = list(_with_depth(before.nodes)), list(_with_depth(after.nodes))
    values = [[(depth, node.layer) for depth, node in side] for side in (left, right)]
    equal = longest_common_subsequence(values[0], values[1])
    pairs: dict[str, str] = {}
    matched = (0, 0)
    # The additional last pair, beyond both ends, closes the gap after the last match.
    for i, j in (*equal, (len(left), len(right))):
        pairs.update(_match_by_type(left[matched[0] : i], right[matched[1] : j]))
        if i < len(left):
            pairs[right[j][1].id] = left[i][1].id
        matched = i + 1, j + 1
    return pairs


def _match_by_type(
    left: Sequence[tuple[int, Node]], right: Sequence[tuple[int, Node]]
) -> Iterator[tuple[str, str]]:
    """Pairs each node on the right with the next one on the left of its type and depth: (right id, left id).

    Greedy, in O(n log n): a longer matching may exist, but would not be easier to read.
    """
    positions: dict[tuple[int, type[Layer]], list[int]] = {}
    for position, (depth, node) in enumerate(left):
        positions.setdefault((depth, type(node.layer)), []).append(position)
    # `matched` only grows, so that pairs never cross: a layer that was changed in place keeps its place.
    # Whatever has moved is left to be reported as removed and added.
    matched = 0
    for depth, node in right:
        candidates = positions.get((depth, type(node.layer)), [])
        number = bisect_left(candidates, matched)
        if number < len(candidates):
            matched = candidates[number] + 1
            yield node.id, left[candidates[number]][1].id


def moved_layers(before: Network, after: Network, pairs: Pairs) -> set[str]:
    """The smallest set of layers that have to be moved to get the later order, by their ids in `after`.

    In each list these are the layers from another list, and those outside a longest increasing subsequence of
    the old positions.
    """
    # Moving a layer leaves the order of all others as it is. So the layers that stay are in the same order
    # before and after, and as many as possible stay if they form a longest increasing subsequence.
    found: set[str] = set()
    for parent in (None, *(node.id for node in after.walk() if node.is_group)):
        # A group without a partner is new: everything in it that existed before comes from another list.
        here = [node.id for node in after.children(parent) if node.id in pairs]
        has_old_list = parent is None or parent in pairs
        old_parent = pairs[parent] if parent is not None and has_old_list else None
        places = [before.place(pairs[node_id]) for node_id in here]
        staying = [
            (place.index, node_id)
            for node_id, place in zip(here, places, strict=True)
            if has_old_list and place.parent == old_parent
        ]
        in_order = longest_increasing_subsequence([index for index, _ in staying])
        found |= {*here} - {staying[number][1] for number in in_order}
    return found


def longest_common_subsequence(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The positions (in left, in right) of a longest common subsequence, in order.

    Myers 1986, An O(ND) Difference Algorithm and Its Variations: O((n + m) · d) time for d differences,
    which is linear for the usual two versions of one design. Common ends are stripped before.
    """
    # Stripping is what makes the usual case cheap: after one edit in a design of thousands of layers, only
    # that edit is left for Myers's algorithm.
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    inner = _myers(left[start : len(left) - end], right[start : len(right) - end])
    return [
        *((position, position) for position in range(start)),
        *((i + start, j + start) for i, j in inner),
        *((len(left) - end + position, len(right) - end + position) for position in range(end)),
    ]


def _myers(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The greedy algorithm of the paper's section 3.

    In the edit graph x counts items of the left and y those of the right, and diagonal k holds the points
    with x - y = k. `furthest[k]` is the largest x reachable on diagonal k with the current number of
    differences.
    """
    if not left or not right:
        return []
    # Layers are compared many times over, so each distinct one is replaced by a number first.
    numbers: dict[Hashable, int] = {}
    a, b = ([numbers.setdefault(each, len(numbers)) for each in side] for side in (left, right))
    # A point before the start, from which the first step, down along diagonal 1, enters the graph at (0, 0).
    furthest = {1: 0}
    history: list[dict[int, int]] = []
    for differences in range(min(len(a) + len(b), _MAXIMUM_DIFFERENCES) + 1):
        # A copy for each number of differences, to walk back on: this is the quadratic memory.
        history.append(dict(furthest))
        # Each difference changes the diagonal by one, so that after d of them only every second one can be
        # reached. The neighbors read here therefore still hold the state for d - 1.
        for diagonal in range(-differences, differences + 1, 2):
            down = _goes_down(furthest, diagonal, differences)
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            # Equal items cost nothing, so a path follows them as far as they go ("snakes" in the paper).
            while x < len(a) and x - diagonal < len(b) and a[x] == b[x - diagonal]:
                x += 1
            furthest[diagonal] = x
            if x >= len(a) and x - diagonal >= len(b):
                return _backtrack(history, len(a), len(b))
    # Too many differences: no pairs between the common ends, which is a correct diff, only not the shortest.
    return []


def _goes_down(furthest: Mapping[int, int], diagonal: int, differences: int) -> bool:
    """Whether the best path to this diagonal comes from the one above, by skipping an item of the right."""
    if abs(diagonal) == differences:
        return diagonal == -differences
    return furthest[diagonal - 1] < furthest[diagonal + 1]


def _backtrack(history: Sequence[Mapping[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    """The matches on the path to (x, y), from the states before each number of differences."""
    found: list[tuple[int, int]] = []
    for differences, furthest in reversed(list(enumerate(history))):
        # The same question to the same state as on the way there gives the same answer, so that the choices
        # themselves need not be stored.
        diagonal = x - y
        came_from = diagonal + 1 if _goes_down(furthest, diagonal, differences) else diagonal - 1
        begin = furthest[came_from]
        while x > begin and y > begin - came_from:
            x, y = x - 1, y - 1
            found.append((x, y))
        x, y = begin, begin - came_from
    return found[::-1]


def longest_increasing_subsequence(values: Sequence[int]) -> list[int]:
    """The positions of a longest increasing subsequence of distinct values, found in O(n log n)."""
    # Patience sorting (Fredman 1975, On computing the length of longest increasing subsequences). `ends` is
    # always ascending, hence the binary search.
    # ends[l] is the smallest value that ends an increasing subsequence of length l + 1, best[l] its position.
    ends: list[int] = []
    best: list[int] = []
    before: list[int] = []
    for position, value in enumerate(values):
        length = bisect_left(ends, value)
        before.append(best[length - 1] if length else -1)
        # A slice, which replaces the element or appends one if `length` is the end of the list.
        ends[length : length + 1] = [value]
        best[length : length + 1] = [position]
    position = best[-1] if best else -1
    found = []
    while position >= 0:
        found.append(position)
        position = before[position]
    return found[::-1]


def _with_depth(nodes: Sequence[Node], depth: int = 0) -> Iterator[tuple[int, Node]]:
    for node in nodes:
        yield depth, node
        yield from _with_depth(node.children, depth + 1)
