"""Connections that are lost, refused, slow to be had or not to be had at all. What was carried out,
and how often, is counted by the server.

Needs the environment variables WEIR, WEIR_BUILD and WEIR_SOURCE.
"""

import socket
import ssl
import threading
import unittest

import fault_client
from certificates import Authority
from fault_client import MAYBE, NEVER, FaultTest, is_sanitized
from nginx import Nginx, free_port, wait_until

ANSWER = {"answer.json": "{}"}
FILE = "location / { try_files /answer.json =404; error_page 405 =200 /answer.json; }"
# nginx reads the body and then closes (444 is its own): in order, or with a reset.
CUT = """
    location /cut { proxy_pass http://127.0.0.1:$server_port/inner; proxy_intercept_errors on;
                    error_page 502 = @cut; }
    location /inner { return 444; }
    location @cut { return 444; }
"""
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Lost(FaultTest):
    def serve(self, http=""):
        return self.enterContext(Nginx(CUT + FILE + http, files=ANSWER))

    def cut_off(self, server):
        """The connections of the requests that were carried out and not answered."""
        server.stop()
        return [r.connection for r in server.requests() if r.uri == "/cut" and r.status == 444]

    def check_post(self, http):
        server = self.serve(http)
        client = self.client(base_url=server.url, attempts=5, concurrency=1)
        self.assert_well([client.ask("/x", method="POST", body=100)], 1)
        result = client.ask("/cut", method="POST", body=100)
        self.assertEqual((result["rc"], result["sent"]), ("WEIR_ERESET", MAYBE), result)
        self.assertEqual(result["attempts"], 1)
        self.assert_ends_well(client)
        kept = self.cut_off(server)
        self.assertEqual(len(kept), 1)
        [first] = [r.connection for r in server.requests() if r.uri == "/x"]
        self.assertEqual(kept, [first])  # it was the kept connection

    def test_post_on_a_kept_connection_is_carried_out_once(self):
        self.check_post("")

    def test_post_on_a_kept_connection_that_is_reset_is_carried_out_once(self):
        self.check_post("reset_timedout_connection on;")

    def check_replayed(self, **request):
        server = self.serve()
        client = self.client(base_url=server.url, attempts=3, concurrency=1)
        self.assert_well([client.ask("/x", method="POST", body=100)], 1)
        result = client.ask("/cut", **request)
        self.assertEqual((result["rc"], result["sent"]), ("WEIR_ERESET", MAYBE), result)
        self.assertEqual(result["attempts"], 3)
        self.assertEqual(len(self.cut_off(server)), 3)  # not one more than there were attempts

    def test_get_is_sent_again_by_the_client_alone(self):
        self.check_replayed()

    def test_post_is_sent_again_by_permission(self):
        self.check_replayed(method="POST", body=100, replay=1)

    def test_get_is_answered_in_the_end(self):
        def serve(server, connection):
            for _ in range(2):
                server.request(connection)
                if len(server.heads) == 2:
                    return fault_client.reset(connection)
                connection.sendall(OK)
            fault_client.until_closed(connection)

        server = self.raw(serve)
        client = self.client(base_url=server.url, attempts=3, concurrency=1)
        self.assert_well([client.ask("/1"), client.ask("/2")], 2)
        self.assertEqual([head.split()[1] for head in server.heads], ["/1", "/2", "/2"])

    def test_closed_while_idle(self):
        """The server closes between two requests, and each is carried out once."""
        server = self.enterContext(Nginx("keepalive_timeout 20ms;" + FILE, files=ANSWER))
        client = self.client(base_url=server.url, concurrency=1)
        idle = client.files()
        for _ in range(5):
            self.assert_well([client.ask("/x", method="POST", body=10)], 1)
            self.wait_until_server_closed(server)
        self.assertLessEqual(client.files(), idle + 3)
        server.stop()
        requests = server.requests()
        self.assertEqual([r.status for r in requests], [200] * 5)
        self.assertEqual(len({r.connection for r in requests}), 5)

    @staticmethod
    def wait_until_server_closed(server):
        """No connection of its port is established any more."""
        port = f":{server.port:04X}"

        def none_left():
            with open("/proc/net/tcp", encoding="ascii") as file:
                lines = [line.split() for line in file.readlines()[1:]]
            return not any(w[1].endswith(port) and w[3] == "01" for w in lines)

        wait_until(none_left, "the server has closed its connections")


