"""What only the running program knows is a note with its line, and never a guess without a word."""

from __future__ import annotations

import pytest

from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.reading import read_code
from cnnstudio.layers.base import Shape

HEAD = "import sys, torch, torch.nn as nn, torch.nn.functional as F\ninput_shape = (3, 16, 16)\n"
MODULE = """class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(3, 3, 3, padding=1)
        self.two = nn.Conv2d(3, 3, 3, padding=1)
    def forward(self, x):
"""


def notes_of(text: str) -> dict[int, str]:
    """Line -> its notes. `text` starts on line 3."""
    found: dict[int, str] = {}
    for note in read_code(HEAD + text).notes:
        found[note.line] = found.get(note.line, "") + note.text
    return found


UNKNOWN = {
    "the count of a loop": (
        "a = []\nfor _ in range(int(sys.argv[1])):\n    a.append(nn.ReLU())\nnet = nn.Sequential(*a)",
        (4, "how often this loop runs"),
    ),
    "the end of a while loop": (
        "net = nn.Sequential()\nwhile len(sys.argv) > 3:\n    net.append(nn.Conv2d(3, 3, 1))",
        (4, "how often this loop runs"),
    ),
    "a condition": (
        "net = nn.Sequential(nn.Conv2d(3, 8, 3))\nif sys.argv[1] == 'n':\n    net.append(nn.BatchNorm2d(8))",
        (4, "assumed to be true"),
    ),
    "a condition whose other branch has the layers": (
        "net = nn.Sequential(nn.Conv2d(3, 8, 3))\nif sys.argv:\n    pass\nelse:\n    net.append(nn.ReLU())",
        (4, "assumed to be true"),
    ),
    "a conditional expression": (
        "net = nn.Sequential(nn.Conv2d(3, 8, 3),\n    nn.ReLU() if sys.argv[1] else nn.Tanh())",
        (4, "assumed to be true"),
    ),
    "a number under a condition": (
        "n = 8\nif sys.argv[1]:\n    n = 16\nnet = nn.Sequential(nn.Conv2d(3, n, 3))",
        (6, "out_channels is “n”, which is only known at run time"),
    ),
    "a number changed in a loop": (
        "n = 8\nfor each in sys.argv:\n    n += 4\nnet = nn.Sequential(nn.Conv2d(3, n, 3))",
        (6, "out_channels is “n”"),
    ),
    "a list filled in a loop": (
        "a = [8]\nfor each in sys.argv:\n    a.append(9)\n"
        "net = nn.Sequential(nn.ReLU(), *[nn.Conv2d(3, 3, 1) for n in a])",
        (6, "only known at run time"),
    ),
    "when a function returns": (
        "def size():\n    if sys.argv[1]:\n        return 8\n    return 16\n"
        "net = nn.Sequential(nn.Conv2d(3, size(), 3))",
        (7, "out_channels is a value only known at run time"),
    ),
    "when forward returns": (
        MODULE + "        if sys.argv[1]:\n            return self.one(x)\n        return self.two(x)\n",
        (9, "only known at run time"),
    ),
    "more arguments": (
        "net = nn.Sequential(\n    nn.Conv2d(3, 8, 3, **vars(sys)))",
        (4, "gets more arguments, which are only known at run time"),
    ),
    "a module from elsewhere": (
        "from blocks import Block\nnet = nn.Sequential(nn.Conv2d(3, 8, 3),\n    Block(8))",
        (4, "“Block” is only known at run time"),
    ),
    "what is applied": (
        MODULE + "        x = self.one(x)\n        return self.missing(x)\n",
        (10, "what is applied here is only known at run time"),
    ),
    "what a product loses": (
        MODULE + "        return self.one(x) * self.two(x)\n",
        (9, "this product is not supported"),
    ),
    "weights that are shared": (
        MODULE + "        return self.two(self.one(self.one(x)))\n",
        (6, "applied 2 times with the same weights"),
    ),
    "a part of an image": (
        MODULE + "        return self.one(x)[:, :, 1:-1, 1:-1]\n",
        (9, "takes a part of the image, which no layer does"),
    ),
    "a part of an image, without its channels": (
        MODULE + "        return self.one(x)[..., :8]\n",
        (9, "takes a part of the image, which no layer does"),
    ),
    "some of the channels": (
        MODULE + "        return self.one(x)[:, ::2]\n",
        (9, "takes some of the channels, in a way that cannot be read"),
    ),
    "channels from a number on that is not known": (
        MODULE + "        return self.one(x)[:, int(sys.argv[1]):]\n",
        (9, "takes some of the channels, in a way that cannot be read"),
    ),
    "some of the channels of a part of an image": (
        MODULE + "        return self.one(x)[:, :2, 4:]\n",
        (9, "takes a part of the channels and of the image"),
    ),
    "channels in groups": (
        MODULE + "        a, b = self.one(x).chunk(2, dim=2)\n        return a\n",
        (9, "splits the image"),
    ),
    "channels in parts of a size": (
        MODULE + "        a, b = torch.split(self.one(x), int(sys.argv[1]), dim=1)\n        return a + b\n",
        (9, "takes some of the channels, in a way that cannot be read"),
    ),
    "a number of parts": (
        MODULE
        + "        a, b = torch.tensor_split(self.one(x), 2, dim=1)\n        return torch.cat([b, a], 1)\n",
        (9, "tensor_split is not supported"),
    ),
    "what a script does in use only": (
        MODULE.replace("nn.Module", "torch.jit.ScriptModule")
        + "        x = self.one(x)\n        return x if self.training else self.two(x)\n",
        (10, "only done in use"),
    ),
    "what a layer of a library does in use only": (
        "class Own(nn.Conv2d):\n    def forward(self, x):\n        x = super().forward(x)\n"
        "        return x if self.training else 2 * x\nnet = nn.Sequential(Own(3, 4, 3))",
        (6, "only done in use"),
    ),
    "channels of zeros": (
        MODULE + "        return F.pad(self.one(x), (0, 0, 0, 0, 2, int(sys.argv[1])))\n",
        (9, "adds channels or borders in a way that no layer does"),
    ),
    "shuffled channels": (
        MODULE + "        b, c, h, w = x.size()\n"
        "        x = self.one(x).view(b, int(sys.argv[1]), -1, h, w).transpose(1, 2).contiguous()\n"
        "        return x.view(b, -1, h, w)\n",
        (11, "shuffles the channels in groups whose number is not known"),
    ),
    "shuffled channels by permute and flatten": (
        MODULE + "        x = self.one(x).reshape(-1, int(sys.argv[1]), int(sys.argv[2]), 16, 16)\n"
        "        return x.permute(0, 2, 1, 3, 4).flatten(1, 2)\n",
        (10, "shuffles the channels in groups whose number is not known"),
    ),
    "channels in another order": (
        MODULE + "        return self.one(x).view(-1, 3, 1, 16, 16).transpose(1, 2)\n",
        (9, "transpose is not supported"),
    ),
    "an operation without a layer": (
        MODULE + "        return torch.stack([self.one(x), self.two(x)])\n",
        (9, "stack is not a layer"),
    ),
    "another normalization of weights": (
        "net = nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(3, 8, 3)))",
        (3, "spectral_norm is not supported"),
    ),
    "what is done in use only": (
        MODULE
        + "        x = self.one(x)\n        if not self.training:\n            x = self.two(x)\n"
        + "        return x\n",
        (10, "only done in use"),
    ),
    "a function in use only": (
        MODULE
        + "        x = self.one(x)\n        if not self.training:\n            x = F.softmax(x, 1)\n"
        + "        return x\n",
        (10, "only done in use"),
    ),
    "what follows where training has returned": (
        MODULE
        + "        x = self.one(x)\n        if self.training:\n            return x\n"
        + "        return self.two(x)\n",
        (10, "only done in use"),
    ),
    "a choice between training and use": (
        MODULE + "        return self.one(x) if self.training else self.two(x)\n",
        (9, "only done in use"),
    ),
    "a calculation in use only": (
        MODULE + "        x = self.one(x)\n        return x if self.training else 2 * x\n",
        (10, "only done in use"),
    ),
    "a function of another library with the name of a known one": (
        "from einops import reduce\n"
        + MODULE
        + "        return reduce(self.one(x), 'b c h w -> b c', 'mean')\n",
        (10, "reduce is not a layer"),
    ),
    "a mean over channels, counted from the end": (
        MODULE + "        return self.one(x).flatten(2).mean(-2)\n",
        (9, "mean is not supported"),
    ),
    "a mean over channels after a mean over columns": (
        MODULE + "        return self.one(x).mean(3).mean(-2)\n",
        (9, "mean is not supported"),
    ),
    "a mean over columns twice": (
        MODULE + "        return self.one(x).mean(3, keepdim=True).mean(3)\n",
        (9, "mean is not supported"),
    ),
    "a quotient that is rounded": (
        MODULE + "        return torch.div(self.one(x), 2, rounding_mode='floor')\n",
        (9, "div is not supported"),
    ),
    "dropout that is always on": (
        MODULE + "        return F.dropout(self.one(x), 0.5)\n",
        (9, "this dropout is also on in use"),
    ),
    "dropout that is told to be on": (
        MODULE + "        return F.dropout2d(self.one(x), training=True)\n",
        (9, "this dropout is also on in use"),
    ),
    "some channels that are set": (
        MODULE + "        x = self.one(x)\n        x[:, 0] = 0\n        return x\n",
        (10, "sets a part of a tensor, which no layer does"),
    ),
    "the larger of two branches": (
        MODULE + "        return torch.max(self.one(x), self.two(x))\n",
        (9, "it is skipped; what it takes with it is in line 7"),
    ),
    "sorted values": (
        MODULE + "        return self.one(x).sort(1).values\n",
        (9, "sort is not supported"),
    ),
    "images in another order of axes": (
        MODULE + "        return self.one(x).view(-1, 16, 16, 3)\n",
        (9, "view is not supported"),
    ),
    "a border that cuts off": (
        MODULE + "        return F.pad(self.one(x), (-1, -1))\n",
        (9, "cuts off the border, which no layer does"),
    ),
    "a softmax of each row of pixels": (
        MODULE + "        return F.softmax(self.one(x), dim=-1)\n",
        (9, "Softmax is along axis -1"),
    ),
    "a hook": (
        "net = nn.Sequential(nn.Conv2d(3, 8, 3))\nnet[0].register_forward_hook(lambda m, x, y: 2 * y)",
        (4, "register_forward_hook"),
    ),
    "a module that changes an input which is used again": (
        MODULE + "        part = nn.Sequential(nn.ReLU(inplace=True), self.two)\n"
        "        x = self.one(x)\n        return x + part(x)\n",
        (11, "changes its input in place"),
    ),
    "copies of a module from elsewhere": (
        "from blocks import Block\nnet = nn.Sequential(nn.ReLU(),\n    *[Block(8) for _ in range(3)])",
        (4, "only known at run time"),
    ),
    "a raised error": (
        "def width(n):\n    if n > 3:\n        raise ValueError\n    return n\n"
        "net = nn.Sequential(nn.Conv2d(3, width(9), 3))",
        (5, "the code stops here with an error"),
    ),
    "arguments of a class": (
        MODULE.replace("(self)", "(self, count)") + "        return self.two(self.one(x))\n",
        (3, "Net needs count, which the code does not give"),
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_it_is_named_with_its_line(name: str) -> None:
    text, (line, expected) = UNKNOWN[name]
    assert expected in notes_of(text).get(line, "")


def test_a_lost_product_names_the_lines_of_the_layers_that_it_takes_with_it() -> None:
    text = notes_of(MODULE + "        return self.one(x) * self.two(x)\n")[9]
    assert "line 7" in text or "line 6" in text


@pytest.mark.parametrize(
    "text",
    [
        "if sys.argv[1]:\n    device = 'cuda'\nelse:\n    device = 'cpu'",
        "for batch in sys.argv:\n    loss = net(batch)\n    if loss > 3:\n        break",
        "for step in range(10_000):\n    for part in range(step):\n        total = part * step",
        "while True:\n    if net.ready():\n        break",
        "losses = []\nfor step in range(100_000):\n    losses.append(net(step))",
        "def check(n):\n    if sys.argv[n]:\n        raise ValueError\n    return 1\ncheck(2)",
        "found = [each for each in sys.argv if each]",
    ],
)
def test_what_the_network_does_not_depend_on_needs_no_note(text: str) -> None:
    assert notes_of(f"net = nn.Sequential(nn.Conv2d(3, 8, 3))\n{text}") == {}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("nn.ELU(alpha=0.3)", "its alpha is 0.3"),
        ("nn.GELU('tanh')", "its approximate is tanh"),
        ("nn.Softplus(2)", "its beta is 2"),
        ("nn.Softmax(dim=2)", "along axis 2"),
        ("nn.BatchNorm2d(3, track_running_stats=False)", "statistics of the batch"),
        ("nn.BatchNorm2d(3, momentum=None)", "momentum of 0.9 is used"),
        ("nn.ReflectionPad2d(1)", "zeros instead"),
        ("nn.ConstantPad2d(1, 0.5)", "zeros instead"),
        ("nn.Sequential(nn.Tanh(), nn.MaxPool2d(3, 2, 1))", "only after a relu"),
        ("nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)", "align_corners"),
        ("nn.Upsample(scale_factor=1.5)", "integer factor"),
        ("nn.AvgPool2d(3, 2, 1, count_include_pad=False)", "out of the mean"),
        ("nn.AvgPool2d(2, divisor_override=3)", "another number"),
    ],
)
def test_what_a_layer_here_does_otherwise_is_named(module: str, expected: str) -> None:
    (text,) = notes_of(f"net = nn.Sequential(nn.Conv2d(3, 3, 1),\n{module})").values()
    assert expected in text


