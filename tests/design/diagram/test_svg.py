"""The drawing of a network as volumes: what is where, that nothing hides words, and what the SVG holds."""

from __future__ import annotations

import dataclasses
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given

from cnnstudio.core.colors import TOKENS, palette
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.diagram.layout import MOST_VOLUMES
from cnnstudio.design.diagram.shapes import Caption
from cnnstudio.design.diagram.svg import Drawing, svg, volumes
from cnnstudio.design.network import Network
from cnnstudio.design.templates import templates
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from tests.design.builders import Item, network, off
from tests.strategies import networks

SAME = Conv2D(8, padding="same")
ENDING = Flatten(), Dense(10)


def drawn(*items: Item, labels: bool = True) -> Drawing:
    return volumes(analyze(network(*items)), labels=labels)


def words(drawing: Drawing) -> list[str]:
    return [caption.text for caption in drawing.captions]


def overlap(one: Caption, other: Caption) -> bool:
    left, top, right, bottom = one.area
    left_2, top_2, right_2, bottom_2 = other.area
    return left < right_2 and left_2 < right and top < bottom_2 and top_2 < bottom


def level(drawing: Drawing) -> list[Caption]:
    return [caption for caption in drawing.captions if not caption.is_turned]


# What is drawn


def test_layers_stand_from_left_to_right_in_the_order_of_the_list() -> None:
    drawing = volumes(analyze(templates()["lesson-32"].network))
    assert drawing.order == tuple(node.id for node in templates()["lesson-32"].network.nodes)
    assert all(before.x < after.x for before, after in pairwise(drawing.boxes))


def test_a_larger_image_is_higher_and_more_channels_are_deeper() -> None:
    drawing = drawn(Conv2D(8), Conv2D(64), MaxPooling2D(), Conv2D(64, (5, 5)))
    _, few, many, halved, smaller = drawing.boxes
    assert few.width < many.width
    assert few.height > many.height > halved.height > smaller.height
    assert few.slant[0] > halved.slant[0]


def test_a_flat_vector_is_a_thin_bar_that_grows_with_its_features() -> None:
    drawing = drawn(Flatten(), Dense(128), Dense(10))
    _, flat, hidden, scores = drawing.boxes
    assert flat.height > hidden.height > scores.height
    assert all(box.width < box.height for box in (flat, hidden, scores))


def test_what_only_changes_the_numbers_is_a_sheet_on_the_box_before() -> None:
    drawing = drawn(SAME, BatchNormalization(), Activation(), SAME)
    _, first, norm, activation, second = drawing.boxes
    assert norm.x == first.x + first.width
    assert activation.x == norm.x + norm.width
    assert (norm.y, norm.height, norm.slant) == (first.y, first.height, first.slant)
    assert second.x > activation.x + activation.width
    assert {norm.face, activation.face} == {"convolution"}
    assert "BatchNormalization" not in words(drawing)


def test_what_is_switched_off_is_not_drawn() -> None:
    assert drawn(SAME, off(MaxPooling2D()), SAME).order == ("conv2d_1", "conv2d_2")


def test_a_shape_is_written_where_it_changes() -> None:
    shapes = [text for text in words(drawn(SAME, SAME, MaxPooling2D(), SAME)) if "×" in text]
    assert shapes == ["3 × 32 × 32", "8 × 32 × 32", "8 × 16 × 16"]


def test_a_repeat_is_drawn_once_under_a_bracket_that_counts() -> None:
    drawing = drawn((Repeat(5), SAME, MaxPooling2D((1, 1))), *ENDING)
    assert len(drawing.boxes) == 5
    assert "Repeat × 5" in words(drawing)


@pytest.mark.parametrize("lanes", [False, True])
def test_a_bracket_spans_what_is_in_its_group(lanes: bool) -> None:
    repeat = Repeat(2), SAME, SAME
    drawing = drawn((Parallel(), repeat, SAME) if lanes else repeat, *ENDING)
    first, last = drawing.of("conv2d_1")[0], drawing.of("conv2d_2")[0]
    (caption,) = [part for part in drawing.captions if part.text == "Repeat × 2"]
    (bracket,) = [wire for wire in drawing.wires if abs(wire.points[1][1] - caption.y) < 6]
    assert bracket.points[0][0] <= first.x
    assert bracket.points[-1][0] >= last.right
    assert bracket.points[1][1] < first.y - first.slant[1]