class Unasked(FaultTest):
    """What comes over a connection that no request uses answers none: the next one goes over
    another, and no attempt is counted for that."""

    EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def setUp(self):
        super().setUp()
        self.context = None

    def use_tls(self):
        """The client's settings for it."""
        authority = Authority(self.folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*authority.issue("server", "IP:127.0.0.1"))
        return {"ca": authority.file}

    def serve(self, after, close):
        """It answers when all requests are there, and once it is told to says more: the server, and
        its URL."""

        def serve(server, connection):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
            with connection:
                server.request(connection)
                self.all_there.wait(fault_client.PATIENCE)
                connection.sendall(OK)
                self.go.acquire()
                connection.sendall(after)
                if not close:
                    fault_client.until_closed(connection)

        server = self.raw(serve)
        return server, server.url if self.context is None else server.url.replace("http", "https")

    @staticmethod
    def wait_until_unread(server, count):
        """So many of the client's connections have something to be read."""
        port = f":{server.port:04X}"

        def all_have():
            with open("/proc/net/tcp", encoding="ascii") as file:
                lines = [line.split() for line in file.readlines()[1:]]
            unread = [w for w in lines if w[2].endswith(port) and int(w[4].partition(":")[2], 16)]
            return len(unread) == count

        wait_until(all_have, f"{count} connections have something unread")

    def check(self, after, close, count=1, **settings):
        self.go, self.all_there = threading.Semaphore(0), threading.Barrier(count)
        server, url = self.serve(after, close)
        client = self.client(base_url=url, attempts=1, concurrency=count, **settings)
        for round in range(1, 4):
            client.send("/x", method="POST", body=10, count=count)
            results = client.join()
            self.assert_well(results, count)
            self.assertEqual({result["body"] for result in results}, {"ok"})
            self.go.release(count)
            self.wait_until_unread(server, count)
            self.assertEqual(len(server.heads), round * count)
        self.assertEqual(server.connections, 3 * count)
        self.assert_ends_well(client)

    def test_an_answer(self):
        self.check(self.EVIL, False)

    def test_an_answer_over_tls(self):
        self.check(self.EVIL, False, **self.use_tls())

    def test_a_timeout_and_the_end(self):
        self.check(self.TIMEOUT, True)

    def test_a_timeout_and_the_end_over_tls(self):
        self.check(self.TIMEOUT, True, **self.use_tls())

    def test_a_timeout_and_the_end_of_many(self):
        """More than libcurl would try."""
        self.check(self.TIMEOUT, True, count=40)

    def test_a_client_with_http2_and_a_server_without(self):
        self.check(self.EVIL, False, http2=1, **self.use_tls())


class NotToBeHad(FaultTest):
    def check(self, client, url, code, attempts):
        for method in ("GET", "POST"):
            result = client.ask(url, method=method, body=10 if method == "POST" else None)
            self.assertEqual((result["rc"], result["sent"]), (code, NEVER), result)
            self.assertEqual(result["attempts"], attempts, result)

    def test_refused(self):
        with socket.socket() as nobody:  # bound and not listening
            nobody.bind(("127.0.0.1", 0))
            client = self.client(attempts=3)
            url = "http://127.0.0.1:%d/" % nobody.getsockname()[1]
            self.check(client, url, "WEIR_ECONNECT", 3)
        self.assert_ends_well(client)

    def test_no_such_name(self):
        client = self.client(attempts=3)
        self.check(client, "http://gone.test/", "WEIR_ERESOLVE", 3)
        self.assert_ends_well(client)

    def tls_server(self, name):
        """(server, port, file of the authority that vouches for it)"""
        authority = Authority(self.folder)
        pem, key = authority.issue("server", name)
        port = free_port()
        tls = f"ssl_certificate {pem}; ssl_certificate_key {key}; error_log error.log info;"
        block = f"server {{ listen 127.0.0.1:{port} ssl; root files; {tls} {FILE} }}"
        server = self.enterContext(Nginx(FILE, block, ANSWER))
        return server, port, authority.file

    def test_certificate_that_nobody_vouches_for(self):
        server, port, _ = self.tls_server("IP:127.0.0.1")
        client = self.client(attempts=3)
        self.check(client, f"https://127.0.0.1:{port}/", "WEIR_ECERT", 1)
        server.stop()
        self.assertEqual(server.requests(), [])
        refused = server.errors().count("SSL_do_handshake() failed")
        self.assertEqual(refused, 2)  # by the server's count, too: once for each request

    def test_certificate_of_another(self):
        server, port, ca = self.tls_server("DNS:another.test")
        client = self.client(ca=ca, attempts=3)
        self.check(client, f"https://127.0.0.1:{port}/", "WEIR_ECERT", 1)
        self.assert_well([client.ask(f"https://another.test:{port}/")], 1)  # the control
        server.stop()
        self.assertEqual(len(server.requests()), 1)

    def test_no_tls_at_all(self):
        server = self.enterContext(Nginx(FILE, files=ANSWER))
        client = self.client(attempts=3)
        self.check(client, server.url.replace("http:", "https:"), "WEIR_ETLS", 3)
        self.assert_ends_well(client)


