"""The names in files are a contract: they stay, whatever the program's own names become.

All that is expected stands here as it is in the files of version 0.1. So it is noticed where a class, a
field or a value gets another name in the program and does not keep this one in the files.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors

from cnnstudio.cli.main import main
from cnnstudio.design.file import design_text, layers_from_text, layers_to_text, parse_design
from cnnstudio.runs.run import Run
from cnnstudio.training.events import event_from_json
from cnnstudio.training.recipe.recipe import Recipe
from tests.compatibility.old_files import VERSION_0_1, decoded_place

Output = pytest.CaptureFixture[str]

CPU = ["--device", "cpu", "--threads", "1"]
DESIGNS = VERSION_0_1 / "designs"
SCORES = {"loss": 0.5, "accuracy": 0.75}

EVENTS: list[dict[str, Any]] = [
    {
        "event": "Started",
        "run": "runs/first",
        "network_name": "Small",
        "parameters": 206,
        "device": "cpu",
        "threads": 1,
        "epochs": 3,
        "steps_per_epoch": 4,
        "batch_size": 8,
        "train_images": 32,
        "validation_images": 12,
        "classes": ["bright", "dark"],
        "validation": "share",
        "first_epoch": 2,
        "steps_done": 4,
        "ranks": 1,
    },
    {
        "event": "Progress",
        "step": 6,
        "steps": 12,
        "epoch": 1.5,
        "losses": [0.5, 0.25],
        "accuracies": [0.75, 1.0],
        "first_step": 5,
        "images_per_second": 100.5,
        "learning_rate": 0.01,
        "seconds": 1.5,
        "seconds_left": None,
    },
    {
        "event": "Progress",
        "step": 6,
        "steps": 12,
        "epoch": 1.5,
        "losses": [0.5, 0.25],
        "accuracies": [0.75, 1.0],
        "first_step": 5,
        "images_per_second": 100.5,
        "learning_rate": 0.01,
        "seconds": 1.5,
        "seconds_left": None,
        "gradient_norm": 2.5,
    },
    {
        "event": "EpochEnded",
        "epoch": 2,
        "train": SCORES,
        "validation": SCORES,
        "images_per_second": 100.5,
        "learning_rate": 0.01,
        "seconds": 1.5,
        "best": True,
        "weight_change": 0.25,
    },
    {"event": "SnapshotTaken", "step": 6, "epoch": 1.5, "kind": "feature_maps"},
    {"event": "Warned", "message": "There is little memory."},
    {"event": "Paused", "step": 6},
    {"event": "Resumed", "step": 6},
    {"event": "Resumed", "step": 6, "seconds": 2.5},
    {
        "event": "Adjusted",
        "step": 6,
        "epoch": 1.5,
        "name": "learning_rate",
        "before": "0.01",
        "after": "0.02",
    },
    {
        "event": "ThreadsChanged",
        "step": 6,
        "epoch": 1.5,
        "threads": 1,
        "usual_threads": 2,
        "trial": False,
    },
    {
        "event": "CarriedOver",
        "step": 8,
        "run": "runs/first",
        "kept": ["conv2d_1"],
        "fresh": ["dense_3"],
        "lines": ["Keeps 1 Conv2D"],
    },
    {"event": "UnitsChecked", "epoch": 2, "layers": ["conv2d_1"], "dead": [1], "total": [3]},
    {"event": "Diagnosed", "kind": "plateau", "epoch": 1.5, "message": "It stands.", "advice": "Wait."},
    {"event": "Recovered", "kind": "plateau", "epoch": 2.5},
    {
        "event": "Finished",
        "outcome": "completed",
        "reason": "All is done.",
        "test": SCORES,
        "seconds": 1.5,
        "run": "runs/first",
        "best_epoch": 2,
        "cause": None,
    },
]
EVENT_VALUES = {
    ("Started", "validation"): ("share", "test", "own"),
    ("Diagnosed", "kind"): (
        *("diverged", "memory", "rate_too_high", "rate_too_low", "dead_units", "overfitting", "plateau"),
        *("class_sizes", "validation_better"),
    ),
    ("Finished", "outcome"): ("completed", "stopped", "failed"),
    ("Finished", "cause"): ("memory", "not_finite", None),
}

RECIPE = {
    "format": "cnnstudio.recipe",
    "version": 1,
    "name": "custom",
    "epochs": 10,
    "patience": 0,
    "batch_size": 32,
    "accumulate": 1,
    "precision": "float32",
    "validation_share": 0.0,
    "seed": 0,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "clip_norm": 0.0,
    "norm_bias_rate": 1.0,
    "schedule": "constant",
    "warm_up": 0.0,
    "warm_up_start": 0.04,
    "final_rate": 0.0,
    "step_epochs": 10,
    "step_factor": 0.1,
    "unlock_after": 0,
    "unlock_groups": 1,
    "unlock_rate": 0.1,
    "batch_norm_statistics": "batch",
    "flip": "off",
    "shift": 0,
    "shift_border": "reflect",
    "crop": 0.0,
    "cutout": 0,
    "brightness": 0.0,
    "contrast": 0.0,
    "saturation": 0.0,
    "mixup": 0.0,
    "cutmix": 0.0,
    "feature_copies": 0,
    "label_smoothing": 0.0,
    "class_weights": "none",
    "average_decay": 0.0,
    "lookahead": False,
    "test_time_flip": False,
}
"""What is missing in a file is this."""
RECIPE_VALUES = {
    "precision": ("float32", "bfloat16", "auto"),
    "class_weights": ("none", "balanced"),
    "optimizer": ("sgd", "adam", "adamw", "rmsprop", "muon"),
    "batch_norm_statistics": ("batch", "kept"),
    "schedule": ("constant", "step", "cosine", "one_cycle", "linear"),
    "flip": ("off", "random", "alternating"),
    "shift_border": ("reflect", "zero"),
}

ACTIVATIONS = ("linear", "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softmax")
INITIALIZERS = ("auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "orthogonal", "zeros")
CONVOLUTION = {
    "kernel_size": [3, 3],
    "strides": [1, 1],
    "padding": "valid",
    "dilation_rate": [1, 1],
    "activation": "linear",
    "use_bias": True,
    "kernel_initializer": "auto",
    "kernel_l2": 0.0,
}
POOLING = {"pool_size": [2, 2], "strides": None, "padding": "valid"}
LAYERS: dict[str, dict[str, Any]] = {
    "Conv2D": {"filters": 32, "groups": 1, **CONVOLUTION},
    "DepthwiseConv2D": {"depth_multiplier": 1, **CONVOLUTION},
    "SeparableConv2D": {"filters": 32, "depth_multiplier": 1, **CONVOLUTION},
    "MaxPooling2D": POOLING,
    "AveragePooling2D": POOLING,
    "GlobalAveragePooling2D": {},
    "GlobalMaxPooling2D": {},
    "Flatten": {},
    "Dense": {
        "units": 128,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": "auto",
        "kernel_l2": 0.0,
    },
    "ZeroPadding2D": {"padding": [[1, 1], [1, 1]]},
    "UpSampling2D": {"size": [2, 2], "interpolation": "nearest"},
    "Activation": {"activation": "relu"},
    "BatchNormalization": {"momentum": 0.9, "epsilon": 0.001, "center": True, "scale": True},
    "LayerNormalization": {"epsilon": 0.001, "center": True, "scale": True},
    "GroupNormalization": {"groups": 8, "epsilon": 0.001, "center": True, "scale": True},
    "SqueezeExcite": {"ratio": 16, "activation": "relu"},
    "Scale": {"factor": 1.0, "trainable": False},
    "ChannelShuffle": {"groups": 2},
    "ChannelSlice": {"start": 0, "channels": 1},
    "ChannelPadding": {"before": 0, "after": 1},
    "Whitening": {"kernel_size": [2, 2], "epsilon": 0.0005, "use_bias": True},
    "Dropout": {"rate": 0.5},
    "SpatialDropout2D": {"rate": 0.2},
    "Residual": {"shortcut": "identity", "activation": "relu", "layers": []},
    "Repeat": {"times": 2, "layers": []},
    "Parallel": {"mode": "concat", "layers": []},
    "Block": {"layers": []},
}
"""Type -> its entries besides `type` and `id`, and what each of them is where a file leaves it out."""
LAYER_VALUES = {
    ("Conv2D", "padding"): ("valid", "same"),
    ("MaxPooling2D", "padding"): ("valid", "same"),
    ("Conv2D", "activation"): ACTIVATIONS,
    ("Dense", "activation"): ACTIVATIONS,
    ("Activation", "activation"): ACTIVATIONS,
    ("Conv2D", "kernel_initializer"): (*INITIALIZERS, "dirac"),
    ("DepthwiseConv2D", "kernel_initializer"): (*INITIALIZERS, "dirac"),
    ("Dense", "kernel_initializer"): INITIALIZERS,
    ("UpSampling2D", "interpolation"): ("nearest", "bilinear"),
    ("Residual", "shortcut"): ("identity", "projection"),
    ("Parallel", "mode"): ("concat", "add"),
}
IDS = {
    "Conv2D": "conv2d_1",
    "DepthwiseConv2D": "depthwise_conv2d_1",
    "SeparableConv2D": "separable_conv2d_1",
    "MaxPooling2D": "max_pooling2d_1",
    "AveragePooling2D": "average_pooling2d_1",
    "GlobalAveragePooling2D": "global_average_pooling2d_1",
    "GlobalMaxPooling2D": "global_max_pooling2d_1",
    "Flatten": "flatten_1",
    "Dense": "dense_1",
    "ZeroPadding2D": "zero_padding2d_1",
    "UpSampling2D": "up_sampling2d_1",
    "Activation": "activation_1",
    "BatchNormalization": "batch_normalization_1",
    "LayerNormalization": "layer_normalization_1",
    "GroupNormalization": "group_normalization_1",
    "SqueezeExcite": "squeeze_excite_1",
    "Scale": "scale_1",
    "ChannelShuffle": "channel_shuffle_1",
    "ChannelSlice": "channel_slice_1",
    "ChannelPadding": "channel_padding_1",
    "Whitening": "whitening_1",
    "Dropout": "dropout_1",
    "SpatialDropout2D": "spatial_dropout2d_1",
    "Residual": "residual_1",
    "Repeat": "repeat_1",
    "Parallel": "parallel_1",
    "Block": "block_1",
}
"""What a layer without an id gets, by which weights and feature maps are named."""

RUN_KEYS = [
    *("id", "format", "version", "name", "status", "created", "versions", "host", "device", "device_title"),
    *("ranks", "seed", "data", "classes", "input", "mean", "std", "threads", "parameters"),
    *("reason", "finished", "seconds", "test", "best_epoch"),
]
TRAINED = [
    "batch_normalization_1.bias",
    "conv2d_1.bias",
    "conv2d_1.weight",
    "dense_1.bias",
    "dense_1.weight",
    "parallel_1.0.conv2d_3.bias",
    "parallel_1.0.conv2d_3.weight",
    "parallel_1.1.block_1.conv2d_4.bias",
    "parallel_1.1.block_1.conv2d_4.weight",
    "repeat_1.0.conv2d_2.weight",
    "repeat_1.0.layer_normalization_1.bias",
    "repeat_1.0.layer_normalization_1.weight",
    "repeat_1.1.conv2d_2.weight",
    "repeat_1.1.layer_normalization_1.bias",
    "repeat_1.1.layer_normalization_1.weight",
    "residual_1.body.depthwise_conv2d_1.bias",
    "residual_1.body.depthwise_conv2d_1.weight",
    "residual_1.body.group_normalization_1.bias",
    "residual_1.body.group_normalization_1.weight",
    "residual_1.body.separable_conv2d_1.weight",
    "residual_1.body.separable_conv2d_1_pointwise.bias",
    "residual_1.body.separable_conv2d_1_pointwise.weight",
    "residual_1.shortcut.0.weight",
    "residual_1.shortcut.1.bias",
    "residual_1.shortcut.1.weight",
    "scale_1.factor",
    "squeeze_excite_1.excite.bias",
    "squeeze_excite_1.excite.weight",
    "squeeze_excite_1.squeeze.bias",
    "squeeze_excite_1.squeeze.weight",
    "whitening_1.bias",
]
UNTRAINED = [
    "batch_normalization_1.num_batches_tracked",
    "batch_normalization_1.running_mean",
    "batch_normalization_1.running_var",
    "batch_normalization_1.weight",
    "residual_1.shortcut.1.num_batches_tracked",
    "residual_1.shortcut.1.running_mean",
    "residual_1.shortcut.1.running_var",
    "whitening_1.weight",
]
SLOTS = {
    "sgd": {"momentum_buffer"},
    "adam": {"step", "exp_avg", "exp_avg_sq"},
    "adamw": {"step", "exp_avg", "exp_avg_sq"},
    "rmsprop": {"step", "square_avg", "momentum_buffer"},
    "muon": {"momentum_buffer", "step", "exp_avg", "exp_avg_sq"},
}
"""What each optimizer keeps of a weight."""


def content(path: Path) -> Any:
    return json.loads(path.read_bytes())


def tensors(folder: Path, part: str, name: str = "last") -> list[str]:
    """The names in a file of a checkpoint, sorted."""
    checkpoints = folder / "checkpoints"
    data = (checkpoints / content(checkpoints / f"{name}.json")[part]["file"]).read_bytes()
    return sorted(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]))


def train(design: str, folder: Path, *options: str) -> Path:
    images = str(VERSION_0_1 / "brightness")
    recipe = ["--recipe", "lesson", "--batch-size", "8", *options]
    words = ["train", str(DESIGNS / f"{design}.cnn.json"), "--data", images, *recipe, *CPU]
    assert main([*words, "--run", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every layer type, of two epochs, with an average of the weights. Tests read it only."""
    place = tmp_path_factory.mktemp("written")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNSTUDIO_HOME", str(place / "home"))
        each_epoch = ["--checkpoint-every", "4"]
        return train("every-layer", place / "run", "--epochs", "2", "--average-decay", "0.9", *each_epoch)


