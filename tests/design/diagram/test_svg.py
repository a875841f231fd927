"""The drawing of a network as volumes: its layout, captions that do not overlap, and the SVG."""

from __future__ import annotations

import dataclasses
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given

from cnnstudio.core.colors import TOKENS, scheme_colors
from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.diagram.layout import MAXIMUM_BOXES
from cnnstudio.design.diagram.shapes import Caption
from cnnstudio.design.diagram.svg import Drawing, draw_network, svg
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
from tests.design.builders import Item, disabled, network
from tests.strategies import networks

SAME = Conv2D(8, padding="same")
ENDING = Flatten(), Dense(10)


def drawn(*items: Item, labels: bool = True) -> Drawing:
    return draw_network(analyze(network(*items)), labels=labels)


def texts(drawing: Drawing) -> list[str]:
    return [caption.text for caption in drawing.captions]


def overlaps(one: Caption, other: Caption) -> bool:
    left, top, right, bottom = one.area
    left_2, top_2, right_2, bottom_2 = other.area
    return left < right_2 and left_2 < right and top < bottom_2 and top_2 < bottom


def upright_captions(drawing: Drawing) -> list[Caption]:
    return [caption for caption in drawing.captions if not caption.is_turned]


# What is drawn


def test_boxes_are_ordered_from_left_to_right_like_the_layer_list() -> None:
    drawing = draw_network(analyze(templates()["lesson-32"].network))
    assert drawing.order == tuple(node.id for node in templates()["lesson-32"].network.nodes)
    assert all(before.x < after.x for before, after in pairwise(drawing.boxes))


def test_larger_images_are_taller_and_more_channels_deeper() -> None:
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


def test_layers_that_keep_the_shape_are_sheets_on_the_box_before_them() -> None:
    drawing = drawn(SAME, BatchNormalization(), Activation(), SAME)
    _, first, norm, activation, second = drawing.boxes
    assert norm.x == first.x + first.width
    assert activation.x == norm.x + norm.width
    assert (norm.y, norm.height, norm.slant) == (first.y, first.height, first.slant)
    assert second.x > activation.x + activation.width
    assert {norm.face, activation.face} == {"convolution"}
    assert "BatchNormalization" not in texts(drawing)


def test_disabled_layers_are_not_drawn() -> None:
    assert drawn(SAME, disabled(MaxPooling2D()), SAME).order == ("conv2d_1", "conv2d_2")


def test_shapes_are_written_where_they_change() -> None:
    shapes = [text for text in texts(drawn(SAME, SAME, MaxPooling2D(), SAME)) if "×" in text]
    assert shapes == ["3 × 32 × 32", "8 × 32 × 32", "8 × 16 × 16"]


def test_a_repeat_is_drawn_once_under_a_bracket_with_its_count() -> None:
    drawing = drawn((Repeat(5), SAME, MaxPooling2D((1, 1))), *ENDING)
    assert len(drawing.boxes) == 5
    assert "Repeat × 5" in texts(drawing)


@pytest.mark.parametrize("lanes", [False, True])
def test_a_bracket_spans_the_contents_of_its_group(lanes: bool) -> None:
    repeat = Repeat(2), SAME, SAME
    drawing = drawn((Parallel(), repeat, SAME) if lanes else repeat, *ENDING)
    first, last = drawing.boxes_of("conv2d_1")[0], drawing.boxes_of("conv2d_2")[0]
    (caption,) = [part for part in drawing.captions if part.text == "Repeat × 2"]
    (bracket,) = [wire for wire in drawing.wires if abs(wire.points[1][1] - caption.y) < 6]
    assert bracket.points[0][0] <= first.x
    assert bracket.points[-1][0] >= last.right
    assert bracket.points[1][1] < first.y - first.slant[1]


def test_brackets_of_consecutive_groups_have_the_same_height() -> None:
    drawing = drawn(*[(Repeat(2), (Parallel("add"), SAME, SAME))] * 3, *ENDING)
    assert len({caption.y for caption in drawing.captions if caption.text == "Repeat × 2"}) == 1


def test_a_bracket_shows_the_name_that_the_user_gave_the_group() -> None:
    residual = network((Residual(), Conv2D(3, padding="same")), *ENDING)
    named = edits.replace(residual, "residual_1", name="Stage 1")
    assert "Stage 1" in texts(draw_network(analyze(named)))


def test_a_block_without_a_name_has_no_bracket() -> None:
    assert "Block" not in texts(drawn((Block(), SAME), *ENDING))
    named = edits.replace(network((Block(), SAME), *ENDING), "block_1", name="Stem")
    assert "Stem" in texts(draw_network(analyze(named)))


def test_the_shortcut_of_a_residual_starts_and_ends_on_the_line_of_the_boxes() -> None:
    drawing = drawn((Residual(), Conv2D(3, padding="same")))
    (shortcut,) = [wire for wire in drawing.wires if wire.end == "plus"]
    (box,) = drawing.boxes_of("conv2d_1")
    start, end = shortcut.points[0], shortcut.points[-1]
    assert start[0] < box.x
    assert box.right < end[0]
    assert start[1] == end[1]
    assert box.y < start[1] < box.y + box.height
    assert min(y for _, y in shortcut.points) < box.y - box.slant[1]


