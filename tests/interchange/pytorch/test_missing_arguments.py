"""Networks whose file leaves an argument to others: the number that its own check names, or a usual width."""

from __future__ import annotations

import pytest

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.interchange.reading import read_code

HEAD = "import torch.nn as nn\ninput_shape = (3, 16, 16)\n"
DEPTH = """class Net(nn.Module):
    def __init__(self, depth, num_classes=10, block="Basic"):
        super().__init__()
        CHECK
        n = (depth - 2) // 6
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3), *[nn.Conv2d(8, 8, 3, padding=1) for _ in range(n)])
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, num_classes))
    def forward(self, x):
        return self.head(self.body(x))
def net(**kwargs):
    return Net(**kwargs)
"""
EACH = 8 * 8 * 9 + 8
FIRST = 3 * 8 * 9 + 8 + 8 * 10 + 10


@pytest.mark.parametrize(
    ("check", "depth"),
    [
        ('assert (depth - 2) % 6 == 0, "depth should be 6n+2, e.g. 20, 32, 44"', 20),
        ("assert (depth - 2) % 6 == 0", 20),
        ("self.depth = depth", 20),
        ('assert (depth - 2) % 6 == 0, f"{depth} is no depth"', 20),
        ('if block == "Basic":\n            assert (depth - 2) % 6 == 0, "32 or 20"', 32),
        ('assert depth % 12 == 2, "14 or 26"', 14),
    ],
)
def test_the_depth_is_the_first_that_the_check_of_the_code_names(check: str, depth: int) -> None:
    imported = read_code(HEAD + DEPTH.replace("CHECK", check))
    assert analyze(imported.network).parameters == FIRST + (depth - 2) // 6 * EACH
    texts = [note.text for note in imported.notes]
    assert texts == [f"Net needs depth, which the code does not give; {depth} is used"]


@pytest.mark.parametrize(
    "check", ["pass", "assert depth > 3", "assert (depth - 2) % 0 == 0", "assert other % 6 == 0"]
)
def test_without_such_a_check_the_loop_is_named(check: str) -> None:
    text = DEPTH.replace("CHECK", check).replace("(depth - 2) // 6", "depth // 6")
    notes = {note.line: note.text for note in read_code(HEAD + text).notes}
    assert notes[13] == "Net needs depth, which the code does not give"
    assert notes[8] == "more modules, whose number is only known at run time, are skipped"


def test_a_given_depth_is_used() -> None:
    check = 'assert (depth - 2) % 6 == 0, "such as 20"'
    imported = read_code(HEAD + DEPTH.replace("CHECK", check) + "model = net(depth=14)\n")
    assert analyze(imported.network).parameters == FIRST + 2 * EACH
    assert imported.notes == ()


def test_a_width_that_is_not_given_is_the_same_everywhere() -> None:
    text = """def layers(plan):
    made, channels = [], 3
    for size in plan:
        if size == "M":
            made.append(nn.MaxPool2d(2))
        else:
            made.append(nn.Conv2d(channels, size, 3, padding=1))
            channels = size
    return nn.Sequential(*made)
class Net(nn.Module):
    def __init__(self, features, n_channel):
        super().__init__()
        self.features, self.head = features, nn.Linear(n_channel, 10)
    def forward(self, x):
        x = self.features(x)
        return self.head(x.view(x.size(0), -1))
def small(n_channel, pretrained=None):
    return Net(layers([n_channel, "M", 2 * n_channel, "M", "M", "M"]), n_channel=2 * n_channel)
"""
    imported = read_code(HEAD + text)
    expected = 3 * 32 * 9 + 32 + 32 * 64 * 9 + 64 + 64 * 10 + 10
    assert analyze(imported.network).parameters == expected
    assert analyze(imported.network).problems == ()
    assert [note.text for note in imported.notes] == [
        "small needs n_channel, which the code does not give; 32 is used"
    ]


def test_data_sets_of_the_code_are_no_networks() -> None:
    text = """from torch.utils.data import Dataset
class Images(Dataset):
    def __init__(self): self.size = 3
    def __len__(self): return self.size
train, test = Images(), Images()
net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(784, 5))
"""
    imported = read_code(HEAD + text)
    assert imported.notes == ()
    assert imported.networks == ()
