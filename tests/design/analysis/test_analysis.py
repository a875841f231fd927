"""Shapes, costs and receptive fields of whole networks, compared with numbers calculated by hand."""

from __future__ import annotations

import pytest

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import LayerReport, analyze
from cnnstudio.design.network import MAXIMUM_DEPTH, Network, Place
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.average_pooling2d import AveragePooling2D
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import Item, disabled, nested, network


def lesson_network() -> Network:
    return network(
        *(Conv2D(32, activation="relu"), MaxPooling2D(), Conv2D(64, activation="relu"), MaxPooling2D()),
        *(Conv2D(64, activation="relu"), Flatten(), Dense(64, activation="relu"), Dense(10)),
    )


def test_shapes_and_costs_of_the_lesson_network_match_keras() -> None:
    analysis = analyze(lesson_network(), classes=10)
    assert [str(report.output) for report in analysis.reports] == [
        *("32 × 30 × 30", "32 × 15 × 15", "64 × 13 × 13", "64 × 6 × 6", "64 × 4 × 4", "1024", "64", "10")
    ]
    assert [report.parameters for report in analysis.reports] == [896, 0, 18_496, 0, 36_928, 0, 65_600, 650]
    assert analysis.parameters == 122_570
    assert analysis.reports[0].macs == 32 * 3 * 9 * 30 * 30
    assert analysis.macs == 777_600 + 18_432 * 169 + 36_864 * 16 + 65_536 + 640
    assert analysis.output == Shape.of(10)
    assert analysis.problems == ()


def test_the_receptive_field_grows_from_layer_to_layer_up_to_the_whole_image() -> None:
    fields = [report.receptive_field_size for report in analyze(lesson_network()).reports]
    assert fields == [(3, 3), (4, 4), (8, 8), (10, 10), (18, 18), (18, 18), (32, 32), (32, 32)]
    wide = analyze(network(Conv2D(2, (1, 5), dilation_rate=(1, 2)), MaxPooling2D((3, 1), strides=(2, 1))))
    assert [report.receptive_field_size for report in wide.reports] == [(1, 9), (3, 9)]
    strided = analyze(network(Conv2D(2, (1, 1), strides=(4, 4)), Conv2D(2), GlobalAveragePooling2D()))
    assert [report.receptive_field_size for report in strided.reports] == [(1, 1), (9, 9), (32, 32)]


def test_disabled_layers_pass_their_input_through_and_cost_nothing() -> None:
    on = analyze(network(Conv2D(8), Flatten(), Dense(10)))
    with_off = analyze(
        network(Conv2D(8), disabled(MaxPooling2D()), disabled((Repeat(), Dense(3))), Flatten(), Dense(10))
    )
    assert (with_off.parameters, with_off.macs, with_off.output) == (on.parameters, on.macs, on.output)
    report = with_off["max_pooling2d_1"]
    assert (report.input, report.output, report.problem) == (Shape.of(8, 30, 30), Shape.of(8, 30, 30), None)
    assert with_off["dense_1"].problem is None


@pytest.mark.parametrize("group", [Residual(shortcut="projection"), Repeat(3), Residual(activation="relu")])
@pytest.mark.parametrize(
    "inside", [(), (disabled(Conv2D(9)),), ((Repeat(5),),), (disabled((Residual(), Conv2D())),)]
)
def test_a_group_without_enabled_layers_is_ignored(group: Residual, inside: tuple[object, ...]) -> None:
    analysis = analyze(network(Conv2D(8), (group, *inside), Flatten(), Dense(10)))
    assert analysis.parameters == analyze(network(Conv2D(8), Flatten(), Dense(10))).parameters
    assert analysis.problems == ()


