"""Listings give the very scores that torch gives with the same weights: equal counts hide lost shortcuts."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from cnnstudio.interchange.reading import read_code
from cnnstudio.training.model import build_model

HEAD = """
import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
import torch
import torch.nn as nn
import torch.nn.functional as F
"""

LISTINGS = {
    "a loop whose body only collects numbers": """
sizes = []
for i in range(1, 4):
    sizes.append(4 * i)
parts, channels = [], 3
for i, size in enumerate(sizes):
    if i == 2:
        parts += [nn.MaxPool2d(2)]
    parts += [nn.Conv2d(channels, size, 3, padding=1), nn.ReLU()]
    channels = size
net = nn.Sequential(*parts, nn.Flatten(), nn.Linear(12 * 64, 5))
""",
    "while, break, continue and else": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        parts, channels, left = [], 3, 4
        while left:
            left -= 1
            if left == 2:
                parts.append(nn.AvgPool2d(2))
                continue
            parts += [nn.Conv2d(channels, 8, 3, padding=1), nn.Tanh()]
            channels = 8
        for step in [6, "pool", 7, "end", 9]:
            if step == "end":
                break
            if step == "pool":
                parts.append(nn.MaxPool2d(2))
                continue
            parts.append(nn.Conv2d(channels, step, 3, padding=1))
            channels = step
        else:
            parts.append(nn.Conv2d(channels, 99, 1))
        self.body = nn.Sequential(*parts)
        self.head = nn.Linear(7, 5)
    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))
net = Net()
""",
    "arguments handed on": """
def block(*sizes, act=nn.ReLU, **more):
    return nn.Sequential(nn.Conv2d(*sizes, **more), act(inplace=True))
class Step(nn.Module):
    def __init__(self, *args, norm=partial(nn.BatchNorm2d, eps=0.01), **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(*args, **kwargs)
        self.norm = norm(args[1])
    def forward(self, x, *, scale=0.5):
        return self.norm(self.conv(x)) * scale
same = partial(block, padding=1, bias=False)
options = {"stride": 2, **{"padding": 2}}
net = nn.Sequential(
    same(3, 6, 3), Step(6, 8, 5, **options), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)
)
""",
    "a plan of numbers and pairs": """
class Net(nn.Module):
    plan = [8, (12, 2), "M", 12]
    def __init__(self, width=0.5):
        super().__init__()
        parts, channels = [], 3
        for item in self.plan:
            if isinstance(item, str):
                parts.append(nn.MaxPool2d(kernel_size=2))
            elif isinstance(item, (tuple, list)):
                go, step = item
                parts.append(nn.Conv2d(channels, math.ceil(go * width), 3, stride=step, padding=1))
                channels = math.ceil(go * width)
            else:
                parts.append(nn.Conv2d(channels, int(max(4, item * width)), 3, padding=1))
                channels = int(max(4, item * width))
        self.body = nn.Sequential(*parts)
        self.head = nn.Linear(channels, 5)
    def forward(self, x):
        x = self.body(x)
        x = F.avg_pool2d(x, x.size()[2:])
        return self.head(x.view(x.size(0), -1))
net = Net()
""",
    "a Sequential filled later": """
net = nn.Sequential()
net.add_module("first", nn.Conv2d(3, 8, 3, stride=2, padding=1))
net.add_module("act", nn.ReLU())
net.append(nn.Conv2d(8, 8, 3))
net.extend([nn.BatchNorm2d(8), nn.Sigmoid()])
net[1] = nn.ELU()
body = nn.Sequential(OrderedDict([("flat", nn.Flatten()), ("out", nn.Linear(8 * 36, 5))]))
for name, part in body.named_children():
    net.add_module(name, part)
""",
    "classes made from layers": """
class Conv(nn.Conv2d):
    def __init__(self, come, go, **more):
        super().__init__(come, go, kernel_size=3, padding="same", bias=False, **more)
class Norm(nn.BatchNorm2d):
    def __init__(self, n):
        super(Norm, self).__init__(n, eps=1e-3, momentum=0.4)
class Wide(nn.Linear):
    def forward(self, x):
        return F.relu(super().forward(x))
class Pair(nn.Sequential):
    def __init__(self, come, go):
        super().__init__(Conv(come, go), Norm(go), nn.GELU())
net = nn.Sequential(Pair(3, 6), nn.MaxPool2d(2), Pair(6, 8), nn.Flatten(), Wide(512, 9), nn.Linear(9, 5))
""",
    "lazy layers": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.LazyConv2d(6, kernel_size=3), nn.LazyBatchNorm2d(), nn.ReLU())
        self.head = nn.LazyLinear(5)
    def forward(self, x):
        return self.head(torch.flatten(self.body(x), 1))
