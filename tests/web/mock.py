"""Innkeeper's management face without Innkeeper: serves the built page and enough of Redfish and the
consoles for it. Usage: mock.py BUILD_DIRECTORY [PORT]"""

import functools
import json
import os
import secrets
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mock_machine
import websocket
from mock_machine import ROOT, Refusal

SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "manage", "web")
sys.path.insert(0, SOURCES)
import embed  # noqa: E402  what the kernel embeds is made by it

# As in manage/web/page.c.
POLICY = ("default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
          "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
EVENTS = f"{ROOT}/EventService/SSE"
ACCOUNTS = {"admin": ("secret", "Administrator"), "guest": ("secret", "ReadOnly")}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    # Answers.

    def send(self, status, body=b"", kind="application/json", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def json(self, value, status=200, headers=()):
        self.send(status, json.dumps(value).encode(), headers=headers)

    def refuse(self, status, message):
        # Of this, a browser makes a dialog of its own.
        asked = self.headers.get("X-Requested-With") == "XMLHttpRequest"
        basic = [("WWW-Authenticate", "Basic")] if status == 401 and not asked else []
        self.json({"error": {"code": "Base.1.0.GeneralError", "message": "See ExtendedInfo.",
                             "@Message.ExtendedInfo": [{"Message": message, "MessageId": "Base.1.0.GeneralError"}]}},
                  status, basic)

    def collection(self, path, members):
        self.json({"@odata.id": path, "Members@odata.count": len(members), "Members": members})

    # Requests.

    def account(self):
        cookie = self.headers.get("Cookie", "")
        token = dict(part.strip().partition("=")[::2] for part in cookie.split(";")).get("innkeeper")
        return self.server.sessions.get(token)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        path = urllib.parse.unquote(self.path.partition("?")[0])
        if self.command == "GET" and not path.startswith(("/redfish", "/console")):
            return self.page(path)
        sent = self.body()
        self.server.asked.append(path)
        if path == f"{ROOT}/SessionService/Sessions" and self.command == "POST":
            return self.login(json.loads(sent))
        user = self.account()
        if user is None:
            return self.refuse(401, "There is no session.")
        if self.command != "GET" or path.startswith("/console"):
            if self.headers.get("Origin") != "http://" + self.headers["Host"]:
                return self.refuse(403, "The Origin is not this server.")
        if self.command != "GET" and ACCOUNTS[user][1] == "ReadOnly" and "/SessionService/" not in path:
            return self.refuse(403, "The account may only read.")
        if path == EVENTS:
            return self.events()
        if path.startswith("/console/"):
            return self.console(path.removeprefix("/console/"), user)
        with self.server.machine.lock:
            try:
                return self.redfish(path.removeprefix(ROOT).strip("/").split("/"), sent)
            except Refusal as refusal:
                return self.refuse(refusal.status, str(refusal))
            except (KeyError, ValueError, TypeError) as error:
                return self.refuse(400, f"The request is malformed: {error!r}.")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def page(self, path):
        for file in reversed(self.server.files):
            if file.path == path:
                encoding = [("Content-Encoding", file.encoding)] if file.encoding else []
                return self.send(200, file.data, file.content_type, [
                    ("ETag", file.etag), ("Cache-Control", file.cache_control),
                    ("Content-Security-Policy", POLICY), *encoding])
        return self.send(404, b"no such file\n", "text/plain")

    def login(self, body):
        user = body["UserName"]
        if user not in ACCOUNTS or ACCOUNTS[user][0] != body["Password"]:
            return self.refuse(401, "User name or password is wrong.")
        token = secrets.token_hex(16)
        self.server.sessions[token] = user
        path = f"{ROOT}/SessionService/Sessions/{token[:6]}"
        return self.json({"@odata.id": path, "Id": token[:6], "UserName": user}, 201, [
            ("Location", path), ("X-Auth-Token", token),
            ("Set-Cookie", f"innkeeper={token}; Path=/; HttpOnly; SameSite=Strict")])

    def redfish(self, path, sent):
        machine = self.server.machine
        match (self.command, *path):
            case "GET", "SessionService", "Sessions":
                return self.collection(self.path, [])
            case "DELETE", "SessionService", "Sessions", session:
                for token in [one for one in self.server.sessions if one.startswith(session)]:
                    del self.server.sessions[token]
                return self.send(204)
            case "GET", "AccountService", "Accounts", user if user in ACCOUNTS:
                return self.json({"Id": user, "UserName": user, "RoleId": ACCOUNTS[user][1]})
            case "PATCH", "AccountService", "Accounts", user if user in ACCOUNTS:
                self.server.passwords.append(json.loads(sent)["Password"])
                return self.send(204)
            case "GET", "Systems":
                return self.collection(self.path, [vm.resource() for vm in machine.vms.values()])
            case "POST", "Systems":
                vm = machine.create(json.loads(sent))
                return self.json(vm.resource(), 201, [("Location", f"{ROOT}/Systems/{vm.name}")])
            case "GET", "Systems", name:
                return self.json(machine.find(name).resource())
            case "PATCH", "Systems", name:
                machine.change(name, json.loads(sent))
                return self.json(machine.find(name).resource())
            case "DELETE", "Systems", name:
                machine.delete(name)
                return self.send(204)
            case "POST", "Systems", name, "Actions", "ComputerSystem.Reset":
                task = machine.reset(name, json.loads(sent)["ResetType"])
                return self.json(task, 202, [("Location", task["@odata.id"])]) if task else self.send(204)
            case "GET", "Oem", "Innkeeper", "Images":
                return self.collection(self.path, [machine.image_resource(name) for name in machine.images])
            case "POST", "Oem", "Innkeeper", "Images":
                body = json.loads(sent)
                task = machine.fetch(f"fetch {body['ImageURI']} as {body['Name']}", body["ImageURI"],
                                     lambda: machine.images.update({body["Name"]: (5_000_000, "fetched")}))
                return self.json(task, 202, [("Location", task["@odata.id"])])
            case "PUT", "Oem", "Innkeeper", "Images", name:
                machine.add_image(name, len(sent), "uploaded")
                return self.json(machine.image_resource(name), 201)
            case "DELETE", "Oem", "Innkeeper", "Images", name:
                machine.delete_image(name)
                return self.send(204)
            case "GET", "TaskService", "Tasks":
                return self.collection(self.path, machine.tasks)
            case "GET", "TaskService", "Tasks", number:
                return self.json(machine.tasks[int(number) - 1])
            case "DELETE", "TaskService", "Tasks", number:
                machine.tasks[int(number) - 1]["TaskState"] = "Cancelled"
                return self.send(204)
            case "GET", "Managers", "innkeeper":
                return self.json(machine.manager())
            case "GET", "Managers", "innkeeper", "EthernetInterfaces":
                return self.collection(self.path, machine.interfaces())
            case "GET", "Managers", "innkeeper", "LogServices", "Log", "Entries":
                skip = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("$skip", ["0"])[0]
                return self.collection(self.path, machine.entries[int(skip):])
            case "GET", "EventService":
                return self.json({"Id": "EventService", "ServerSentEventUri": EVENTS})
            case "GET", "Chassis", "innkeeper":
                return self.json({"Id": "innkeeper"})
        raise Refusal(404, f"There is nothing at {self.path}.")

    def events(self):
        self.server.event_attempts.append(time.monotonic())
        if self.server.mute:
            return self.refuse(503, "Nobody tells of anything.")
        listener = self.server.machine.listen()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        try:
            while (path := listener.get()) is not None:
                event = {"Id": "1", "Events": [{"OriginOfCondition": {"@odata.id": path}}]}
                self.wfile.write(f"id: 1\ndata: {json.dumps(event)}\n\n".encode())
        finally:
            self.server.machine.listeners.remove(listener)
        return None

    def console(self, name, user):
        vm = self.server.machine.vms.get(name)
        if vm is None:
            return self.refuse(404, f"There is no VM {name}.")
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", websocket.accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.close_connection = True
        socket = websocket.WebSocket(self.rfile, self.wfile)
        may_write = ACCOUNTS[user][1] != "ReadOnly"

        def claim(take):
            if may_write and (take or vm.writer is None):
                if vm.writer not in (None, socket):
                    vm.writer.send(websocket.TEXT, b'{"writer":false}')
                vm.writer = socket
            socket.send(websocket.TEXT, b'{"writer":true}' if vm.writer is socket else b'{"writer":false}')

        with self.server.machine.lock:
            socket.send(websocket.BINARY, bytes(vm.console[-65536:]))
            vm.readers.append(socket)
            claim(False)
        self.server.sockets.append(self.connection)
        try:
            while (message := socket.receive()) is not None:
                kind, data = message
                with self.server.machine.lock:
                    if kind == websocket.TEXT:
                        claim(json.loads(data).get("take") is True)
                    elif vm.writer is socket:
                        vm.type(data)
                    else:
                        vm.ignored += data
        except OSError:
            pass  # cut off
        finally:
            with self.server.machine.lock:
                vm.readers.remove(socket)
                if vm.writer is socket:
                    vm.writer = None


@functools.cache
def page_files(build):
    built = os.path.join(build, "manage", "web")
    return embed.files(*(os.path.join(SOURCES, name) for name in ("plain.html", "index.html")),
                       *(os.path.join(built, name) for name in ("app.js", "app.css")))


class Mock(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, build, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.files = page_files(build)
        self.machine = mock_machine.Machine()
        self.sessions = {}
        self.sockets = []  # of consoles
        self.event_attempts = []  # when
        self.mute = False  # refuses to tell of events
        self.asked = []  # paths
        self.passwords = []  # what they were changed to, which makes no difference
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.shutdown()  # its thread would go on asking a socket that is closed
        super().__exit__(*exception)

    def handle_error(self, request, client_address):
        """What breaks off, as connections of a browser do when it goes to another page, is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def page_size(self):
        return sum(len(file.data) for file in self.files)


if __name__ == "__main__":
    with Mock(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0) as mock:
        print(f"{mock.url}  user admin or guest, password secret", flush=True)
        threading.Event().wait()
