"""Headless Chromium, driven over the DevTools protocol through a pair of pipes."""

import base64
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time

PHONE = (360, 740)
DESKTOP = (1280, 860)


class BrowserError(AssertionError):
    """The page, or the browser, did not do what was expected of it; the text says what."""


class Browser:
    """One browser with one page. Emulates what the page asks about: the window's size and the theme."""

    def __init__(self, directory, patience=20):
        """Screenshots go to `directory`; `patience`: seconds that the page may take for anything."""
        self.binary = shutil.which("chromium")
        if not self.binary:
            raise BrowserError("no chromium here; tools/setup test installs it")
        self.profile = tempfile.mkdtemp(prefix="innkeeper-browser-")
        self.directory = directory
        self.patience = patience
        self.process = None
        self.session = None
        self.number = 0
        self.answers = {}
        self.events = queue.Queue()
        self.arrived = threading.Condition()
        self.said = []     # what the page's scripts complained about
        self.requested = []  # URLs

    def __enter__(self):
        os.makedirs(self.directory, exist_ok=True)
        # It reads commands from descriptor 3 and writes answers to 4.
        command_read, self.commands = os.pipe()
        self.replies, reply_write = os.pipe()
        command = [self.binary, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--disable-dev-shm-usage", "--ignore-certificate-errors", "--hide-scrollbars",
                   "--disable-background-networking", "--disable-component-update",
                   f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"]
        self.process = subprocess.Popen(
            # Not sh, which may know no descriptors of two digits.
            ["bash", "-c", f'exec "$@" 3<&{command_read} 4>&{reply_write}', "bash", *command],
            pass_fds=(command_read, reply_write), start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(command_read)
        os.close(reply_write)
        threading.Thread(target=self._read, daemon=True).start()
        pages = self.call("Target.getTargets", browser=True)["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        self.session = self.call("Target.attachToTarget", browser=True, targetId=target,
                                 flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.window(DESKTOP)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.commands)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _read(self):
        buffered = b""
        while True:
            piece = os.read(self.replies, 1 << 16)
            if not piece:
                os.close(self.replies)
                return
            *messages, buffered = (buffered + piece).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    with self.arrived:
                        self.answers[message["id"]] = message
                        self.arrived.notify_all()
                else:
                    self._event(message.get("method"), message.get("params", {}))

    def _event(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and params["entry"]["source"] in ("security", "violation"):
            self.said.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])

    def call(self, method, browser=False, **params):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if not browser:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        with self.arrived:
            if not self.arrived.wait_for(lambda: number in self.answers, max(self.patience, 60)):
                raise BrowserError(f"{method}: no answer from the browser")
            answer = self.answers.pop(number)
        if "error" in answer:
            raise BrowserError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def window(self, size, dark=False):
        width, height = size
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if size == PHONE else 1, mobile=size == PHONE)
        self.call("Emulation.setTouchEmulationEnabled", enabled=size == PHONE)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def forget(self):
        """Begins anew: no cookies, a desktop's window, nothing noted."""
        self.open("about:blank")
        self.wait("location.href === 'about:blank'")
        self.call("Network.clearBrowserCookies")
        self.window(DESKTOP)
        self.said.clear()
        self.requested.clear()

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, script):
        """The value of an expression in the page; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                           returnByValue=True, userGesture=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"])
                               + f"\nin {script}")
        return result["result"].get("value")

    def wait(self, script, what=None, seconds=None):
        """Waits until an expression is true; its value."""
        seconds = seconds or self.patience
        end = time.monotonic() + seconds
        while True:
            try:
                value = self.run(script)
            except BrowserError:  # the page may be on its way to another
                value = None
            if value:
                return value
            if time.monotonic() > end:
                self.picture("failed")
                raise BrowserError(f"waited {seconds} s in vain for {what or script}; the page has:\n"
                                   + self.run("document.body.innerText"))
            time.sleep(0.05)

    def element(self, selector, text=None, seconds=None):
        """Waits for an element (with that text in it); an expression for it."""
        found = (f"[...document.querySelectorAll({json.dumps(selector)})]"
                 f".find(e => e.checkVisibility() && e.textContent.includes({json.dumps(text or '')}))")
        self.wait(f"!!{found}", f"{selector} with {text!r}" if text else selector, seconds)
        return found

    def click(self, selector, text=None, seconds=None):
        """As a person does: with the mouse, on what is visible there."""
        found = self.element(selector, text, seconds)
        self.wait(f"!({found}).disabled", f"{selector} to be enabled", seconds)
        box = self.run(f"(() => {{ const e = {found}; e.scrollIntoView({{block: 'center'}});"
                       " const b = e.getBoundingClientRect();"
                       " const x = b.x + b.width / 2, y = b.y + b.height / 2;"
                       " const hit = document.elementFromPoint(x, y);"
                       " return {x, y, hit: e.contains(hit) ? '' : String(hit && hit.outerHTML)}; })()")
        if box["hit"]:
            raise BrowserError(f"{selector} {text or ''} is hidden behind {box['hit'][:200]}")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box["x"], y=box["y"], button="left",
                      clickCount=1)

    def fill(self, selector, text):
        """Replaces what is in a field."""
        found = self.element(selector)
        self.run(f"(() => {{ const e = {found}; e.focus(); e.select && e.select(); }})()")
        self.call("Input.insertText", text=text)

    def choose(self, selector, value):
        found = self.element(selector)
        self.wait(f"[...({found}).options].some(o => o.value === {json.dumps(value)})",
                  f"{value} among the options of {selector}")
        self.run(f"(() => {{ const e = {found}; e.value = {json.dumps(value)};"
                 " e.dispatchEvent(new Event('change', {bubbles: true})); })()")

    def type(self, text):
        """Keys, into whatever has the focus."""
        for letter in text:
            if letter in KEYS:
                self.press(letter)
            else:
                self.call("Input.dispatchKeyEvent", type="char", text=letter)

    def press(self, key, modifiers=0):
        name, code, text = KEYS.get(key, (key, 0, ""))
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=name,
                  code=name, windowsVirtualKeyCode=code, text=text, modifiers=modifiers)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=name, code=name,
                  windowsVirtualKeyCode=code, modifiers=modifiers)

    def give_files(self, selector, paths):
        """Chooses files in a file field."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=paths)

    def picture(self, name):
        """A screenshot, NAME.png in the directory."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        path = os.path.join(self.directory, name + ".png")
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
        return path


KEYS = {"\r": ("Enter", 13, "\r"), "\t": ("Tab", 9, "\t"), "Tab": ("Tab", 9, ""),
        "Escape": ("Escape", 27, ""), "Enter": ("Enter", 13, "\r"), "]": ("]", 221, "]")}
