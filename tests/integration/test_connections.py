"""Connection options against a real nginx: TLS with certificates of our own, HTTP/2, unix sockets,
and what libcurl does when the server ends a connection."""

import base64
import collections
import os
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest

import compiler
from certificates import PASSWORD, Authority
from nginx import Nginx, free_port
from weir_run import PATIENCE, Case

ANSWER = "location / { return 200 '{}'; }"
KEY_ENV = {"WEIR_TEST_KEY": "sk-no-one-else"}
LARGE = 256 << 20
WINDOW_KB = 32 << 10  # that libcurl grants to a stream


def setUpModule():
    global FOLDER, AUTHORITY, CERT, KEY, CLIENT
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    FOLDER = folder.name
    AUTHORITY = Authority(FOLDER)
    CERT, KEY = AUTHORITY.issue("server", "IP:127.0.0.1", "DNS:pinned.test")
    CLIENT = os.path.join(FOLDER, "connect_client")
    source = compiler.SOURCE / "tests/integration/connect_client.c"
    done = compiler.link(CLIENT, str(source), "-lcurl")
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


class Secure(Nginx):
    """With TLS on a port of its own, and with HTTP/2 there unless told otherwise."""

    def __init__(self, more="", http2=True, location=ANSWER, files=None):
        self.tls_port = free_port()
        h2 = "http2" if http2 else ""
        listen = f"listen 127.0.0.1:{self.tls_port} ssl {h2}; "
        keys = f"ssl_certificate {CERT}; ssl_certificate_key {KEY}; "
        super().__init__(listen + keys + more + location, files=files)

    @property
    def tls_url(self):
        return f"https://127.0.0.1:{self.tls_port}"

    def witness(self):
        """(requests, connections, protocols), once it has stopped."""
        self.stop()
        seen = self.requests()
        return len(seen), len({r.connection for r in seen}), {r.protocol for r in seen}


class Client:
    """connect_client.c, to be asked line by line."""

    def __init__(self, *args, env=None):
        self.process = subprocess.Popen(
            [CLIENT, *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(env or {})},
        )

    def ask(self, line, answers=1):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        got = [self.line() for _ in range(answers)]
        return got if answers > 1 else got[0]

    def line(self):
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        try:
            line = self.process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, "the client says nothing"
        return line.split()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if not self.process.stdin.closed:
                self.process.stdin.close()
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()


def rows(n):
    return [{"url": f"/v1/{i}", "body": {"n": i}} for i in range(n)]


class Connections(Case):
    def run_at(self, url, n, *args, status=0, **how):
        return self.run_rows(rows(n), "--base-url", url, *args, status=status, **how)


