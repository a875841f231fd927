"""What the code of layers names: each such class and function stands once, as source, and is made of it here.

So a network that is trained here and the file that is written of it hold the same modules, to the letter.
"""

from __future__ import annotations

import linecache
import sys
from functools import cache
from types import ModuleType
from typing import Any


@cache
def helper(name: str, source: str) -> Any:
    """The class or function `name` that `source` defines, which is this program's own and never input.

    Made when it is first wanted, since layers can be imported where torch cannot.
    """
    import torch
    from torch import nn

    module = ModuleType(f"{__name__}.{name}")
    # torch.compile looks for its names there, tracebacks for its lines here.
    sys.modules[module.__name__] = module
    linecache.cache[module.__name__] = (len(source), None, source.splitlines(keepends=True), module.__name__)
    vars(module).update(torch=torch, nn=nn)
    exec(compile(source, module.__name__, "exec"), vars(module))
    return getattr(module, name)