def test_branches_are_stacked_lanes_that_meet_in_their_group() -> None:
    drawing = drawn((Parallel(), Conv2D(4, (1, 1)), (Block(), SAME, SAME)))
    first, second, third, joined = (
        drawing.boxes_of(node_id)[0] for node_id in ("conv2d_1", "conv2d_2", "conv2d_3", "parallel_1")
    )
    assert first.y + first.height < second.y - second.slant[1]
    assert second.y == third.y
    assert second.x < third.x
    assert joined.x > max(first.right, third.right)
    assert joined.token == "group"
    # One of the lanes is on the line of the row.
    assert joined.y + joined.height / 2 - joined.slant[1] / 2 in [
        pytest.approx(box.y + box.height / 2 - box.slant[1] / 2) for box in (first, second)
    ]
    assert "12 × 32 × 32" in texts(drawing)


def test_an_error_is_marked_by_a_symbol_and_not_only_by_color() -> None:
    lesson = edits.remove(templates()["lesson-32"].network, ["flatten_1"])
    drawing = draw_network(analyze(lesson))
    (box,) = drawing.boxes_of("dense_1")
    assert box.state == "faulty"
    assert "takes a flat vector" in box.description
    assert "! Dense" in texts(drawing)


def test_layers_after_an_unknown_output_are_drawn_as_unknown() -> None:
    drawing = drawn(Conv2D(8, (40, 40)), MaxPooling2D())
    assert [box.state for box in drawing.boxes] == ["known", "faulty", "unknown"]


def test_an_empty_design_has_a_note() -> None:
    assert texts(draw_network(analyze(Network()))) == ["no layers yet", "Input", "3 × 32 × 32"]


def test_a_very_long_network_ends_with_a_count_of_the_rest() -> None:
    drawing = drawn(*[SAME] * (MAXIMUM_BOXES + 1_234))
    assert len(drawing.boxes) == MAXIMUM_BOXES + 1
    assert "and 1,234 more" in texts(drawing)


def test_thumbnails_have_no_captions() -> None:
    assert draw_network(analyze(templates()["resnet-20"].network), labels=False).captions == ()


# Captions


@pytest.mark.parametrize("name", templates())
def test_captions_of_templates_do_not_overlap(name: str) -> None:
    drawing = draw_network(analyze(templates()[name].network))
    assert not [pair for pair in combinations(upright_captions(drawing), 2) if overlaps(*pair)]


@given(networks(most=12))
def test_everything_is_inside_and_captions_do_not_overlap(drawn_network: Network) -> None:
    drawing = draw_network(analyze(drawn_network))
    assert not [pair for pair in combinations(upright_captions(drawing), 2) if overlaps(*pair)]
    points = [point for box in drawing.boxes for point in box.outline]
    points += [point for wire in drawing.wires for point in wire.points]
    points += [corner for caption in drawing.captions for corner in (caption.area[:2], caption.area[2:])]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)


def test_captions_of_a_crowded_drawing_are_turned_and_do_not_overlap() -> None:
    drawing = drawn(*[Conv2D(8, padding="same"), MaxPooling2D((1, 1))] * 50)
    assert not upright_captions(drawing)
    places = sorted(caption.x for caption in drawing.captions)
    assert all(after - before > 12 for before, after in pairwise(places))
    assert len(places) == 101


# Hit testing and clipping


def test_a_click_finds_the_frontmost_box() -> None:
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


def test_a_clipped_drawing_has_everything_that_reaches_into_the_strip() -> None:
    drawing = draw_network(analyze(templates()["vgg-11-small"].network))
    full = drawing.clipped(0, drawing.width)
    assert (full.boxes, full.wires, full.captions) == (drawing.boxes, drawing.wires, drawing.captions)
    middle = drawing.boxes[5]
    strip = drawing.clipped(middle.right - 1, middle.right + 40)
    assert middle in strip.boxes
    assert {caption.node_id for caption in strip.captions} <= set(drawing.order)
    assert drawing.wires[-1] in strip.wires
    assert drawing.boxes[0] not in strip.boxes
    assert (strip.width, strip.height) == (drawing.width, drawing.height)


# SVG


@given(networks())
def test_every_drawing_is_well_formed_xml(drawn_network: Network) -> None:
    odd = dataclasses.replace(drawn_network, name='<&"\ud800\x00')
    text = svg(draw_network(analyze(odd)), scheme_colors("dark"))
    assert ElementTree.fromstring(text.encode()).tag == "{http://www.w3.org/2000/svg}svg"


def test_names_are_escaped() -> None:
    odd = edits.replace(network(Conv2D(8), *ENDING), "conv2d_1", name='<b> & "co" \x1b</text>')
    tree = ElementTree.fromstring(svg(draw_network(analyze(odd)), scheme_colors("light")))
    assert '<b> & "co"' in "".join(tree.itertext())


def test_light_and_dark_differ_only_in_color() -> None:
    drawing = draw_network(analyze(templates()["resnet-20"].network))
    light, dark = svg(drawing, scheme_colors("light")), svg(drawing, scheme_colors("dark"))
    assert scheme_colors("light")["panel"] in light
    assert scheme_colors("dark")["panel"] in dark
    assert light != dark
    assert len(light.split("\n")) == len(dark.split("\n"))


def test_without_a_background_the_drawing_is_transparent() -> None:
    drawing = drawn(SAME)
    assert "<rect" in svg(drawing, scheme_colors("light"))
    assert "<rect" not in svg(drawing, scheme_colors("light"), background=False)


def test_each_layer_has_a_title_element() -> None:
    tree = ElementTree.fromstring(svg(drawn(Conv2D(8), *ENDING), scheme_colors("light")))
    titles = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert "Conv2D, 8 filters 3 × 3: 8 × 30 × 30" in titles


def test_a_palette_has_a_color_for_every_token() -> None:
    assert scheme_colors("light") == {token: light for token, (light, _) in TOKENS.items()}
    assert scheme_colors("dark")["text"] == TOKENS["text"][1]