def test_copies_in_a_repeat_are_counted_with_their_own_shapes() -> None:
    analysis = analyze(network((Repeat(4), Conv2D(8, (3, 3)), BatchNormalization())))
    first, later = 3 * 8 * 9 + 8, 8 * 8 * 9 + 8
    assert analysis["conv2d_1"].parameters == first + 3 * later
    assert analysis["conv2d_1"].macs == 8 * 9 * (3 * 30**2 + 8 * (28**2 + 26**2 + 24**2))
    assert analysis["conv2d_1"].output == Shape.of(8, 30, 30)
    assert analysis["batch_normalization_1"].parameters == 4 * 16
    assert analysis["repeat_1"].parameters == analysis.parameters == first + 3 * later + 64
    assert analysis["repeat_1"].output == Shape.of(8, 24, 24)
    assert analysis["repeat_1"].receptive_field_size == (9, 9)


def test_nested_repeats_multiply_the_cost() -> None:
    same = Conv2D(3, padding="same")
    analysis = analyze(network((Repeat(5), (Repeat(7), same), Dropout())))
    assert analysis["conv2d_1"].parameters == 35 * (3 * 3 * 9 + 3)
    assert analysis["repeat_1"].parameters == analysis["repeat_2"].parameters == analysis.parameters
    assert analysis["conv2d_1"].receptive_field_size == (3, 3)
    assert analysis["repeat_2"].receptive_field_size == (32, 32)


def test_a_residual_counts_its_projection() -> None:
    body = Conv2D(16, strides=(2, 2), padding="same", use_bias=False)
    plain = analyze(network((Repeat(1), body)))
    projected = analyze(network((Residual(shortcut="projection"), body)))
    assert projected.parameters - plain.parameters == 3 * 16 + 2 * 16
    assert projected.macs - plain.macs == 3 * 16 * 16 * 16
    assert projected["conv2d_1"].parameters == plain.parameters
    flat = analyze(network(GlobalAveragePooling2D(), (Residual(shortcut="projection"), Dense(7))))
    assert flat["residual_1"].parameters == flat["dense_1"].parameters + 3 * 7 + 2 * 7


def test_each_branch_gets_the_input_of_its_group_and_outputs_are_joined() -> None:
    same, narrow = Conv2D(8, padding="same"), Conv2D(4, (1, 1))
    analysis = analyze(
        network(Conv2D(6), (Parallel(), same, (Block(), narrow, same), (Block(),), disabled(same)), Dropout())
    )
    for node_id in ("conv2d_2", "block_1", "conv2d_3", "block_2", "conv2d_5"):
        assert analysis[node_id].input == Shape.of(6, 30, 30)
    assert analysis["conv2d_4"].input == Shape.of(4, 30, 30)
    assert analysis["parallel_1"].output == Shape.of(8 + 8 + 6, 30, 30)
    assert analysis["parallel_1"].parameters == (6 * 72 + 8) + (6 * 4 + 4) + (4 * 72 + 8)
    assert analysis["parallel_1"].macs == 900 * (6 * 72 + 6 * 4 + 4 * 72)
    assert analysis["conv2d_5"].parameters == 0


def test_the_receptive_field_of_parallel_is_the_union_of_its_branches() -> None:
    wide, high = Conv2D(3, (1, 5), padding="same"), Conv2D(3, (7, 1), padding="same")
    analysis = analyze(network(Conv2D(3), (Parallel("add"), wide, high), Conv2D(3)))
    fields = [report.receptive_field_size for report in analysis.reports]
    assert fields == [(3, 3), (9, 7), (3, 7), (9, 3), (11, 9)]


def test_inactive_branches_are_not_joined() -> None:
    analysis = analyze(
        network(Conv2D(6), (Parallel(), disabled(Conv2D(8)), (Repeat(),), (Residual(),)), Flatten())
    )
    assert analysis["parallel_1"].output == analysis["conv2d_1"].output
    assert analysis.parameters == analysis["conv2d_1"].parameters
    assert analysis.problems == ()


