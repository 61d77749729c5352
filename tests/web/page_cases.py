"""Tests of the web page: headless Chromium, with a mock of Innkeeper behind the page."""

import functools
import json
import time

import console_cases
from browser import DESKTOP, PHONE
from steps import action, check, go, log_in, state_of, wait_for

TABLET = (800, 1000)
PLACES = ("", "vm/database", "vm/web-front/console", "vm/router/settings", "new", "images", "host", "log")
SIZE_MAX = 150 * 1024


def sideways(browser):
    """How far the page can be scrolled to the right."""
    return browser.run("document.documentElement.scrollWidth - innerWidth")


def login(browser, mock):
    browser.open(mock.url)
    browser.wait("document.activeElement.name === 'password'", "the focus in the password field")
    browser.picture("login")
    browser.type("wrong\r")
    browser.element("[role=alert]", "Wrong user name or password")
    browser.wait("document.querySelector('button').disabled === false")
    browser.fill("input[name=password]", "secret")
    browser.press("Enter")
    browser.element("tr[data-vm]")
    check(browser.run("document.cookie") == "", "scripts can read the session's cookie")
    browser.call("Page.reload")
    browser.element("tr[data-vm]")
    check(len(mock.sessions) == 1, "a reload made another session")
    browser.click("button[aria-label='Log out']")
    browser.element("button", "Log in")
    browser.wait("true")
    check(not mock.sessions, "the session is still there after logging out")


def session_ends(browser, mock):
    log_in(browser, mock)
    mock.sessions.clear()
    browser.element(".notice", "Your session has ended")


def table(browser, mock):
    log_in(browser, mock)
    rows = browser.run("[...document.querySelectorAll('tr[data-vm]')].map(r => r.dataset.vm)")
    check(rows == list(mock.machine.vms), f"the table has {rows}")
    expected = {"web-front": "Running", "build-runner": "Paused", "unikernel": "Stopped", "staging": "Not started"}
    for name, state in expected.items():
        check(browser.run(state_of(name)) == state, f"{name} is not {state}")
    row = "document.querySelector('tr[data-vm=web-front]').innerText"
    browser.wait(row + r".match(/\d %/)", "CPU use in percent")
    text = browser.run(row)
    check("312 MiB of 512 MiB" in text and "/s" in text, f"a row says {text!r}")
    time.sleep(3)
    browser.picture("machines")


def start_and_stop(browser, mock):
    log_in(browser, mock)
    action(browser, "staging", "start")
    browser.wait(state_of("staging") + " === 'Running'")
    browser.element(".toast", "staging is starting")
    action(browser, "staging", "pause")
    browser.wait(state_of("staging") + " === 'Paused'")
    action(browser, "staging", "resume")
    browser.wait(state_of("staging") + " === 'Running'")
    action(browser, "staging", "stop")
    browser.element("dialog[open] h2", "Shut down staging?")
    browser.picture("question")
    browser.click("dialog button", "Shut down")
    browser.wait(state_of("staging") + " === 'Stopped'")


def asks_first(browser, mock):
    log_in(browser, mock)
    for what in ("kill", "reset"):
        action(browser, "database", what)
        browser.element("dialog[open]")
        browser.press("Escape")
        browser.wait("!document.querySelector('dialog[open]')", "Escape to end the question")
        check(mock.machine.vms["database"].state == "running", f"{what} was done unasked")
    action(browser, "database", "kill")
    browser.click("dialog button", "Kill")
    browser.wait(state_of("database") + " === 'Stopped'")


def refusals(browser, mock):
    log_in(browser, mock)
    real = mock.machine.reset

    def refuse(name, kind):
        # Meanwhile somebody else has started it.
        mock.machine.vms[name].state = "running"
        return real(name, kind)
    mock.machine.reset = refuse
    action(browser, "staging", "start")
    browser.element(".toast.error", "VM staging is running: On is not possible.")