# Events


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_an_event_has_its_names(event: dict[str, Any]) -> None:
    assert event_from_json(event).to_json() == event


@pytest.mark.parametrize(("place", "values"), EVENT_VALUES.items(), ids=str)
def test_an_event_has_its_values(place: tuple[str, str], values: tuple[str | None, ...]) -> None:
    name, key = place
    (event,) = (each for each in EVENTS if each["event"] == name)
    for value in values:
        assert event_from_json(event | {key: value}).to_json()[key] == value


def test_the_events_of_a_run_have_their_names(written: Path) -> None:
    # Some of them with and without what is not always known.
    keys = [(event["event"], list(event)) for event in EVENTS]
    said = [json.loads(line) for line in (written / "events.jsonl").read_text().splitlines()]
    names = {"Started", "Warned", "UnitsChecked", "Progress", "EpochEnded", "Finished"}
    assert {event["event"] for event in said} == names
    assert [event for event in said if (event["event"], list(event)) not in keys] == []


# Recipes


def test_a_recipe_has_its_names_and_what_is_missing_its_values() -> None:
    empty = {"format": "cnnstudio.recipe", "version": 1}
    assert Recipe.from_json(empty).to_json() == RECIPE


@pytest.mark.parametrize(("key", "values"), RECIPE_VALUES.items())
def test_a_recipe_has_its_values(key: str, values: tuple[str, ...]) -> None:
    for value in values:
        assert Recipe.from_json(RECIPE | {key: value}).to_json()[key] == value


