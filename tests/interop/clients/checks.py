"""One line per check, for `run` to count: `ok NAME` or `FAILED NAME: why`; last `end COUNT`."""

import asyncio
import inspect

SECONDS = 30
_checks = []


def check(function):
    """Registers a check. Its docstring is the name."""
    _checks.append(function)
    return function


def expect(got, wanted, what="got"):
    if got != wanted:
        raise AssertionError(f"{what} {short(got)}, wanted {short(wanted)}")


def short(value):
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:90]}... ({len(value)} long)"


async def _run(arguments):
    for function in _checks:
        name = inspect.getdoc(function)
        try:
            async with asyncio.timeout(SECONDS):
                await function(*arguments)
        except Exception as why:  # whatever it is, this check failed and the next one runs
            reason = f"{type(why).__name__}: {why}".replace("\n", " ")
            print(f"FAILED {name}: {reason}", flush=True)
        else:
            print(f"ok {name}", flush=True)
    print(f"end {len(_checks)}", flush=True)


def main(*arguments):
    asyncio.run(_run(arguments))
