"""What tests of the page have in common."""

import json
import time

from browser import BrowserError


def check(condition, text):
    if not condition:
        raise BrowserError(text)


def log_in(browser, mock, user="admin"):
    browser.open(mock.url)
    browser.fill("input[name=user]", user)
    browser.fill("input[name=password]", "secret")
    browser.click("button", "Log in")
    browser.element("tr[data-vm]")


def go(browser, place):
    browser.run(f"location.hash = {json.dumps('#/' + place)}")
    time.sleep(0.1)  # what was there is gone after a frame


def state_of(name):
    return f"document.querySelector('tr[data-vm=\"{name}\"] .pill').textContent"


def action(browser, name, what):
    browser.click(f'tr[data-vm="{name}"] [data-action="{what}"]')


def wait_for(condition, what, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, f"waited in vain for {what}")
        time.sleep(0.05)
