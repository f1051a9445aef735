"""HTTP/2 servers that do as they are told, frame by frame."""

import ssl
import struct

from listening import Listener

RECORD = 16384  # what one read of TLS brings at most
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
NO_ERROR, REFUSED_STREAM, HTTP_1_1_REQUIRED = 0, 7, 13
END_STREAM, ACK, END_HEADERS = 1, 1, 4
STATUS_200, LAST_FIELD = b"\x88", b"\xbe"  # RFC 7541: indices of the static and the dynamic table
PREFACE_BYTES, HEADER_BYTES = 24, 9


def frame(kind, flags, stream, payload=b""):
    length = struct.pack(">I", len(payload))[1:]
    return length + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def filling(flags, stream, others):
    """A frame of content that fills a record beside the others."""
    return frame(DATA, flags, stream, b"x" * (RECORD - len(others) - HEADER_BYTES))


class _Connection:
    def __init__(self, connection):
        self.connection, self.buffer, self.field_is_known = connection, b"", False

    def read(self, size):
        while len(self.buffer) < size:
            piece = self.connection.recv(65536)
            if not piece:
                raise OSError("closed")
            self.buffer += piece
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def send(self, data):
        self.connection.sendall(data)

    def frame(self):
        """Its head and its payload."""
        header = self.read(HEADER_BYTES)
        return header, self.read(int.from_bytes(header[:3], "big"))

    def until_it_has_come(self):
        """What was sent so far."""
        self.send(frame(PING, 0, 0, bytes(8)))
        kind = flags = None
        while (kind, flags) != (PING, ACK):
            header, _ = self.frame()
            kind, flags = header[3], header[4]

    def requests(self):
        """The number of the stream of each that comes."""
        self.read(PREFACE_BYTES)
        self.send(frame(SETTINGS, 0, 0))
        while True:
            header, payload = self.frame()
            kind, flags = header[3], header[4]
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.send(frame(kind, ACK, 0, payload if kind == PING else b""))
            if kind == HEADERS:
                yield int.from_bytes(header[5:], "big")

    def head(self, flags, stream, repeated):
        """With a field of 100 bytes, and so often more."""
        field = LAST_FIELD if self.field_is_known else b"\x40\x01x\x64" + b"v" * 100
        self.field_is_known = True
        block = STATUS_200 + field + LAST_FIELD * repeated
        return frame(HEADERS, END_HEADERS | flags, stream, block)


class _Server(Listener):
    """Calls answer(connection, *streams) when so many requests are there."""

    at_once = 1

    def __init__(self, certificate):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.context.set_alpn_protocols(["h2"])
        super().__init__(self.talk)
        self.url = f"https://127.0.0.1:{self.port}"

    def talk(self, plain):
        with self.context.wrap_socket(plain, server_side=True) as secure:
            connection = _Connection(secure)
            streams = []
            for stream in connection.requests():
                streams.append(stream)
                if len(streams) == self.at_once:
                    self.answer(connection, *streams)
                    streams = []


class OneRecord(_Server):
    """Sends the answers to so many requests in a record: `one`, whose end stands behind its content;
    or `two`, of which the other's whole answer stands there. That is where libcurl 7.88 keeps ends:
    behind more than 16 KiB of head and content, in the same TLS record. (The head's fields take a
    byte each when they have been said before.)"""

    def __init__(self, certificate, answers):
        self.answer = {1: self.one, 2: self.two}[answers]
        self.at_once = answers
        super().__init__(certificate)

    @staticmethod
    def one(connection, stream):
        head = connection.head(0, stream, 20)
        end = frame(DATA, END_STREAM, stream, b"end")
        connection.send(head + filling(0, stream, head + end) + end)

    @staticmethod
    def two(connection, first, second):
        head = connection.head(0, first, 20)
        other = connection.head(END_STREAM, second, 0)
        connection.send(head + filling(END_STREAM, first, head + other) + other)


class Ending(_Server):
    """Waits until `at_once` requests are there, answers the first half of them and does with the
    others as the first of `ways` says; and so on. Then it answers all. Counts its answers."""

    def __init__(self, certificate, *ways, at_once=8):
        self.ways, self.at_once, self.answers = [getattr(self, way) for way in ways], at_once, 0
        super().__init__(certificate)

    def good(self, connection, stream):
        with self.lock:
            self.answers += 1
        connection.send(connection.head(END_STREAM, stream, 0))

    def answer(self, connection, *streams):
        way = self.ways.pop(0) if self.ways else None
        half = len(streams) // 2 if way else len(streams)
        if not self.ways:
            self.at_once = 1
        for stream in streams[:half]:
            self.good(connection, stream)
        if way:
            way(connection, streams[half:])

    @staticmethod
    def reset(connection, streams, code):
        for stream in streams:
            connection.send(frame(RST_STREAM, 0, stream, struct.pack(">I", code)))

    def refuses(self, connection, streams):
        self.reset(connection, streams, REFUSED_STREAM)

    def wants_http1(self, connection, streams):
        self.reset(connection, streams, HTTP_1_1_REQUIRED)

    def refuses_behind_the_head(self, connection, streams):
        """Which the client has got by then, if it is one."""
        for stream in streams:
            connection.send(connection.head(0, stream, 0))
        connection.until_it_has_come()
        self.refuses(connection, streams)

    @staticmethod
    def goes(connection, streams):
        """None of them was worked on."""
        last = streams[0] - 2
        connection.send(frame(GOAWAY, 0, 0, struct.pack(">II", last, NO_ERROR)))

    @staticmethod
    def goes_behind_them(connection, streams):
        connection.send(frame(GOAWAY, 0, 0, struct.pack(">II", streams[-1], NO_ERROR)))
        raise OSError("closes")

    @staticmethod
    def closes(_, __):
        raise OSError("closes")
