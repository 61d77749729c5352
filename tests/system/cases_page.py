"""The web page as a person has it: a browser, and Innkeeper in an emulator with a guest."""

import os
import socket
import time

import build
from browser import PHONE, Browser
from cases import LINUX, PANIC
from cases_net import free_port
from console_cases import wait_screen
from page_cases import sideways
from steps import action, check, go, state_of

SHELL = "busybox shell"


def open_page(context):
    """Boots a Linux guest; (browser, URL, password), the browser not yet begun."""
    port = free_port(socket.SOCK_STREAM)
    box = context.boot("bochs", vms=LINUX, nic="e1000", forward=[("tcp", port, 443)])
    password = box.expect(r"Login for the network: user admin, password (\S+)\s", 300, reject=PANIC).group(1)
    box.expect(r"http: port 443, with TLS", 120, reject=PANIC)
    browser = Browser(os.path.join(build.BUILD, "web-screenshots", "real"), patience=180)
    return browser, f"https://127.0.0.1:{port}/", password


def log_in(browser, url, password):
    browser.open(url)
    browser.fill("input[name=password]", "wrong")
    browser.click("button", "Log in")
    browser.element("[role=alert]", "Wrong user name or password")
    browser.fill("input[name=password]", password)
    browser.click("button", "Log in")
    browser.wait(state_of("linux") + " === 'Running'")


def watch(browser):
    """Numbers, graphs, and the log."""
    browser.wait(r"/\d %/.test(document.querySelector('tr[data-vm=linux]').innerText)", "CPU use in percent")
    browser.picture("machines")
    go(browser, "vm/linux")
    browser.wait("[...document.querySelectorAll('.chart path.line')].filter(p => p.getAttribute('d').includes('L'))"
                 ".length === 3", "three graphs")
    browser.element(".bars span", "io")
    browser.picture("machine")
    go(browser, "vm/linux/settings")
    browser.element("dd", "console=ttyS0,115200")
    browser.wait("document.querySelector('input[name=weight]').value === '100'", "the weight")
    go(browser, "host")
    browser.element("dd", "10.0.2.15")
    browser.picture("host")
    go(browser, "log")
    browser.element(".log li", "audit: admin@10.0.2.2")
    browser.picture("log")


def use_console(browser):
    """What the guest has said from its beginning is there, and it hears what is typed."""
    go(browser, "vm/linux/console")
    browser.element(".link", "You write")
    wait_screen(browser, SHELL)
    wait_screen(browser, "~ #")
    browser.click(".screen")
    browser.type("echo $((6 * 7))-$(uname -m)\r")
    wait_screen(browser, "42-x86_64")
    browser.picture("console")


def pause(browser):
    go(browser, "")
    action(browser, "linux", "pause")
    browser.wait(state_of("linux") + " === 'Paused'")
    action(browser, "linux", "resume")
    browser.wait(state_of("linux") + " === 'Running'")


def create_and_delete(browser):
    go(browser, "new")
    browser.fill("input[name=name]", "second")
    browser.fill("input[name=memory]", "128M")
    browser.choose("select[name=kernel]", "vmlinuz")
    browser.click("button", "Create")
    browser.element("h1", "second")
    browser.element(".heading .pill", "Running")
    browser.picture("created")
    browser.click(".heading [data-action=kill]")
    browser.click("dialog button", "Kill")
    browser.element(".heading .pill", "Stopped")
    go(browser, "vm/second/settings")
    browser.click("button", "Delete this machine")
    browser.click("dialog button", "Delete")
    browser.element("h1", "Machines")
    browser.wait("!document.querySelector('tr[data-vm=second]')", "the machine to be gone")


def listens(browser):
    """Images do not change by themselves: the machine tells of it when they do, and nobody asks."""
    def asked():
        return sum("Images" in url for url in browser.requested)

    check(any("EventService/SSE" in url for url in browser.requested), "the page does not listen")
    before = asked()
    time.sleep(10)
    check(asked() == before, f"the page asked for images {asked() - before} times")


def upload(browser):
    go(browser, "images")
    browser.element("tr[data-image=vmlinuz]", "boot module")
    listens(browser)
    browser.give_files("input[type=file]", [__file__])
    name = os.path.basename(__file__)
    browser.element(f"tr[data-image='{name}']", "uploaded")
    browser.click(f"tr[data-image='{name}'] button")
    browser.click("dialog button", "Delete")
    browser.wait(f"!document.querySelector(\"tr[data-image='{name}']\")", "the image to be gone")
    browser.click("tr[data-image=vmlinuz] button")
    browser.click("dialog button", "Delete")
    browser.element(".toast.error")
    browser.picture("images")


def phone(browser):
    browser.window(PHONE, dark=True)
    for place in ("", "vm/linux", "vm/linux/console", "host", "log"):
        go(browser, place)
        browser.wait("!document.querySelector('.waiting')")
        browser.picture(f"phone-{place.replace('/', '-') or 'machines'}")
        check(sideways(browser) <= 0, f"/{place} can be scrolled sideways")


def in_a_browser(context):
    browser, url, password = open_page(context)
    with browser:
        log_in(browser, url, password)
        for step in (watch, use_console, pause, create_and_delete, upload, phone):
            step(browser)
        browser.click("button[aria-label='Log out']")
        browser.element("button", "Log in")
        check(not browser.said, f"the browser says: {browser.said}")


def all_cases():
    yield "page: Linux in a browser", in_a_browser
