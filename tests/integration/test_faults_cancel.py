"""Requests that are cancelled, in each state that a request can be in. The server says how far it
had come; afterwards nothing is held, no file is open, and the limiter has got back the tokens of
what was never sent, once.

Needs the environment variables WEIR, WEIR_BUILD and WEIR_SOURCE.
"""

import socket
import unittest

import fault_client
from fault_client import ANSWERED, MAYBE, NEVER, FaultTest
from nginx import wait_until

MIB = 1 << 20
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOKENS = 3  # an hour, so that none comes by itself


class Cancel(FaultTest):
    def client(self, **settings):
        """With TOKENS of them, which do not grow again."""
        client = super().client(rate=TOKENS, burst=TOKENS, **settings)
        client.idle_files = client.files()
        return client

    def check(self, client, sent, attempts, spent, started=1):
        """Cancels; then each ends so, and so many tokens are gone."""
        client.do("cancel")
        results = client.join()
        self.assertEqual(len(results), started)
        for result in results:
            self.assertEqual((result["rc"], result["sent"]), ("WEIR_ECANCELED", sent), result)
            self.assertEqual(result["attempts"], attempts, result)
        client.wait_for(waiting=0, holding=0, in_flight=0)
        self.assertEqual(client.do("tokens")["tokens"], TOKENS - spent)
        wait_until(lambda: client.files() <= client.idle_files, "no socket is open")
        self.assertEqual(client.end(), 0, client.said())

    def hang(self, server, connection):
        server.request(connection)
        fault_client.until_closed(connection)

    def test_queued(self):
        server = self.raw(self.hang)
        client = self.client(base_url=server.url, concurrency=1)
        client.send("/", method="POST", body=10)
        wait_until(lambda: len(server.heads) == 1, "the first is there")
        client.send("/", method="POST", body=10, count=5)
        client.wait_for(waiting=5, holding=1)
        client.do("cancel")
        results = client.join()
        self.assertEqual([r["sent"] for r in results], [MAYBE] + [NEVER] * 5)
        self.assertEqual([r["attempts"] for r in results], [1] + [0] * 5)
        client.wait_for(waiting=0, holding=0)
        self.assertEqual(client.do("tokens")["tokens"], 1)  # there is one place
        self.assertEqual(client.end(), 0, client.said())
        self.assertEqual(len(server.heads), 1)

    def test_look_up(self):
        client = self.client(base_url="http://slow.test")
        client.do("dns", ms=500)
        client.send("/", method="POST", body=10)
        client.wait_for(looking=1)
        self.check(client, NEVER, attempts=1, spent=0)

    def test_waiting_for_anothers_look_up(self):
        client = self.client(base_url="http://slow.test")
        client.do("dns", ms=500)
        client.send("/", method="POST", body=10, count=TOKENS)
        client.wait_for(looking=1, in_flight=TOKENS)
        self.check(client, NEVER, attempts=1, spent=0, started=TOKENS)

    def test_connect(self):
        """A port that neither accepts nor refuses: its queue is full."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            self.addCleanup(filler.close)
        client = self.client(base_url="http://127.0.0.1:%d" % listener.getsockname()[1])
        fillers = self.connecting(listener)
        client.send("/", method="POST", body=10)
        wait_until(lambda: self.connecting(listener) > fillers, "it asks for a connection")
        self.check(client, NEVER, attempts=1, spent=0)

    @staticmethod
    def connecting(listener):
        """How many ask for a connection and got no answer."""
        port = ":%04X" % listener.getsockname()[1]
        with open("/proc/net/tcp", encoding="ascii") as file:
            lines = [line.split() for line in file.readlines()[1:]]
        return sum(w[2].endswith(port) and w[3] == "02" for w in lines)

    def test_tls_handshake(self):
        greeted = []

        def serve(server, connection):
            greeted.append(connection.recv(65536))
            fault_client.until_closed(connection)

        server = self.raw(serve)
        client = self.client(base_url=server.url.replace("http:", "https:"))
        client.send("/", method="POST", body=10)
        wait_until(lambda: greeted, "the server is greeted")
        self.assertEqual(greeted[0][0], 22)  # a handshake
        self.check(client, NEVER, attempts=1, spent=0)
        wait_until(lambda: server.closed == 1, "the connection is closed")

    def test_upload(self):
        """Most of the body is not read."""
        go = []

        def serve(server, connection):
            server.head(connection)
            wait_until(lambda: go, "it is cancelled")
            fault_client.until_closed(connection)

        server = self.raw(serve)
        client = self.client(base_url=server.url)
        client.send("/", method="POST", body=64 * MIB)
        wait_until(lambda: server.heads, "the head is there")
        client.do("cancel")
        go.append(True)
        self.check(client, MAYBE, attempts=1, spent=1)
        wait_until(lambda: server.closed == 1, "the connection is closed")

    def test_headers(self):
        server = self.raw(self.hang)
        client = self.client(base_url=server.url)
        client.send("/", method="POST", body=10)
        wait_until(lambda: server.heads, "the request is there")
        self.check(client, MAYBE, attempts=1, spent=1)
        wait_until(lambda: server.closed == 1, "the connection is closed")

    def begin_answer(self, server, connection):
        server.request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\npart")
        fault_client.until_closed(connection)

    def test_body(self):
        server = self.raw(self.begin_answer)
        client = self.client(base_url=server.url)
        client.send("/", method="POST", body=10)
        wait_until(lambda: server.heads, "the request is there")
        self.check(client, MAYBE, attempts=1, spent=1)
        wait_until(lambda: server.closed == 1, "the connection is closed")

    def test_paused(self):
        """An answer that nobody reads: the server is held back before it is cancelled."""
        sent = [0, 0]

        def serve(server, connection):
            server.request(connection)
            connection.sendall(CHUNKED)
            connection.settimeout(0.2)
            try:
                while True:
                    sent[0] += connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            except TimeoutError:
                sent[1] = 1
            connection.settimeout(20)
            fault_client.until_closed(connection)

        server = self.raw(serve)
        client = self.client(base_url=server.url)
        before = client.state()["rss_kib"]
        client.do("stream", url="/", hold=1)
        wait_until(lambda: sent[1], "the server cannot send any more")
        self.assertEqual(client.state()["holding"], 1)
        self.assertLess(sent[0], 32 * MIB)
        self.assertLess(client.state()["rss_kib"] - before, 8 * 1024)
        self.check(client, ANSWERED, attempts=1, spent=1)
        wait_until(lambda: server.closed == 1, "the connection is closed")

    def test_silent_stream(self):
        def serve(server, connection):
            server.request(connection)
            connection.sendall(CHUNKED + b"9\r\ndata: 1\n\n\r\n")
            fault_client.until_closed(connection)

        server = self.raw(serve)
        client = self.client(base_url=server.url)
        client.do("stream", url="/", done="[DONE]")
        client.wait_for(in_flight=1, streams=1, holding=1)  # it is open
        self.check(client, ANSWERED, attempts=1, spent=1)
        wait_until(lambda: server.closed == 1, "the connection is closed")

    def test_backoff(self):
        """Nothing is held meanwhile; the attempt that was is paid for."""

        def serve(server, connection):
            server.request(connection)
            connection.sendall(
                b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )

        server = self.raw(serve)
        client = self.client(base_url=server.url, attempts=5, backoff_ms=3600000)
        client.send("/", method="POST", body=10, replay=1)
        client.wait_for(attempts=1, in_flight=0, holding=0)
        self.check(client, ANSWERED, attempts=1, spent=1)
        self.assertEqual(len(server.heads), 1)

    def test_pause_that_the_server_asked_for(self):
        def serve(server, connection):
            server.request(connection)
            connection.sendall(
                b"HTTP/1.1 429 Slow\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n"
            )
            fault_client.until_closed(connection)

        server = self.raw(serve)
        client = self.client(base_url=server.url, attempts=5)
        client.send("/", method="POST", body=10)
        client.wait_for(throttled=1, waiting=1, holding=0)
        client.do("cancel")
        [result] = client.join()
        self.assertEqual((result["rc"], result["sent"]), ("WEIR_ECANCELED", ANSWERED))
        client.wait_for(waiting=0, holding=0)
        self.assertEqual(client.end(), 0, client.said())
        self.assertEqual(len(server.heads), 1)

    def test_many_in_all_states(self):
        """By chance, over and over, on one client: cancelled at whatever moment."""

        def serve(server, connection):
            for _ in range(3):
                server.request(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
                connection.sendall(b"k")
            fault_client.reset(connection)

        server = self.raw(serve)
        client = super().client(base_url=server.url, attempts=3, concurrency=16)
        files = client.files()
        seen = set()
        for round_ in range(60):
            client.send("/", method="POST", body=2000, count=64, replay=1)
            wanted = len(server.heads) + round_ % 20
            wait_until(lambda n=wanted: len(server.heads) >= n, "some are there")
            client.do("cancel")
            seen |= {result["rc"] for result in client.join()}
        self.assertLessEqual(seen, {"0", "WEIR_ECANCELED", "WEIR_ERESET"})
        self.assertIn("WEIR_ECANCELED", seen)
        self.assertLessEqual(client.files(), files + 64)
        self.assert_ends_well(client)
        wait_until(lambda: server.closed == server.connections, "all connections are closed")


if __name__ == "__main__":
    unittest.main()