def machine_page(browser, mock):
    log_in(browser, mock)
    browser.click("a", "database")
    browser.element("h1", "database")
    browser.wait("document.activeElement.tagName === 'H1'", "the focus on the heading")
    browser.wait("[...document.querySelectorAll('.chart path.line')].filter(p => p.getAttribute('d').includes('L'))"
                 ".length === 3", "three graphs", 30)
    check(browser.run("document.querySelectorAll('.list.compact tbody tr').length") == 4, "there are no 4 vCPUs")
    browser.element(".bars span", "msr write")
    time.sleep(4)
    browser.picture("machine")
    browser.window(DESKTOP, dark=True)
    browser.picture("machine-dark")
    go(browser, "vm/nobody")
    browser.element(".notice", "no machine of that name")


def create(browser, mock):
    log_in(browser, mock)
    browser.click("a", "New machine")
    browser.click("button", "Create")
    check(browser.run("location.hash") == "#/new", "an empty form was sent")
    browser.fill("input[name=name]", "made")
    browser.fill("input[name=memory]", "128M")
    browser.fill("input[name=vcpus]", "2")
    browser.choose("select[name=kernel]", "vmlinuz")
    browser.choose("select[name=initrd]", "initrd")
    browser.fill("input[name=weight]", "300")
    browser.picture("create")
    browser.click("button", "Create")
    browser.element("h1", "made")
    browser.element(".heading .pill", "Running")
    vm = mock.machine.vms["made"]
    check((vm.memory, vm.vcpus, vm.weight) == (128 << 20, 2, 300), "the form's values did not arrive")
    check(vm.linux == {"kernel": "vmlinuz", "initrd": "initrd", "cmdline": "console=ttyS0,115200"}, f"{vm.linux}")


def create_by_json(browser, mock):
    log_in(browser, mock)
    go(browser, "new")
    browser.fill("input[name=name]", "raw")
    browser.click("button", "JSON")
    text = browser.run("document.querySelector('textarea').value")
    check(json.loads(text)["name"] == "raw", "the form's values are not in the JSON")
    browser.fill("textarea", json.dumps({"name": "raw", "memroy": "1G"}))
    browser.click("button", "Create")
    browser.element("[role=alert]", "unknown key memroy")
    browser.fill("textarea", json.dumps({"name": "raw", "memory": "64M", "multiboot": {"image": "kernel.elf"}}))
    browser.click("input[type=checkbox]")
    browser.click("button", "Create")
    browser.element("h1", "raw")
    browser.element(".heading .pill", "Not started")


def images(browser, mock):
    log_in(browser, mock)
    go(browser, "images")
    browser.element("tr[data-image=vmlinuz]")
    browser.give_files("input[type=file]", [__file__])
    browser.element("tr[data-image='page_cases.py']")
    browser.click("tr[data-image='page_cases.py'] button")
    browser.click("dialog button", "Delete")
    browser.wait("!document.querySelector('tr[data-image=\"page_cases.py\"]')", "the image to be gone")
    browser.click("tr[data-image='kernel.elf'] button")
    browser.click("dialog button", "Delete")
    browser.element(".toast.error", "kernel.elf is used by 1 VMs")
    browser.fill("input[name=url]", "http://10.0.2.2/boot/tiny.elf?x=1")
    browser.click("form button", "Fetch")
    browser.element(".tasks li", "as tiny.elf")
    browser.element(".tasks .pill", "Completed")
    browser.element("tr[data-image='tiny.elf']", "fetched")
    browser.fill("input[name=url]", "http://10.0.2.2/missing.elf")
    browser.click("form button", "Fetch")
    browser.element(".toast.error", "the server answers 404")
    browser.element(".tasks .pill", "Failed")
    browser.picture("images")


def settings(browser, mock):
    log_in(browser, mock)
    go(browser, "vm/staging/settings")
    browser.choose("select[name=enabled]", "Once")
    browser.fill("input[name=url]", "http://10.0.2.2/kernel")
    browser.click("form:has(select) button", "Save")
    browser.element(".toast", "Saved")
    vm = mock.machine.vms["staging"]
    check(vm.boot == {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "UefiHttp",
                      "HttpBootUri": "http://10.0.2.2/kernel"}, f"the override is {vm.boot}")
    browser.fill("input[name=weight]", "700")
    browser.click("form:has(input[name=weight]) button", "Save")
    wait_for(lambda: vm.weight == 700, "the weight to be saved")
    browser.click(".heading [data-action=start]")
    browser.element(".heading .pill", "Starting")
    browser.element(".tasks li", "for vm staging")
    browser.element(".heading .pill", "Running")
    browser.wait("document.querySelector('select[name=enabled]').value === 'Disabled'", "the override to be used up")
    check(browser.run("[...document.querySelectorAll('button')].find(b => b.textContent.includes('Delete')).disabled"),
          "a running machine can be deleted")
    go(browser, "vm/unikernel/settings")
    browser.click("button", "Delete this machine")
    browser.click("dialog button", "Delete")
    browser.element("h1", "Machines")
    browser.wait("!document.querySelector('tr[data-vm=unikernel]')", "the machine to be gone")


