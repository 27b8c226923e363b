"""The names of other libraries over `sansocket.Connection`, for applications that are written for those.

`install` puts them in the others' places, so that an application need not be edited:

>>> import sansocket.compat
>>> sansocket.compat.install("wsproto")
>>> import wsproto.events
>>> wsproto.events.__name__
'sansocket.compat.wsproto.events'

That has to come before anything imports the other library. From a command line it is

    python -m sansocket.compat wsproto uvicorn --ws wsproto app:app

and for processes that a server starts itself, as `uvicorn --workers` and `hypercorn` do, the two lines in a
`sitecustomize.py` that is on their path.
"""

import importlib
import pkgutil
import sys
from types import ModuleType

#: The libraries whose names there are.
NAMES = ("wsproto",)


def install(*names: str) -> None:
    """Makes `import NAME` give `sansocket.compat.NAME`, for each of the names; without one, for all of `NAMES`.

    RuntimeError: the other library has been imported already, so that who did that has its classes.
    """
    for name in names or NAMES:
        if name not in NAMES:
            raise ValueError(f"no compat module {name!r}: there are {', '.join(NAMES)}")
        _install_package(name)


def _install_package(name: str) -> None:
    ours = importlib.import_module(f"{__name__}.{name}")
    if sys.modules.get(name, ours) is not ours:
        raise RuntimeError(f"{name} has been imported already: call install({name!r}) before that")
    sys.modules[name] = ours
    for path, module in _submodules(ours):
        sys.modules[f"{name}.{path}"] = module


def _submodules(package: ModuleType) -> list[tuple[str, ModuleType]]:
    paths = [found.name for found in pkgutil.iter_modules(package.__path__)]
    return [(path, importlib.import_module(f"{package.__name__}.{path}")) for path in paths]
