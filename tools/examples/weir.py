# SPDX-License-Identifier: BSD-3-Clause
"""A node's connection to Weir for asyncio: requests, answers and events over weir-control's socket. Standard library only.

    weir = Weir("/run/weir/weir.sock", on_event)
    asyncio.create_task(weir.run())
    answer = await weir.call("peer.bind", id="p1", ip="192.0.2.1", port=4000)
Connects again by itself; while Weir is away, call raises ConnectionError and the node goes on without it.
"""
import asyncio
import json


class WeirError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]


class Weir:
    def __init__(self, path, on_event=None):
        self.path, self.on_event = path, on_event
        self.writer, self.next_id, self.waiting = None, 0, {}

    async def call(self, method, **parameters):
        if self.writer is None:
            raise ConnectionError("weir-control is away")
        self.next_id += 1
        answer = self.waiting[self.next_id] = asyncio.get_running_loop().create_future()
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": parameters}
        self.writer.write(json.dumps(request).encode() + b"\n")
        return await answer

    async def run(self):
        delay = 0.1
        while True:
            try:
                reader, self.writer = await asyncio.open_unix_connection(self.path, limit=1 << 20)
                delay = 0.1
                if self.on_event:
                    asyncio.ensure_future(self.call("events.subscribe"))
                async for line in reader:
                    self.take(json.loads(line))
            except OSError:
                pass
            self.lose()
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5)

    def take(self, message):
        if message.get("method") == "event":
            self.on_event(message["params"])
            return
        answer = self.waiting.pop(message.get("id"), None)
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(WeirError(message["error"]))
        else:
            answer.set_result(message["result"])

    def lose(self):
        self.writer = None
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the connection to weir-control ended"))
        self.waiting.clear()