def test_a_recipe_of_the_first_days_says_yes_or_no_to_flips() -> None:
    flips = [Recipe.from_json(RECIPE | {"flip": value}).to_json()["flip"] for value in (False, True)]
    assert flips == ["off", "random"]


@pytest.mark.parametrize("name", ["studio", "lesson", "fast-cpu", "fast-gpu"])
def test_recipes_of_the_program_keep_their_names(name: str, tmp_path: Path) -> None:
    train("small", tmp_path / "run", "--recipe", name, "--epochs", "1", "--precision", "float32")
    assert list(content(tmp_path / "run" / "recipe.json")) == list(RECIPE)


# Designs


def design(*layers: dict[str, Any]) -> str:
    head = {"format": "cnnstudio.design", "version": 1, "name": "Test", "input": [3, 8, 8]}
    return json.dumps({**head, "layers": layers})


def read_again(*layers: dict[str, Any]) -> list[dict[str, Any]]:
    found = json.loads(design_text(parse_design(design(*layers))))
    assert list(found) == ["format", "version", "name", "input", "layers"]
    result: list[dict[str, Any]] = found["layers"]
    return result


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_has_its_names_and_what_is_missing_its_values(name: str) -> None:
    (found,) = read_again({"type": name})
    assert found.pop("type") == name
    assert found.pop("id") == IDS[name]
    # A group without layers is written without them.
    assert found | {"layers": []} == LAYERS[name] | {"layers": []}


