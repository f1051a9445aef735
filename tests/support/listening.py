"""A port of this machine, and a thread for each connection that comes to it."""

import socket
import threading

PATIENCE = 40  # seconds after which the thread is taken to hang


class Listener:
    """Calls serve(connection) in a thread for each connection, which is closed afterwards. Counts
    connections that came, and that ended."""

    def __init__(self, serve, backlog=512):
        self.serve = serve
        self.connections = self.closed = 0
        self.lock = threading.Lock()
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self.serve(connection)
        except OSError:
            pass
        finally:
            with self.lock:
                self.open.discard(connection)
                self.closed += 1
            connection.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(PATIENCE)
        with self.lock:
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Relay(Listener):
    """Passes everything on, both ways, to a port of this machine and back; and nothing more over
    the connections that it has when it is told to hush, which stay open. What came meanwhile goes
    on when it is told to go on."""

    def __init__(self, to_port):
        self.to_port = to_port
        self.hushed = set()
        self.kept = []  # (sink, piece)
        self.passing = threading.Lock()
        super().__init__(self.pass_on)

    def hush(self):
        with self.lock, self.passing:
            self.hushed = set(self.open)

    def go_on(self):
        with self.passing:
            self.hushed = set()
            for sink, piece in self.kept:
                sink.sendall(piece)
            self.kept = []

    def copy(self, source, sink, connection):
        try:
            while piece := source.recv(65536):
                with self.passing:
                    if connection in self.hushed:
                        self.kept.append((sink, piece))
                    else:
                        sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pass_on(self, connection):
        with socket.create_connection(("127.0.0.1", self.to_port)) as further:
            back = threading.Thread(target=self.copy, args=(further, connection, connection))
            back.start()
            self.copy(connection, further, connection)
            back.join()
