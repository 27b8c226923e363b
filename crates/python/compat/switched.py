"""A plugin of pytest that switches to the names of `sansocket.compat` before the tests import anything."""

import os

import sansocket.compat

sansocket.compat.install(*os.environ["SWITCHED"].split(","))
