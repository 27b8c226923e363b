# Runs under Python 2.7: wstest, with every port that it listens on opened on 127.0.0.1.
# Left to itself, its fuzzing server listens on all interfaces, whatever host its "url" names.
import sys

import autobahntestsuite.wstest as wstest  # chooses the reactor, so it comes first
from twisted.internet import reactor

_listen = reactor.listenTCP


def _listen_on_loopback(port, factory, backlog=50, interface=""):
    return _listen(port, factory, backlog, "127.0.0.1")


reactor.listenTCP = _listen_on_loopback
sys.exit(wstest.run())