def told_of(browser, mock):
    """What the machine tells of by itself is shown at once, and asked for no more than that."""
    log_in(browser, mock)
    go(browser, "images")
    browser.element("tr[data-image=vmlinuz]")
    wait_for(lambda: mock.machine.listeners, "the page to listen")
    time.sleep(1)
    mock.asked.clear()
    time.sleep(6)
    check(not any("Images" in path or "Tasks" in path for path in mock.asked), f"the page asked for {mock.asked}")
    with mock.machine.lock:
        mock.machine.add_image("other.elf", 1234, "fetched")
    browser.element("tr[data-image='other.elf']", "fetched")
    go(browser, "vm/web-front/settings")
    browser.element(".heading .pill", "Running")
    with mock.machine.lock:
        mock.machine.reset("web-front", "Pause")
    start = time.monotonic()
    browser.element(".heading .pill", "Paused")
    check(time.monotonic() - start < 2, "it took long to be told")


def not_told_of(browser, mock):
    """Where nobody tells the page asks, and listens again after ever longer times."""
    mock.mute = True
    log_in(browser, mock)
    go(browser, "images")
    browser.element("tr[data-image=vmlinuz]")
    with mock.machine.lock:
        mock.machine.images["silent.elf"] = (1234, "fetched")
    browser.element("tr[data-image='silent.elf']")
    wait_for(lambda: len(mock.event_attempts) >= 4, "four attempts", 20)
    times = mock.event_attempts
    waits = [after - before for before, after in zip(times, times[1:])]
    check(all(1.5 < after / before < 3 for before, after in zip(waits, waits[1:])), f"waits between attempts: {waits}")
    mock.mute = False
    wait_for(lambda: mock.machine.listeners, "the page to listen", 20)
    mock.machine.tell(None)
    wait_for(lambda: len(mock.event_attempts) >= 6, "the page to listen again", 30)
    wait_for(lambda: mock.machine.listeners, "the page to listen")
    with mock.machine.lock:
        mock.machine.add_image("told.elf", 1234, "fetched")
    browser.element("tr[data-image='told.elf']")
    browser.said.clear()  # about answers of 503


def host_and_log(browser, mock):
    log_in(browser, mock)
    go(browser, "host")
    for text in ("i7-7800X", "10.0.2.15", "4.31 GiB", "0.1.0"):
        browser.element("dd", text)
    browser.wait(r"/\d %/.test(document.querySelector('.bars').innerText)", "use of the CPUs")
    browser.fill("input[name=password]", "correct horse")
    browser.fill("input[name=again]", "wrong horse")
    browser.wait("document.querySelector('form button').disabled", "the button to wait for the same password")
    browser.fill("input[name=again]", "correct horse")
    browser.click("form button", "Change")
    browser.element(".toast", "password was changed")
    check(mock.passwords == ["correct horse"], f"passwords: {mock.passwords}")
    browser.picture("host")
    go(browser, "log")
    browser.element(".log li", "VT-x is on")
    browser.fill("input[type=search]", "MEMROY")
    browser.wait("document.querySelectorAll('.log li').length === 1", "one line that fits")
    browser.fill("input[type=search]", "")
    browser.choose("select", "Warning")
    browser.wait("document.querySelectorAll('.log li').length === 2", "two lines")
    browser.choose("select", "")
    mock.machine.log("something happened just now")
    browser.element(".log li", "something happened just now")
    # The ring is full: the oldest ones go when new ones come.
    del mock.machine.entries[:3]
    mock.machine.log("and this is new")
    browser.element(".log li", "and this is new")
    browser.wait("document.querySelectorAll('.log li').length === 6", "the log as it is now")
    browser.picture("log")


