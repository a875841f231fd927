"""The network that is read by default, where a program has several."""

from __future__ import annotations

import pytest

from cnnstudio.interchange.chain import CodeError
from cnnstudio.interchange.reading import read_code

HEAD = "import torch\nimport torch.nn as nn\ninput_shape = (1, 8, 8)\n"
GAN = """class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        MAKER
    def forward(self, z):
        FORWARD
class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(1, 4, 3), nn.Linear(144, 1)
    def forward(self, image):
        return torch.sigmoid(self.head(torch.flatten(self.body(image), 1)))
discriminator, generator = Discriminator(), Generator()
torch.optim.Adam(generator.parameters())
torch.optim.Adam(discriminator.parameters())
"""
DENSE = (
    "self.layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh())",
    "return self.layers(z).view(z.size(0), 1, 8, 8)",
)
TRANSPOSED = (
    "self.layers = nn.Sequential(nn.ConvTranspose2d(9, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 1, 4))",
    "return self.layers(z)",
)


@pytest.mark.parametrize(("maker", "forward"), [DENSE, TRANSPOSED])
def test_of_a_gan_the_discriminator_is_read(maker: str, forward: str) -> None:
    imported = read_code(HEAD + GAN.replace("MAKER", maker).replace("FORWARD", forward))
    assert imported.networks == ("discriminator", "generator")
    assert imported.network.name == "Discriminator"
    assert "generator is another network; discriminator is imported" in [n.text for n in imported.notes]


def test_a_part_is_not_read_in_place_of_a_network_that_cannot_be() -> None:
    text = """class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
    def forward(self, x):
        return self.conv(x)
class Net(nn.Module):
    def __init__(self, cells):
        super().__init__()
        self.one, self.two = Cell(), Cell()
    def forward(self, x):
        a, b = self.one(x), self.two(x)
        c = a + b
        return torch.cat([c + a, c + b], 1)
def build():
    return Net(3)
"""
    with pytest.raises(CodeError, match="line 10: groups cannot express how the layers of Net"):
        read_code(HEAD + text)


STOCHASTIC = {
    "a function": """def drop_path(x, p, training):
    if not training:
        return x
    keep = 1 - p
    return x.div(keep) * torch.floor(keep + torch.rand((x.shape[0], 1, 1, 1)))
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
    def forward(self, x):
        return x + drop_path(self.conv(x), 0.1, self.training)
""",
    "a module": """class DropPath(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.keep = 1 - p
    def forward(self, x):
        mask = x.new_empty((x.size(0), 1, 1, 1)).bernoulli_(self.keep)
        return x / self.keep * mask
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.drop = nn.Conv2d(2, 2, 3, padding=1), DropPath(0.1)
    def forward(self, x):
        return x + self.drop(self.conv(x))
""",
    "a library": """from torchvision.ops import StochasticDepth
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.drop = nn.Conv2d(2, 2, 3, padding=1), StochasticDepth(0.1, "row")
    def forward(self, x):
        return x + self.drop(self.conv(x))
""",
}


@pytest.mark.parametrize("name", STOCHASTIC)
def test_branches_that_are_left_out_at_random_are_kept_as_they_are(name: str) -> None:
    text = STOCHASTIC[name] + "net = nn.Sequential(Block(), nn.Flatten(), nn.Linear(128, 5))\n"
    imported = read_code(HEAD.replace("(1, 8, 8)", "(2, 8, 8)") + text)
    (residual, *_) = imported.network.nodes
    assert [child.layer.type_name() for child in residual.children] == ["Conv2D"]
    assert [note.text for note in imported.notes] == [
        "stochastic depth is not supported: this branch is never left out in training"
    ]
