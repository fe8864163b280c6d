#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Example: a node in Python that is joined to Weir. It listens on TCP; a peer says "HELLO ID" and is bound, whatever else it
says comes back, and "BAD" is a misdeed that is reported. Who is banned is told "BYE CODE" and closed.

    node.py PORT [SOCKET]
"""
import asyncio
import sys

from weir import Weir, WeirError

PEERS = {}  # id: writer


def hang_up(writer, code):
    writer.write(f"BYE {code}\n".encode())
    writer.close()


def on_event(event):
    if event["event"] in ("peer.banned", "peer.disconnect") and event.get("id") in PEERS:
        hang_up(PEERS.pop(event["id"]), 251)


async def welcome(weir, writer, id_):
    ip, port = writer.get_extra_info("peername")[:2]
    try:
        answer = await weir.call("peer.bind", id=id_, ip=ip, port=port, agent="example/1")
    except (ConnectionError, WeirError):
        answer = {"accepted": True}  # the node lives without Weir
    if not answer["accepted"]:
        hang_up(writer, answer["code"])
        return False
    PEERS[id_] = writer
    writer.write(b"WELCOME\n")
    return True


async def serve(weir, reader, writer):
    id_ = None
    while line := (await reader.readline()).decode().rstrip("\n"):
        if line.startswith("HELLO "):
            id_ = line[6:]
            if not await welcome(weir, writer, id_):
                break
        elif line == "BAD":
            await weir.call("peer.report", id=id_, action="fatal", reason="it said BAD", evidence=line)
        else:
            writer.write(line.encode() + b"\n")
    if PEERS.get(id_) is writer:
        del PEERS[id_]
    writer.close()


async def main():
    if len(sys.argv) < 2 or not sys.argv[1].isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    weir = Weir(sys.argv[2] if len(sys.argv) > 2 else "/run/weir/weir.sock", on_event)
    joining = asyncio.create_task(weir.run())
    server = await asyncio.start_server(lambda reader, writer: serve(weir, reader, writer), "0.0.0.0", int(sys.argv[1]))
    print("ready", flush=True)
    async with server:
        await asyncio.gather(joining, server.serve_forever())


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
