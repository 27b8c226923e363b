"""Runs a module with names of ours in the place of another library's: `python -m sansocket.compat NAME[,NAME] MODULE ...`"""

import runpy
import sys

from . import NAMES, install


def main() -> None:
    """What the command line asks for."""
    if len(sys.argv) < 3:
        sys.exit(f"python -m sansocket.compat NAME[,NAME] MODULE [ARGUMENT...]: names are {', '.join(NAMES)}")
    names, module = sys.argv[1:3]
    install(*names.split(","))
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
