"""An HTTP/2 server that puts the ends of answers where libcurl 7.88 keeps them: behind more than
16 KiB of head and content (the head's fields take a byte each when they have been said before), in
the same TLS record."""

import ssl
import struct

from listening import Listener

RECORD = 16384  # what one read of TLS brings at most
DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
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

    def requests(self):
        """The number of the stream of each that comes."""
        self.read(PREFACE_BYTES)
        self.send(frame(SETTINGS, 0, 0))
        while True:
            header = self.read(HEADER_BYTES)
            payload = self.read(int.from_bytes(header[:3], "big"))
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


class OneRecord(Listener):
    """Sends the answers to so many requests in a record: `one`, whose end stands behind its content;
    or `two`, of which the other's whole answer stands there."""

    def __init__(self, certificate, answers):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*certificate)
        self.context.set_alpn_protocols(["h2"])
        super().__init__(self.talk)
        self.url = f"https://127.0.0.1:{self.port}"
        self.answer = {1: self.one, 2: self.two}[answers]
        self.at_once = answers

    def talk(self, plain):
        with self.context.wrap_socket(plain, server_side=True) as secure:
            connection = _Connection(secure)
            streams = []
            for stream in connection.requests():
                streams.append(stream)
                if len(streams) == self.at_once:
                    self.answer(connection, *streams)
                    streams = []

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