def read_only(browser, mock):
    log_in(browser, mock, "guest")
    check(not browser.run("document.querySelectorAll('[data-action]').length"), "there are buttons for actions")
    check(not browser.run("document.body.innerText.includes('New machine')"), "a machine can be made")
    go(browser, "vm/web-front/console")
    browser.element(".link", "You only read")
    check(not browser.run("document.body.innerText.includes('Take over')"), "the console can be taken over")


def unreachable(browser, mock):
    log_in(browser, mock)
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    browser.element("[role=alert]", "The server does not answer")
    browser.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    browser.wait("!document.body.innerText.includes('does not answer')", "the warning to go")


def by_keyboard(browser, mock):
    log_in(browser, mock)
    go(browser, "vm/staging")
    browser.element("[data-action=start]")
    browser.wait("document.activeElement.tagName === 'H1'", "the focus on the heading")
    seen = []
    # From the heading on, and around.
    for _ in range(14):
        browser.press("Tab")
        seen.append(browser.run("(e => e === document.body ? '' : e.textContent.trim() || e.ariaLabel)"
                                "(document.activeElement)"))
        outline = browser.run("getComputedStyle(document.activeElement).outlineStyle")
        check(outline != "none" or not seen[-1], f"the focus on {seen[-1]} cannot be seen")
    for name in ("Start", "Overview", "Console", "Settings", "Skip to content", "Innkeeper", "Images", "Log out"):
        check(name in seen, f"Tab does not come to {name}: {seen}")
    browser.run("document.querySelector('[data-action=start]').focus()")
    browser.press("Enter")
    browser.element(".heading .pill", "Running")
    browser.element("[data-action=kill]")
    browser.run("document.querySelector('[data-action=kill]').focus()")
    browser.press("Enter")
    browser.element("dialog[open]")
    check(browser.run("document.activeElement.textContent") == "Cancel", "Enter again would kill it")
    browser.press("Tab")
    browser.press("Enter")
    browser.element(".heading .pill", "Stopped")


def sizes(browser, mock):
    """Phone and tablet: nothing is cut off sideways, in both themes."""
    log_in(browser, mock)
    time.sleep(2)
    for name, size in (("phone", PHONE), ("tablet", TABLET), ("desktop", DESKTOP)):
        for dark in (False, True):
            browser.window(size, dark)
            for place in PLACES:
                go(browser, place)
                browser.wait("!document.querySelector('.waiting') && !!document.querySelector('h1')")
                time.sleep(0.15)
                browser.picture(f"{place.replace('/', '-') or 'machines'}-{name}{'-dark' if dark else ''}")
                check(sideways(browser) <= 0, f"/{place} can be scrolled sideways on a {name}")
                cut = browser.run("[...document.querySelectorAll('.card')].filter(e => e.scrollWidth > e.clientWidth)"
                                  ".map(e => e.innerText).join()")
                check(not cut, f"/{place} has cut-off text on a {name}: {cut}")
    browser.window(PHONE)
    go(browser, "")
    action(browser, "staging", "start")
    browser.wait(state_of("staging") + " === 'Running'")


def small(_, mock):
    check(mock.page_size() <= SIZE_MAX, f"the page has {mock.page_size()} bytes")


def all_cases():
    """(name, function of a browser and a mock)."""
    for case in (login, session_ends, table, start_and_stop, asks_first, refusals, machine_page, *console_cases.CASES,
                 create, create_by_json, images, told_of, not_told_of, settings, host_and_log, read_only, unreachable,
                 by_keyboard, sizes, small):
        yield case.__name__.replace("_", " "), functools.partial(checked, case)


def checked(case, browser, mock):
    """The case, and what is true of all: no script failed, and nothing came from elsewhere."""
    browser.forget()
    case(browser, mock)
    check(not browser.said, f"the browser says: {browser.said}")
    strange = [url for url in browser.requested if not url.startswith((mock.url, "data:", mock.url.replace("http", "ws")))]
    check(not strange, f"the page asked elsewhere: {strange}")