class OwnCertificate(FaultTest):
    """A server that wants one of the client. With TLS 1.3 it says so behind the handshake, when the
    request may be under way."""

    def setUp(self):
        super().setUp()
        self.authority = Authority(self.folder)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*self.authority.issue("server", "IP:127.0.0.1"))
        self.context.load_verify_locations(self.authority.file)
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.reasons = []

    def serve(self, server, connection):
        tls = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        try:
            tls.do_handshake()
            server.request(tls)
            tls.sendall(OK)
        except ssl.SSLError as error:
            self.reasons.append(error.reason)
            tls = socket.socket(fileno=tls.detach())  # so that no reset takes the alert away
        with tls:
            fault_client.until_closed(tls)

    def ask(self, authority=None):
        server = self.raw(self.serve)
        settings = {"ca": self.authority.file, "attempts": 3}
        if authority is not None:
            settings["cert"], settings["key"] = authority.issue("client")
        client = self.client(base_url=server.url.replace("http", "https"), **settings)
        result = client.ask("/")
        self.assert_ends_well(client)
        return result

    def check_refused(self, result, sent, reason):
        self.assertEqual((result["rc"], result["sent"]), ("WEIR_ECERT", sent), result)
        self.assertEqual(result["attempts"], 1)
        self.assertEqual(self.reasons, [reason])

    def test_none(self):
        self.check_refused(self.ask(), MAYBE, "PEER_DID_NOT_RETURN_A_CERTIFICATE")

    def test_one_of_another_authority(self):
        result = self.ask(Authority(self.folder, "other"))
        self.check_refused(result, MAYBE, "CERTIFICATE_VERIFY_FAILED")

    def test_one_of_another_authority_in_the_handshake(self):
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        result = self.ask(Authority(self.folder, "other"))
        self.check_refused(result, NEVER, "CERTIFICATE_VERIFY_FAILED")

    def test_the_right_one(self):
        self.assert_well([self.ask(self.authority)], 1)
        self.assertEqual(self.reasons, [])


class Names(FaultTest):
    TRIES = 3  # a busy machine may stop the loop, too

    def test_a_cancel_amid_a_look_up_does_not_stop_the_loop(self):
        """The look-up would take 3 s, and its thread is not waited for."""
        stalls = []
        while len(stalls) < self.TRIES and min(stalls, default=99) >= 50:
            client = self.client(base_url="http://slow.test")
            client.do("dns", ms=3000)
            client.send("/", method="POST", body=10)
            client.wait_for(looking=1)
            client.do("cancel")
            [result] = client.join()
            self.assertEqual((result["rc"], result["sent"]), ("WEIR_ECANCELED", NEVER))
            self.assertLess(result["ms"], 2900)
            stalls.append(client.state()["stall_ms"])
            client.kill()
        self.assertLess(min(stalls), 50)

    def test_many_to_a_cold_host_look_it_up_once(self):
        server = self.enterContext(Nginx(FILE, files=ANSWER))
        client = self.client(base_url=f"http://cold.test:{server.port}", concurrency=1000)
        client.do("dns", ms=300)
        threads = client.threads()
        client.send("/", method="POST", body=10, count=1000)
        client.wait_for(looking=1)
        self.assertLessEqual(client.threads(), threads + 2)
        self.assert_well(client.join(), 1000)
        state = client.state()
        self.assertLessEqual(state["lookups_peak"], 2)
        self.assertLessEqual(state["lookups"], 2)
        server.stop()
        self.assertEqual(len(server.requests()), 1000)
        self.assert_ends_well(client)

    def test_another_look_up_does_not_wait_for_a_slow_one(self):
        server = self.enterContext(Nginx(FILE, files=ANSWER))
        client = self.client(keys=1)
        client.do("dns", ms=3000)
        client.send(f"http://slow.test:{server.port}/")
        client.wait_for(looking=1)
        client.do("dns", ms=0)
        client.send(f"http://fast.test:{server.port}/")
        client.wait_for(in_flight=1, lookups=2)
        results = client.join()
        self.assert_well(results, 2)
        self.assertLess(results[1]["ms"], results[0]["ms"] / 2)


