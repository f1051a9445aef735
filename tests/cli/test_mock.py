"""`weir mock`: its endpoints, errors, limit, faults and manners, seen from outside.

Needs the environment variable WEIR: the path of the program.
"""
import base64
import http.client
import json
import math
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import time
import unittest

WEIR = os.environ["WEIR"]
PATIENCE = 20  # seconds after which anything is taken to hang
CHAT = "/v1/chat/completions"
FAULTS = ["reset", "truncate", "stall", "garbage", "500", "503", "slow",
          "misfit"]


def chat_body(text="How much is 6 times 7?", **more):
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


class Mock:
    """A running server. As a context it is stopped at the end, and must stop well."""

    def __init__(self, *options, files=None):
        def limit_files():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

        self.process = subprocess.Popen([WEIR, "mock", *options], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, preexec_fn=limit_files)
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            self.process.kill()
        self.line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", self.line)
        if not match:
            self.process.kill()
            raise AssertionError((self.line, self.process.communicate()[1]))
        self.port = int(match[1])

    def stop(self, how=signal.SIGTERM):
        """Returns (exit code, the rest of stdout, stderr)."""
        if self.process.returncode is None:
            self.process.send_signal(how)
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
        return self.process.returncode, out.decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code, out, err = self.stop()
        if kind is None and ((code, out) != (0, "") or len(err.splitlines()) != 1):
            raise AssertionError((code, out, err))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def client(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def stats(self):
        return ask(self, "GET", "/stats").json


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json["error"]


def ask_on(client, method, path, body=None, headers=()):
    """One request over a http.client connection."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    client.request(method, path, body=body, headers=dict(headers))
    response = client.getresponse()
    return Answer(response.status, response.getheaders(), response.read())


def ask(mock, method, path, body=None, headers=()):
    client = mock.client()
    try:
        return ask_on(client, method, path, body, headers)
    finally:
        client.close()


def wire(method, path, body=b"", version="1.1", headers=""):
    """A request as bytes."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    head = f"{method} {path} HTTP/{version}\r\nHost: x\r\n{headers}"
    if body:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


class Reader:
    """Reads answers from a socket, one after the other."""

    def __init__(self, sock):
        self.sock = sock
        self.ahead = b""
        self.reads = 0

    def more(self):
        data = self.sock.recv(65536)
        self.reads += 1
        self.ahead += data
        return data

    def answer(self, bodiless=False):
        while b"\r\n\r\n" not in self.ahead:
            if not self.more():
                raise EOFError(self.ahead)
        head, self.ahead = self.ahead.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = [line.split(": ", 1) for line in lines[1:]]
        if not re.match(r"HTTP/1\.1 \d{3} ", lines[0]):
            raise ValueError(lines[0])
        result = Answer(int(lines[0].split()[1]), headers, b"")
        if lines[0].startswith("HTTP/1.1 1") or bodiless:
            return result
        length = int(result.headers["content-length"])
        while len(self.ahead) < length:
            if not self.more():
                raise EOFError(self.ahead)
        result.body, self.ahead = self.ahead[:length], self.ahead[length:]
        return result

    def rest(self):
        while self.more():
            pass
        return self.ahead


def until(condition):
    """Asks until the answer is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it never came about")


def go_duration_s(text):
    match = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d*[1-9])?)s|(\d+)ms)", text)
    if not match:
        raise AssertionError(text)
    hours, minutes, seconds, ms = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + ms / 1000


class Shared(unittest.TestCase):
    """One plain server for all tests of a class: none of them changes it."""

    @classmethod
    def setUpClass(cls):
        cls.mock = Mock()

    @classmethod
    def tearDownClass(cls):
        cls.mock.__exit__(None, None, None)

    def ask(self, *args, **more):
        return ask(self.mock, *args, **more)


class Chat(Shared):
    def test_shape(self):
        answer = self.ask("POST", CHAT, chat_body("x" * 41))
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertRegex(answer.headers["x-request-id"], r"^req_[0-9a-f]{32}$")
        chat = answer.json
        self.assertRegex(chat["id"], r"^chatcmpl-[0-9a-f]{32}$")
        self.assertEqual(chat["object"], "chat.completion")
        self.assertEqual(chat["created"], 1700000000)
        self.assertEqual(chat["model"], "gpt-4o-mini")
        [choice] = chat["choices"]
        self.assertEqual((choice["index"], choice["finish_reason"]), (0, "stop"))
        self.assertEqual(choice["message"]["role"], "assistant")
        text = choice["message"]["content"]
        self.assertRegex(text, r"^[A-Z].*\.$")
        self.assertLessEqual(len(text.split()), 20)
        tokens = math.ceil(len(text) / 4)
        self.assertEqual(chat["usage"], {"prompt_tokens": 11, "completion_tokens": tokens,
                                         "total_tokens": 11 + tokens})

    def test_answer_depends_on_the_request_alone(self):
        first = self.ask("POST", CHAT, chat_body("one")).body
        self.assertEqual(self.ask("POST", CHAT, chat_body("one")).body, first)
        self.assertNotEqual(self.ask("POST", CHAT, chat_body("two")).body, first)

    def test_max_tokens(self):
        for key in "max_tokens", "max_completion_tokens":
            for tokens in 1, 3, 8:
                with self.subTest(key=key, tokens=tokens):
                    chat = self.ask("POST", CHAT, chat_body(**{key: tokens})).json
                    [choice] = chat["choices"]
                    self.assertEqual(choice["finish_reason"], "length")
                    self.assertTrue(choice["message"]["content"])
                    self.assertLessEqual(len(choice["message"]["content"]), 4 * tokens)
                    self.assertLessEqual(chat["usage"]["completion_tokens"], tokens)
        chat = self.ask("POST", CHAT, chat_body(max_tokens=1000)).json
        self.assertEqual(chat["choices"][0]["finish_reason"], "stop")

    def test_several_choices(self):
        chat = self.ask("POST", CHAT, chat_body(n=5)).json
        self.assertEqual([choice["index"] for choice in chat["choices"]], [0, 1, 2, 3, 4])
        texts = {choice["message"]["content"] for choice in chat["choices"]}
        self.assertEqual(len(texts), 5)

    def test_characters_are_counted_not_bytes(self):
        for text in "caf\u00e9" * 4, "\U0001f30a" * 16:
            raw = json.dumps(chat_body(text), ensure_ascii=False).encode()
            self.assertEqual(self.ask("POST", CHAT, raw).json["usage"]["prompt_tokens"], 4)

    def test_messages_of_every_kind(self):
        messages = [{"role": "system", "content": "1234"},
                    {"role": "user", "content": [{"type": "text", "text": "12345678"},
                                                 {"type": "image_url", "image_url": {"url": "x"}}]},
                    {"role": "assistant", "content": None, "tool_calls": []},
                    {"role": "assistant"}]
        answer = self.ask("POST", CHAT, {"model": "m", "messages": messages})
        self.assertEqual(answer.json["usage"]["prompt_tokens"], 3)


class Embeddings(Shared):
    def embed(self, **body):
        answer = self.ask("POST", "/v1/embeddings", {"model": "text-embedding-3-small", **body})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json

    def vectors(self, **body):
        return [item["embedding"] for item in self.embed(**body)["data"]]

    def test_shape(self):
        answer = self.embed(input="twelve chars")
        self.assertEqual(answer["object"], "list")
        self.assertEqual(answer["model"], "text-embedding-3-small")
        self.assertEqual(answer["usage"], {"prompt_tokens": 3, "total_tokens": 3})
        [item] = answer["data"]
        self.assertEqual((item["object"], item["index"]), ("embedding", 0))
        self.assertEqual(len(item["embedding"]), 8)

    def test_vectors_have_length_one(self):
        for dimensions in 1, 2, 8, 1536, 3072:
            [vector] = self.vectors(input="river", dimensions=dimensions)
            self.assertEqual(len(vector), dimensions)
            self.assertAlmostEqual(math.hypot(*vector), 1, places=6)

    def test_several_inputs(self):
        one, two, again = self.vectors(input=["one", "two", "one"])
        self.assertEqual(one, again)
        self.assertNotEqual(one, two)
        self.assertEqual(self.vectors(input="two"), [two])
        answer = self.embed(input=["one", "two"])
        self.assertEqual([item["index"] for item in answer["data"]], [0, 1])

    def test_tokens_as_input(self):
        single = self.embed(input=[1, 2, 3])
        self.assertEqual(single["usage"]["prompt_tokens"], 3)
        self.assertEqual(len(single["data"]), 1)
        several = self.vectors(input=[[1, 2, 3], [3, 2, 1]])
        self.assertEqual(several[0], single["data"][0]["embedding"])

    def test_base64(self):
        plain = self.vectors(input=["a", "b"], dimensions=7)
        for vector, packed in zip(plain, self.vectors(input=["a", "b"], dimensions=7,
                                                      encoding_format="base64")):
            numbers = struct.unpack("<7f", base64.b64decode(packed, validate=True))
            for number, expected in zip(numbers, vector):
                self.assertAlmostEqual(number, expected, places=6)

    def test_as_much_as_is_allowed(self):
        vectors = self.vectors(input=["x%d" % i for i in range(2048)], dimensions=128)
        self.assertEqual((len(vectors), len(vectors[-1])), (2048, 128))


class OtherEndpoints(Shared):
    def test_models(self):
        models = self.ask("GET", "/v1/models").json
        self.assertEqual(models["object"], "list")
        self.assertIn("gpt-4o-mini", [model["id"] for model in models["data"]])
        for model in models["data"]:
            self.assertEqual(self.ask("GET", "/v1/models/" + model["id"]).json, model)

    def test_echo_takes_any_method_and_any_bytes(self):
        blob = bytes(range(256)) * 3
        for method in "POST", "PUT", "DELETE", "PATCH", "GET":
            answer = self.ask(method, "/echo", blob, {"Content-Type": "image/x; q=1"})
            self.assertEqual((answer.status, answer.body), (200, blob))
            self.assertEqual(answer.headers["content-type"], "image/x; q=1")

    def test_echo_of_nothing(self):
        answer = self.ask("GET", "/echo")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.headers["content-length"], "0")
        self.assertNotIn("content-type", answer.headers)

    def test_echo_of_chunks(self):
        client = self.mock.client()
        client.request("POST", "/echo", body=iter([b"one", b"two", b"x" * 70000]),
                       encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(client.getresponse().read(), b"onetwo" + b"x" * 70000)
        client.close()

    def events(self, **more):
        answer = self.ask("POST", CHAT, json.dumps(chat_body(stream=True, **more)).encode())
        self.assertEqual((answer.status, answer.headers["content-type"]),
                         (200, "text/event-stream"))
        events = answer.body.decode().split("\n\n")
        self.assertEqual(events[-2:], ["data: [DONE]", ""])
        return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]

    def test_chat_as_a_stream(self):
        whole = self.ask("POST", CHAT, json.dumps(chat_body(stream=True)).encode())
        self.assertEqual(whole.body, self.ask("POST", CHAT,
                                              json.dumps(chat_body(stream=True)).encode()).body)
        pieces = self.events()
        self.assertTrue(all(piece["object"] == "chat.completion.chunk" and "usage" not in piece
                            for piece in pieces))
        choices = [piece["choices"][0] for piece in pieces]
        self.assertEqual(choices[0]["delta"], {"role": "assistant", "content": ""})
        self.assertEqual((choices[-1]["delta"], choices[-1]["finish_reason"]), ({}, "stop"))
        words = [choice["delta"]["content"] for choice in choices[1:-1]]
        self.assertGreater(len(words), 5)
        self.assertRegex("".join(words), r"^\w[^\n]+\.$")

    def test_usage_at_the_end_of_a_stream(self):
        pieces = self.events(n=2, max_tokens=3, stream_options={"include_usage": True})
        self.assertEqual([piece["usage"] for piece in pieces[:-1]], [None] * (len(pieces) - 1))
        self.assertEqual(pieces[-1]["choices"], [])
        self.assertLessEqual(pieces[-1]["usage"]["completion_tokens"], 6)
        reasons = [piece["choices"][0]["finish_reason"] for piece in pieces[:-1]]
        self.assertEqual([reason for reason in reasons if reason], ["length"] * 2)
        self.assertEqual({piece["choices"][0]["index"] for piece in pieces[:-1]}, {0, 1})

    def test_head_has_no_body(self):
        with self.mock.connect() as sock:
            reader = Reader(sock)
            sock.sendall(wire("HEAD", "/echo", b"hello") + wire("GET", "/echo", b"next"))
            self.assertEqual(reader.answer(bodiless=True).headers["content-length"], "5")
            self.assertEqual(reader.answer().body, b"next")

    def test_query_and_whole_url(self):
        self.assertEqual(self.ask("GET", "/echo?a=b").status, 200)
        with self.mock.connect() as sock:
            sock.sendall(wire("GET", "http://example.invalid/echo?x", b"far"))
            self.assertEqual(Reader(sock).answer().body, b"far")

    def test_request_ids_are_unique(self):
        client = self.mock.client()
        ids = {ask_on(client, "GET", path).headers["x-request-id"]
               for _ in range(20) for path in ("/echo", "/stats", "/nowhere")}
        client.close()
        self.assertEqual(len(ids), 60)


class Errors(Shared):
    def check(self, answer, status, param=None, code=None, kind="invalid_request_error"):
        self.assertEqual(answer.status, status, answer.body)
        self.assertEqual(set(answer.error), {"message", "type", "param", "code"})
        self.assertEqual((answer.error["type"], answer.error["param"], answer.error["code"]),
                         (kind, param, code))
        self.assertTrue(answer.error["message"])
        self.assertEqual(answer.headers["content-type"], "application/json")
        self.assertIn("x-request-id", answer.headers)

    def test_unknown_path(self):
        for path in "/", "/v1", "/v1/chat", "/echo/", "/echoes", CHAT + "/x", "/" + "x" * 5000:
            self.check(self.ask("POST", path, b"{}"), 404, None, "unknown_url")
        with self.mock.connect() as sock:
            sock.sendall(b"GET /\xff\xc3 HTTP/1.1\r\n\r\n")
            self.check(Reader(sock).answer(), 404, None, "unknown_url")

    def test_wrong_method(self):
        for method, path, right in (("GET", CHAT, "POST"), ("PUT", "/v1/embeddings", "POST"),
                                    ("DELETE", "/v1/models/gpt-4o", "GET"),
                                    ("POST", "/stats", "GET")):
            answer = self.ask(method, path)
            self.check(answer, 405, None, "method_not_supported")
            self.assertEqual(answer.headers["allow"], right)

    def test_unknown_model(self):
        answer = self.ask("GET", "/v1/models/gpt-99")
        self.check(answer, 404, "model", "model_not_found")
        self.assertIn("'gpt-99'", answer.error["message"])

    def test_bad_json(self):
        for body in (b"", b"{", b"nope", b'{"model":"m"} x', b'{"a":1}\0', b"[" * 5000, b"\xff"):
            for path in CHAT, "/v1/embeddings":
                self.check(self.ask("POST", path, body), 400, None, "invalid_json")
        answer = self.ask("POST", CHAT, b'{"model": nope}')
        self.assertIn("byte 10", answer.error["message"])
        self.check(self.ask("POST", CHAT, b"[1]"), 400)

    def test_too_many_values(self):
        body = b'{"model":"m","messages":[' + b"0," * 2000000 + b"0]}"
        self.check(self.ask("POST", CHAT, body), 413, None, "too_many_values")
        self.assertEqual(self.ask("POST", CHAT, chat_body()).status, 200)

    def test_bad_parameters(self):
        chat, embed = chat_body(), {"model": "m", "input": "x"}
        for path, body, param, code in (
                (CHAT, {"messages": []}, "model", "missing_required_parameter"),
                (CHAT, {**chat, "model": 3}, "model", "invalid_value"),
                (CHAT, {**chat, "model": ""}, "model", "invalid_value"),
                (CHAT, {**chat, "model": "m" * 129}, "model", "invalid_value"),
                (CHAT, {**chat, "model": "caf\u00e9"}, "model", "invalid_value"),
                (CHAT, {"model": "m"}, "messages", "missing_required_parameter"),
                (CHAT, {**chat, "messages": []}, "messages", "invalid_type"),
                (CHAT, {**chat, "messages": "hi"}, "messages", "invalid_type"),
                (CHAT, {**chat, "messages": ["hi"]}, "messages", "invalid_value"),
                (CHAT, {**chat, "messages": [{"content": "x"}]}, "messages", "invalid_value"),
                (CHAT, {**chat, "messages": [{"role": "user", "content": 1}]}, "messages",
                 "invalid_value"),
                (CHAT, {**chat, "stream_options": {"include_usage": True}}, "stream_options",
                 "invalid_value"),
                (CHAT, {**chat, "n": 0}, "n", "invalid_value"),
                (CHAT, {**chat, "n": 129}, "n", "invalid_value"),
                (CHAT, {**chat, "max_tokens": 1.5}, "max_tokens", "invalid_value"),
                (CHAT, {**chat, "max_completion_tokens": "1"}, "max_completion_tokens",
                 "invalid_value"),
                ("/v1/embeddings", {"input": "x"}, "model", "missing_required_parameter"),
                ("/v1/embeddings", {"model": "m"}, "input", "missing_required_parameter"),
                ("/v1/embeddings", {**embed, "input": ""}, "input", "invalid_type"),
                ("/v1/embeddings", {**embed, "input": []}, "input", "invalid_type"),
                ("/v1/embeddings", {**embed, "input": ["a", None]}, "input", "invalid_type"),
                ("/v1/embeddings", {**embed, "input": {"a": "b"}}, "input", "invalid_type"),
                ("/v1/embeddings", {**embed, "input": ["a"] * 2049}, "input",
                 "array_above_max_length"),
                ("/v1/embeddings", {**embed, "input": ["a"] * 100, "dimensions": 3072}, "input",
                 "array_above_max_length"),
                ("/v1/embeddings", {**embed, "dimensions": 0}, "dimensions", "invalid_value"),
                ("/v1/embeddings", {**embed, "dimensions": 3073}, "dimensions", "invalid_value"),
                ("/v1/embeddings", {**embed, "encoding_format": "hex"}, "encoding_format",
                 "invalid_value")):
            with self.subTest(body=str(body)[:80]):
                self.check(self.ask("POST", path, body), 400, param, code)

    def test_connection_goes_on_after_an_error(self):
        client = self.mock.client()
        self.check(ask_on(client, "POST", CHAT, b"{"), 400, None, "invalid_json")
        sock = client.sock
        self.check(ask_on(client, "GET", "/x"), 404, None, "unknown_url")
        self.assertEqual(ask_on(client, "POST", CHAT, chat_body()).status, 200)
        self.assertIs(client.sock, sock)
        client.close()

    def refused(self, data, status):
        """Sent as it is, it is refused, and the connection ends in order."""
        with self.mock.connect() as sock:
            try:
                sock.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the server has heard enough
            reader = Reader(sock)
            answer = reader.answer()
            self.check(answer, status)
            self.assertEqual(answer.headers["connection"], "close")
            self.assertEqual(reader.rest(), b"")

    def test_not_http(self):
        for data in (b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9.9\r\n\r\n",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                     b"POST /echo HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            self.refused(data, 400)

    def test_headers_too_large(self):
        self.refused(b"GET /echo HTTP/1.1\r\nX: " + b"x" * 66000 + b"\r\n\r\n", 431)

    def test_body_too_large(self):
        size = 16 * 1024 * 1024
        self.refused(f"POST /echo HTTP/1.1\r\nContent-Length: {size + 1}\r\n\r\n".encode(), 413)
        chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        head = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.refused(head + chunk * 16 + b"1\r\nx\r\n0\r\n\r\n", 413)

    def test_largest_body(self):
        body = os.urandom(1024) * (16 * 1024)
        self.assertEqual(self.ask("POST", "/echo", body).body, body)


class Connections(Shared):
    def test_keep_alive(self):
        before = self.mock.stats()["connections"]["accepted"]
        client = self.mock.client()
        for _ in range(10):
            answer = ask_on(client, "POST", CHAT, chat_body())
            self.assertNotIn("connection", answer.headers)
        accepted = ask_on(client, "GET", "/stats").json["connections"]["accepted"]
        client.close()
        self.assertEqual(accepted, before + 1)

    def test_connection_close(self):
        with self.mock.connect() as sock:
            sock.sendall(wire("GET", "/echo", b"hi", headers="Connection: close\r\n"))
            reader = Reader(sock)
            answer = reader.answer()
            self.assertEqual((answer.body, answer.headers["connection"]), (b"hi", "close"))
            start = time.monotonic()
            self.assertEqual(reader.rest(), b"")
            self.assertLess(time.monotonic() - start, 0.9)  # at once, not when patience ends

    def test_http_1_0(self):
        with self.mock.connect() as sock:
            reader = Reader(sock)
            sock.sendall(wire("GET", "/echo", b"a", "1.0", "Connection: keep-alive\r\n"))
            self.assertEqual(reader.answer().headers["connection"], "keep-alive")
            sock.sendall(wire("GET", "/echo", b"b", "1.0"))
            self.assertEqual(reader.answer().headers["connection"], "close")
            self.assertEqual(reader.rest(), b"")

    def test_pipeline(self):
        bodies = [b"%d" % i * (i + 1) for i in range(300)]
        with self.mock.connect() as sock:
            sock.sendall(b"".join(wire("POST", "/echo", body) for body in bodies))
            sock.shutdown(socket.SHUT_WR)
            reader = Reader(sock)
            self.assertEqual([reader.answer().body for _ in bodies], bodies)
            self.assertEqual(reader.rest(), b"")

    def test_byte_by_byte(self):
        with self.mock.connect() as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in wire("POST", "/echo?q", b"slowly", headers="content-TYPE: text/plain\r\n"):
                sock.sendall(bytes([byte]))
            answer = Reader(sock).answer()
            self.assertEqual(answer.body, b"slowly")
            self.assertEqual(answer.headers["content-type"], "text/plain")

    def test_slow_reader(self):
        body = os.urandom(4096) * 3072
        with self.mock.connect() as sock:
            request = wire("POST", "/echo", body)
            sock.sendall(request + wire("GET", "/echo", b"after"))
            until(lambda: self.mock.stats()["in_flight"] == 1)  # the sockets cannot hold it all
            reader = Reader(sock)
            self.assertEqual(reader.answer().body, body)
            self.assertEqual(reader.answer().body, b"after")
        self.assertEqual(self.mock.stats()["in_flight"], 0)

    def test_expect_continue(self):
        with self.mock.connect() as sock:
            reader = Reader(sock)
            sock.sendall(b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\n"
                         b"Content-Length: 3\r\n\r\n")
            self.assertEqual(reader.answer().status, 100)
            sock.sendall(b"yes")
            self.assertEqual(reader.answer().body, b"yes")

    def test_upgrade_is_declined(self):
        with self.mock.connect() as sock:
            reader = Reader(sock)
            sock.sendall(wire("GET", "/echo", headers="Connection: Upgrade\r\nUpgrade: h2c\r\n") +
                         wire("GET", "/echo", b"still"))
            self.assertEqual(reader.answer().status, 200)
            self.assertEqual(reader.answer().body, b"still")


class Stats(unittest.TestCase):
    def test_counts(self):
        with Mock("--rate", "2/h", "--burst", "2") as mock:
            for path in "/echo", "/nowhere", "/echo", "/echo":
                ask(mock, "GET", path)
            with mock.connect() as sock:
                sock.sendall(b"rubbish\r\n\r\n")
                self.assertEqual(Reader(sock).answer().status, 400)
            until(lambda: mock.stats()["connections"]["open"] == 1)
            stats = mock.stats()
            accepted = stats.pop("connections")["accepted"]
            self.assertGreaterEqual(accepted, 7)
            self.assertEqual(stats, {
                "requests": 5, "status": {"200": 2, "400": 1, "404": 1, "429": 1}, "throttled": 1,
                "admitted": 2, "in_flight": 0, "max_in_flight": 1,
                "faults": {kind: 0 for kind in FAULTS}})


class Limit(unittest.TestCase):
    def test_burst_then_refusals(self):
        with Mock("--rate", "6/h", "--burst", "3") as mock:
            client = mock.client()
            start = time.monotonic()
            answers = [ask_on(client, "POST", CHAT, chat_body()) for _ in range(6)]
            took = time.monotonic() - start
            self.assertEqual([answer.status for answer in answers], [200] * 3 + [429] * 3)
            remaining = [answer.headers["x-ratelimit-remaining-requests"] for answer in answers]
            self.assertEqual(remaining, ["2", "1", "0", "0", "0", "0"])
            for answer in answers:
                self.assertEqual(answer.headers["x-ratelimit-limit-requests"], "6")
                reset = go_duration_s(answer.headers["x-ratelimit-reset-requests"])
                taken = min(answers.index(answer) + 1, 3)
                self.assertLessEqual(reset, 600 * taken)
                self.assertGreaterEqual(reset, 600 * taken - took)
                self.assertEqual("retry-after" in answer.headers, answer.status == 429)
            error = answers[-1].error
            self.assertEqual((error["type"], error["code"]), ("requests", "rate_limit_exceeded"))
            text = re.fullmatch(
                r"Rate limit reached for gpt-4o-mini in organization org-mock on requests per hour "
                r"\(RPH\): Limit 6, Used 6, Requested 1\. Please try again in (\S+)\.",
                error["message"])
            wait = go_duration_s(text[1])
            self.assertLessEqual(wait, 600)
            self.assertGreaterEqual(wait, 600 - took)
            retry_after = int(answers[-1].headers["retry-after"])
            self.assertTrue(wait <= retry_after < wait + 1)
            client.close()

    def test_names_of_the_limits(self):
        for unit, words in (("s", "sec (RPS)"), ("min", "min (RPM)"), ("d", "day (RPD)")):
            with Mock("--rate", "1/" + unit, "--burst", "1") as mock:
                until(lambda: ask(mock, "GET", "/v1/models").status == 429)
                answer = ask(mock, "GET", "/v1/models")
                if unit != "s":  # a second may have passed
                    self.assertIn("this server in organization org-mock on requests per " + words,
                                  answer.error["message"])

    def test_waiting_as_told_is_enough(self):
        with Mock("--rate", "4/s", "--burst", "2") as mock:
            client = mock.client()
            first = time.monotonic()
            while ask_on(client, "GET", "/echo").status == 200:
                pass
            refused = time.monotonic()
            answer = ask_on(client, "GET", "/echo")
            while answer.status == 429:
                self.assertEqual(answer.headers["retry-after"], "1")
                self.assertLessEqual(time.monotonic() - refused, 1)
                answer = ask_on(client, "GET", "/echo")
            self.assertGreaterEqual(time.monotonic() - first, 0.25)
            client.close()

    def test_exactness(self):
        rate, burst = 60, 20
        with Mock("--rate", f"{rate}/s", "--burst", str(burst), "--headers", "none") as mock:
            client = mock.client()
            before_first = time.monotonic()
            statuses = [ask_on(client, "GET", "/echo").status]
            after_first = before_last = time.monotonic()
            while before_last - after_first < 1:
                before_last = time.monotonic()
                statuses.append(ask_on(client, "GET", "/echo").status)
            after_last = time.monotonic()
            admitted = statuses.count(200)
            self.assertLessEqual(admitted, burst + rate * (after_last - before_first))
            refilled = math.floor(rate * (before_last - after_first))
            self.assertGreaterEqual(admitted, burst + refilled - 1)
            self.assertEqual(statuses[:burst], [200] * burst)
            stats = mock.stats()
            self.assertEqual((stats["admitted"], stats["throttled"]),
                             (admitted, len(statuses) - admitted))
            client.close()

    def test_fills_up_to_the_burst_and_no_further(self):
        with Mock("--rate", "100/s", "--burst", "3") as mock:
            client = mock.client()
            until(lambda: ask_on(client, "GET", "/echo").status == 429)
            refused = time.monotonic()
            until(lambda: mock.stats() and time.monotonic() - refused > 0.2)
            answer = ask_on(client, "GET", "/echo")
            self.assertEqual(answer.headers["x-ratelimit-remaining-requests"], "2")
            client.close()

    def test_default_burst_is_one_second(self):
        for rate, burst in (("3/s", 3), ("600/min", 10), ("30/min", 1), ("36000/h", 10)):
            with self.subTest(rate=rate), Mock("--rate", rate) as mock:
                answer = ask(mock, "GET", "/echo")
                self.assertEqual(answer.headers["x-ratelimit-remaining-requests"], str(burst - 1))

    def test_what_is_not_limited(self):
        with Mock("--rate", "1/d") as mock:
            self.assertEqual(ask(mock, "POST", CHAT, b"{").status, 400)  # counts
            self.assertEqual(ask(mock, "POST", CHAT, b"{").status, 429)
            for path, status in (("/stats", 200), ("/nowhere", 404), (CHAT, 405)):
                answer = ask(mock, "GET", path)
                self.assertEqual(answer.status, status)
                self.assertFalse([name for name in answer.headers if "ratelimit" in name])

    def test_ietf_headers(self):
        with Mock("--rate", "2/min", "--burst", "2", "--headers", "ietf") as mock:
            answers = [ask(mock, "GET", "/echo") for _ in range(3)]
            for answer, remaining in zip(answers, (1, 0, 0)):
                self.assertEqual(answer.headers["ratelimit-policy"], '"default";q=2;w=60')
                match = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
                self.assertEqual(int(match[1]), remaining)
                self.assertTrue(25 <= int(match[2]) <= 30, match[0])
                self.assertFalse([name for name in answer.headers if "x-ratelimit" in name])
            self.assertNotIn("retry-after", answers[1].headers)
            self.assertTrue(25 <= int(answers[2].headers["retry-after"]) <= 30)

    def test_no_headers(self):
        with Mock("--rate", "1/min", "--headers", "none") as mock:
            for status in 200, 429:
                answer = ask(mock, "POST", CHAT, chat_body())
                self.assertEqual(answer.status, status)
                self.assertFalse([name for name in answer.headers
                                  if "ratelimit" in name or name == "retry-after"])
            self.assertEqual(answer.error["code"], "rate_limit_exceeded")
            self.assertEqual(answer.error["message"], "Rate limit reached for gpt-4o-mini.")

    def test_no_limit(self):
        with Mock() as mock:
            answer = ask(mock, "GET", "/echo")
            self.assertFalse([name for name in answer.headers if "ratelimit" in name])


class Latency(unittest.TestCase):
    def run_at_once(self, mock, count):
        """Sends `count` requests on as many connections; returns the seconds each took."""
        socks = [mock.connect() for _ in range(count)]
        try:
            start = time.monotonic()
            for sock in socks:
                sock.sendall(wire("POST", CHAT, chat_body()))
            took, waiting = [], list(socks)
            while waiting:
                ready = select.select(waiting, [], [], PATIENCE)[0]
                took += [time.monotonic() - start] * len(ready)
                self.assertTrue(ready)
                for sock in ready:
                    self.assertEqual(Reader(sock).answer().status, 200)
                    waiting.remove(sock)
            return took
        finally:
            for sock in socks:
                sock.close()

    def test_many_wait_together(self):
        with Mock("--latency", "200") as mock:
            took = self.run_at_once(mock, 50)
            self.assertGreaterEqual(min(took), 0.2)
            self.assertLess(max(took), 50 * 0.2 / 2)
            self.assertEqual(mock.stats()["max_in_flight"], 50)

    def test_range(self):
        with Mock("--latency", "50..300") as mock:
            took = self.run_at_once(mock, 60)
            self.assertGreaterEqual(min(took), 0.05)
            self.assertGreater(max(took) - min(took), 0.1)

    def test_refusals_and_stats_do_not_wait(self):
        with Mock("--latency", "3600000", "--rate", "1/d") as mock:
            with mock.connect() as sock:
                sock.sendall(wire("GET", "/echo"))
                until(lambda: mock.stats()["in_flight"] == 1)
                self.assertEqual(ask(mock, "GET", "/echo").status, 429)
                self.assertEqual(ask(mock, "GET", "/nowhere").status, 404)

    def test_pipeline_is_served_in_order(self):
        with Mock("--latency", "1..20") as mock, mock.connect() as sock:
            bodies = [b"%d" % i * 2000 for i in range(20)]
            sock.sendall(b"".join(wire("POST", "/echo", body) for body in bodies))
            reader = Reader(sock)
            self.assertEqual([reader.answer().body for _ in bodies], bodies)
            self.assertEqual(mock.stats()["max_in_flight"], 1)

    def test_half_closed_client_gets_its_answer(self):
        with Mock("--latency", "20") as mock, mock.connect() as sock:
            sock.sendall(wire("GET", "/echo", b"last"))
            sock.shutdown(socket.SHUT_WR)
            reader = Reader(sock)
            self.assertEqual(reader.answer().body, b"last")
            self.assertEqual(reader.rest(), b"")

    def test_client_that_leaves(self):
        with Mock("--latency", "3600000") as mock:
            sock = mock.connect()
            sock.sendall(wire("GET", "/echo"))
            until(lambda: mock.stats()["in_flight"] == 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
            until(lambda: mock.stats()["in_flight"] == 0)


class Faults(unittest.TestCase):
    BODY = b"0123456789" * 11 + b"x"

    def meet(self, fault, *options):
        """A server that commits the fault every time, and a connection with a request sent."""
        mock = Mock("--fault", fault + ":1", *options)
        self.addCleanup(mock.__exit__, None, None, None)
        sock = mock.connect()
        self.addCleanup(sock.close)
        sock.sendall(wire("POST", "/echo", self.BODY))
        return mock, sock

    def check_counted(self, mock, fault):
        stats = mock.stats()
        self.assertEqual((stats["faults"][fault], stats["admitted"]), (1, 1))

    def test_reset(self):
        for options in (), ("--latency", "10"):
            mock, sock = self.meet("reset", *options)
            with self.assertRaises(ConnectionResetError):
                sock.recv(1)
            self.check_counted(mock, "reset")
            self.assertEqual(mock.stats()["status"], {})

    def test_truncate(self):
        mock, sock = self.meet("truncate")
        head, body = Reader(sock).rest().split(b"\r\n\r\n")
        self.assertIn(b"content-length: %d" % len(self.BODY), head)
        self.assertEqual(body, self.BODY[:len(self.BODY) // 2])
        self.check_counted(mock, "truncate")

    def test_stall(self):
        mock, sock = self.meet("stall")
        until(lambda: mock.stats()["in_flight"] == 1)
        sock.sendall(wire("GET", "/echo") * 1000)
        self.assertEqual(select.select([sock], [], [], 0.2)[0], [])
        self.check_counted(mock, "stall")
        sock.close()
        until(lambda: mock.stats()["in_flight"] == 0)

    def test_garbage(self):
        mock, sock = self.meet("garbage")
        data = Reader(sock).rest()
        self.assertTrue(data)
        self.assertFalse(data.startswith(b"HTTP"))
        self.assertTrue(all(byte >= 0x80 for byte in data))
        self.check_counted(mock, "garbage")

    def test_500(self):
        mock, sock = self.meet("500")
        answer = Reader(sock).answer()
        self.assertEqual((answer.status, answer.error["type"]), (500, "server_error"))
        self.assertNotIn("retry-after", answer.headers)
        self.check_counted(mock, "500")

    def test_503(self):
        mock, sock = self.meet("503", "--headers", "none")
        answer = Reader(sock).answer()
        self.assertEqual((answer.status, answer.error["type"]), (503, "server_error"))
        self.assertEqual(answer.headers["retry-after"], "1")
        self.check_counted(mock, "503")

    def test_slow(self):
        mock, sock = self.meet("slow")
        reader = Reader(sock)
        start = time.monotonic()
        self.assertEqual(reader.answer().body, self.BODY)
        self.assertGreater(time.monotonic() - start, 0.2)
        self.assertGreater(reader.reads, 5)
        self.check_counted(mock, "slow")
        sock.sendall(wire("GET", "/echo"))  # the connection is as good as before
        self.assertEqual(reader.answer().status, 200)

    def test_stats_and_refusals_meet_none(self):
        with Mock("--fault", "reset:1", "--rate", "1/d") as mock:
            with self.assertRaises(ConnectionResetError):
                ask(mock, "GET", "/echo")
            self.assertEqual(ask(mock, "GET", "/echo").status, 429)
            self.assertEqual(ask(mock, "GET", "/nowhere").status, 404)
            self.assertEqual(mock.stats()["faults"]["reset"], 1)

    def test_shares(self):
        with Mock("--fault", "500:0.3", "--fault", "503:0.2") as mock:
            client = mock.client()
            for _ in range(1000):
                ask_on(client, "GET", "/echo")
            client.close()
            stats = mock.stats()
            for kind, expected in (("500", 300), ("503", 200)):
                self.assertEqual(stats["faults"][kind], stats["status"][kind])
                self.assertLess(abs(stats["faults"][kind] - expected), 60)  # four sigma
            self.assertEqual(sum(stats["status"].values()), 1000)


class Determinism(unittest.TestCase):
    def record(self, *options):
        with Mock("--fault", "500:0.3", "--fault", "503:0.3", "--rate", "60/h", "--burst", "60",
                  *options) as mock:
            client = mock.client()
            result = []
            for i in range(60):
                answer = ask_on(client, "POST", CHAT, chat_body(str(i)))
                result.append((answer.status, answer.headers["x-request-id"], answer.body))
                ask_on(client, "GET", "/stats")  # must not move anything
            client.close()
            return result

    def test_same_seed_same_run(self):
        first = self.record("--seed", "7")
        self.assertEqual(self.record("--seed", "7"), first)
        other = self.record("--seed", "8")
        self.assertNotEqual([status for status, _, _ in other], [status for status, _, _ in first])
        self.assertFalse({id for _, id, _ in other} & {id for _, id, _ in first})

    def test_answers_do_not_depend_on_the_seed(self):
        bodies = []
        for seed in "7", "8":
            with Mock("--seed", seed) as mock:
                bodies.append(ask(mock, "POST", CHAT, chat_body()).body)
        self.assertEqual(bodies[0], bodies[1])


class Program(unittest.TestCase):
    def run_mock(self, *options):
        return subprocess.run([WEIR, "mock", *options], capture_output=True, text=True,
                              timeout=PATIENCE)

    def test_bad_options(self):
        for options, said in (
                (["--port", "65536"], "--port '65536'"), (["--port", "x"], "--port 'x'"),
                (["--port", ""], "--port ''"), (["--port"], "--port"),
                (["--rate", "10"], "--rate '10'"), (["--rate", "0/s"], "--rate '0/s'"),
                (["--rate", "-1/s"], "--rate '-1/s'"), (["--rate", "1/m"], "--rate '1/m'"),
                (["--rate", "/s"], "--rate '/s'"), (["--rate", "1.5/s"], "--rate '1.5/s'"),
                (["--rate", "100001/s"], "100000/s"),
                (["--rate", "99999999999999999999/d"], "--rate"),
                (["--rate", "9223372036854775807/d"], "100000/s"),
                (["--burst", "5"], "--rate"), (["--rate", "1/s", "--burst", "0"], "--burst '0'"),
                (["--rate", "1/s", "--burst", "100001"], "--burst '100001'"),
                (["--latency", "x"], "--latency 'x'"), (["--latency", "9..3"], "--latency '9..3'"),
                (["--latency", "1.."], "--latency '1..'"),
                (["--latency", "..1"], "--latency '..1'"),
                (["--latency", "3600001"], "--latency '3600001'"),
                (["--headers", "all"], "openai, ietf or none"),
                (["--fault", "boom:1"], "--fault 'boom:1'"), (["--fault", "reset"], "KIND:P"),
                (["--fault", "reset:"], "KIND:P"), (["--fault", "reset:1.1"], "0 to 1"),
                (["--fault", "reset:-1"], "0 to 1"), (["--fault", "reset:1e-1"], "KIND:P"),
                (["--fault", "reset:.6", "--fault", "stall:.5"], "more than 1"),
                (["--seed", "18446744073709551616"], "--seed"), (["--seed", "x"], "--seed 'x'"),
                (["--idle-timeout", "0"], "--idle-timeout '0'"), (["--what"], "'--what'"),
                (["-q"], "'-q'"), (["--help=3"], "'--help=3'"), (["extra"], "'extra'")):
            with self.subTest(options=options):
                done = self.run_mock(*options)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertIn(said, done.stderr)
                self.assertIn("--help", done.stderr)

    def test_good_options(self):
        with Mock("--rate", "8640000000/d", "--burst", "100000", "--latency", "0..0", "--headers",
                  "openai", "--fault", "reset:0", "--fault", "slow:0.000", "--seed",
                  "18446744073709551615", "--idle-timeout", "0.5", "--port", "0") as mock:
            answer = ask(mock, "GET", "/echo")
            self.assertEqual(answer.headers["x-ratelimit-limit-requests"], "8640000000")
            self.assertIn(answer.headers["x-ratelimit-remaining-requests"], ("99999", "100000"))

    def test_help(self):
        done = self.run_mock("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("--port", "--rate", "--burst", "--latency", "--headers", "--fault", "--seed",
                     "--idle-timeout", *FAULTS):
            self.assertIn(word, done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_port_in_use(self):
        with Mock() as mock:
            done = self.run_mock("--port", str(mock.port))
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertRegex(done.stderr, rf"^weir mock: .*127\.0\.0\.1:{mock.port}.*--port 0.*\n$")

    def test_address_that_cannot_be_printed(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([WEIR, "mock"], stdout=full, stderr=subprocess.PIPE, text=True,
                                  timeout=PATIENCE)
        self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)

    def test_given_port(self):
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        with Mock("--port", str(port)) as mock:
            self.assertEqual(mock.port, port)

    def test_signals(self):
        for number in signal.SIGINT, signal.SIGTERM:
            mock = Mock("--fault", "stall:0.5", "--latency", "0..100")
            socks = [mock.connect() for _ in range(20)]
            for sock in socks:
                sock.sendall(wire("GET", "/echo") + b"GET")
            until(lambda: mock.stats()["requests"] == 20)
            code, out, err = mock.stop(number)
            for sock in socks:
                sock.close()
            self.assertEqual((code, out), (0, ""))
            self.assertRegex(err, r"^weir mock: 20 requests on \d+ connections, .*\d+ faults\n$")

    def test_idle_connections_are_closed(self):
        with Mock("--idle-timeout", "0.2", "--fault", "stall:0") as mock:
            with mock.connect() as silent, mock.connect() as halfway:
                halfway.sendall(b"POST /echo HTTP/1.1\r\n")
                self.assertEqual(silent.recv(1), b"")
                self.assertEqual(halfway.recv(1), b"")
        with Mock("--idle-timeout", "0.1", "--latency", "500") as mock:
            self.assertEqual(ask(mock, "GET", "/echo").status, 200)  # a late answer is not idleness

    def test_out_of_file_descriptors(self):
        with Mock(files=24) as mock:
            socks = [mock.connect() for _ in range(40)]
            for sock in socks:
                sock.sendall(wire("GET", "/echo"))
            served, ready, before = set(), [None], 0
            while ready:  # until nothing moves for half a second: the server is full
                before = self.cpu_s(mock)
                waiting = [sock for sock in socks if sock not in served]
                ready = select.select(waiting, [], [], 0.5)[0]
                served.update(ready)
            self.assertLess(self.cpu_s(mock) - before, 0.25)
            self.assertTrue(5 < len(served) < 24)
            while len(served) < 40:
                ready = select.select([sock for sock in socks if sock.fileno() >= 0], [], [],
                                      PATIENCE)[0]
                self.assertTrue(ready)
                for sock in ready:
                    self.assertEqual(Reader(sock).answer().status, 200)
                    served.add(sock)
                    sock.close()
            self.assertEqual(mock.stats()["requests"], 40)

    @staticmethod
    def cpu_s(mock):
        with open(f"/proc/{mock.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_loopback_only(self):
        with Mock() as mock:
            with open("/proc/net/tcp") as table:
                listening = [line.split()[1] for line in table if line.split()[3] == "0A"]
            self.assertIn("0100007F:%04X" % mock.port, listening)


if __name__ == "__main__":
    unittest.main()
