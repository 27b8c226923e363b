"""Two members of two processes: the arguments are the kind of engine and both ports. A line says what is to be done to the processes and the
engine, and another on the standard input that it was; the others are the checks: `ok WHAT` or `FAILED WHAT`."""

import json
import sys
import time

from websockets.sync.client import connect


class Member:
    def __init__(self, port, name, **query):
        rest = "".join(f"&{key}={value}" for key, value in query.items())
        self.ws = connect(f"ws://127.0.0.1:{port}/ws?room=few&name={name}{rest}", open_timeout=10)
        self.here, self.said, self.missed, self.answers, self.at = set(), [], 0, {}, None

    def until(self, holds, seconds=20):
        """Hears events until that is so, or not in time."""
        end = time.monotonic() + seconds
        while not holds(self) and time.monotonic() < end:
            try:
                self.hear(json.loads(self.ws.recv(timeout=end - time.monotonic())))
            except TimeoutError:
                break
        return holds(self)

    def hear(self, event):
        kind = event["event"]
        if kind == "here":
            self.here = set(event["names"])
        elif kind == "changed":
            self.here = self.here - set(event["left"]) | set(event["joined"])
        elif kind == "said":
            self.said.append(event["text"])
            self.at = event["at"]
        elif kind == "missed":
            self.missed += 1
        else:
            self.answers[event["id"]] = kind

    def say(self, text, seconds=20):
        """Again until it is kept."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.answers.pop(text, None)
            self.ws.send(json.dumps({"say": text, "id": text}))
            self.until(lambda member: text in member.answers)
            if self.answers.get(text) == "kept":
                return True
            time.sleep(0.2)
        return False


def check(what, passed):
    print("ok" if passed else "FAILED", what, flush=True)


def do(what):
    print(what, flush=True)
    sys.stdin.readline()


kind, ports = sys.argv[1], sys.argv[2:]
ann, bob = Member(ports[0], "Ann"), Member(ports[1], "Bob")
both = {"Ann", "Bob"}
check("both know of each other", ann.until(lambda m: m.here == both) and bob.until(lambda m: m.here == both))
check("one hears the other", bob.say("one") and ann.until(lambda m: m.said == ["one"]))
check("what is said again is not said twice", bob.say("one") and ann.say("one and a half")
      and bob.until(lambda m: m.said == ["one", "one and a half"]))

three = ["one", "one and a half", "two"]
do("restart")
check("after a restart of the engine it is as before, for who stayed",
      bob.say("two") and ann.until(lambda m: m.said == three) and bob.until(lambda m: m.said == three))
check("and both are still here", ann.here == bob.here == both)
eve = Member(ports[1], "Eve")
check("and what was before is there", eve.until(lambda m: m.said == three))
eve.ws.close()

if kind == "redis":
    do("copy")
    check("a message comes", bob.say("lost") and ann.until(lambda m: m.said[-1] == "lost"))
    do("set back")
    ann.missed = 0
    check("what stands in the place of one that the engine has lost comes, and that there was one",
          bob.say("instead") and ann.until(lambda m: m.said[-1] == "instead") and ann.missed == 1
          and bob.until(lambda m: m.said[-1] == "instead"))

ann.missed = bob.missed = 0
do("rob")
check("an engine that has forgotten all goes on, and who stayed is told",
      bob.say("three") and ann.until(lambda m: m.said[-1:] == ["three"]) and bob.until(lambda m: m.said[-1:] == ["three"])
      and ann.missed == bob.missed == 1)
back = Member(ports[0], "Back", after="1-1")
check("and so is who comes back", back.until(lambda m: m.said[-1:] == ["three"]) and back.missed > 0)
back.ws.close()
again = Member(ports[1], "Again", after=ann.at)
check("who comes back to another process goes on there", ann.say("four")
      and again.until(lambda m: m.said == ["four"]) and again.missed == 0)

check("who leaves is gone", ann.until(lambda m: m.here == {"Ann", "Bob", "Again"}))
do("kill")
began = time.monotonic()
check("members of a process that was killed are gone", ann.until(lambda m: m.here == {"Ann"}, 12))
took = time.monotonic() - began
check(f"within 9 s: {took:.1f} s", took < 9)
do("start")
carl = Member(ports[1], "Carl")
check("there are those of a process that was started again", carl.until(lambda m: m.here == {"Ann", "Carl"}))
do("end")
check("members of a process that was ended in order are gone at once", carl.until(lambda m: m.here == {"Carl"}, 3))