def test_a_mean_over_rows_of_another_number_of_channels_is_named() -> None:
    text = MODULE + "        return self.one(x).view(len(x), 6, -1).mean(2)\n"
    assert "this expects 6 channels but gets 3" in notes_of(text)[9]


def test_no_note_speaks_of_line_0() -> None:
    for name in ("Net", "make"):
        code = UNKNOWN["arguments of a class"][0] + "def make():\n    return Net()\n"
        notes = read_code(HEAD + code, name).notes
        assert notes
        assert all(3 <= note.line <= 11 for note in notes)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("nn.Conv2d(3, 0, 3)", "filters: must be between 1"),
        ("nn.Dropout(2.0)", "rate: must be between 0"),
        ("nn.Linear(768, 10**9)", "units: must be between 1"),
        ("nn.MaxPool2d(9_999)", "pool_size: must be between 1"),
        ("nn.GroupNorm(-1, 3)", "groups: must be between 1"),
    ],
)
def test_a_value_out_of_range_is_not_called_a_missing_layer(module: str, expected: str) -> None:
    (text,) = notes_of(f"net = nn.Sequential(\nnn.Sequential(nn.Conv2d(3, 3, 1)), {module})").values()
    assert expected in text
    assert "not supported" not in text


INPUTS = {
    "from torchvision import transforms\nt = transforms.Compose([transforms.Resize(40)])": 40,
    "from torchvision.transforms import RandomCrop\nt = RandomCrop(size=(24, 24), padding=4)": 24,
    "from torchvision import transforms as T\nt = [T.Resize(48), T.CenterCrop(36)]": 36,
    "IMAGE_SIZE = 20": 20,
    "x = torch.randn(size=(1, 3, 44, 44))\nnet(x)": 44,
    "y = torch.zeros(1, 3, 8, 8)\nx = torch.randn(2, 3, 52, 52)\nout = net(x)": 52,
    "# an input of the network is (64, 3, 12, 12)": 12,
    "from torchvision import datasets\ndata = datasets.STL10('.')": 96,
    "# each image of the poster is 9 x 7 x 5": 32,
    "from d2l import torch as d2l\ndata = d2l.CIFAR10(batch_size=8, resize=(60, 60))": 60,
    "x = torch.randn(1, 5, 70, 70)": 32,
}