class Certificates(Connections):
    def test_only_what_is_trusted(self):
        other = Authority(FOLDER, "other")
        with Secure() as server:
            self.run_at(server.tls_url, 1, status=69)
            self.assertIn("certificate", self.result.stderr)
            self.assertIn("An authority of your own is trusted by --cacert.", self.result.stderr)
            self.run_at(server.tls_url, 1, "--cacert", other.file, "--force", status=69)
            self.assertIn("; check --cacert, --cert and --key", self.result.stderr)
            self.run_at(server.tls_url, 1, "--cacert", AUTHORITY.file, "--force")
            openssl_folder = os.path.join(FOLDER, "hashed")
            os.makedirs(openssl_folder, exist_ok=True)
            link = os.path.join(openssl_folder, "ca.pem")
            if not os.path.exists(link):
                os.symlink(AUTHORITY.file, link)
            subprocess.run(["openssl", "rehash", openssl_folder], check=True)
            self.run_at(server.tls_url, 1, "--cacert", openssl_folder, "--force")

    def test_the_given_ones_replace_the_environments(self):
        other = Authority(FOLDER, "other")
        env = {"CURL_CA_BUNDLE": AUTHORITY.file}
        with Secure() as server:
            self.run_at(server.tls_url, 1, env=env)
            self.run_at(server.tls_url, 1, "--cacert", other.file, "--force", status=69, env=env)

    def test_the_name_counts(self):
        with Secure() as server:
            url = f"https://localhost:{server.tls_port}"
            self.run_at(url, 1, "--cacert", AUTHORITY.file, status=69)
            pinned = f"pinned.test:{server.tls_port}:127.0.0.1"
            url = f"https://pinned.test:{server.tls_port}"
            self.run_at(url, 1, "--cacert", AUTHORITY.file, "--force", "--resolve", pinned)

    def test_any_at_all(self):
        with Secure() as server:
            self.run_at(server.tls_url, 1, "--insecure")
            self.assertIn("--insecure: certificates are not checked", self.result.stderr)

    def test_a_client_shows_its_own(self):
        cert, key = AUTHORITY.issue("client")
        both = os.path.join(FOLDER, "both.pem")
        with open(both, "w", encoding="utf-8") as out:
            for name in (cert, key):
                with open(name, encoding="utf-8") as part:
                    out.write(part.read())
        locked = AUTHORITY.lock(key)
        wants = f"ssl_client_certificate {AUTHORITY.file}; ssl_verify_client on; "
        trust = ("--cacert", AUTHORITY.file, "--force")
        with Secure(wants) as server:
            (row,) = self.run_at(server.tls_url, 1, *trust, status=3)
            self.assertEqual(row["error"]["code"], "http_400")
            self.run_at(server.tls_url, 1, *trust, "--cert", both)
            self.run_at(server.tls_url, 1, *trust, "--cert", cert, "--key", key)
            env = {"KEY_PASSWORD": PASSWORD}
            locks = ("--cert", cert, "--key", locked, "--key-password-env", "KEY_PASSWORD")
            self.run_at(server.tls_url, 1, *trust, *locks, env=env)
            self.run_at(server.tls_url, 1, *trust, *locks, env={"KEY_PASSWORD": "x"}, status=69)

    def test_the_oldest_version(self):
        ca = f"ca_file={AUTHORITY.file}"
        with Secure("ssl_protocols TLSv1.2;") as server:
            with Client(ca) as client:
                self.assertEqual(client.ask(server.tls_url)[:2], ["0", "200"])
            with Client(ca, "tls_min=1") as client:
                self.assertEqual(client.ask(server.tls_url)[0], "WEIR_ETLS")
        # Whatever OpenSSL's own configuration allows.
        old = self.write("old.cnf", "openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\n"
                         "MinProtocol=TLSv1\nCipherString=ALL:@SECLEVEL=0\n")  # fmt: skip
        env = {"OPENSSL_CONF": self.path(old)}
        weak = "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;"
        with Secure(weak) as server, Client(ca, env=env) as client:
            self.assertEqual(client.ask(server.tls_url)[0], "WEIR_ETLS")

    def test_keys_are_logged_on_demand_alone(self):
        wild, asked = self.path("wild.keys"), self.path("asked.keys")
        env = {"SSLKEYLOGFILE": wild}
        with Secure() as server:
            trust = ("--cacert", AUTHORITY.file, "--force")
            self.run_at(server.tls_url, 1, *trust, env=env)
            self.assertFalse(os.path.exists(wild))
            self.run_at(server.tls_url, 1, *trust, "--tls-keylog", asked, env=env)
            self.assertFalse(os.path.exists(wild))
            self.assertEqual(stat.S_IMODE(os.stat(asked).st_mode), 0o600)
            first = self.read("asked.keys")
            self.assertRegex(first.splitlines()[0], rb"^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+$")
            self.run_at(server.tls_url, 1, *trust, "--tls-keylog", asked)
            self.assertTrue(self.read("asked.keys").startswith(first))
            self.assertGreater(len(self.read("asked.keys")), len(first))
            os.chmod(asked, 0o644)
            self.run_at(server.tls_url, 1, *trust, "--tls-keylog", asked, status=2)
            self.assertIn("others may read it", self.result.stderr)


    def test_keys_are_not_logged_by_a_libcurl_that_has_seen_the_variable(self):
        wild, asked = self.path("wild.keys"), self.path("asked.keys")
        env = {"SSLKEYLOGFILE": wild}
        trust = f"ca_file={AUTHORITY.file}"
        with Secure() as server:
            for more in ((), (f"tls_keylog_file={asked}",)):
                with Client("curl_first", trust, *more, env=env) as client:
                    self.assertEqual(client.ask(server.tls_url)[0], "0")
                self.assertEqual(self.read("wild.keys"), b"")  # it was made before
        self.assertNotEqual(self.read("asked.keys"), b"")


