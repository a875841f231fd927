"""Messages of problems, the fixes that solve them, and previews of fixes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import FixPreviewRow, apply_fix, preview_fix
from cnnstudio.layers.base import Append, InsertBefore, SetParameters, Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import Item, disabled, network
from tests.strategies import networks

TRUNK = (Conv2D(32), MaxPooling2D(), Conv2D(64), MaxPooling2D())
HEAD = (Flatten(), Dense(10))
PROJECTION = Residual(shortcut="projection")


def messages(value: Network, classes: int | None = 10) -> list[str]:
    return [problem.full_message for problem in analyze(value, classes=classes).problems]


def test_the_missing_flatten_of_the_lesson_is_reported_and_inserted() -> None:
    value = network(*TRUNK, Dense(64), Dense(10))
    (problem,) = analyze(value, classes=10).problems
    assert problem.full_message == (
        "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it"
    )
    assert (problem.node_id, problem.fix) == ("dense_1", InsertBefore("Flatten"))
    after = apply_fix(value, problem)
    assert after == edits.insert(value, value.place("dense_1"), [after.node("flatten_1")])
    assert analyze(after, classes=10).problems == ()


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        (
            (Dense(10),),
            "Dense takes a flat vector, but gets 3 × 32 × 32 from the input: insert Flatten before it",
        ),
        (
            (*TRUNK, disabled(Dropout()), disabled((Repeat(), Flatten())), (Repeat(),), Dense(10)),
            "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it",
        ),
        (
            (*TRUNK, (Residual(), disabled(Flatten()), Dropout(), (Repeat(), Dense(10)))),
            "Dense takes a flat vector, but gets 64 × 6 × 6 from Dropout: insert Flatten before it",
        ),
        (
            (*TRUNK, (Repeat(), Dense(10))),
            "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it",
        ),
        (
            (*TRUNK, (PROJECTION, Conv2D(8)), Dense(10)),
            "Dense takes a flat vector, but gets 8 × 4 × 4 from Residual: insert Flatten before it",
        ),
        (
            (*HEAD, Conv2D()),
            "Conv2D takes an image (channels × height × width), but gets a flat vector of size 10 from "
            "Dense; it must come before the layer that flattens",
        ),
        (
            (Flatten(), GlobalAveragePooling2D(), Dense(10)),
            "GlobalAveragePooling2D takes an image (channels × height × width), but gets a flat vector of "
            "size 3072 from Flatten; it must come before the layer that flattens",
        ),
        (
            (*TRUNK, Conv2D(8, (7, 5)), *HEAD),
            "Conv2D needs an image of at least 7 × 5, but gets 6 × 6 from MaxPooling2D: set padding to same",
        ),
        (
            (MaxPooling2D((2, 33)), *HEAD),
            "MaxPooling2D needs an image of at least 2 × 33, but gets 32 × 32 from the input: "
            "set padding to same",
        ),
        (
            ((Repeat(5), Conv2D(8), MaxPooling2D()), *HEAD),
            "Conv2D (in copy 4) needs an image of at least 3 × 3, but gets 2 × 2 from MaxPooling2D: "
            "set padding to same",
        ),
        (
            (Conv2D(8, groups=2), *HEAD),
            "Conv2D cannot split 3 channels from the input and 8 filters into 2 equal groups: "
            "set groups to 1",
        ),
        (
            ((Residual(), Conv2D(8)), *HEAD),
            "Residual cannot add its input (3 × 32 × 32 from the input) to the output of its layers "
            "(8 × 30 × 30): set padding to same inside it",
        ),
        (
            ((Residual(), Conv2D(8, padding="same")), *HEAD),
            "Residual cannot add its input (3 × 32 × 32 from the input) to the output of its layers "
            "(8 × 32 × 32): set shortcut to projection",
        ),
        (
            ((Residual(), Flatten(), Dense(10)),),
            "Residual cannot add its input (3 × 32 × 32 from the input) to the output of its layers (10)",
        ),
        (
            ((PROJECTION, Conv2D(8)), *HEAD),
            "Residual cannot project its input (3 × 32 × 32 from the input) to the output of its layers "
            "(8 × 30 × 30), because a projection can change only the channels and the stride: "
            "set padding to same inside it",
        ),
        (
            TRUNK,
            "The network ends with 64 × 6 × 6 from MaxPooling2D, but class scores are a flat vector: "
            "add Flatten and Dense at the end",
        ),
        ((Flatten(), Dense(7)), "Dense outputs 7 scores, but the data has 10 classes: set units to 10"),
        (
            (Flatten(), Dense(64, activation="relu")),
            "Dense outputs 64 scores, but the data has 10 classes: add Dense at the end",
        ),
        (
            (Flatten(), Dense(64), disabled(Dense(10)), BatchNormalization(), Activation("softmax")),
            "Activation outputs 64 scores, but the data has 10 classes: set units to 10",
        ),
        (
            (Flatten(), (Repeat(), Dense(64))),
            "Repeat outputs 64 scores, but the data has 10 classes: add Dense at the end",
        ),
        (
            (Conv2D(64), GlobalAveragePooling2D()),
            "GlobalAveragePooling2D outputs 64 scores, but the data has 10 classes: add Dense at the end",
        ),
        (
            (Flatten(), Dense(1_048_576), *HEAD),
            "Dense would have 3,222,274,048 parameters, 12 GB of weights alone; the limit is 2,147,483,648",
        ),
        (
            (),
            "The network has no layers yet: drag some in from the palette, or open a template",
        ),
        (
            (disabled(Flatten()), (Repeat(),)),
            "The network has no layers yet: drag some in from the palette, or open a template",
        ),
    ],
)
def test_a_problem_message_names_layers_and_shapes(items: list[Item], sentence: str) -> None:
    assert sentence in messages(network(*items))


def test_messages_use_the_name_that_the_user_gave_a_layer() -> None:
    value = edits.replace(network(*TRUNK, Dense(10)), "max_pooling2d_2", name="pool {source}")
    value = edits.replace(value, "dense_1", name="scores")
    assert messages(value) == [
        "scores takes a flat vector, but gets 64 × 6 × 6 from pool {source}: insert Flatten before it"
    ]


def test_each_layer_has_its_first_problem_and_problems_follow_the_layer_list() -> None:
    analysis = analyze(network(Conv2D(8, groups=3), MaxPooling2D((99, 99)), *HEAD), classes=10)
    assert [problem.node_id for problem in analysis.problems] == ["conv2d_1", "max_pooling2d_1"]
    assert analysis["max_pooling2d_1"].problem == analysis.problems[1]
    assert analysis["flatten_1"].problem is None


def test_an_output_problem_is_not_reported_for_a_layer_with_its_own_problem() -> None:
    analysis = analyze(network(*TRUNK, Dense(64)), classes=10)
    assert [problem.message[:24] for problem in analysis.problems] == ["Dense takes a flat vecto"]


def test_the_number_of_scores_is_checked_only_if_the_classes_are_known() -> None:
    assert messages(network(Flatten(), Dense(7)), None) == []
    assert messages(network(Flatten()), None) == []
    assert messages(network(*TRUNK), None)[0].endswith("add Flatten and Dense at the end")


def test_a_network_without_weights_is_a_problem() -> None:
    value = network(Flatten(), input=(10, 1, 1))
    assert messages(value) == ["The network has no trainable weights: add Dense at the end"]
    assert messages(apply_fix(value, analyze(value, classes=10).problems[0])) == []


def test_too_many_parameters_in_total_are_a_problem_of_the_network() -> None:
    half = 1_048_576
    value = network(
        GlobalAveragePooling2D(), Dense(half), Dense(1100), Dense(half), Dense(10), input=(3, 8, 8)
    )
    (problem,) = analyze(value, classes=10).problems
    assert problem.node_id is None
    assert problem.message.startswith("The network would have 2,3")
    assert "parameters, 9 GB of weights alone" in problem.message


def test_too_many_nested_copies_are_a_problem_of_the_network() -> None:
    body = Conv2D(3, padding="same")
    value = network((Repeat(1000), (Repeat(1000), (Repeat(1000), body))), *HEAD)
    analysis = analyze(value, classes=10)
    assert analysis.parameters == 84 * 10**9 + 30_730
    assert {problem.node_id for problem in analysis.problems} == {None}
    assert [problem.message[:23] for problem in analysis.problems] == ["The network would have "] * 2
    assert "1,001,001,003 layers, counting all copies; the limit is 20,000" in analysis.problems[0].message
    assert "84,000,030,730 parameters, 336 GB" in analysis.problems[1].message


def test_an_output_too_large_for_memory_is_a_problem() -> None:
    value = network(Conv2D(65_536, padding="same"), input=(1, 1024, 1024))
    assert messages(value)[0] == (
        "Conv2D would output 65536 × 1024 × 1024 values per image, 275 GB; the limit is 268,435,456 values"
    )


# Fixes


@pytest.mark.parametrize(
    ("items", "fix", "repaired"),
    [
        ((Conv2D(8, (40, 3)), *HEAD), "Set padding to same", (Conv2D(8, (40, 3), padding="same"), *HEAD)),
        (
            (MaxPooling2D((40, 3)), *HEAD),
            "Set padding to same",
            (MaxPooling2D((40, 3), padding="same"), *HEAD),
        ),
        ((Conv2D(8, groups=2), *HEAD), "Set groups to 1", (Conv2D(8), *HEAD)),
        (
            ((Residual(), Conv2D(8, padding="same")), *HEAD),
            "Set shortcut to projection",
            ((PROJECTION, Conv2D(8, padding="same")), *HEAD),
        ),
        (
            (
                (PROJECTION, Conv2D(8), (Repeat(), MaxPooling2D(strides=(1, 1)), disabled(MaxPooling2D()))),
                *HEAD,
            ),
            "Set padding to same inside it",
            (
                (
                    PROJECTION,
                    Conv2D(8, padding="same"),
                    (Repeat(), MaxPooling2D(strides=(1, 1), padding="same"), disabled(MaxPooling2D())),
                ),
                *HEAD,
            ),
        ),
        (TRUNK, "Add Flatten and Dense", (*TRUNK, *HEAD)),
        ((Flatten(), Dense(3, "softmax")), "Set units to 10", (Flatten(), Dense(10, "softmax"))),
        ((Flatten(), Dense(3, "relu")), "Add Dense", (Flatten(), Dense(3, "relu"), Dense(10))),
        (((Repeat(), Dense(10)),), "Insert Flatten", ((Repeat(), Flatten(), Dense(10)),)),
    ],
)
def test_a_fix_does_what_its_label_says(items: list[Item], fix: str, repaired: list[Item]) -> None:
    value = network(*items)
    (problem,) = analyze(value, classes=10).problems
    assert problem.fix is not None
    assert problem.fix.label == fix
    after = apply_fix(value, problem)
    assert [node.layer for node in after.walk()] == [node.layer for node in network(*repaired).walk()]
    assert analyze(after, classes=10).problems == ()


def test_applying_a_fix_that_does_not_exist_is_an_error() -> None:
    value = network((Residual(), Flatten(), Dense(10)))
    (problem,) = analyze(value, classes=10).problems
    for hopeless in (problem, Problem(None, "?"), Problem("ghost_1", "?", (InsertBefore("Flatten"),))):
        with pytest.raises(edits.EditError, match="there is no quick fix for this"):
            apply_fix(value, hopeless)


def test_fixes_without_effect_are_not_offered() -> None:
    class Larger(Dropout):
        def output_shape(self, shape: Shape) -> Shape:
            return Shape.of(shape.channels, shape.height + 1, shape.width)

    (problem,) = analyze(
        network((PROJECTION, Conv2D(8, padding="same"), Larger()), *HEAD), classes=10
    ).problems
    assert problem.fix is None
    (problem,) = analyze(network((PROJECTION, Conv2D(8, (1, 1)), Larger()), *HEAD), classes=10).problems
    assert problem.fix is not None


def has_problem(problem: Problem, analysis: Analysis) -> bool:
    return problem in analysis.problems


@given(networks(), st.integers(2, 12))
def test_every_fix_solves_its_problem_and_fixing_terminates(value: Network, classes: int) -> None:
    for _ in range(4 * len(value) + 4):
        analysis = analyze(value, classes=classes)
        problem = next((each for each in analysis.problems if each.fix), None)
        if problem is None:
            break
        for fix in problem.fixes:
            assert not has_problem(problem, analyze(apply_fix(value, problem, fix), classes=classes))
        value = apply_fix(value, problem)
    else:
        pytest.fail("fixing does not come to an end")


@given(
    st.lists(
        st.sampled_from([*TRUNK, Dense(64), Dense(64, "relu"), Dropout(), BatchNormalization()]), min_size=1
    )
)
def test_networks_of_common_layers_can_be_fixed_completely(items: list[Item]) -> None:
    value = network(*items)
    for _ in range(2 * len(items) + 4):
        problems = analyze(value, classes=10).problems
        if not problems or problems[0].fix is None:
            break
        value = apply_fix(value, problems[0])
    left = [problem.message for problem in problems]
    # Only an image layer after a Dense has to be moved by hand.
    assert all("it must come before the layer that flattens" in message for message in left)


def test_fixes_have_a_label_for_buttons_and_an_instruction_for_sentences() -> None:
    fixes = [
        InsertBefore("Flatten"),
        Append((("Dense", {}),)),
        SetParameters({"groups": 1}, "set groups to 1"),
    ]
    assert [fix.instruction for fix in fixes] == [
        "insert Flatten before it",
        "add Dense at the end",
        "set groups to 1",
    ]
    assert [fix.label for fix in fixes] == ["Insert Flatten", "Add Dense", "Set groups to 1"]
    assert Shape.of(64, 6, 6).size == 2304


@pytest.mark.parametrize(
    ("items", "labels"),
    [
        ((*TRUNK, Dense(10)), ["Insert Flatten", "Insert GlobalAveragePooling2D"]),
        (TRUNK, ["Add Flatten and Dense", "Add GlobalAveragePooling2D and Dense"]),
        ((Conv2D(8, (40, 3)), *HEAD), ["Set padding to same", "Set kernel size to 32 × 3"]),
        (
            (Conv2D(8, (9, 9), dilation_rate=(5, 2)), *HEAD),
            ["Set padding to same", "Set kernel size to 7 × 9"],
        ),
        (
            (MaxPooling2D((16, 16)), MaxPooling2D((3, 2)), *HEAD),
            ["Set padding to same", "Set pool size to 2 × 2", "Remove it"],
        ),
        ((Conv2D(16), Conv2D(32, groups=3), *HEAD), ["Set groups to 2", "Set groups to 1"]),
        ((Conv2D(15), Conv2D(32, groups=3), *HEAD), ["Set groups to 1"]),
        (
            ((Parallel(), Conv2D(8), Conv2D(8, padding="same", strides=(2, 2))), *HEAD),
            ["Set padding to same inside it", "Set padding to same and strides to 1 inside it"],
        ),
        (
            ((Parallel("add"), Conv2D(8), Conv2D(9)), *HEAD),
            ["Set mode to concat"],
        ),
    ],
)
def test_a_problem_can_have_several_fixes(items: list[Item], labels: list[str]) -> None:
    value = network(*items)
    (problem,) = analyze(value, classes=10).problems
    assert [fix.label for fix in problem.fixes] == labels
    assert problem.fix == problem.fixes[0]
    for fix in problem.fixes:
        assert problem not in analyze(apply_fix(value, problem, fix), classes=10).problems


def test_a_problem_inside_a_branch_is_fixed_in_the_branch() -> None:
    value = network((Parallel(), Conv2D(8, (40, 40)), (Block(),)), *HEAD)
    (problem,) = analyze(value, classes=10).problems
    assert problem.node_id == "conv2d_1"
    assert " from the input" in problem.message
    assert analyze(apply_fix(value, problem), classes=10).problems == ()


def test_inserting_before_a_branch_wraps_both_in_a_block() -> None:
    value = network((Parallel(), Dense(4), (Block(), Flatten())), Dense(10))
    (problem,) = analyze(value, classes=10).problems
    after = apply_fix(value, problem)
    first, second = after.nodes[0].children
    assert [child.layer for child in first.children] == [Flatten(), Dense(4)]
    assert (first.layer, second) == (Block(), value.nodes[0].children[1])
    assert analyze(after, classes=10).problems == ()


def test_the_units_of_the_last_dense_inside_a_block_are_fixed() -> None:
    value = network(Conv2D(8), (Block(), Flatten(), (Block(), Dense(7, "softmax")), (Block(),)))
    (problem,) = analyze(value, classes=10).problems
    assert (problem.node_id, problem.fix) == ("dense_1", SetParameters({"units": 10}, "set units to 10"))


@given(networks(), st.integers(2, 12))
def test_a_problem_has_a_one_sentence_reason(value: Network, classes: int) -> None:
    for problem in analyze(value, classes=classes).problems:
        assert problem.why.endswith(".")
        assert problem.why[0].isupper()
        assert problem.why.count(". ") == 0


# Previews


def test_a_preview_has_shapes_and_costs_before_and_after() -> None:
    value = network(*TRUNK, Dense(64), Dense(10))
    analysis = analyze(value, classes=10)
    (problem,) = analysis.problems
    found = preview_fix(value, problem, problem.fixes[1], analysis, 10)
    assert found.rows == (
        FixPreviewRow("global_average_pooling2d_1", "GlobalAveragePooling2D", None, Shape.of(64), "added"),
    )
    assert found.analysis == analyze(apply_fix(value, problem, problem.fixes[1]), classes=10)
    assert (found.problems_before, found.problems_after) == (1, 0)
    assert found.parameters_after - found.parameters_before == 64 * 64 + 64
    assert found.macs_after - found.macs_before == 64 * 64


def test_a_preview_lists_layers_that_change_shape_or_are_removed() -> None:
    value = network(Conv2D(8), MaxPooling2D((31, 31)), Conv2D(8, (1, 1)), *HEAD)
    (problem,) = analyze(value, classes=10).problems
    same, _, removed = problem.fixes
    assert [
        (row.title, str(row.before), str(row.after), row.status)
        for row in preview_fix(value, problem, same).rows
    ] == [
        ("MaxPooling2D", "None", "8 × 1 × 1", "changed"),
        ("Conv2D", "None", "8 × 1 × 1", "changed"),
        ("Flatten", "None", "8", "changed"),
        ("Dense", "None", "10", "changed"),
    ]
    assert preview_fix(value, problem, removed).rows[0] == FixPreviewRow(
        "max_pooling2d_1", "MaxPooling2D", None, None, "removed"
    )


@given(networks(), st.integers(2, 12))
def test_a_preview_equals_the_applied_fix(value: Network, classes: int) -> None:
    analysis = analyze(value, classes=classes)
    for problem in analysis.problems:
        for fix in problem.fixes:
            found = preview_fix(value, problem, fix, analysis, classes)
            after = apply_fix(value, problem, fix)
            assert found.network == after
            assert found.analysis == analyze(after, classes=classes)
            shown = {row.node_id: row for row in found.rows}
            for node_id in {*(node.id for node in value.walk()), *(node.id for node in after.walk())}:
                outputs = [
                    each.by_id[node_id].output if node_id in each.by_id else "nothing"
                    for each in (analysis, found.analysis)
                ]
                assert (outputs[0] == outputs[1]) or node_id in shown