@pytest.mark.parametrize(("place", "values"), LAYER_VALUES.items(), ids=str)
def test_a_layer_has_its_values(place: tuple[str, str], values: tuple[str, ...]) -> None:
    name, key = place
    assert [each[key] for each in read_again(*({"type": name, key: value} for value in values))] == [*values]


def test_names_and_disabled_layers_are_marked() -> None:
    layer = {"type": "Flatten", "id": "flatten_7", "name": "Flat", "enabled": False}
    assert read_again(layer) == [layer]


def test_a_gate_is_written_only_where_it_is_another_one_than_earlier_versions_have() -> None:
    layer = {"type": "SqueezeExcite", "id": "squeeze_excite_1", "ratio": 16, "activation": "relu"}
    assert read_again(layer) == [layer]
    assert read_again(layer | {"gate": "hard_sigmoid"}) == [layer | {"gate": "hard_sigmoid"}]


def test_a_run_keeps_its_design_as_it_is(written: Path) -> None:
    assert (written / "design.cnn.json").read_text() == (DESIGNS / "every-layer.cnn.json").read_text()


def test_copied_layers_have_their_format() -> None:
    network = parse_design(design({"type": "Flatten"}))
    text = '{"format": "cnnstudio.layers", "version": 1, "layers": [{"type": "Flatten", "id": "flatten_1"}]}'
    assert layers_to_text(network.nodes) == text
    assert [node.id for node in layers_from_text(text, network)] == ["flatten_2"]


