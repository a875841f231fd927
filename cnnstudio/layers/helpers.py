"""Helper classes and functions that the PyTorch code of layers names, loaded from their source.

Each helper exists once, as source text: it is compiled here for training and written as it is into generated
files. So a network trained by this program and the file generated from it contain the same modules, character
for character.
"""

from __future__ import annotations

import linecache
import sys
from functools import cache
from types import ModuleType
from typing import Any


@cache
def load_helper(name: str, source: str) -> Any:
    """The class or function `name` defined by `source`, which is part of this program and never user input.

    Compiled on first use, because layers must be importable without torch.
    """
    import torch
    from torch import nn

    module = ModuleType(f"{__name__}.{name}")
    # torch.compile resolves globals through sys.modules; tracebacks read source lines from linecache.
    sys.modules[module.__name__] = module
    linecache.cache[module.__name__] = (len(source), None, source.splitlines(keepends=True), module.__name__)
    vars(module).update(torch=torch, nn=nn)
    exec(compile(source, module.__name__, "exec"), vars(module))
    return getattr(module, name)