def test_an_empty_block_passes_its_input_through() -> None:
    analysis = analyze(
        network((Block(),), Conv2D(6), (Block(), disabled(Conv2D(9))), (Repeat(3), (Block(),)))
    )
    assert [str(analysis[node_id].output) for node_id in ("block_1", "block_2", "block_3")] == [
        *("3 × 32 × 32", "6 × 30 × 30", "6 × 30 × 30")
    ]
    assert analysis.parameters == analysis["conv2d_1"].parameters


def test_the_output_after_an_unknown_branch_is_unknown() -> None:
    analysis = analyze(network((Parallel(), Conv2D(3, (40, 40)), (Block(),)), Flatten()))
    assert [report.output for report in analysis.reports] == [None, None, Shape.of(3, 32, 32), None]
    assert [problem.node_id for problem in analysis.problems] == ["conv2d_1"]


def test_reports_contain_the_nesting_depth() -> None:
    analysis = analyze(network(Conv2D(), (Repeat(), (Residual(), Dropout())), Flatten()))
    assert [report.depth for report in analysis.reports] == [0, 0, 1, 2, 0]


def test_layers_after_an_unknown_output_have_no_output_and_no_problem() -> None:
    analysis = analyze(network(Conv2D(3, (40, 40)), MaxPooling2D(), Dense(10)))
    assert [report.output for report in analysis.reports] == [None, None, None]
    assert [problem.node_id for problem in analysis.problems] == ["conv2d_1"]
    assert analysis.output is None


def costs_known(*items: Item) -> tuple[list[bool], bool]:
    """For each layer, and for the totals."""
    analysis = analyze(network(*items))
    return [report.has_known_costs for report in analysis.reports], analysis.has_known_costs


def test_costs_are_unknown_in_a_layer_with_an_error_and_after_it() -> None:
    assert costs_known(Conv2D(3), Flatten(), Dense(10)) == ([True] * 3, True)
    assert costs_known(Conv2D(3), Conv2D(3, (40, 40)), Flatten(), Dense(10)) == ([True, *[False] * 3], False)
    # Dense is wrong on an image, but its output, and with it the next layer's input, is known.
    assert costs_known(Conv2D(3), Dense(20), Dense(10)) == ([True, False, True], False)


def test_costs_of_a_group_are_unknown_if_those_of_a_layer_in_it_are() -> None:
    assert costs_known((Repeat(2), Dense(10)), Dense(10)) == ([False, False, True], False)
    assert costs_known((Block(), Conv2D(3), (Block(), Conv2D(3, (40, 40))))) == (
        [False, True, False, False],
        False,
    )
    assert costs_known((Residual(), Conv2D(9, padding="same")), Flatten()) == ([False, True, True], False)


def test_costs_without_an_error_in_the_layer_are_known() -> None:
    # The output is wrong for the last layer, which costs nothing; a layer that is disabled costs nothing.
    assert costs_known(Conv2D(3), MaxPooling2D()) == ([True, True], True)
    assert costs_known(Conv2D(3), disabled(Dense(9)), Flatten(), Dense(10)) == ([True] * 4, True)
    assert costs_known((Block(),), Flatten()) == ([True, True], True)
    assert costs_known(Flatten(), Dense(2**20)) == ([True, True], True)


def test_an_output_is_known_unless_the_layer_itself_has_an_error() -> None:
    found = analyze(network(Conv2D(3), Dense(20), Dense(10))).reports
    assert [report.has_known_output for report in found] == [True, False, True]
    assert [report.has_known_output for report in analyze(network(Conv2D(3), MaxPooling2D())).reports] == [
        True
    ] * 2


def remade_reports(old: tuple[LayerReport, ...], new: tuple[LayerReport, ...]) -> list[str]:
    known = {id(report) for report in old}
    return [report.node.id for report in new if id(report) not in known]


