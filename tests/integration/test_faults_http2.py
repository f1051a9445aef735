"""HTTP/2 over TLS: servers that end connections in the middle (GOAWAY), that take few streams at a
time, or are replaced. What was carried out, and how often, is counted by the server.

Needs the environment variables WEIR, WEIR_BUILD and WEIR_SOURCE.
"""

import collections
import json
import signal
import threading
import unittest

from certificates import Authority
from fault_client import MAYBE, NEVER, FaultTest, until_closed
from h2_server import Ending, OneRecord
from listening import Relay
from nginx import PATIENCE, Nginx, free_port, wait_until
from proxies import Haproxy, Nghttpd

ANSWER = {"answer.json": json.dumps({"object": "chat.completion", "choices": []})}
FILE = "location / { try_files /answer.json =404; error_page 405 =200 /answer.json; }"
REQUESTS = 2000
# HAProxy ends its client's connection, too, when one that it has kept has ended.
ONCE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
HALF = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"
LIMIT_MS = 3000  # of an attempt whose answer is there


class Http2(FaultTest):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.certificate = self.authority.issue("server", "IP:127.0.0.1")

    def nginx(self, *directives):
        """Its HTTP/2 has a port of its own: (server, URL)."""
        pem, key = self.certificate
        port = free_port()
        tls = f"listen 127.0.0.1:{port} ssl http2; "
        tls += f"ssl_certificate {pem}; ssl_certificate_key {key};"
        block = "server { %s root files; %s %s }" % (tls, " ".join(directives), FILE)
        return self.enterContext(Nginx(FILE, block, ANSWER)), f"https://127.0.0.1:{port}"

    def client(self, url, **settings):
        return super().client(base_url=url, ca=self.authority.file, http2=1, **settings)

    def counts(self, server, results):
        """Number of a request -> how often it was carried out. Stops the server, once all that were
        answered are in its log: nginx answers before it has got the body, and logs afterwards."""
        answered = sum(result["rc"] == "0" for result in results)
        wait_until(lambda: len(server.requests()) >= answered, f"{answered} are in the log")
        server.stop()
        requests = server.requests()
        self.assertEqual({r.status for r in requests}, {200})
        return collections.Counter(int(r.uri.partition("?")[2]) for r in requests)

    def assert_each_ends_once(self, results, counts):
        """Without permission to send again: what is answered was carried out once, nothing twice,
        and what was never sent not at all."""
        self.assertLessEqual(set(counts.values()), {1})
        for number, result in enumerate(results, 1):
            if result["rc"] == "0":
                self.assertEqual((result["status"], counts[number]), (200, 1), result)
            else:
                self.assertEqual(result["rc"], "WEIR_ERESET", result)
            if result["sent"] == NEVER:
                self.assertEqual(counts[number], 0, result)
        lost = sum(result["rc"] != "0" for result in results)
        print(f"{lost} of {len(results)} lost", flush=True)

    def assert_all_are_answered(self, results, counts):
        """With permission to send again: and not more often than there were attempts."""
        self.assert_well(results, len(counts))
        for number, result in enumerate(results, 1):
            self.assertGreaterEqual(counts[number], 1)
            self.assertLessEqual(counts[number], result["attempts"])

    def run_all(self, url, count, **settings):
        again = settings.pop("again", 0)
        client = self.client(url, attempts=30 if again else 1, **settings)
        client.send("/answer.json", method="POST", body=100, count=count, mark=1, replay=again)
        results = client.join()
        self.assertEqual(len(results), count)
        self.assert_ends_well(client)
        return results

    def test_goaway_all_the_time(self):
        """After 50 requests a connection each, amid those that are under way."""
        server, url = self.nginx("keepalive_requests 50;")
        results = self.run_all(url, REQUESTS)
        counts = self.counts(server, results)
        self.assert_each_ends_once(results, counts)
        connections = {request.connection for request in server.requests()}
        self.assertGreaterEqual(len(connections), len(counts) / 50)
        self.assertGreater(len(counts), REQUESTS / 4)

    def test_goaway_all_the_time_is_cured_by_further_attempts(self):
        server, url = self.nginx("keepalive_requests 50;")
        results = self.run_all(url, REQUESTS, again=1)
        self.assert_all_are_answered(results, self.counts(server, results))

    def few_streams(self):
        """Names and URLs of servers that take one or two streams of a connection at a time, and the
        nginx that counts their requests. More are refused: libcurl 7.88 takes 100 for granted until
        it is told otherwise, and would send what was refused on a new connection by itself, which the
        client forbids."""
        nginx, url = self.nginx("http2_max_concurrent_streams 2;")
        yield "nginx", url, nginx
        upstream = self.enterContext(Nginx(FILE, files=ANSWER))
        haproxy = self.enterContext(Haproxy(self.certificate, upstream.port, streams=1))
        yield "haproxy", haproxy.url, upstream

    def test_few_streams_at_a_time(self):
        for name, url, server in self.few_streams():
            with self.subTest(name):
                results = self.run_all(url, 500, again=1)
                self.assert_well(results, 500)
                counts = self.counts(server, results)
                self.assertEqual(counts, {number: 1 for number in range(1, 501)})

    def ending(self, how, **settings):
        """A server that ends four of eight requests so; the results, and how often it answered."""
        server = Ending(self.certificate, how)
        self.addCleanup(server.close)
        client = self.client(server.url, backoff_ms=1, **settings)
        client.send("/x", method="POST", body=100, count=8)
        results = client.join()
        self.assert_ends_well(client)
        return results, server.answers

    def test_what_ended_without_an_answer_may_have_been_done(self):
        """However it ended: libcurl would send most of these again by itself."""
        for how in ("refuses", "goes", "closes", "goes_behind_them", "wants_http1"):
            with self.subTest(how):
                results, answers = self.ending(how, attempts=2)
                lost = [result for result in results if result["rc"] != "0"]
                ends = {(r["rc"], r["sent"], r["attempts"]) for r in lost}
                self.assertEqual(ends, {("WEIR_ERESET", MAYBE, 1)})
                self.assertGreaterEqual(len(lost), 4)  # and what a reset has overtaken
                self.assertEqual(answers, 4)

    def test_what_ended_with_an_http1_connection_may_have_been_done(self):
        """A kept one, behind which libcurl would send again."""

        def serve(server, connection):
            server.request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            server.request(connection)

        server = self.raw(serve)
        client = super().client(base_url=server.url, http2=1, attempts=2, concurrency=1)
        self.assert_well([client.ask("/first")], 1)
        result = client.ask("/next", method="POST", body=100)
        ends = result["rc"], result["sent"], result["attempts"]
        self.assertEqual(ends, ("WEIR_ERESET", MAYBE, 1))
        self.assertEqual(len(server.heads), 2)
        self.assert_ends_well(client)

    def test_haproxy_refuses_what_its_server_may_have_done(self):
        """Over a connection to it that was kept, and ended: REFUSED_STREAM says nothing of the kind
        that RFC 9113 says."""

        def serve(server, connection):
            server.request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            server.request(connection)

        upstream = self.raw(serve)
        server = self.enterContext(Haproxy(self.certificate, upstream.port))
        client = self.client(server.url, backoff_ms=1, attempts=3, concurrency=1)
        self.assert_well([client.ask("/first")], 1)
        result = client.ask("/next", method="POST", body=100)
        ends = result["rc"], result["sent"], result["attempts"]
        self.assertEqual(ends, ("WEIR_ERESET", MAYBE, 1))
        self.assertEqual(len(upstream.heads), 2)
        self.assert_ends_well(client)

    def test_a_refusal_behind_a_head(self):
        """Which libcurl remembers for the handle's next request."""
        server = Ending(self.certificate, "refuses_behind_the_head", at_once=1)
        self.addCleanup(server.close)
        other = self.raw(lambda other, connection: other.request(connection))
        client = self.client(server.url, backoff_ms=1, attempts=2, concurrency=1)
        for url in ("/x", f"{other.url}/x"):
            result = client.ask(url, method="POST", body=100)
            ends = result["rc"], result["sent"], result["attempts"]
            self.assertEqual(ends, ("WEIR_ERESET", MAYBE, 1))
        self.assertEqual(len(other.heads), 1)
        self.assert_well([client.ask("/last")], 1)
        self.assert_ends_well(client)

    def test_few_streams_at_a_time_and_one_attempt(self):
        for name, url, server in self.few_streams():
            with self.subTest(name):
                results = self.run_all(url, 500)
                self.assert_each_ends_once(results, self.counts(server, results))

    def test_two_streams_at_a_time_of_nghttpd(self):
        server = self.enterContext(Nghttpd(self.certificate, streams=2))
        client = self.client(server.url, attempts=30)
        client.send("/answer.json", count=500, mark=1)
        self.assert_well(client.join(), 500)
        self.assert_ends_well(client)
        server.stop()
        counts = collections.Counter(server.requests())  # refused streams are not among them
        self.assertEqual(counts, {f"/answer.json?{number}": 1 for number in range(1, 501)})

    def test_the_end_of_an_answer_is_not_kept(self):
        """By libcurl 7.88, which has read it with what was before it, until something else comes."""
        server = OneRecord(self.certificate, answers=1)
        self.addCleanup(server.close)
        client = self.client(server.url, attempts=1, concurrency=1, attempt_timeout_ms=LIMIT_MS)
        client.send("/", count=4)
        self.assert_well(client.join(), 4)
        self.assert_ends_well(client)

    def test_an_answer_behind_one_that_fails_is_not_kept(self):
        server = OneRecord(self.certificate, answers=2)
        self.addCleanup(server.close)
        client = self.client(
            server.url, attempts=1, concurrency=2, attempt_timeout_ms=LIMIT_MS, max_body=1000
        )
        for _ in range(4):
            client.send("/", count=2)
            codes = sorted(result["rc"] for result in client.join())
            self.assertEqual(codes, ["0", "WEIR_EBODYSIZE"])
        self.assert_ends_well(client)

    def test_waiting_for_an_answer_takes_no_cpu_time(self):
        server = self.raw(lambda _, connection: until_closed(connection))
        client = super().client(base_url=server.url, http2=1, attempts=1, attempt_timeout_ms=1000)
        before_s = client.cpu_s()
        self.assertEqual(client.ask("/")["rc"], "WEIR_EATTEMPTTIME")
        self.assertLess(client.cpu_s() - before_s, 0.3)
        self.assert_ends_well(client)

    def test_without_tls_none_waits_for_the_answer_of_another(self):
        """As there is nothing that they could share."""

        def serve(server, connection):
            server.head(connection)
            wait_until(lambda: len(server.heads) == 8, "8 requests at a time are there")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        client = super().client(base_url=self.raw(serve).url, http2=1, attempts=1, concurrency=8)
        client.send("/", count=8)
        self.assert_well(client.join(), 8)
        self.assert_ends_well(client)

    def behind_a_relay(self, **settings):
        """Each request is answered, /hang when `answers` is set: (relay, upstream, client), with a
        connection."""
        self.answers = threading.Event()
        self.addCleanup(self.answers.set)

        def serve(server, connection):
            head = server.request(connection)
            if "/half" in head:
                connection.sendall(HALF)
            if "/hang" in head or "/half" in head:
                self.answers.wait(PATIENCE)
            connection.sendall(ONCE)

        upstream = self.raw(serve)
        server = self.enterContext(Haproxy(self.certificate, upstream.port))
        relay = Relay(server.port)
        self.addCleanup(relay.close)
        client = self.client(f"https://127.0.0.1:{relay.port}", backoff_ms=1, **settings)
        self.assert_well([client.ask("/first")], 1)
        self.assertEqual(relay.connections, 1)
        return relay, upstream, client

    def test_a_connection_that_has_fallen_silent_is_left(self):
        """By all requests behind the first attempts, for one new connection."""
        relay, _, client = self.behind_a_relay(attempts=2, attempt_timeout_ms=500)
        relay.hush()
        client.send("/x", method="POST", body=100, count=8, replay=1)
        results = client.join()
        self.assert_well(results, 8)
        self.assertEqual({result["attempts"] for result in results}, {2})
        self.assertEqual(relay.connections, 2)
        self.assertEqual(client.ask("/last")["attempts"], 1)
        wait_until(lambda: relay.closed == 1, "the one that was left is closed")
        self.assert_ends_well(client)

    def test_it_is_left_whatever_limit_found_it_silent(self):
        for how, settings, code in (
            ("send", {"url": "/hang", "timeout_ms": 500}, "WEIR_ETIMEDOUT"),
            ("send", {"url": "/half", "idle_ms": 500}, "WEIR_EIDLE"),
            ("send", {"url": "/hang", "idle_first_ms": 500}, "WEIR_EIDLE"),
            ("stream", {"url": "/hang"}, "WEIR_EATTEMPTTIME"),
            ("stream", {"url": "/half", "idle_ms": 500}, "WEIR_EIDLE"),
        ):
            with self.subTest(how=how, **settings):
                relay, _, client = self.behind_a_relay(attempts=1, attempt_timeout_ms=1000)
                client.do(how, **settings)
                self.assertEqual(client.join()[0]["rc"], code)
                relay.hush()
                self.assert_well([client.ask("/last")], 1)
                self.assertEqual(relay.connections, 2)
                self.assert_ends_well(client)

    def test_a_slow_answer_is_no_silence_of_its_connection(self):
        relay, _, client = self.behind_a_relay(attempts=1)
        client.send("/hang", timeout_ms=500)
        client.send("/x", count=800, parallel=1, burn_ms=1)  # for longer than that
        results = client.join()
        self.assertEqual(results[0]["rc"], "WEIR_ETIMEDOUT")
        self.assert_well(results[1:], 800)
        self.assertEqual(relay.connections, 1)
        self.assert_ends_well(client)

    def test_a_moment_is_no_silence_of_its_connection(self):
        """That is all that was left of the request's time."""
        relay, _, client = self.behind_a_relay(attempts=1)
        for _ in range(2):
            self.assertEqual(client.ask("/hang", timeout_ms=50)["rc"], "WEIR_ETIMEDOUT")
        self.assert_well([client.ask("/last")], 1)
        self.assertEqual(relay.connections, 1)
        self.assert_ends_well(client)

    def test_those_under_way_on_the_silent_connection_may_end(self):
        relay, upstream, client = self.behind_a_relay(attempts=1)
        client.send("/hang", count=5)
        wait_until(lambda: len(upstream.heads) == 6, "they are there")
        relay.hush()
        client.send("/x", timeout_ms=500)
        wait_until(lambda: client.state()["in_flight"] == 5, "one is given up")
        client.send("/y", count=40, parallel=20)
        client.wait_for(in_flight=5)
        self.assertEqual(relay.connections, 2)
        self.answers.set()
        relay.go_on()
        results = client.join()
        self.assert_well(results[:5], 5)
        self.assertEqual(results[5]["rc"], "WEIR_ETIMEDOUT")
        self.assert_well(results[6:], 40)
        self.assertEqual(relay.connections, 2)
        self.assert_well([client.ask("/last")], 1)
        wait_until(lambda: relay.closed == 1, "the one that was left is closed")
        self.assertEqual(relay.connections, 2)
        self.assert_ends_well(client)

    def test_http1_connections_beside_one_that_fell_silent_are_kept(self):
        """They were silent because nobody asked."""
        met = threading.Barrier(2)

        def serve(server, connection):
            while "/hang" not in (head := server.request(connection)):
                if "/both" in head:
                    met.wait(PATIENCE)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            until_closed(connection)

        server = self.raw(serve)
        client = super().client(base_url=server.url, http2=1, attempts=1)
        client.send("/both", count=2)
        self.assert_well(client.join(), 2)
        self.assertEqual(client.ask("/hang", timeout_ms=500)["rc"], "WEIR_ETIMEDOUT")
        self.assert_well([client.ask("/last")], 1)
        self.assertEqual(server.connections, 2)
        self.assert_ends_well(client)

    def replaced(self, **settings):
        """A proxy that is replaced three times while requests are under way; the results, and what
        came to the server behind it."""
        upstream = self.enterContext(Nginx(FILE, files=ANSWER))
        server = self.enterContext(Haproxy(self.certificate, upstream.port))

        def act():
            for part in (1, 2, 3):
                least = REQUESTS * part // 5
                wait_until(lambda n=least: len(upstream.requests()) >= n, f"{least} are done")
                server.restart()

        client = self.client(server.url, concurrency=32, **settings)
        client.send("/x", method="POST", body=100, count=REQUESTS, mark=1, replay=1)
        act()
        results = client.join()
        self.assert_ends_well(client)
        server.stop(signal.SIGUSR1)
        return results, self.counts(upstream, results)

    def test_a_proxy_that_is_replaced(self):
        results, counts = self.replaced(attempts=10)
        self.assertEqual(len(results), REQUESTS)
        self.assert_all_are_answered(results, counts)

    def test_a_cancel_resets_its_stream_alone(self):
        """The connection is good for the next: no other is made, and none is left behind."""

        def serve(server, connection):
            if "/hang" in server.request(connection):
                until_closed(connection)
            else:
                connection.sendall(ONCE)

        upstream = self.raw(serve)
        server = self.enterContext(Haproxy(self.certificate, upstream.port))
        client = self.client(server.url)
        self.assert_well([client.ask("/first")], 1)
        files = client.files()
        client.send("/hang", method="POST", body=100, count=20)
        wait_until(lambda: len(upstream.heads) == 21, "all are there")
        client.do("cancel")
        for result in client.join():
            self.assertEqual((result["rc"], result["sent"]), ("WEIR_ECANCELED", MAYBE), result)
        self.assert_well([client.ask("/last")], 1)
        self.assertLessEqual(client.files(), files)
        self.assertEqual(len(upstream.heads), 22)
        self.assert_ends_well(client)


if __name__ == "__main__":
    unittest.main()
