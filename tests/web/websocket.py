"""The server's half of a WebSocket (RFC 6455), as far as the page needs one."""

import base64
import hashlib
import struct
import threading

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accept_key(key):
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()


class WebSocket:
    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.lock = threading.Lock()

    def send(self, kind, data):
        head = bytes([0x80 | kind])
        if len(data) < 126:
            head += bytes([len(data)])
        elif len(data) < 1 << 16:
            head += struct.pack(">BH", 126, len(data))
        else:
            head += struct.pack(">BQ", 127, len(data))
        with self.lock:
            try:
                self.writer.write(head + data)
                self.writer.flush()
            except OSError:
                pass  # the reader notices

    def receive(self):
        """(kind, bytes) of the next message; None when it is over. Fragments do not occur."""
        while True:
            head = self.reader.read(2)
            if len(head) < 2:
                return None
            kind, length = head[0] & 15, head[1] & 127
            if length == 126:
                length, = struct.unpack(">H", self.reader.read(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.reader.read(8))
            mask = self.reader.read(4)
            data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.reader.read(length)))
            if kind == CLOSE:
                return None
            if kind == PING:
                self.send(PONG, data)
            elif kind in (TEXT, BINARY):
                return kind, data
