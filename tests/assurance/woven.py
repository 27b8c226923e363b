"""Copies of the crate with many changes woven in, each behind a switch: what the scripts beside share.

The switch is the environment variable MUTANT, the number of the change that runs; 0 or none: as it is.
"""

import fcntl
import filecmp
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# ------------------------------------------------------------------------------- copies


def said(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def copy_tree(tree):
    """What git knows and does not ignore, and the lock file."""
    names = set(said("git", "ls-files", "-z", "-co", "--exclude-standard").split("\0")) - {""}
    copy(ROOT, {name for name in names | {"Cargo.lock"} if (ROOT / name).is_file()}, tree)


def files(tree):
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


def copy(source, names, tree):
    """Unchanged files keep their time, so that they are not built again."""
    for name in names:
        if not (tree / name).is_file() or not filecmp.cmp(source / name, tree / name, shallow=False):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, tree / name)
    for old in files(tree) - names:
        (tree / old).unlink()


# ------------------------------------------------------------------------------- errors of what is woven

MARK = re.compile(r"/\*([<{])([\d,]+)\*/")
ARM = re.compile(r"/\*\{([\d,]+)\*/ if !crate")


def arms_of(text, at):
    """The arms of a match that may be off, which does not make it complete: those behind the value."""
    arms, depth = [], 0
    for at in range(text.index("{", at), len(text)):
        arm = depth == 1 and ARM.match(text, at)
        if arm:
            arms += map(int, arm[1].split(","))
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            break
    return arms


def guilty(message, tree):
    """Which changes an error of the compiler is about, and whether it is in their own text."""
    incomplete = (message["code"] or {}).get("code") == "E0004"
    for span in sorted(message["spans"], key=lambda span: not span["is_primary"]):
        path = tree / span["file_name"]
        if not path.is_file():
            continue
        text = path.read_bytes().decode("latin-1")
        arms = incomplete and arms_of(text, span["byte_end"])
        if arms:
            return arms[-1:], False
        inner = None
        for mark in MARK.finditer(text, 0, span["byte_start"]):
            end = f"/*{mark[2]}{'>' if mark[1] == '<' else '}'}*/"
            if text.index(end, mark.end()) >= span["byte_end"]:
                inner = mark
        if inner:
            return [int(number) for number in inner[2].split(",")], inner[1] == "<"
    return [], False


# ------------------------------------------------------------------------------- what weaves


def weaver(name):
    """The program of this name in weave/, in a build that all scripts share."""
    target = ROOT / "target/weave"
    command = ["cargo", "build", "--quiet", "--manifest-path", str(HERE / "weave/Cargo.toml"), "--bins"]
    if subprocess.run(command, env=os.environ | {"CARGO_TARGET_DIR": str(target)}).returncode:
        sys.exit("the weaver does not build")
    return str(target / "debug" / name)


# ------------------------------------------------------------------------------- trials


class Trials:
    """Changes that are told by hand (see weave/src/bin/trials/directive.rs), in one build below `work`.

    `faults` says of a number why it is not woven, `locals` which local variables a change names.
    """

    def __init__(self, work, directives, env=None):
        self.work, self.directives = work, directives
        self.faults, self.locals = {}, {}
        self.env = os.environ | {
            "CARGO_TARGET_DIR": str(work / "target"),
            "CARGO_PROFILE_DEV_DEBUG": "0",
            "CARGO_TERM_COLOR": "never",
            "RUSTFLAGS": "--cap-lints=allow",
            "RUSTC_BOOTSTRAP": "1",  # `const_eval_select`: constants know no environment
        } | (env or {})
        work.mkdir(parents=True, exist_ok=True)
        self.lock = open(work / "lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another run is under way")
        plain, self.loom, self.tree = work / "plain", work / "loom", work / "tree"
        copy_tree(plain)
        self.weaver = weaver("trials")
        while True:
            copy(plain, files(plain), self.loom)
            self.weave()
            if self.compiles():
                break
        # Apart, so that a second run builds only what has changed.
        copy(self.loom, files(self.loom), self.tree)

    def weave(self):
        out = [str(number) for number in self.faults]
        lines = "".join(f"{number}\t{text}\n" for number, text in enumerate(self.directives, 1))
        command = [self.weaver, str(self.loom), *out]
        woven = subprocess.run(command, input=lines, capture_output=True, text=True)
        if woven.returncode:
            sys.exit(f"the weaver failed\n{woven.stderr}")
        for line in woven.stdout.splitlines():
            number, verdict, rest = line.split(" ", 2)
            if verdict == "ok":
                self.locals[int(number)] = rest.split()
            else:
                self.faults[int(number)] = rest

    def compiles(self):
        """Whether the library does; what is at fault if not is left out from now on."""
        env = self.env | {"CARGO_TARGET_DIR": str(self.work / "loom-target")}
        events, status = self.cargo(["check", "--lib"], self.loom, env)
        errors = [event["message"] for event in events if event["reason"] == "compiler-message"]
        errors = [message for message in errors if message["level"] == "error"]
        before = len(self.faults)
        for message in errors:
            for number in guilty(message, self.loom)[0]:
                self.faults.setdefault(number, f"does not compile: {message['message']}")
        if status and len(self.faults) == before:
            sys.exit("".join(message["rendered"] for message in errors) + f"\nno change is at fault, see {self.loom}")
        return status == 0

    def cargo(self, command, tree, env):
        command = ["cargo", *command, "--all-features", "--message-format=json"]
        build = subprocess.run(command, cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if build.returncode and not build.stdout.strip():
            sys.exit(build.stderr)
        return [json.loads(line) for line in build.stdout.splitlines()], build.returncode

    def build(self, *selection):
        """The programs of these tests as {name: path}."""
        events, status = self.cargo(["test", "--no-run", *selection], self.tree, self.env)
        if status:
            errors = [event["message"]["rendered"] for event in events if event["reason"] == "compiler-message"]
            sys.exit("".join(errors[-3:]) + "\nthe tests of the woven crate do not build")
        return {
            event["target"]["name"]: event["executable"]
            for event in events
            if event["reason"] == "compiler-artifact" and event["executable"] and event["profile"]["test"]
        }