class Http2(Connections):
    def test_few_connections_for_many(self):
        """One for each 32 requests at a time, which is what a multi handle of libcurl takes."""
        for concurrency, connections in ((32, 1), (96, 3)):
            with Secure("keepalive_requests 100000;") as server:
                trust = ("--cacert", AUTHORITY.file, "--concurrency", str(concurrency), "--force")
                self.run_at(server.tls_url, 400, "--http2", *trust)
                requests, most, protocols = server.witness()
                self.assertEqual((requests, protocols), (400, {"HTTP/2.0"}))
                self.assertLessEqual(most, connections)
                said = r"--http2: 400 attempts were answered in HTTP/2; [1-9]\d* connections made"
                self.assertRegex(self.result.stderr, said)

    def test_not_unless_asked_for(self):
        with Secure() as server:
            self.run_at(server.tls_url, 5, "--cacert", AUTHORITY.file)
            self.assertEqual(server.witness()[2], {"HTTP/1.1"})
            self.assertNotIn("HTTP/2", self.result.stderr)

    def test_a_server_that_does_not_speak_it(self):
        with Secure(http2=False) as server:
            self.run_at(server.tls_url, 50, "--cacert", AUTHORITY.file, "--http2")
            self.assertEqual(server.witness()[2], {"HTTP/1.1"})
            self.assertIn("--http2: 0 attempts were answered in HTTP/2", self.result.stderr)
            self.assertNotIn("no effect", self.result.stderr)

    def test_without_tls_it_stays_what_it_is(self):
        with Secure() as server:
            self.run_at(server.url, 5, "--http2")
            first = self.result.stderr.split("\n", 1)[0]
            self.assertEqual(first, "weir run: --http2 has no effect with http://, so not at the "
                             "--base-url: it is spoken with https:// alone")  # fmt: skip
            self.run_at(server.url, 5, "--http2", "--progress", "none", "--force")
            self.assertEqual(self.result.stderr, "")
            self.assertEqual(server.witness()[2], {"HTTP/1.1"})

    def test_without_tls_and_without_asking(self):
        """Refused in words by a libcurl that would break it, else it works, again and again."""
        port = free_port()
        with Nginx(f"listen 127.0.0.1:{port} http2; " + ANSWER) as server:
            with Client("http2=2") as client:
                client.process.stdin.write(f"http://127.0.0.1:{port}/\n" * 3)
                client.process.stdin.close()
                said = client.process.stdout.read().splitlines()
                log = client.process.stderr.read()
            if said == ["WEIR_ELIBCURL"]:
                self.assertRegex(log, "error: HTTP/2 without TLS needs libcurl 8.0 or later, not 7")
                return
            self.assertEqual([line[:5] for line in said], ["0 200"] * 3)
            server.stop()
            self.assertEqual({r.protocol for r in server.requests()}, {"HTTP/2.0"})
            self.assertEqual(len({r.connection for r in server.requests()}), 1)

    def test_few_streams_at_a_time(self):
        with Secure("http2_max_concurrent_streams 2; keepalive_requests 100000;") as server:
            got = self.run_at(server.tls_url, 300, "--cacert", AUTHORITY.file, "--http2")
            self.assertEqual({row["attempts"] for row in got}, {1})

    def test_connections_that_the_server_ends(self):
        """Each row is done, or said to be lost; and none is done twice that may not be."""
        n = 1000
        with Secure("keepalive_requests 50;") as server:
            trust = ("--base-url", server.tls_url, "--cacert", AUTHORITY.file, "--http2")
            self.write("in.jsonl", rows(n))
            how = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--no-replay", *trust)
            self.assertIn(how.status, (0, 3), how.stderr)
            done = {row["row"] for row in self.rows() if row["error"] is None}
            codes = {row["error"]["code"] for row in self.rows() if row["error"]}
            self.assertLessEqual(codes, {"reset"})
            self.assertEqual(len(self.rows()), n)
            server.stop()
            times = collections.Counter(request.uri for request in server.requests())
            self.assertEqual(set(times.values()), {1})
            self.assertLessEqual({f"/v1/{row - 1}" for row in done}, set(times))
            server.start()
            self.run_rows(rows(n), *trust, "--force")

    def test_a_handshake_that_hangs_ends_in_time_for_all(self):
        """Those, too, that wait for another's connection."""
        trust = f"ca_file={AUTHORITY.file}"
        with Secure() as server, Client("http2=1", trust, "attempt_timeout_ms=500") as client:
            self.assertEqual(client.ask(server.tls_url)[0], "0")
            server.stop()
            with socket.create_server(("127.0.0.1", server.tls_port), backlog=64):
                got = client.ask(f"many 40 {server.tls_url}", answers=40)
                never = ("WEIR_ECONNECT", "0", "attempts=1", "sent=0")
                self.assertEqual({tuple(words[:4]) for words in got}, {never})
            server.start()
            got = client.ask(f"many 40 {server.tls_url}", answers=40)
            self.assertEqual({w[0] for w in got}, {"0"})

    def test_a_slow_reader_holds_the_server_back(self):
        """With HTTP/2 at libcurl's window, while other streams keep the connection going."""
        big = ANSWER + "location = /big { root files; }"
        with Secure("keepalive_requests 100000;", location=big) as server:
            with open(server.path("files", "big"), "wb") as file:
                file.truncate(LARGE)
            for http2, most_kb in ((0, 4 << 10), (1, WINDOW_KB + (8 << 10))):
                with Client(f"http2={http2}", f"ca_file={AUTHORITY.file}") as client:
                    figures = [client.ask(f"slow {server.tls_url}/big")]
                    figures += [client.ask(server.tls_url) for _ in range(3000)]
                    self.assertEqual({name for name, _ in figures}, {"0"})
                    grown_kb = int(figures[-1][1]) - int(figures[0][1])
                    if not compiler.setting("WEIR_SANITIZE"):
                        self.assertLess(grown_kb, most_kb)
                    client.process.stdin.write(".\n")
                    client.process.stdin.flush()