def test_brackets_of_groups_in_a_row_stand_at_one_height() -> None:
    drawing = drawn(*[(Repeat(2), (Parallel("add"), SAME, SAME))] * 3, *ENDING)
    assert len({caption.y for caption in drawing.captions if caption.text == "Repeat × 2"}) == 1


def test_a_group_has_the_name_that_its_user_gave_it() -> None:
    residual = network((Residual(), Conv2D(3, padding="same")), *ENDING)
    named = edits.replace(residual, "residual_1", name="Stage 1")
    assert "Stage 1" in words(volumes(analyze(named)))


def test_a_block_without_a_name_needs_no_bracket() -> None:
    assert "Block" not in words(drawn((Block(), SAME), *ENDING))
    named = edits.replace(network((Block(), SAME), *ENDING), "block_1", name="Stem")
    assert "Stem" in words(volumes(analyze(named)))


def test_the_shortcut_of_a_residual_leaves_and_meets_the_line_of_the_boxes() -> None:
    drawing = drawn((Residual(), Conv2D(3, padding="same")))
    (shortcut,) = [wire for wire in drawing.wires if wire.end == "plus"]
    (box,) = drawing.of("conv2d_1")
    start, end = shortcut.points[0], shortcut.points[-1]
    assert start[0] < box.x
    assert box.right < end[0]
    assert start[1] == end[1]
    assert box.y < start[1] < box.y + box.height
    assert min(y for _, y in shortcut.points) < box.y - box.slant[1]


def test_branches_are_lanes_above_each_other_that_meet_in_their_group() -> None:
    drawing = drawn((Parallel(), Conv2D(4, (1, 1)), (Block(), SAME, SAME)))
    first, second, third, joined = (
        drawing.of(node_id)[0] for node_id in ("conv2d_1", "conv2d_2", "conv2d_3", "parallel_1")
    )
    assert first.y + first.height < second.y - second.slant[1]
    assert second.y == third.y
    assert second.x < third.x
    assert joined.x > max(first.right, third.right)
    assert joined.token == "group"
    # One of the lanes goes straight on.
    assert joined.y + joined.height / 2 - joined.slant[1] / 2 in [
        pytest.approx(box.y + box.height / 2 - box.slant[1] / 2) for box in (first, second)
    ]
    assert "12 × 32 × 32" in words(drawing)


def test_a_fault_is_a_sign_and_not_only_a_color() -> None:
    lesson = edits.remove(templates()["lesson-32"].network, ["flatten_1"])
    drawing = volumes(analyze(lesson))
    (box,) = drawing.of("dense_1")
    assert box.state == "faulty"
    assert "takes a flat vector" in box.words
    assert "! Dense" in words(drawing)


def test_what_comes_after_an_unknown_output_is_drawn_as_unknown() -> None:
    drawing = drawn(Conv2D(8, (40, 40)), MaxPooling2D())
    assert [box.state for box in drawing.boxes] == ["known", "faulty", "unknown"]


def test_an_empty_design_says_so() -> None:
    assert words(volumes(analyze(Network()))) == ["no layers yet", "Input", "3 × 32 × 32"]


def test_of_a_very_long_network_the_rest_is_a_number() -> None:
    drawing = drawn(*[SAME] * (MOST_VOLUMES + 1_234))
    assert len(drawing.boxes) == MOST_VOLUMES + 1
    assert "and 1,234 more" in words(drawing)


def test_thumbnails_have_no_words() -> None:
    assert volumes(analyze(templates()["resnet-20"].network), labels=False).captions == ()


# Words hide nothing


@pytest.mark.parametrize("name", templates())
def test_no_words_of_a_template_overlap(name: str) -> None:
    drawing = volumes(analyze(templates()[name].network))
    assert not [pair for pair in combinations(level(drawing), 2) if overlap(*pair)]


