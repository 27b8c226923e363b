"""Runs a component for WASI 0.2 with the network of this machine: python wasi_host.py COMPONENT [ARGUMENT...]"""

import sys

import wasmtime
from wasmtime import _bindings, component

engine = wasmtime.Engine()
linker = component.Linker(engine)
linker.add_wasip2()
config = wasmtime.WasiConfig()
config.argv = sys.argv[1:]
config.inherit_stdout()
config.inherit_stderr()
# The wheel has no name for this one.
_bindings.wasi_config_inherit_network(config.ptr())
store = wasmtime.Store(engine)
store.set_wasi(config)
program = component.Component.from_file(engine, sys.argv[1])
instance = linker.instantiate(store, program)
exported = [name for name in program.type.exports(engine) if name.startswith("wasi:cli/run@")]
interface = instance.get_export_index(store, exported[0])
run = instance.get_func(store, instance.get_export_index(store, "run", interface))
run(store)