def test_templates_keep_their_names(capsys: Output) -> None:
    assert main(["template", "list", "--json"]) == 0
    found = {each["name"] for each in json.loads(capsys.readouterr().out)["templates"]}
    assert found >= {"lesson-32", "airbench94", "airbench-small"}


# Runs

READINGS = {
    f"reading of {instrument}.{name}"
    for instrument, names in {
        "confusion": ("classes", "counts"),
        "calibration": ("counts", "correct", "confidence"),
        "predictions": ("classes", "probabilities", "labels"),
        "histograms": (
            *("layers", "units", "dead", "saturated", "weight_counts", "weight_low", "weight_high"),
            *("activation_counts", "activation_low", "activation_high"),
            *("gradient_counts", "gradient_low", "gradient_high"),
        ),
    }.items()
    for name in names
}


def test_the_files_of_a_run_have_their_names(written: Path) -> None:
    found = [path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file()]
    stem = re.compile(r"checkpoints/(epoch-\d{5}|step-\d{9})(\.state)?\.safetensors")
    weights = {name for name in found if stem.fullmatch(name)}
    assert {"checkpoints/epoch-00001.safetensors", "checkpoints/step-000000008.state.safetensors"} <= weights
    manifests = {f"checkpoints/{name}.json" for name in ("best", "last", "previous")}
    snapshots = {f"snapshots/epoch-{epoch:03d}.npz" for epoch in (0, 2)}
    own = {"design.cnn.json", "events.jsonl", "lock", "recipe.json", "run.json"}
    # Added in version 0.2: the weights of epochs.
    kept = {f"weights/epoch-{epoch:03d}.safetensors" for epoch in (0, 2)}
    # Whether the epoch between has a snapshot too is a matter of time.
    between = {"snapshots/epoch-001.npz", "weights/epoch-001.safetensors"}
    assert {*found} - between == weights | manifests | snapshots | own | kept


def test_kept_weights_have_their_names(written: Path) -> None:
    with safetensors.safe_open(written / "weights" / "epoch-002.safetensors", "numpy") as file:
        about, names = file.metadata(), set(file.keys())
    assert set(about) == {"format", "version", "epoch", "run", "sha256"}
    assert (about["format"], about["version"], about["epoch"]) == ("cnnstudio.weights", "1", "2")
    assert about["run"] == content(written / "run.json")["created"]
    assert names == set(Run.open(written).model("last").state_dict())


def test_a_run_describes_itself_by_its_names(written: Path) -> None:
    about = content(written / "run.json")
    assert list(about) == RUN_KEYS
    assert (about["format"], about["version"], about["status"]) == ("cnnstudio.run", 1, "completed")
    assert list(about["versions"]) == ["cnnstudio", "python", "torch", "numpy"]
    assert list(about["data"]) == [
        *("source", "title", "fingerprint", "version", "train", "validation", "test")
    ]
    assert list(about["test"]) == ["loss", "accuracy"]
    assert list(content(written / "recipe.json")) == list(RECIPE)


