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
NAMES = ("websockets", "wsproto")


def install(*names: str) -> None:
    """Puts our classes in the place of a library's, for each of the names; without one, for all of `NAMES`.

    `import wsproto` gives `sansocket.compat.wsproto` then, and `websockets.server.ServerProtocol` and
    `websockets.client.ClientProtocol` are those of `sansocket.compat.websockets`.

    RuntimeError: the library has been imported already, so that who did that has its classes. ModuleNotFoundError:
    websockets is not installed, which ours is a part of.
    """
    for name in names or NAMES:
        if name == "wsproto":
            _install_wsproto()
        elif name == "websockets":
            _install_websockets()
        else:
            raise ValueError(f"no compat module {name!r}: there are {', '.join(NAMES)}")


def _install_wsproto() -> None:
    from . import wsproto

    if sys.modules.get("wsproto", wsproto) is not wsproto:
        raise RuntimeError("wsproto has been imported already: call install() before that")
    sys.modules["wsproto"] = wsproto
    for path, module in _submodules(wsproto):
        sys.modules[f"wsproto.{path}"] = module


def _install_websockets() -> None:
    """websockets itself loads these modules when they are asked for: nothing has their classes before."""
    ours = f"{__name__}.websockets"
    if ours not in sys.modules and not sys.modules.keys().isdisjoint({"websockets.server", "websockets.client"}):
        raise RuntimeError("websockets has been imported already: call install() before that")
    importlib.import_module(ours).put_in_place()


def _submodules(package: ModuleType) -> list[tuple[str, ModuleType]]:
    paths = [found.name for found in pkgutil.iter_modules(package.__path__)]
    return [(path, importlib.import_module(f"{package.__name__}.{path}")) for path in paths]
