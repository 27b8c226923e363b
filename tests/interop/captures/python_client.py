"""Says what messages.json has with `websockets`: python_client.py URL MODE [CERTIFICATE KEYLOG] [PROXY]

For what is not there, `-` stands.
"""

import asyncio
import json
import pathlib
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

MESSAGES = json.loads(pathlib.Path(__file__).with_name("messages.json").read_text())


def context(certificate, keylog):
    made = ssl.create_default_context(cafile=certificate)
    made.keylog_filename = keylog
    return made


async def main():
    url, mode, certificate, keylog, proxy = sys.argv[1:]
    ends = mode == "no-context"
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=ends, client_no_context_takeover=ends
    )
    options = {
        "compression": None,
        "extensions": None if mode == "none" else [factory],
        "ping_interval": None,
        "max_size": None,
        "ssl": None if certificate == "-" else context(certificate, keylog),
        "proxy": None if proxy == "-" else proxy,
    }
    async with connect(url, **options) as ws:
        for message in MESSAGES:
            times = message.get("times", 1)
            if "ping" in message:
                await (await ws.ping(message["ping"]))
                continue
            if "binary" in message:
                said = back = bytes.fromhex(message["binary"]) * times
            elif "text" in message:
                said = back = message["text"] * times
            else:
                said, back = message["fragments"], "".join(message["fragments"])
            await ws.send(said)
            assert await ws.recv() == back, "it came back changed"
        await ws.close(1000, "bye")


asyncio.run(main())