net = Net()
""",
    "products": """
class Squeeze(nn.Module):
    def __init__(self, n, ratio=4):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(n, n // ratio), nn.ReLU(), nn.Linear(n // ratio, n), nn.Sigmoid())
    def forward(self, x):
        b, c, _, _ = x.size()
        w = F.adaptive_avg_pool2d(x, 1).view(b, c)
        return x * self.fc(w).view(b, c, 1, 1).expand_as(x)
class Excite(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.down, self.up = nn.Conv2d(n, 3, 1), nn.Conv2d(3, n, 1)
    def forward(self, x):
        w = x.mean((2, 3), keepdim=True)
        w = self.down(w)
        w = torch.sigmoid(self.up(w * w.sigmoid()))
        return torch.mul(w, x)
net = nn.Sequential(
    nn.Conv2d(3, 8, 3), Squeeze(8), nn.Conv2d(8, 9, 3), Excite(9),
    nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(9, 5),
)
""",
    "shortcuts under hasattr": """
class Block(nn.Module):
    def __init__(self, a, b, stride=1):
        super().__init__()
        self.norm = nn.BatchNorm2d(a)
        self.one = nn.Conv2d(a, b, 3, stride=stride, padding=1, bias=False)
        if stride != 1 or a != b:
            self.cut = nn.Sequential(nn.Conv2d(a, b, 1, stride=stride, bias=False))
    def forward(self, x):
        out = F.relu(self.norm(x))
        side = self.cut(out) if hasattr(self, "cut") else x
        out = self.one(out)
        out += side
        return -out if not self.norm else out / 2
class Net(nn.Module):
    def __init__(self, depths=(2, 1)):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.channels = 4
        for i, depth in enumerate(depths):
            setattr(self, f"layer{i}", self._make(4 * 2**i, depth, i + 1))
        self.count = len(depths)
        self.head = nn.Linear(8, 5)
    def _make(self, go, depth, stride):
        strides, parts = [stride] + [1] * (depth - 1), []
        for step in strides:
            parts.append(Block(self.channels, go, step))
            self.channels = go
        return nn.Sequential(*parts)
    def forward(self, x):
        x = self.stem(x)
        for i in range(self.count):
            x = getattr(self, "layer%d" % i)(x)
        return self.head(x.mean(3).mean(2))
net = Net()
""",
    "dense blocks": """
class Layer(nn.Sequential):
    def __init__(self, n, growth):
        super().__init__()
        self.add_module("norm", nn.BatchNorm2d(n))
        self.add_module("act", nn.ReLU())
        self.add_module("conv", nn.Conv2d(n, growth, 3, padding=1))
    def forward(self, x):
        return torch.cat([x, super().forward(x)], 1)
class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer(3 + 2 * i, 2) for i in range(3)])
        self.last = nn.ModuleDict({"norm": nn.BatchNorm2d(9), "out": nn.Linear(9, 5)})
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        x = self.last["norm"](x)
        return self.last["out"](F.adaptive_avg_pool2d(x, (1, 1)).flatten(1))
