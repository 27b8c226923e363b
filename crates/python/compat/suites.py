"""Other people's tests with their own library, and then with `sansocket.compat` in its place.

    python suites.py [--short] [SUITE...]

Says each case that passes with the original only and is not in the table of README.md, and each row of the table that
explains nothing. The last line is `N passed, M failed`: cases that are as they were or explained, and the others.
"""

import argparse
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests/interop"))
from processes import NoRun, checked, made_from, say, tail  # noqa: E402

OUT = HERE.parent / "target/suites"


@dataclass(frozen=True)
class Suite:
    """A source package, and which of its tests are about WebSocket."""

    package: str
    switched: str
    tests: tuple[str, ...]
    short: tuple[str, ...]
    options: tuple[str, ...] = ()


# Their own plugins and options are for their machines.
PLAIN = ("-p", "no:cacheprovider", "-o", "addopts=")

SUITES = {
    "wsproto": Suite("wsproto==1.3.2", "wsproto", ("tests",), ("tests",), PLAIN),
    "uvicorn": Suite(
        "uvicorn==0.54.0",
        "wsproto",
        ("tests/protocols/test_websocket.py", "-k", "wsproto"),
        ("tests/protocols/test_websocket.py", "-k", "wsproto-h11 and (reject or close or size)"),
        (*PLAIN, "-p", "no:asyncio", "-p", "no:trio"),
    ),
    "uvicorn-sansio": Suite(
        "uvicorn==0.54.0",
        "websockets",
        ("tests/protocols/test_websocket.py", "-k", "sansio"),
        ("tests/protocols/test_websocket.py", "-k", "sansio-h11 and (reject or close or size)"),
        (*PLAIN, "-p", "no:asyncio", "-p", "no:trio"),
    ),
    "hypercorn": Suite(
        "hypercorn==0.18.0",
        "wsproto",
        ("tests/protocol/test_ws_stream.py", "tests/asyncio/test_sanity.py", "tests/trio/test_sanity.py"),
        ("tests/protocol/test_ws_stream.py", "tests/asyncio/test_sanity.py"),
        PLAIN,
    ),
}


def unpacked(package):
    """The folder of a source package."""
    home = OUT / package.replace("==", "-")
    with made_from(home, package) as unmade:
        if unmade:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check"]
            checked([*pip, "--no-deps", "--no-binary", ":all:", "-d", home, package], OUT / "download.log")
            (archive,) = home.glob("*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(home, filter="data")
    (folder,) = (child for child in home.iterdir() if child.is_dir())
    return folder


def outcomes(name, suite, arguments, switched):
    """What became of each case."""
    kind = "ours" if switched else "original"
    report, log = OUT / f"{name}-{kind}.xml", OUT / f"{name}-{kind}.log"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *suite.options]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    if switched:
        command += ["-p", "switched"]
        environment["SWITCHED"] = suite.switched
    with open(log, "w") as sink:
        subprocess.run(
            [*command, *arguments], cwd=unpacked(suite.package), env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
        )
    if not report.exists():
        raise NoRun(f"pytest wrote no report:\n{tail(log)}")
    found = {}
    for case in xml.etree.ElementTree.parse(report).getroot().iter("testcase"):
        bad = case.find("failure") is not None or case.find("error") is not None
        verdict = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
        found[f"{case.get('classname')}::{case.get('name')}"] = verdict
    return found


def explained(suite):
    """The patterns of the table in README.md for a suite."""
    rows = re.findall(r"^\| ([\w-]+) \| (.+?) \| .+ \|$", (HERE / "README.md").read_text(), re.MULTILINE)
    return [pattern for name, cell in rows if name == suite for pattern in re.findall(r"`([^`]+)`", cell)]


def matches(case, pattern):
    """Square brackets are those of parameters."""
    return fnmatch.fnmatchcase(case, "*" + pattern.replace("[", "[[]"))


def compare(name, suite, short):
    """How many cases are right, and how many are not."""
    arguments = suite.short if short else suite.tests
    original = outcomes(name, suite, arguments, switched=False)
    ours = outcomes(name, suite, arguments, switched=True)
    if not original:
        raise NoRun(f"{name}: no tests")
    patterns = explained(name)
    lost = [case for case, verdict in original.items() if verdict == "passed" and ours.get(case) != "passed"]
    known = [case for case in lost if any(matches(case, pattern) for pattern in patterns)]
    unknown = [case for case in lost if case not in known]
    stale = [pattern for pattern in patterns if not short and not any(matches(case, pattern) for case in lost)]
    for case in unknown:
        say(f"  {name}: {case} passes with the original only")
    for pattern in stale:
        say(f"  {name}: {pattern} explains nothing")
    passed = sum(verdict == "passed" for verdict in original.values())
    say(f"{name}: {passed} pass with the original, {passed - len(lost)} of them with ours; {len(known)} explained")
    return passed - len(unknown), len(unknown) + len(stale)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a sample")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; all without")
    given = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    right = wrong = 0
    try:
        for name in given.suites or SUITES:
            here, there = compare(name, SUITES[name], given.short)
            right, wrong = right + here, wrong + there
    except NoRun as why:
        say(str(why))
        return 2
    say(f"{right} passed, {wrong} failed")
    return 1 if wrong or not right else 0


if __name__ == "__main__":
    sys.exit(main())