def test_only_reports_affected_by_an_edit_are_remade() -> None:
    block = (Residual(), Conv2D(8, padding="same"), BatchNormalization(), Conv2D(8, padding="same"))
    value = network(Conv2D(8, (32, 32), padding="same"), *[block] * 20, GlobalAveragePooling2D(), Dense(10))
    before = analyze(value)
    layer = Conv2D(8, padding="same", activation="relu")
    after = analyze(edits.replace(value, "conv2d_20", layer=layer), before)
    group = value.place("conv2d_20").parent
    assert remade_reports(before.reports, after.reports) == [group, "conv2d_20"]
    more = analyze(edits.replace(value, "conv2d_20", name="other"), before)
    assert remade_reports(before.reports, more.reports) == [group, "conv2d_20", "batch_normalization_10"]
    wider = analyze(edits.replace(value, "conv2d_1", layer=Conv2D(9, padding="same")), before)
    assert wider != before


def test_an_insertion_where_everything_is_seen_remakes_no_other_report() -> None:
    value = network(*[Conv2D(8, padding="same")] * 200, Flatten(), Dense(10))
    before = analyze(value)
    added = value.fresh_ids().node(Conv2D(8, padding="same"))
    after = analyze(edits.insert(value, Place(None, 100), [added]), before)
    assert remade_reports(before.reports, after.reports) == [added.id]
    assert after == analyze(after.network)


def test_the_analysis_after_undo_equals_the_first() -> None:
    value = lesson_network()
    before = analyze(value)
    after = analyze(edits.move(value, ["conv2d_2"], Place(None, 0)), before)
    again = analyze(value, after)
    assert again == before


def test_equal_layers_are_inferred_once_and_reported_separately() -> None:
    asked = []

    class Asked(Conv2D):
        def output_shape(self, shape: Shape) -> Shape:
            asked.append(shape)
            return super().output_shape(shape)

    same = Asked(3, padding="same", groups=3)
    analyze(network(same, same, (Residual(), same), disabled(same)))
    # Once for the shape, and once for the MACs.
    assert len(asked) == 2
    split = Conv2D(3, padding="same", groups=2)
    first, second = analyze(network(split, split, Flatten(), Dense(10))).problems
    assert (first.node_id, second.node_id) == ("conv2d_1", "conv2d_2")
    assert "from the input" in first.message
    assert "from Conv2D" in second.message


@pytest.mark.parametrize("depth", [3, MAXIMUM_DEPTH])
def test_nested_repeats_are_counted_without_visiting_every_copy(depth: int) -> None:
    growing = Conv2D(4, (1, 1), strides=(2, 2), padding="same")
    value = network(nested(Repeat(1000), depth, growing), input=(4, 1024, 1024))
    analysis = analyze(value)
    assert analysis.parameters == 1000**depth * (4 * 4 + 4)
    assert any("layers, counting all copies" in problem.message for problem in analysis.problems)


def test_a_long_body_is_not_inferred_for_every_copy_of_a_huge_repeat() -> None:
    # Each of the 1,000 copies would get an image of a different size: 15 million results.
    shrinking = MaxPooling2D((2, 2), strides=(1, 1))
    asked = 0

    class Counting(Dropout):
        def output_shape(self, shape: Shape) -> Shape:
            nonlocal asked
            asked += 1
            return shape

    unlike = [Counting(number / 20_000) for number in range(15_000)]
    value = network((Repeat(1000), shrinking, *unlike), input=(1, 1024, 1024))
    assert analyze(value).problems
    assert asked == 15_000


def test_a_network_cannot_have_a_flat_input() -> None:
    with pytest.raises(ValueError, match="the input must be an image"):
        Network(Shape.of(10))


def test_pooling_and_activations_have_no_weights_and_no_macs() -> None:
    analysis = analyze(network(AveragePooling2D(), MaxPooling2D(), Activation("gelu"), Dropout(), Flatten()))
    assert (analysis.parameters, analysis.macs) == (0, 0)