net = Dense()
""",
    "blocks that concatenate all that they have computed": """
class Layer(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(n), nn.Conv2d(n, 2, 3, padding=1, bias=False)
    def forward(self, *features):
        return self.conv(F.relu(self.norm(torch.cat(features, 1))))
class Block(nn.ModuleDict):
    def __init__(self, count):
        super().__init__()
        for i in range(count):
            self.add_module("layer%d" % (i + 1), Layer(3 + 2 * i))
    def forward(self, x):
        features = [x]
        for name, layer in self.items():
            features.append(layer(*features))
        return torch.cat(features, 1)
net = nn.Sequential(Block(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(9, 5))
""",
    "configurations": """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, default=6)
parser.add_argument("--no-norm", dest="norm", action="store_false")
args, _ = parser.parse_known_args([])
@dataclass
class Config:
    depth: int = 2
    act: str = "elu"
config = Config(depth=3)
count = 0
def conv(come, go):
    global count
    count += 1
    return nn.Conv2d(come, go, 1 if count > 2 else 3)
acts = {"elu": nn.ELU, "relu": nn.ReLU}
net = nn.Sequential(conv(3, args.width))
for _ in range(config.depth):
    net.append(conv(args.width, args.width))
    if args.norm:
        net.append(nn.BatchNorm2d(args.width))
    net.append(acts.get(config.act, nn.Tanh)())
net.append(nn.Flatten())
net.append(nn.Linear(args.width * 144, 5))
""",
    "comprehensions, zip and slices": """
sizes = [3, 4, 6, 8, 10]
pairs = [(a, b) for a, b in zip(sizes[:-1], sizes[1:]) if b != 8]
def unit(a, b, k): return nn.Sequential(nn.Conv2d(a, b, k, padding=k // 2), nn.ReLU())
parts = [unit(a, b, k) for (a, b), k in zip([(3, 4), (4, 6)], (3, 3))]
norm = nn.BatchNorm2d
parts += [m for k in reversed(range(1, 3)) for m in (nn.Conv2d(6, 6, 2 * k - 1, padding=k - 1), norm(6))]
whole = nn.Sequential(*parts, nn.Dropout(0.3), nn.Linear(1, 1))
classes = sum(b - a for a, b in pairs)
net = nn.Sequential(*list(whole.children())[:-2], nn.Flatten(), nn.Linear(6 * 64, classes))
""",
    "branches in lists": """
import copy
class Root(nn.Module):
    def __init__(self, come, go):
        super().__init__()
        self.conv = nn.Conv2d(come, go, 1)
    def forward(self, parts):
        return F.relu(self.conv(torch.cat(parts, 1)))
class Fork(nn.Module):
    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 4, 3, padding=1)
        self.right = copy.deepcopy(self.left)
        self.root = Root(11, 6)
        self.out = nn.Linear(6, 5)
    def features(self, x):
        return [self.left(x), self.right(x), x]
    @property
    def name(self):
        return "fork"
    @staticmethod
    def pool(x):
        return F.max_pool2d(x, x.shape[2:]).squeeze()
    def forward(self, x):
        return self.out(self.pool(self.root(self.features(x))))
net = Fork()
""",
    "operations in place": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.act, self.head = nn.ELU(inplace=True), nn.Linear(6, 5)
    def forward(self, x):
        x = self.one(x)
        kept = x.clone()
        self.act(x)
        y = self.two(x)
        F.relu(y, inplace=True)
        z = y
        y += x
        y.mul_(0.5)
        return self.head((z + kept).mean((2, 3)))
net = Net()
""",
    "sums and differences": """
import operator
from functools import reduce
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList([nn.Conv2d(3, 6, k, padding=k // 2) for k in (1, 3, 5)])
        self.more = nn.ModuleList(nn.Conv2d(6, 6, 1) for _ in range(4))
        self.head = nn.Linear(6, 5)
    def forward(self, x):
        x = sum(part(x) for part in self.parts)
        y = reduce(lambda a, b: a + b, [part(x) for part in self.more])
        x = torch.add(reduce(operator.add, [y, x]), x.relu(), alpha=0.3) - torch.tanh(x)
        return self.head(x.mean((2, 3)))
net = Net()
""",
    "joins of what has layers in common": """
class Unit(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b)
    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))
class Tree(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.first, self.left, self.right = Unit(a, b), Unit(b, b), Unit(b, b)
        self.other, self.root = Unit(a, b), Unit(4 * b, b)
    def forward(self, x):
        found = [self.other(x)]
        for part in (self.first, self.left, self.right):
            x = part(x)
            found.append(x)
        x = self.root(torch.cat(found, 1))
        return x + x.tanh() + x
net = nn.Sequential(Tree(3, 4), Tree(4, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
""",
    "indices and borders": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 6, 3, padding="same"), nn.Conv2d(6, 6, 3)
        self.pad, self.up = nn.ConstantPad2d((1, 0, 2, 1), 0.0), nn.Upsample(size=16)
        self.head = nn.Linear(6, 5)
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.one(x)), 3, 1, padding=1)[:, :, ::2, ::2]
        x = F.interpolate(self.up(x), scale_factor=2, mode="bilinear", align_corners=False)
        x = F.pad(self.pad(x), [1, 1])
        x = F.avg_pool2d(self.two(x), 2, ceil_mode=True)
        for part in nn.Sequential(nn.Mish(), nn.Hardswish())._modules.values():
            x = part(x)
        x = F.relu6(F.selu(x) * 2)
        return self.head(F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0])
