"""Tests of the page's console: a terminal at the other end of a WebSocket."""

import json

from browser import PHONE
from steps import check, go, log_in, wait_for

SCREEN = "[...document.querySelector('.xterm-rows').children].map(e => e.textContent.replace(/\\u00a0/g, ' ')).join('\\n')"


def screen(browser):
    """Its lines, as they are shown."""
    return browser.run(SCREEN)


def wait_screen(browser, text):
    browser.wait(f"{SCREEN}.includes({json.dumps(text)})", f"{text!r} on the console")


def console(browser, mock):
    log_in(browser, mock)
    browser.click("a[aria-label='Console of web-front']")
    wait_screen(browser, "busybox shell")
    browser.element(".link", "You write")
    browser.wait("document.activeElement.className.includes('xterm')", "the focus in the terminal")
    browser.type("uname\r")
    wait_screen(browser, "# uname")
    check("\nLinux" in screen(browser), "the console shows no answer")
    browser.picture("console")
    check(browser.run("getComputedStyle(document.querySelector('.xterm-rows span[class*=xterm-fg-2]')).color"),
          "there are no colours")
    browser.press("]", modifiers=2)
    browser.wait("document.activeElement.className === 'bar'", "Ctrl-] to leave the terminal")
    browser.click("button", "Tell size")
    wait_screen(browser, "stty rows")


def console_terminal(browser, mock):
    """What full-screen programs do with a terminal."""
    log_in(browser, mock)
    go(browser, "vm/router/console")
    browser.element(".link", "You write")
    vm = mock.machine.vms["router"]
    vm.output(b"\x1b[2J\x1b[5;10Hplaced\x1b[7;1H\x1b[38;2;10;200;30mgreen\x1b[0m \x1b[1;4;31mred\x1b[0m \xe6\x97\xa5\xe6\x9c\xac")
    wait_screen(browser, "日本")
    lines = screen(browser).splitlines()
    check(lines[4].startswith(" " * 9 + "placed"), f"a line is {lines[4]!r}")
    check(browser.run("[...document.querySelectorAll('.xterm-rows span')].find(e => e.textContent === 'green').style.color")
          == "rgb(10, 200, 30)", "there is no green")
    check(browser.run("getComputedStyle([...document.querySelectorAll('.xterm-rows span')]"
                      ".find(e => e.textContent === 'red')).textDecorationLine") == "underline", "nothing is underlined")
    vm.output(b"\x1b]8;;http://example.org/\x1b\\linked\x1b]8;;\x1b\\ ")
    wait_screen(browser, "linked")
    vm.output(b"\x1b[?1049h\x1b[2J\x1b[Hother screen")
    wait_screen(browser, "other screen")
    check("placed" not in screen(browser), "the alternate screen shows the first one")
    vm.output(b"\x1b[?1049l")
    wait_screen(browser, "placed")
    vm.output(b"\x1b[3;4H\x1b[6n")
    wait_for(lambda: vm.typed.endswith(b"\x1b[3;4R"), "the answer to a program that asks for the cursor")
    vm.output(b"\r\n".join(b"line %d" % number for number in range(300)))
    wait_screen(browser, "line 299")
    box = browser.run("(b => [b.x + 60, b.y + 60])(document.querySelector('.screen').getBoundingClientRect())")
    browser.call("Input.dispatchMouseEvent", type="mouseWheel", x=box[0], y=box[1], deltaX=0, deltaY=-3000)
    browser.wait(f"!{SCREEN}.includes('299')", "the wheel to scroll back")
    vm.typed = b""
    browser.run("(() => { const data = new DataTransfer(); data.setData('text/plain', 'pasted text');"
                " document.querySelector('.xterm textarea').dispatchEvent(new ClipboardEvent('paste',"
                " {clipboardData: data, bubbles: true})); })()")
    wait_for(lambda: b"pasted text" in vm.typed, "what was pasted")
    size = browser.run("document.querySelector('.bar').innerText")
    browser.window(PHONE)
    browser.wait(f"document.querySelector('.bar').innerText !== {json.dumps(size)}", "the terminal to shrink")
    browser.wait("document.querySelector('.xterm-screen').offsetWidth < 360", "the terminal to fit the phone")


def console_writers(browser, mock):
    log_in(browser, mock)
    vm = mock.machine.vms["router"]

    class Other:
        said = []

        def send(self, _, data):
            self.said.append(data)
    other = vm.writer = Other()
    go(browser, "vm/router/console")
    browser.element(".link", "You only read")
    wait_screen(browser, "~ #")
    browser.click(".screen")
    browser.type("lost\r")
    browser.click("button", "Take over")
    browser.element(".link", "You write")
    check(other.said == [b'{"writer":false}'], f"the other was told {other.said}")
    browser.type("kept\r")
    wait_screen(browser, "kept")
    check(not vm.ignored, "what a mere reader typed was sent")


def console_reconnects(browser, mock):
    log_in(browser, mock)
    go(browser, "vm/web-front/console")
    wait_screen(browser, "busybox shell")
    mock.sockets[-1].shutdown(2)
    browser.element(".link", "Not connected")
    browser.element(".link", "You write")
    wait_screen(browser, "busybox shell")
    check(screen(browser).count("busybox shell") == 1, "the former text is there twice")


def console_of_an_ended_session(browser, mock):
    """The browser itself must not ask for a password when the console is opened again."""
    log_in(browser, mock)
    go(browser, "vm/web-front/console")
    wait_screen(browser, "busybox shell")
    mock.sessions.clear()
    mock.sockets[-1].shutdown(2)
    browser.element(".notice", "Your session has ended")
    browser.fill("input[name=password]", "secret")
    browser.click("button", "Log in")
    wait_screen(browser, "busybox shell")


CASES = (console, console_terminal, console_writers, console_reconnects, console_of_an_ended_session)
