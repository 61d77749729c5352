"""A client of WebSockets (RFC 6455) over TLS: as much as tests of the consoles need."""

import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import time

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Refused(Exception):
    """The server answered something else; `status` is what."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


class WebSocket:
    """A connection: binary messages gather in `output`, text messages, which are JSON, in `told`."""

    def __init__(self, port, path, headers=(), timeout=60):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        self.connection = context.wrap_socket(plain, server_hostname="localhost")
        self.data = b""
        self.output = b""
        self.told = []
        self.closed = False
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}", "Connection: Upgrade",
                 "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
                 *headers, "", ""]
        self.connection.sendall("\r\n".join(lines).encode())
        while b"\r\n\r\n" not in self.data:
            self._receive()
        header, _, self.data = self.data.partition(b"\r\n\r\n")
        status = int(header.split()[1])
        if status != 101:
            self.connection.close()
            raise Refused(status, header.decode())
        accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if f"sec-websocket-accept: {accept}".lower() not in header.decode().lower():
            raise Refused(status, header.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def _receive(self):
        part = self.connection.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        self.data += part

    def _need(self, count):
        while len(self.data) < count:
            self._receive()
        part, self.data = self.data[:count], self.data[count:]
        return part

    def _frame(self):
        first, length = self._need(2)
        if length == 126:
            length = struct.unpack(">H", self._need(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._need(8))[0]
        payload = self._need(length)
        opcode = first & 15
        if opcode == BINARY:
            self.output += payload
        elif opcode == TEXT:
            self.told.append(json.loads(payload))
        elif opcode == PING:
            self.send(payload, PONG)
        elif opcode == CLOSE:
            self.closed = True

    def send(self, payload, opcode=BINARY):
        if isinstance(payload, str):
            payload = payload.encode()
        mask = os.urandom(4)
        length = len(payload)
        header = bytes([0x80 | opcode])
        if length < 126:
            header += bytes([0x80 | length])
        elif length < 65536:
            header += bytes([0x80 | 126]) + struct.pack(">H", length)
        else:
            header += bytes([0x80 | 127]) + struct.pack(">Q", length)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.connection.sendall(header + mask + masked)

    def tell(self, **what):
        self.send(json.dumps(what), TEXT)

    def until(self, condition, timeout=60):
        """Reads until the condition holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"output {self.output[-200:]!r}, told {self.told}")
            self.connection.settimeout(left)
            self._frame()