net = Net()
""",
    "several results, and pooling by hand": """
class Split(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.one, self.two = nn.Conv2d(n, 6, 1), nn.Conv2d(n, 6, 3, padding=1)
    def forward(self, x):
        y = self.one(x)
        return y, self.two(x)
class Gate(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.down, self.up = nn.Conv2d(n, 2, 1), nn.Conv2d(2, n, 1)
    def forward(self, x):
        w = F.avg_pool2d(x, 16)
        return x * torch.sigmoid(self.up(F.relu(self.down(w))))
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.split, self.again, self.gate = Split(3), Split(6), Gate(6)
        self.heads = nn.ModuleList([nn.Linear(6, 5) for _ in range(4)])
    def forward(self, x):
        a, b = self.split(x)
        c = self.again(self.gate(a + b))
        x = F.relu(c[0]) - c[1]
        first = self.heads[0](x.view(x.size(0), x.size(1), -1).mean(2))
        second = self.heads[1](x.reshape(len(x), 6, -1).amax(-1))
        third = self.heads[2](x.flatten(2).mean(-1))
        return first + second + third + self.heads[3](x.max(3)[0].max(2)[0])
net = Net()
""",
    "parts that are everything": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(8 * 18 * 16, 5)
    def forward(self, x):
        x = torch.cat([self.one(x), self.two(x)], 1)[:, :8, :, :]
        x = F.pad(x[..., 0:16], (0, 0, 1, 1, 0, 0))
        return self.head(x.flatten(1))
net = Net()
""",
    "views, limits and dropout that change nothing": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.rate, self.head = 0.5, nn.Linear(4, 5)
    def forward(self, x):
        x = x.view(-1, 3, 16, 16).reshape(x.size(0), x.size(1), 16, x.size(3))
        x = torch.clamp(self.one(x), 0)
        x = F.dropout(x, self.rate, self.training)
        x = F.dropout(x, p=0.2, training=False)
        x, _ = self.pool(x)
        x = self.two(x)
        x = (x + x).clamp(min=0, max=6).flatten(2).max(2).values
        return self.head(F.dropout(x, training=self.training))
net = Net()
""",
    "sizes in tuples with names": """
import itertools
from collections import namedtuple
from dataclasses import field
from enum import Enum
from typing import NamedTuple
Plain = namedtuple("Plain", "come go")
class Typed(NamedTuple):
    go: int
    size: int = 3
class Size(Enum):
    SMALL = 1
    LARGE = 5
@dataclass
class Plan:
    sizes: list = field(default_factory=lambda: [8, 6])
    last: int = field(default=4)
plain, typed, plan = Plain(3, go=6), Typed(7), Plan()
go, size = typed
plan.sizes.sort()
plan.sizes.remove(8)
parts = [nn.Conv2d(plain.come, plain[1], Size.LARGE.value), nn.Conv2d(plain.go, go, typed[1])]
for a, b in itertools.product([go], itertools.chain(plan.sizes)):
    parts.append(nn.Conv2d(a, b, size))
parts.append(nn.Conv2d(plan.sizes[0], plan.last, 1))
net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d((None, 1)), nn.Flatten(), nn.Linear(32, 5))
""",
    "a network that is built where the file tries it": """
class Net(nn.Module):
    def __init__(self, count):
        super().__init__()
        self.body = nn.Sequential(*[nn.Conv2d(3, 3, 3, padding=1) for _ in range(count)])
        self.head = nn.Linear(192, 5)
    def forward(self, x):
        return self.head(self.body(x).flatten(1))
def small(): return Net(2)
def large(): return Net(9)
def test():
    net = small()
    print(net(torch.randn(1, 3, 8, 8)).shape)
""",
    "shuffled channels": """
def mixed(x, groups):
    count, channels, height, width = x.size()
    per_group = int(channels / groups)
    x = x.view(count, groups, per_group, height, width)
    x = torch.transpose(x, 1, 2).contiguous()
    return x.view(count, -1, height, width)
class Mix(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.size = size
    def forward(self, x):
        n, c, h, w = x.shape
        return x.reshape(n, -1, self.size, h, w).permute(0, 2, 1, 3, 4).reshape(n, c, h, w)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 12, 3, groups=3), nn.Conv2d(12, 12, 3, groups=4)
        self.mix, self.head = nn.Sequential(Mix(2), nn.Tanh()), nn.Linear(12, 5)
    def forward(self, x):
        x = mixed(self.a(x), 3)
        x = self.mix(nn.functional.channel_shuffle(self.b(x), 2))
        return self.head(x.mean([2, 3]))
net = Net()
""",
    "channels that go different ways": """
class Split(nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part
    def forward(self, x):
        c = int(x.size(1) * self.part)
        return x[:, :c, :, :], x[:, c:, :, :]
class Unit(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.split = Split(0.25)
        self.conv = nn.Conv2d(3 * channels // 4, channels, 3, padding=1)
    def forward(self, x):
        kept, x = self.split(x)
        return torch.cat([kept, F.relu(self.conv(x))], 1)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.unit = nn.Conv2d(3, 8, 3), Unit(8)
        self.one, self.two, self.last = nn.Conv2d(5, 4, 1), nn.Conv2d(5, 4, 3), nn.Conv2d(8, 6, 1)
        self.odd, self.head = nn.Conv2d(2, 2, 1), nn.Linear(6, 5)
    def forward(self, x):
        x = self.unit(self.first(x))
        one, two = x.chunk(2, dim=1)
        x = torch.cat((self.one(one), self.two(F.pad(two, (1, 1, 1, 1)))), 1)
        a, b, c = torch.split(self.last(x), [1, 2, 3], dim=1)
        x = torch.cat((self.odd(b), a, c), 1)
        d, e, f = x.split(x.shape[1] // 3, 1)
        x = torch.cat([f, d.tanh(), e], 1)
        x = torch.cat([x[:, -1:], x.narrow(1, 0, 5)], dim=1)
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1))
net = Net()
""",
    "shortcuts with channels of zeros": """
class Lambda(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
    def forward(self, x):
        return self.function(x)
class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(1, stride=2)
    def forward(self, x):
        x = self.pool(x)
        return torch.cat((x, torch.zeros_like(x)), 1)
class Block(nn.Module):
    def __init__(self, channels, shortcut):
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * channels, 3, 2, 1)
        self.shortcut = shortcut
    def forward(self, x):
        return F.relu(self.conv(x) + self.shortcut(x))
def padded(planes):
    return Lambda(lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, planes // 4, planes // 4), "constant", 0))
net = nn.Sequential(
    nn.Conv2d(3, 4, 1), Block(4, padded(8)), Block(8, Half()),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
)
""",
    "two paths, of which one adds and one concatenates": """
class Dual(nn.Module):
    def __init__(self, come, go, dense, first):
        super().__init__()
        self.go = go
        self.conv = nn.Conv2d(come, go + dense, 3, padding=1)
        self.shortcut = nn.Conv2d(come, go + dense, 1) if first else nn.Sequential()
    def forward(self, x):
        out = torch.tanh(self.conv(x))
        x, d = self.shortcut(x), self.go
        out = torch.cat([x[:, :d, :, :] + out[:, :d, :, :], x[:, d:, :, :], out[:, d:, :, :]], 1)
        return F.relu(out)
net = nn.Sequential(
    Dual(3, 4, 2, True), Dual(8, 4, 3, False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(11, 5)
)
""",
}
SIDES = {
    "comprehensions, zip and slices": 8,
    "a network that is built where the file tries it": 8,
}
"""The size of the images, if it is not 16."""
NETWORK = "net if 'net' in globals() else small()"


def defined(listing: str) -> nn.Module:
    """The network of a listing, as torch runs it."""
    module = ModuleType("listing")
    exec(compile(HEAD + listing, "listing.py", "exec", dont_inherit=True), module.__dict__)
    network: nn.Module = eval(NETWORK, module.__dict__)
    return network


def layers_in_order(model: nn.Module, images: Tensor) -> list[nn.Module]:
    """The modules with weights of their own, in the order in which they run."""
    order: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: order.append(module))
        for module in model.modules()
        if any(True for _ in module.parameters(recurse=False))
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return order


def copy_weights(source: nn.Module, target: nn.Module, images: Tensor) -> None:
    """Gives both the same weights: each layer of `target` those of the next one of these shapes."""
    left = layers_in_order(source, images)
    for layer in layers_in_order(target, images):
        state = layer.state_dict()
        sizes = {name: value.numel() for name, value in state.items()}
        found = next(
            each
            for each in left
            if {name: value.numel() for name, value in each.state_dict().items()} == sizes
        )
        left.remove(found)
        shaped = {name: value.reshape(state[name].shape) for name, value in found.state_dict().items()}
        layer.load_state_dict(shaped)
    assert left == []


def randomized(model: nn.Module) -> nn.Module:
    """The model with statistics of normalization that are not those of a fresh one."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias.data):
                assert values is not None
                values.uniform_(-0.5, 0.5)
            for values in (module.running_var, module.weight.data):
                assert values is not None
                values.uniform_(0.5, 1.5)
    return model


@pytest.mark.parametrize("name", LISTINGS)
def test_the_scores_are_those_of_the_code(name: str) -> None:
    torch.manual_seed(0)
    imported = read_code(
        f"{HEAD}{LISTINGS[name]}\nimage_shape = (3, {SIDES.get(name, 16)}, {SIDES.get(name, 16)})\n"
    )
    assert [note.text for note in imported.notes if "another network" not in note.text] == []
    images = torch.randn(2, *imported.network.input.dims)
    code = defined(LISTINGS[name]).eval()
    with torch.no_grad():
        code(images)  # lazy layers get their weights
    code = randomized(code)
    model = build_model(imported.network).eval()
    copy_weights(code, model, images)
    with torch.no_grad():
        torch.testing.assert_close(model(images), code(images))