def connections_ended_by(port):
    """How many connections to that port the server has ended and the client has not (CLOSE_WAIT)."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        lines = [line.split() for line in table][1:]
    return sum(int(w[2].split(":")[1], 16) == port and w[3] == "08" for w in lines)


class Idle(Connections):
    """The server closes connections that nobody uses: the next request makes a new one."""

    def check_idle(self, server, url, end, *args):
        with Client(f"ca_file={AUTHORITY.file}", *args) as client:
            for _ in range(3):
                ok = ["0", "200", "attempts=1", "sent=2"]
                for line in client.ask(f"many 8 {url}", answers=8):
                    self.assertEqual(line[:4], ok)
                end(server)

    def test_in_the_clear(self):
        with Secure() as server:
            self.check_idle(server, server.url, Secure.start)

    def test_with_tls(self):
        with Secure() as server:
            self.check_idle(server, server.tls_url, Secure.start)

    def test_with_http2(self):
        """Without a word of HTTP/2."""
        with Secure() as server:
            self.check_idle(server, server.tls_url, Secure.start, "http2=1")

    def test_with_http2_and_goaway(self):
        def wait(server):
            what = "it closes the connection"
            self.wait_until(lambda: connections_ended_by(server.tls_port), what)

        with Secure("keepalive_timeout 500ms;") as server:
            self.check_idle(server, server.tls_url, wait, "http2=1")

    def test_the_client_lets_go_of_old_ones(self):
        with Secure() as server:
            with Client("idle_max_ms=1") as client:  # which is a second
                for _ in range(2):
                    self.assertEqual(client.ask(server.url)[0], "0")
                time.sleep(2.1)  # libcurl counts whole seconds
                self.assertEqual(client.ask(server.url)[0], "0")
            self.assertEqual(server.witness()[:2], (3, 2))


class Ways(Connections):
    def test_unix_socket(self):
        path = self.path("socket")
        location = "location / { return 200 '\"$http_authorization $host\"'; }"
        with Nginx(f"listen unix:{path}; {location}"):
            key = ("--api-key-env", "WEIR_TEST_KEY", "--unix-socket", path)
            mixed = [{"url": "/own"}, {"url": "http://other.test/x"}]
            got = self.run_rows(mixed, "--base-url", "http://api.test", *key, env=KEY_ENV)
            bodies = {row["row"]: row["response"]["body"] for row in got}
            self.assertEqual(bodies, {1: "Bearer sk-no-one-else api.test", 2: " other.test"})
        self.run_at("http://api.test", 1, "--unix-socket", path, "--force", status=69)

    def test_through_a_proxy(self):
        with Secure() as server, Tunnel(self) as proxy:
            url = proxy.url("me:hush")
            trust = ("--cacert", AUTHORITY.file, "--api-key-env", "WEIR_TEST_KEY")
            self.run_at(server.tls_url, 5, *trust, "--proxy", url, env=KEY_ENV)
            self.assertEqual(server.witness()[0], 5)
            self.assertTrue(proxy.heads)
            basic = base64.b64encode(b"me:hush").decode()
            for head in proxy.heads:
                self.assertTrue(head.startswith(f"CONNECT 127.0.0.1:{server.tls_port} "), head)
                self.assertIn(f"Proxy-Authorization: Basic {basic}\r\n", head)
                self.assertNotIn("sk-no-one-else", head)

    def test_a_proxy_that_is_gone(self):
        url = f"http://me:hush@127.0.0.1:{free_port()}"
        self.run_at("http://api.test", 1, "--proxy", url, status=69)
        self.assertNotIn("hush", self.result.stderr)

    def test_a_bad_word_about_a_proxy_keeps_its_password(self):
        for url in ("http://me:hush@h:123456", "gopher://me:hush@h", "http://me:hush@h/path"):
            self.run_at("http://api.test", 1, "--proxy", url, status=2)
            self.assertIn("proxy", self.result.stderr)
            self.assertNotIn("hush", self.result.stderr)


class Tunnel:
    """A proxy that knows CONNECT alone."""

    def __init__(self, case):
        self.case, self.heads = case, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ends = [self.listener]

    def url(self, who):
        return f"http://{who}@127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        self.heads.append(head.decode())
        host, port = self.heads[-1].split()[1].rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        self.ends += [client, server]
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        self._copy(client, server)

    @staticmethod
    def _copy(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


if __name__ == "__main__":
    unittest.main()
