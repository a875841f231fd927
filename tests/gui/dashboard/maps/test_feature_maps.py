"""The view of a layer's feature maps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from cnnstudio.design.network import Network, Node
from cnnstudio.gui.dashboard.maps.feature_maps import FeatureMapsView
from cnnstudio.gui.dashboard.maps.map_grid import probabilities
from cnnstudio.gui.theme.theme import theme
from cnnstudio.insight.maps import FeatureMaps
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from tests.gui.canned import CLASSES, feature_maps

NETWORK = Network(
    nodes=(
        Node("conv2d_1", Conv2D(filters=8)),
        Node("flatten_1", Flatten()),
        Node("dense_1", Dense(units=12), name="Thinker"),
        Node("dense_2", Dense(units=10, activation="softmax")),
    )
)


@pytest.fixture
def view(qtbot: QtBot) -> FeatureMapsView:
    widget = FeatureMapsView()
    qtbot.addWidget(widget)
    widget.resize(700, 220)
    widget.show()
    images = np.zeros((5, 3, 8, 8), np.uint8)
    widget.show_images(images, CLASSES[:5])
    return widget


def scores(values: list[float]) -> FeatureMaps:
    low, high = min(values), max(values)
    levels = np.round((np.array(values) - low) / (high - low) * 255).astype(np.uint8)
    return FeatureMaps("dense_2", 1, levels.reshape(-1, 1, 1), low, high, (), len(values))


def test_the_heading_names_the_layer_and_counts_dead_maps(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1", dead=(2, 5)), NETWORK, CLASSES)

    assert view.heading.title == "Feature maps of Conv2D (layer 1)"
    assert view.heading.details == "8 maps, 2 dead"
    assert view.scale.text() == "Scale: shared ▾"
    assert view.grid.accessibleDescription().endswith("8 maps, 2 dead, shared scale; dead: 3, 6")


def test_an_earlier_epoch_is_named(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1"), NETWORK, CLASSES, "after epoch 3")

    assert view.heading.details == "after epoch 3 · 8 maps"


def test_omitted_maps_are_counted(view: FeatureMapsView) -> None:
    view.show_maps(dataclasses.replace(feature_maps("conv2d_1"), total=512), NETWORK, CLASSES)

    assert view.heading.details == "512 maps, first 8 shown"


def test_every_map_is_drawn_and_dead_ones_have_a_red_frame(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1", count=16, dead=(3,)), NETWORK, CLASSES)

    image = view.grid.viewport().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32)
    grays = {int(value) & 0xFF for value in np.unique(pixels)}
    assert {255 * step // 15 for step in range(16) if step != 3} <= grays
    assert (pixels == np.uint32(theme().color("wrong").rgb())).any()


def faint() -> FeatureMaps:
    """A strong map, and a weak one whose two halves differ little."""
    maps = np.zeros((2, 4, 4), np.uint8)
    maps[0, 0], maps[1, :2], maps[1, 2:] = 255, 40, 60
    return FeatureMaps("conv2d_1", 0, maps, 0.0, 2.0, (), 2)


def grays(view: FeatureMapsView) -> set[int]:
    image = view.grid.viewport().grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return {int(value) & 0xFF for value in np.unique(np.frombuffer(image.constBits(), np.uint32))}


def test_a_scale_per_map_is_chosen_by_key_and_stays_for_the_next_maps(
    view: FeatureMapsView, qtbot: QtBot
) -> None:
    view.show_maps(faint(), NETWORK, CLASSES)
    assert {40, 60} <= grays(view)

    view.scale.setFocus()
    qtbot.keyClick(view.scale, Qt.Key.Key_Space)
    menu = view.scale.findChild(QMenu)
    qtbot.keyClick(menu, Qt.Key.Key_Down)
    qtbot.keyClick(menu, Qt.Key.Key_Return)

    assert not {40, 60} & grays(view)
    view.show_maps(faint(), NETWORK, CLASSES)
    assert not {40, 60} & grays(view)
    assert view.scale.text() == "Scale: each map ▾"
    assert view.scale.accessibleName() == "Scale: each map. Press to change."
    assert view.grid.accessibleDescription().endswith("2 maps, scale per map")
    assert view.grid.tooltip_at(QPointF(10, 10)) == "Map 1 of 2: 0 to 2"

    view.scale.findChild(QMenu).actions()[0].trigger()
    assert {40, 60} <= grays(view)


def test_activations_and_hints_have_no_scale(view: FeatureMapsView) -> None:
    view.show_maps(faint(), NETWORK, CLASSES)
    assert view.scale.isVisible()

    view.show_maps(feature_maps("dense_1", count=12, side=1), NETWORK, CLASSES)
    assert not view.scale.isVisible()

    view.show_maps(faint(), NETWORK, CLASSES)
    view.show_hint("Feature maps", "none yet")
    assert not view.scale.isVisible()


def test_the_most_active_map_is_first_and_dead_ones_are_last(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1", dead=(2,)), NETWORK, CLASSES)
    assert view.grid.order == (7, 6, 5, 4, 3, 1, 0, 2)

    view.order.choose("index")
    assert view.grid.order == tuple(range(8))
    assert view.grid.tooltip_at(QPointF(10, 10)).startswith("Map 1 of 8")


def test_maps_do_not_jump_while_an_epoch_goes_on(view: FeatureMapsView) -> None:
    maps = feature_maps("conv2d_1")
    reversed_maps = dataclasses.replace(maps, maps=maps.maps[::-1].copy())
    view.show_maps(maps, NETWORK, CLASSES, moment=3)
    before = view.grid.order

    view.show_maps(reversed_maps, NETWORK, CLASSES, moment=3)
    assert view.grid.order == before
    view.show_maps(reversed_maps, NETWORK, CLASSES, moment=4)
    assert view.grid.order == before[::-1]


def test_the_same_maps_in_other_colors(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1"), NETWORK, CLASSES)
    before = view.grid.viewport().grab().toImage()
    view.colors.choose("heat")

    after = view.grid.viewport().grab().toImage()
    brightest = view.grid.center_of(7).toPoint()
    assert before.pixelColor(brightest).getRgb()[:3] == (255, 255, 255)
    assert after.pixelColor(brightest).getRgb()[:3] == (252, 253, 191)


def test_a_map_is_chosen_by_mouse_and_keys_and_described(view: FeatureMapsView, qtbot: QtBot) -> None:
    view.order.choose("index")
    view.show_maps(feature_maps("conv2d_1"), NETWORK, CLASSES)
    chosen: list[object] = []
    view.map_chosen.connect(chosen.append)

    qtbot.mouseClick(view.grid.viewport(), Qt.MouseButton.LeftButton, pos=view.grid.center_of(3).toPoint())
    assert view.is_enlarged
    qtbot.keyClick(view.enlarged.image, Qt.Key.Key_Escape)
    assert not view.is_enlarged
    qtbot.keyClick(view.grid, Qt.Key.Key_Right)
    assert view._map_text.full_text == "Map 5 of 8: 1.14 to 1.14"
    qtbot.keyClick(view.grid, Qt.Key.Key_Return)
    assert view.is_enlarged
    view.show_all()
    qtbot.keyClick(view.grid, Qt.Key.Key_Escape)

    assert chosen == [3, 4, None]


def test_a_map_is_enlarged_beside_the_image_with_what_a_value_sees(
    view: FeatureMapsView, qtbot: QtBot
) -> None:
    view.order.choose("index")
    view.show_maps(feature_maps("conv2d_1", side=30), NETWORK, CLASSES)
    point = view.grid.center_of(6).toPoint()
    qtbot.mouseClick(view.grid.viewport(), Qt.MouseButton.LeftButton, pos=point)

    assert view.is_enlarged
    assert view.enlarged.text.full_text.startswith("Map 7 of 8 · row 16, column 16: 1.71")
    assert view.enlarged.text.full_text.endswith("sees 3 × 3 pixels of the image")

    qtbot.mouseMove(view.enlarged.map, view.enlarged.map.point_of((4, 9)).toPoint())
    assert view.enlarged.image.position == (4, 9)
    assert "row 5, column 10" in view.enlarged.text.full_text
    qtbot.keyClick(view.enlarged.image, Qt.Key.Key_Down)
    assert view.enlarged.map.position == (5, 9)
    qtbot.keyClick(view.enlarged.image, Qt.Key.Key_PageDown)
    assert view.enlarged.text.full_text.startswith("Map 8 of 8")

    qtbot.keyClick(view.enlarged.image, Qt.Key.Key_Escape)
    assert not view.is_enlarged
    assert view.grid.index == 7


def test_a_scaled_down_map_still_names_the_values_of_the_layer(view: FeatureMapsView, qtbot: QtBot) -> None:
    view.show_maps(feature_maps("conv2d_1", side=15), NETWORK, CLASSES)
    view.enlarge(0)

    qtbot.mouseMove(view.enlarged.map, view.enlarged.map.point_of((14, 0)).toPoint())
    assert view.enlarged.image.position == (28, 0)
    assert view.enlarged.map.position == (14, 0)


def test_an_enlarged_map_stays_in_the_next_epoch_and_goes_with_its_layer(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1", side=30), NETWORK, CLASSES, moment=1)
    view.enlarge(5)
    view.show_maps(feature_maps("conv2d_1", side=30), NETWORK, CLASSES, moment=2)
    assert view.is_enlarged

    view.show_maps(feature_maps("dense_1", count=12, side=1), NETWORK, CLASSES, moment=2)
    assert not view.is_enlarged


def test_zooming_makes_maps_larger(view: FeatureMapsView, qtbot: QtBot) -> None:
    view.show_maps(feature_maps("conv2d_1", count=64), NETWORK, CLASSES)
    before = view.grid._grid
    for _ in range(3):
        qtbot.keyClick(view.grid, "+")
    after = view.grid._grid
    assert before is not None
    assert after is not None
    assert after.width > before.width

    qtbot.keyClick(view.grid, "0")
    assert view.grid._grid == before


def test_the_tooltip_describes_the_map(view: FeatureMapsView) -> None:
    view.order.choose("index")
    view.show_maps(feature_maps("conv2d_1", dead=(1,)), NETWORK, CLASSES)

    assert view.grid.tooltip_at(QPointF(10, 10)) == "Map 1 of 8: 0 to 0"
    second = next(
        text for x in range(300) if (text := view.grid.tooltip_at(QPointF(x, 10))).startswith("Map 2")
    )
    assert second.endswith("dead: always 0")
    assert view.grid.tooltip_at(QPointF(699, 219)) == ""


def test_hundreds_of_maps_can_be_scrolled_by_key(view: FeatureMapsView, qtbot: QtBot) -> None:
    view.resize(300, 160)
    view.order.choose("index")
    view.show_maps(feature_maps("conv2d_1", count=256), NETWORK, CLASSES)
    assert view.grid.tooltip_at(QPointF(10, 10)).startswith("Map 1 ")

    for _ in range(10):
        qtbot.keyClick(view.grid, Qt.Key.Key_PageDown)

    bottom = view.grid.viewport().height() - 6
    row = {view.grid.tooltip_at(QPointF(x, bottom)).partition(" of")[0] for x in range(250)}
    assert "Map 256" in row


def test_a_flat_layer_is_shown_as_activations(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("dense_1", count=12, side=1), NETWORK, CLASSES)

    assert view.heading.title == "Activations of Thinker (layer 3)"
    assert view.grid.tooltip_at(QPointF(5, 5)).startswith("Value 1 of 12")


def test_the_last_layer_shows_its_prediction(view: FeatureMapsView) -> None:
    values = [0.0] * 10
    values[3] = 5.0

    view.show_maps(scores(values), NETWORK, CLASSES)

    assert view.heading.title == "Output of Dense (layer 4)"
    assert view.heading.details == "Predicted: ship (94%) · actual: dog"
    view.show_maps(scores([0.0, 5.0, *[0.0] * 8]), NETWORK, CLASSES)
    assert view.heading.details == "Predicted: dog (94%) · correct"


def test_probabilities_are_the_softmax_of_the_scores() -> None:
    shares = probabilities(scores([2.0, 1.0, 0.0]))

    assert shares == pytest.approx(np.exp([2, 1, 0]) / np.exp([2, 1, 0]).sum(), abs=0.01)


def test_a_hint_replaces_the_maps(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1"), NETWORK, CLASSES)

    view.show_nothing(NETWORK, "conv2d_1", "No feature maps were saved for this layer")

    assert view.grid.maps is None
    assert view.grid.hint == "No feature maps were saved for this layer"
    assert view.heading.title == "Feature maps of Conv2D (layer 1)"


def test_images_are_chosen_by_mouse_and_by_key(view: FeatureMapsView, qtbot: QtBot) -> None:
    chosen: list[object] = []
    view.image_chosen.connect(chosen.append)

    qtbot.mouseClick(view.images.buttons[2], Qt.MouseButton.LeftButton)
    qtbot.keyClick(view.images.buttons[2], Qt.Key.Key_Down)
    qtbot.keyClick(view.images.buttons[3], Qt.Key.Key_Up)

    assert chosen == [2, 3, 2]
    assert view.image == 2
    assert view.images.buttons[2].accessibleName() == "Example 3: frog"


def test_with_fewer_images_no_empty_buttons_are_shown(view: FeatureMapsView) -> None:
    view.images.buttons[4].setChecked(True)

    view.show_images(np.zeros((2, 1, 8, 8), np.uint8), ("cat", "dog"))

    assert [button.isVisible() for button in view.images.buttons] == [True, True, False, False, False]
    assert view.image == 0


def test_the_predicted_class_comes_from_the_exact_values(view: FeatureMapsView) -> None:
    # Both leading scores have the level 255.
    exact = np.array([-300.0, 9.0, 9.1, *[0.0] * 7], np.float32)
    levels = np.round((exact + 300) / 309.1 * 255).astype(np.uint8).reshape(-1, 1, 1)
    assert levels[1] == levels[2]

    view.show_maps(FeatureMaps("dense_2", 1, levels, -300.0, 9.1, (), 10, exact), NETWORK, CLASSES)

    assert view.heading.details.startswith(f"Predicted: {CLASSES[2]} (52%)")


def test_the_tooltip_of_a_value_is_exact(view: FeatureMapsView) -> None:
    exact = np.array([-3.25, 1000.0], np.float32)
    maps = FeatureMaps("dense_1", 0, np.array([0, 255], np.uint8).reshape(-1, 1, 1), -3.2, 1000, (), 2, exact)

    view.show_maps(maps, NETWORK, CLASSES)

    assert view.grid.tooltip_at(QPointF(5, 5)) == "Value 1 of 2: -3.25"


@pytest.mark.parametrize(
    "changes",
    [
        {"maps": np.full((2, 4, 4), np.nan)},
        {"maps": np.zeros((2, 16), np.uint8)},
        {"maps": np.zeros((2, 0, 4), np.uint8)},
        {"maps": np.broadcast_to(np.uint8(0), (2, 10**5, 10**5))},
        {"low": float("nan")},
        {"high": float("inf")},
        {"dead": (2,)},
        {"dead": (-1,)},
        {"total": 1},
        {"values": np.zeros(3, np.float32)},
        {"values": np.full(2, np.nan, np.float32)},
    ],
)
def test_what_cannot_be_drawn_is_not_a_feature_map(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"feature maps|exact values"):
        dataclasses.replace(faint(), **changes)  # type: ignore[arg-type]  # that is what is tested


def test_example_images_are_as_high_as_the_maps(view: FeatureMapsView, qtbot: QtBot) -> None:
    view.show_images(np.zeros((5, 3, 32, 32), np.uint8), ("cat",) * 5)
    view.show_maps(feature_maps("conv2d_1"), NETWORK, CLASSES)
    sides = []
    for height in (240, 440, 900):
        view.resize(560, height)
        qtbot.wait(1)
        sides.append(view.images.buttons[0].width())
        assert view.images.buttons[4].geometry().bottom() <= view.grid.height() + 1
    assert sides[0] < sides[1] < sides[2] == 84 + 6


def test_a_map_that_another_layer_does_not_have_is_chosen_again_with_its_own(view: FeatureMapsView) -> None:
    view.show_maps(feature_maps("conv2d_1", count=8), NETWORK, CLASSES)
    view.choose_map(6)
    view.show_maps(feature_maps("conv2d_1", count=4), NETWORK, CLASSES)
    assert view.grid.index is None
    view.show_maps(feature_maps("conv2d_1", count=8), NETWORK, CLASSES)
    assert view.grid.index == 6