def test_a_run_names_the_one_that_it_continues(tmp_path: Path) -> None:
    first = train("small", tmp_path / "first", "--epochs", "1")
    second = train("changed", tmp_path / "second", "--epochs", "2", "--continue-from", str(first))
    about = content(second / "run.json")
    assert set(about) == {*RUN_KEYS, "continues"}
    assert about["continues"] == "first"
    said = [json.loads(line) for line in (second / "events.jsonl").read_text().splitlines()]
    (expected,) = (event for event in EVENTS if event["event"] == "CarriedOver")
    assert [list(event) for event in said if event["event"] == "CarriedOver"] == [list(expected)]


def test_checkpoints_have_their_names(written: Path) -> None:
    position = ["epoch", "batch", "steps_per_epoch", "seconds", "asked", "recipe", "sums", "history"]
    for name in ("best", "last", "previous"):
        manifest = content(written / "checkpoints" / f"{name}.json")
        state = [] if name == "best" else ["state"]
        assert list(manifest) == ["format", "version", "info", "weights", *state, "sha256"]
        assert (manifest["format"], manifest["version"]) == ("cnnstudio.checkpoint", 2)
        assert [list(manifest[part]) for part in ("weights", *state)] == [["file", "sha256"]] * (
            1 + len(state)
        )
        info = manifest["info"]
        assert [key for key in info if key not in ("loss", "accuracy")] == position
        assert [list(info[part]) for part in ("asked", "recipe")] == [list(RECIPE)] * 2
        assert {event["event"] for event in info["history"]} == {"EpochEnded"}
    assert {"loss", "accuracy"} <= content(written / "checkpoints" / "best.json")["info"].keys()


def test_weights_have_their_names(written: Path) -> None:
    assert tensors(written, "weights") == sorted([*TRAINED, *UNTRAINED])


def test_what_a_run_goes_on_from_has_its_names(written: Path) -> None:
    weights = [*TRAINED, *UNTRAINED]
    slots = [f"optimizer.{slot}.{name}" for slot in SLOTS["adam"] for name in TRAINED]
    averages = [f"{kind}.{name}" for kind in ("own", "average") for name in weights]
    assert tensors(written, "state") == sorted([*slots, *averages, "average-steps", "rng.cpu"])


@pytest.mark.parametrize("optimizer", SLOTS)
def test_what_an_optimizer_remembers_has_its_names(optimizer: str, tmp_path: Path) -> None:
    folder = train("small", tmp_path / "run", "--optimizer", optimizer, "--epochs", "1")
    state = tensors(folder, "state")
    assert {name.split(".")[1] for name in state if name.startswith("optimizer.")} == SLOTS[optimizer]
    weights = {name.split(".", 2)[2] for name in state if name.startswith("optimizer.")}
    layers = ("conv2d_1", "dense_1", "dense_2")
    assert weights == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert [name for name in state if not name.startswith("optimizer.")] == ["rng.cpu"]


def test_snapshots_have_their_names(written: Path) -> None:
    with np.load(written / "snapshots" / "epoch-002.npz") as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(arrays.pop("about").tobytes())
    assert (arrays.pop("pictures").shape, arrays.pop("labels").dtype) == ((5, 3, 8, 8), np.int64)
    # Added in version 0.2: the exact values of flat outputs, float32 (N, K).
    exact = {name: arrays.pop(name) for name in list(arrays) if name.startswith("values of ")}
    assert {(array.dtype, array.ndim) for array in exact.values()} == {(np.dtype(np.float32), 2)}
    # Added in version 0.2: what instruments showed.
    readings = {name for name in arrays if name.startswith("reading of ")}
    assert readings == READINGS
    arrays = {name: array for name, array in arrays.items() if name not in readings}
    assert list(arrays) == list(about)
    assert {"whitening_1", "residual_1", "depthwise_conv2d_1", "repeat_1", "parallel_1"} <= about.keys()
    assert "conv2d_5" not in about, "it is disabled"
    assert {tuple(each) for each in about.values()} == {("scales", "dead", "total")}


# Searches


