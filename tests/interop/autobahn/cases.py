"""The cases of autobahntestsuite 25.10.1: which there are, and what counts as passed."""

import collections
import fnmatch

# Group: how many cases it has, numbered from 1.
COUNTS = {
    "1.1": 8, "1.2": 8, "2": 11, "3": 7, "4.1": 5, "4.2": 5, "5": 20,
    "6.1": 3, "6.2": 4, "6.3": 2, "6.4": 4, "6.5": 5, "6.6": 11, "6.7": 4,
    "6.8": 2, "6.9": 4, "6.10": 3, "6.11": 5, "6.12": 8, "6.13": 5,
    "6.14": 10, "6.15": 1, "6.16": 3, "6.17": 5, "6.18": 5, "6.19": 5,
    "6.20": 7, "6.21": 8, "6.22": 34, "6.23": 7,
    "7.1": 6, "7.3": 6, "7.5": 1, "7.7": 13, "7.9": 9, "7.13": 2,
    "9.1": 6, "9.2": 6, "9.3": 9, "9.4": 9, "9.5": 6, "9.6": 6, "9.7": 6,
    "9.8": 6, "10.1": 1,
    **{f"12.{i}": 18 for i in range(1, 6)},
    **{f"13.{i}": 18 for i in range(1, 8)},
}
ALL = [f"{group}.{i}" for group, count in COUNTS.items() for i in range(1, count + 1)]
WORDS = {
    "all": ["*"],
    "core": ["[1-7].*", "10.*"],
    "limits": ["9.*"],
    "deflate": ["12.*", "13.*"],
}
# The suite gives no verdict on these, whatever the peer does.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


def key(case):
    return tuple(int(part) for part in case.split("."))


def select(selectors):
    """The ids that the selectors name, in order.

    A selector is an id, a shell pattern over the whole id, or one of WORDS; '!' in front takes
    away. One that matches nothing is an error, so that a slip of the keyboard cannot shrink a run.
    """
    chosen = set()
    if selectors and selectors[0].startswith("!"):
        chosen = set(ALL)
    for selector in selectors:
        minus = selector.startswith("!")
        name = selector[1:] if minus else selector
        patterns = WORDS.get(name, [name])
        hits = {case for case in ALL if any(fnmatch.fnmatchcase(case, p) for p in patterns)}
        if not hits:
            raise ValueError(f"selector {selector!r} matches no case")
        chosen = chosen - hits if minus else chosen | hits
    if not chosen:
        raise ValueError("the selectors leave no case to run")
    return sorted(chosen, key=key)


class Verdict:
    """What a report says about the cases that were asked for."""

    def __init__(self, results, expected):
        self.results = results
        self.expected = expected
        self.failures = {}  # case: why
        for case in expected:
            why = self._judge(case)
            if why:
                self.failures[case] = why

    def _judge(self, case):
        # A case that is missing has failed: when a server dies midway, wstest ends with
        # status 0 and leaves the rest out.
        if case not in self.results:
            return "missing from the report"
        result = self.results[case]
        wanted = "INFORMATIONAL" if case in INFORMATIONAL else "OK"
        # `behavior` judges the messages, `behaviorClose` how the connection ended. Both count.
        for field in ("behavior", "behaviorClose"):
            if result[field] not in ("OK", wanted):
                return (
                    f"behavior {result['behavior']}, close {result['behaviorClose']}, close code "
                    f"{result.get('remoteCloseCode')}: see {result.get('reportfile')}"
                )
        return None

    def passed(self):
        return len(self.expected) - len(self.failures)

    def tally(self, field):
        counts = collections.Counter(
            self.results[case][field] if case in self.results else "MISSING"
            for case in self.expected
        )
        return dict(sorted(counts.items()))
