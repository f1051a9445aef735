"""A server that keeps requests waiting until all are there, in a thread of its own.

    with HoldServer(1000, trust) as server:   # trust: as trust.py, or None: without TLS
        ...server.url...

POST /hold is answered once somebody asks for /go, /all-in once 1,000 such requests wait. Others are
answered at once. All have a Content-Length or no body."""

import asyncio
import re
import ssl
import threading

ANSWER = b'{"answer":"' + b"x" * 287 + b'"}'
HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
PATIENCE = 20


class HoldServer:
    def __init__(self, holds, trust=None):
        self.holds, self.waiting = holds, 0
        self.context, self.scheme = None, "http"
        if trust is not None:
            self.context, self.scheme = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "https"
            self.context.load_cert_chain(trust.certificate, trust.key)
        self.url = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.listening = threading.Event()
        self.thread.start()
        if not self.listening.wait(PATIENCE):
            raise AssertionError("the server does not listen")
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join()
        self.loop.close()

    def _run(self):
        self.loop.run_until_complete(self._serve())

    async def _serve(self):
        self.all_in, self.go, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        server = await asyncio.start_server(
            self._connection, "127.0.0.1", 0, ssl=self.context, backlog=4096
        )
        self.url = f"{self.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.listening.set()
        await self.ended.wait()
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _connection(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                await self._turn(head.split(b" ", 2)[1])
                writer.write(HEAD.encode() + ANSWER)
                await writer.drain()
        except (asyncio.CancelledError, asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # its end, the client's, or ours
        finally:
            writer.close()

    async def _turn(self, path):
        if path == b"/hold":
            self.waiting += 1
            if self.waiting == self.holds:
                self.all_in.set()
            await self.go.wait()
        elif path == b"/all-in":
            await self.all_in.wait()
        elif path == b"/go":
            self.go.set()