def test_a_search_has_its_names(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    folder = tmp_path / "search"
    vary = ["learning_rate=0.001..0.1", "batch_size=4,8", "conv2d_1.filters=2..6:2"]
    marks = [word for mark in vary for word in ("--vary", mark)]
    words = ["search", str(DESIGNS / "small.cnn.json"), "--data", str(VERSION_0_1 / "brightness"), *marks]
    begun = [*words, "--recipe", "lesson", "--epochs", "1", "--trials", "2", "--run", str(folder), *CPU]
    assert main(begun) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        *("base.cnn.json", "base.recipe.json", "best.cnn.json", "best.recipe.json"),
        *("lock", "search.json", "study.json", "trial-001", "trial-002"),
    ]
    assert content(folder / "search.json") == {
        "format": "cnnstudio.search",
        "version": 1,
        "vary": [
            {"parameter": "learning_rate", "from": 0.001, "to": 0.1, "scale": "log"},
            {"parameter": "batch_size", "values": [4, 8]},
            {"parameter": "conv2d_1.filters", "from": 2, "to": 6, "step": 2, "scale": "linear"},
        ],
        "trials": 2,
        "prune": True,
    }
    study = content(folder / "study.json")
    assert list(study) == ["format", "version", "name", "data", "trials"]
    assert (study["format"], study["version"]) == ("cnnstudio.study", 1)
    assert list(study["data"]) == ["source", "fingerprint"]
    keys = ["number", "values", "state", "scores", "seconds", "reason"]
    assert [list(trial) for trial in study["trials"]] == [keys, keys]
    assert list(study["trials"][1]["values"]) == ["learning_rate", "batch_size", "conv2d_1.filters"]
    assert [trial["state"] for trial in study["trials"]] == ["completed", "completed"]
    assert list(study["trials"][0]["scores"]) == ["1"]


# Data


def test_decoded_images_and_added_folders_have_their_names(home: Path, capsys: Output) -> None:
    images = str(VERSION_0_1 / "brightness")
    assert main(["data", "add", images]) == 0
    design = str(DESIGNS / "small.cnn.json")
    assert main(["train", design, "--data", "brightness", "--epochs", "1", *CPU]) == 0
    assert content(home / "datasets" / "folders.json") == {
        "format": "cnnstudio.folders",
        "version": 1,
        "folders": [{"name": "brightness", "path": images}],
    }
    place = home / "datasets" / "decoded" / decoded_place(images)
    (entry,) = (path for path in place.iterdir() if path.is_dir())
    files = {"train.pixels", "train.labels", "test.pixels", "test.labels"}
    keys = {"train.keys", "test.keys"}  # of the images' files, so that only new ones are decoded later
    assert {path.name for path in entry.iterdir()} == {"about.json", *files, *keys}
    about = content(entry / "about.json")
    assert list(about) == [
        *("key", "name", "title", "classes", "notes", "shape", "fingerprint", "levels", "files", "sha256"),
    ]
    assert about["key"] == entry.name
    assert (set(about["levels"]), set(about["files"])) == ({"train", "test"}, files)
    assert {path.name for path in home.iterdir()} == {"datasets", "runs"}


# What other programs read from the command line


def test_what_is_printed_as_json_has_its_names(written: Path, capsys: Output) -> None:
    image = str(VERSION_0_1 / "brightness" / "test" / "bright" / "00.png")
    commands = {
        ("evaluate", str(written), *CPU): (
            *("loss", "accuracy", "per_class", "confusion", "calibration", "classes", "run", "epoch", "data"),
            *("split", "images", "test_evaluations"),
        ),
        ("predict", str(written), image, *CPU): ("run", "predictions"),
        ("runs", "list"): ("folder", "runs"),
        ("runs", "show", str(written)): (
            *("id", "name", "status", "reason", "created", "folder", "data", "test", "best_epoch"),
            *("title", "tags", "note", "recipe", "epochs", "diagnosed", "data_version"),
            "test_evaluations",
        ),
        ("data", "list"): ("folder", "datasets", "decoded_bytes"),
        ("summary", str(DESIGNS / "small.cnn.json")): (
            *("name", "input", "output", "layers", "parameters", "macs", "activations", "costs_known"),
            *("problems", "advice", "trainable_parameters", "weights"),
        ),
    }
    capsys.readouterr()
    for command, keys in commands.items():
        assert main([*command, "--json"]) == 0
        assert tuple(json.loads(capsys.readouterr().out)) == keys