class Hosts(FaultTest):
    def test_a_host_that_hangs_holds_no_other_back(self):
        """All places of the one are taken, and 200 more wait for them."""
        hung = self.raw(lambda server, connection: fault_client.until_closed(connection))
        server = self.enterContext(Nginx(FILE, files=ANSWER))
        client = self.client(keys=1, concurrency=8)
        client.send(f"{hung.url}/", method="POST", body=10, count=208)
        client.wait_for(in_flight=8, waiting=200)
        client.send(f"{server.url}/", method="POST", body=10, count=500)
        client.wait_for(in_flight=8, attempts=508)
        self.assertEqual(client.state()["waiting"], 200)
        client.do("cancel")
        results = client.join()
        self.assertEqual({r["rc"] for r in results[:208]}, {"WEIR_ECANCELED"})
        self.assert_well(results[208:], 500)
        server.stop()
        self.assertEqual([r.status for r in server.requests()], [200] * 500)
        self.assert_ends_well(client)


class Kept(FaultTest):
    def test_a_trickle_after_a_burst_makes_no_connection(self):
        server = self.enterContext(Nginx(FILE, files=ANSWER))
        client = self.client(base_url=server.url, concurrency=64)
        client.send("/", method="POST", body=10, count=640)
        self.assert_well(client.join(), 640)
        client.send("/", method="POST", body=10, count=200, parallel=1)
        self.assert_well(client.join(), 200)
        server.stop()
        requests = server.requests()
        self.assertEqual(len(requests), 840)
        connections = {r.connection for r in requests[:640]}
        self.assertLessEqual(len(connections), 64)
        self.assertLessEqual({r.connection for r in requests[640:]}, connections)


class Storms(FaultTest):
    """A server that is lost all the time costs attempts, and no processor time beside them: a loop
    that turned without need would use all of it."""

    ATTEMPTS = 200

    def check(self, url, code, sent):
        client = self.client(base_url=url, attempts=self.ATTEMPTS, backoff_ms=20, concurrency=8)
        before = client.state()["cpu_ms"]
        client.send("/", method="POST", body=10, count=8, replay=1)
        results = client.join()
        for result in results:
            self.assertEqual((result["rc"], result["sent"]), (code, sent), result)
            self.assertEqual(result["attempts"], self.ATTEMPTS)
        used_ms = client.state()["cpu_ms"] - before
        took_ms = max(result["ms"] for result in results)
        print(f"{used_ms:.0f} ms of the processor in {took_ms:.0f}", flush=True)
        if not is_sanitized():  # an attempt costs some 0.1 ms, and there are 8 in about 10 ms
            self.assertLess(used_ms, took_ms / 2)
        self.assert_ends_well(client)

    def test_refused(self):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            self.check("http://127.0.0.1:%d" % nobody.getsockname()[1], "WEIR_ECONNECT", NEVER)

    def test_lost(self):
        def serve(server, connection):
            server.request(connection)
            fault_client.reset(connection)

        server = self.raw(serve)
        self.check(server.url, "WEIR_ERESET", MAYBE)
        self.assertEqual(len(server.heads), 8 * self.ATTEMPTS)


if __name__ == "__main__":
    unittest.main()
