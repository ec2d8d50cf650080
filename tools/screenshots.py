#!/usr/bin/python3
"""Makes the pictures of the page in docs/images, with people on. Run by `./dev screenshots`."""

import base64
import os
import sys
import threading
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(SOURCE, "tests"))

from harness import canned, wait_until  # noqa: E402
from harness.browser import Browser  # noqa: E402
from harness.case import Workshop  # noqa: E402

SIZE = (1280, 1150)
SECONDS = 12  # of traffic before the first picture, so that there are rates to show


def traffic(shop, front, stop):
    """Sessions that stay, log-ins good and bad, and some in the clear."""
    staying = []
    while not stop.wait(0.3):
        client = shop.client(front.port("imaps"), tls=True)
        client.line()
        client.imap(b"a LOGIN fred wrong" if len(staying) % 5 == 4 else b"a LOGIN fred secret")
        staying.append(client)
        if len(staying) % 3 == 0:
            client = shop.client(front.port("pop3"))
            client.line()
            client.send(b"USER fred\r\n")
            client.line()
            client.close()
    for client in staying:
        client.close()


def main():
    shop, stop = Workshop(), threading.Event()
    try:
        imap, pop3, smtp = (shop.scripted(canned.SCRIPTS[name]()) for name in ("imap", "pop3", "smtp"))
        front = shop.postern(
            [{"name": "imaps", "protocol": "imap", "tls": "implicit", "backend": "mail"},
             {"name": "pop3", "protocol": "pop3", "tls": "starttls", "backend": pop3.address},
             {"name": "submission", "protocol": "smtp", "tls": "starttls", "require_auth": True,
              "backend": smtp.address}],
            backends={"mail": {"servers": [imap.address, "127.0.0.1:9"], "health": {"interval": "1s", "fall": 1}}},
            auth={"mechanisms": {"NTLM": "always", "CRAM-MD5": "never"}}, check_quiet=False)
        wait_until(lambda: "unreachable" not in front.get("/readyz")[1], 20, "Postern")
        people = threading.Thread(target=traffic, args=(shop, front, stop))
        people.start()
        time.sleep(SECONDS)
        os.makedirs(os.path.join(SOURCE, "docs/images"), exist_ok=True)
        for name in ("light", "dark"):
            browser = shop.own(Browser(shop.path(name), dark=name == "dark", size=SIZE))
            browser.open(f"http://{front.admin}/")
            wait_until(lambda: browser.run("return document.querySelector('#listener-table td') !== null;"), 20, "it")
            with open(os.path.join(SOURCE, f"docs/images/page-{name}.png"), "wb") as file:
                file.write(base64.b64decode(browser.screenshot()))
        stop.set()
        people.join()
    finally:
        stop.set()
        shop.close()


main()
