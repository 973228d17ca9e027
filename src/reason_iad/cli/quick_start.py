"""A quick start: leave out what transformers imports for training and for several GPUs, and what it does twice.

With a model class, transformers imports `torch.distributed.tensor`, `torch._dynamo` and `scipy.optimize`. An
inspection uses none of them, and together they take about as long as PyTorch itself. transformers also runs where
PyTorch was built without `torch.distributed` and where SciPy is not installed; here it is told that this is such a
place. It also reads the sources of all its models twice, once for itself and once for `transformers.models`; here
the second time gives what the first one found.

This holds for the rest of the process. So only the command line does it, whose process is its own, and only for the
embedded model, whose class is known. `import reason_iad` never does it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_DYNAMO = "torch._dynamo"
_READ = "create_import_structure_from_path"


def quick_start() -> None:
    """Prepare the import of transformers' models. Does nothing where they or `torch._dynamo` are there already."""
    if "transformers.modeling_utils" in sys.modules or _DYNAMO in sys.modules:
        return
    import torch
    import transformers.utils
    from transformers.utils import import_utils

    for module in (import_utils, transformers.utils):
        for question in ("is_torch_distributed_available", "is_scipy_available"):
            if hasattr(module, question):  # another version may ask in another way, and then starts as it does
                setattr(module, question, _no)
    if (read := getattr(import_utils, _READ, None)) is not None:
        setattr(import_utils, _READ, _of_folders(read))
    sys.modules[_DYNAMO] = _Dynamo(_DYNAMO)
    sys.modules[_DYNAMO].__path__ = [str(Path(torch.__file__).parent / "_dynamo")]


def _no() -> bool:
    return False


def _of_folders(read: Callable[[Path], Any]) -> Callable[[str | Path], Any]:
    """The same function, which remembers what it found by the path, with one path for each folder.

    Given the `__init__.py` of a folder, it reads the folder.
    """

    def read_folder(path: str | Path) -> Any:
        path = Path(path)
        return read(path.parent if path.name == "__init__.py" else path)

    return read_folder


class _Dynamo(ModuleType):
    """Stands in for `torch._dynamo` until more is asked of it than the three decorators below.

    They tell a compiler how to treat a function. What is decorated here is never compiled by this program.
    """

    @staticmethod
    def disable(function: Any = None, *rest: object, **options: object) -> Any:
        """The compiler would leave this function alone."""
        return _same if function is None else function

    @staticmethod
    def allow_in_graph(function: Callable[..., Any]) -> Callable[..., Any]:
        """The compiler would call this function as it is."""
        return function

    @staticmethod
    def assume_constant_result(function: Callable[..., Any]) -> Callable[..., Any]:
        """The compiler would call this function once."""
        return function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(_DYNAMO) is self:
            del sys.modules[_DYNAMO]
        return getattr(importlib.import_module(_DYNAMO), name)


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function