@given(networks(most=12))
def test_all_is_inside_and_no_words_overlap(drawn_network: Network) -> None:
    drawing = volumes(analyze(drawn_network))
    assert not [pair for pair in combinations(level(drawing), 2) if overlap(*pair)]
    points = [point for box in drawing.boxes for point in box.outline]
    points += [point for wire in drawing.wires for point in wire.points]
    points += [corner for caption in drawing.captions for corner in (caption.area[:2], caption.area[2:])]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)


def test_the_words_of_a_crowded_drawing_are_turned_and_keep_apart() -> None:
    drawing = drawn(*[Conv2D(8, padding="same"), MaxPooling2D((1, 1))] * 50)
    assert not level(drawing)
    places = sorted(caption.x for caption in drawing.captions)
    assert all(after - before > 12 for before, after in pairwise(places))
    assert len(places) == 101


# Finding things


def test_a_click_finds_the_box_that_is_in_front() -> None:
    drawing = drawn(SAME, BatchNormalization(), SAME)
    for box in drawing.boxes:
        assert drawing.at(box.x + 1, box.y + box.height / 2) is box
    assert drawing.at(1, 1) is None


def test_a_click_on_a_name_finds_its_layer() -> None:
    drawing = drawn(SAME, (Repeat(3), SAME))
    for caption in drawing.captions:
        left, top, right, bottom = caption.area
        found = drawing.at((left + right) / 2, (top + bottom) / 2)
        assert found is not None
        assert found.node_id == caption.node_id


def test_a_strip_of_a_drawing_has_all_that_reaches_into_it() -> None:
    drawing = volumes(analyze(templates()["vgg-11-small"].network))
    whole = drawing.part(0, drawing.width)
    assert (whole.boxes, whole.wires, whole.captions) == (drawing.boxes, drawing.wires, drawing.captions)
    middle = drawing.boxes[5]
    strip = drawing.part(middle.right - 1, middle.right + 40)
    assert middle in strip.boxes
    assert {caption.node_id for caption in strip.captions} <= set(drawing.order)
    assert drawing.wires[-1] in strip.wires
    assert drawing.boxes[0] not in strip.boxes
    assert (strip.width, strip.height) == (drawing.width, drawing.height)


# As SVG


@given(networks())
def test_every_drawing_is_well_formed_xml(drawn_network: Network) -> None:
    odd = dataclasses.replace(drawn_network, name='<&"\ud800\x00')
    text = svg(volumes(analyze(odd)), palette("dark"))
    assert ElementTree.fromstring(text.encode()).tag == "{http://www.w3.org/2000/svg}svg"


def test_names_cannot_break_the_file() -> None:
    odd = edits.replace(network(Conv2D(8), *ENDING), "conv2d_1", name='<b> & "co" \x1b</text>')
    tree = ElementTree.fromstring(svg(volumes(analyze(odd)), palette("light")))
    assert '<b> & "co"' in "".join(tree.itertext())


def test_light_and_dark_differ_in_their_colors_only() -> None:
    drawing = volumes(analyze(templates()["resnet-20"].network))
    light, dark = svg(drawing, palette("light")), svg(drawing, palette("dark"))
    assert palette("light")["panel"] in light
    assert palette("dark")["panel"] in dark
    assert light != dark
    assert len(light.split("\n")) == len(dark.split("\n"))


def test_without_a_ground_the_panel_shows_through() -> None:
    drawing = drawn(SAME)
    assert "<rect" in svg(drawing, palette("light"))
    assert "<rect" not in svg(drawing, palette("light"), ground=False)


def test_a_layer_says_in_the_file_what_it_is() -> None:
    tree = ElementTree.fromstring(svg(drawn(Conv2D(8), *ENDING), palette("light")))
    titles = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert "Conv2D, 8 filters 3 × 3: 8 × 30 × 30" in titles


def test_a_palette_has_a_color_for_every_token() -> None:
    assert palette("light") == {token: light for token, (light, _) in TOKENS.items()}
    assert palette("dark")["text"] == TOKENS["text"][1]