@pytest.mark.parametrize("text", INPUTS)
def test_the_input_size_is_that_of_the_images_of_the_network(text: str) -> None:
    code = "import torch, torch.nn as nn\nnet = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())\n"
    assert read_code(code + text).network.input == Shape.of(3, INPUTS[text], INPUTS[text])


def test_an_adaptive_pooling_is_exact_for_the_size_that_the_code_gives() -> None:
    code = (
        "import torch.nn as nn\nimage_size = 24\n"
        "net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.AdaptiveAvgPool2d(6), "
        "nn.Flatten(), nn.Linear(288, 10))"
    )
    imported = read_code(code)
    assert imported.notes == ()
    assert analyze(imported.network).problems == ()


SEVERAL = """
import torch.nn as nn
input_shape = (3, 16, 16)
class Net(nn.Module):
    def __init__(self, width, depth=1):
        super().__init__()
        parts = [nn.Conv2d(3, width, 3)] + [nn.Conv2d(width, width, 1) for _ in range(depth)]
        self.body = nn.Sequential(*parts)
    def forward(self, x):
        return self.body(x)
def small(): return Net(8)
def large(): return Net(64, depth=9)
"""


@pytest.mark.parametrize(
    ("end", "network", "width"),
    [
        ("", "", 8),
        ("def main():\n    net = large()\n    print(net)", "", 64),
        ("net = large()\nother = small()\ntorch.optim.SGD(other.parameters(), lr=1)", "", 8),
        ("", "large", 64),
        ("", "Net(5, depth=2)", 5),
        ("mine = Net(6)\nlarger = Net(7, 8)", "mine", 6),
    ],
)
def test_of_several_networks_the_one_that_is_used_or_named_is_read(
    end: str, network: str, width: int
) -> None:
    imported = read_code(SEVERAL + end, network)
    layer = next(node for node in imported.network.nodes)
    while layer.is_group:
        layer = layer.children[0]
    assert getattr(layer.layer, "filters", 0) == width
    assert len(imported.networks) > 1


def test_the_other_networks_are_listed_with_their_lines() -> None:
    imported = read_code(SEVERAL)
    assert imported.networks == ("small", "large")
    assert [(note.line, note.text) for note in imported.notes] == [
        (12, "large is another network; small is imported")
    ]
    with pytest.raises(CodeError, match=r"no network “medium” in the code; there is small, large"):
        read_code(SEVERAL, "medium")


def test_a_softmax_of_the_scores_is_along_their_only_axis() -> None:
    body = "        return F.log_softmax(nn.Linear(768, 5)(self.one(x).flatten(1)), dim=-1)\n"
    assert notes_of(MODULE + body) == {}
