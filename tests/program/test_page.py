"""The page at the admin address, in a real browser, with people on."""
# label: slow
# timeout: 900

import time
import unittest

from harness import Case, canned, main, npm, wait_until
from harness.browser import INSTALLED, Browser

TAB = "\ue004"
PHONE = (360, 740)
AXE = "axe-core@4.14.1"

# Contrast of text to what is behind it (WCAG 2.1, 1.4.3), worked out from what the browser has computed.
CONTRAST = """
const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (node) => {
  for (; node; node = node.parentElement) {
    const colour = numbers(getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const bad = [];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  if (!own || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.tagName) || !node.getClientRects().length) continue;
  const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) bad.push(`${node.tagName} ${node.className} ${node.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return bad;
"""


@unittest.skipUnless(INSTALLED, "chromium and chromium-driver are not installed")
class Page(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.scripted(canned.SCRIPTS["imap"]())
        self.dead = self.scripted(canned.SCRIPTS["imap"]())
        health = {"interval": "200ms", "timeout": "1s", "rise": 1, "fall": 2}
        self.front = self.postern(
            [{"protocol": "imap", "tls": "implicit", "backend": "live"},
             {"protocol": "imap", "tls": "starttls", "backend": "dying"}],
            backends={"live": {"servers": [self.backend.address], "health": health},
                      "dying": {"servers": [self.dead.address], "health": health}})
        self.front.wait_ready()

    def browse(self, **options):
        browser = self.own(Browser(self.path(f"profile{options}"), **options))
        browser.open(f"http://{self.front.admin}/")
        wait_until(lambda: self.cell(browser, "imap-implicit", "Sessions") is not None, 20, "the page to be filled")
        return browser

    @staticmethod
    def cell(browser, row, head):
        return browser.run("""
            const row = [...document.querySelectorAll("#listener-table tbody tr")]
                .find((row) => row.cells[0].textContent === arguments[0]);
            return row && [...row.cells].find((cell) => cell.dataset.head === arguments[1]).textContent;""", row, head)

    def log_in(self):
        client = self.client(self.front.port("imap-implicit"), tls=True)
        client.line()
        client.imap(b"a LOGIN fred secret")
        return client

    def refuse(self):
        client = self.client(self.front.port("imap-starttls"))
        client.line()
        client.imap(b"a LOGIN fred secret")
        client.close()

    def text(self, browser, selector="body"):
        return browser.run("return document.querySelector(arguments[0]).innerText;", selector)

    def test_numbers_move_and_agree_with_the_metrics(self):
        browser = self.browse()
        clients = [self.log_in() for _ in range(3)]
        self.refuse()
        wait_until(lambda: self.cell(browser, "imap-implicit", "Sessions") == "3", 10, "the sessions to be shown")
        self.assertEqual(self.cell(browser, "imap-implicit", "Logged in"), "3")
        self.assertEqual(self.front.metrics().value("sessions_active", listener="imap-implicit"), 3)
        self.assertIn("imap-starttls", self.text(browser, "#refusal-table"))
        self.assertIn("127.0.0.1", self.text(browser, "#refusal-table"))
        self.assertIn("3 accepted", self.text(browser, "#policy-table"))
        self.assertIn("1 blocked", self.text(browser, "#policy-table"))
        self.assertNotIn("fred", self.text(browser))
        for client in clients:
            client.close()
        wait_until(lambda: self.cell(browser, "imap-implicit", "Sessions") == "0", 10, "the sessions to be over")
        self.assertEqual([entry for entry in browser.console() if entry["level"] == "SEVERE"], [])

    def test_a_backend_goes_down(self):
        browser = self.browse()
        self.assertEqual(self.text(browser, "#state"), "ready")
        self.dead.close()
        wait_until(lambda: self.text(browser, "#state") == "not ready", 10, "the page to say so")
        self.assertIn("dying", self.text(browser, "#reason"))
        wait_until(lambda: "down for" in self.text(browser, "#backend-table"), 10, "the server to be down")

    def test_nothing_is_loaded_from_elsewhere_or_run_from_what_is_shown(self):
        browser = self.browse()
        time.sleep(5)
        loaded = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name);")
        self.assertTrue(loaded)
        for name in loaded:
            self.assertTrue(name.startswith((f"http://{self.front.admin}/", "data:")), name)
        self.assertEqual(browser.console(), [])
        # What the policy forbids is forbidden.
        browser.run("""const script = document.createElement("script"); script.textContent = "window.ran = 1";
                       document.body.append(script);""")
        self.assertIsNone(browser.run("return window.ran;"))

    def test_keyboard_reaches_everything_and_keeps_its_place(self):
        browser = self.browse()
        wanted = browser.run("return [...document.querySelectorAll('a, button, [tabindex=\"0\"]')].length;")
        seen = set()
        for _ in range(wanted + 2):
            browser.press(TAB)
            seen.add(browser.run("""const node = document.activeElement; node.dataset.mark ??= Math.random();
                                    return node === document.body ? null : node.dataset.mark;"""))
        self.assertEqual(len(seen - {None}), wanted)
        browser.run("document.getElementById('pause').focus();")
        clients = [self.log_in()]
        wait_until(lambda: self.cell(browser, "imap-implicit", "Sessions") == "1", 10, "a refresh")
        self.assertEqual(browser.run("return document.activeElement.id;"), "pause")
        browser.press(" ")
        self.assertEqual(browser.run("return document.activeElement.getAttribute('aria-pressed');"), "true")
        clients.pop().close()
        time.sleep(5)
        self.assertEqual(self.cell(browser, "imap-implicit", "Sessions"), "1")

    def test_what_does_not_change_is_not_touched(self):
        browser = self.browse()
        browser.run("""window.changes = [];
            new MutationObserver((all) => { for (const one of all) window.changes.push(one.target.nodeName); }).observe(
                document.getElementById("policy-table"), {childList: true, subtree: true, characterData: true});""")
        time.sleep(5)
        self.assertEqual(browser.run("return window.changes;"), [])

    def test_labels_and_contrast_and_phones(self):
        self.refuse()
        for dark in (False, True):
            browser = self.browse(dark=dark)
            with self.subTest(dark=dark):
                self.assertEqual(browser.run("return matchMedia('(prefers-color-scheme: dark)').matches;"), dark)
                self.assertEqual(browser.run(CONTRAST), [])
                self.assertEqual(browser.run("return document.documentElement.lang;"), "en")
                self.assertEqual(browser.run("""return [...document.querySelectorAll("svg:not([aria-label]), "
                    + "th:not([scope]), table:not(:has(caption)), [role=region]:not([aria-labelledby])")]
                    .map((node) => node.outerHTML);"""), [])
        phone = self.browse()
        phone.resize(*PHONE)
        self.assertEqual(phone.run("return innerWidth;"), PHONE[0])
        self.assertLessEqual(phone.run("return document.documentElement.scrollWidth - innerWidth;"), 0)

    def test_axe_finds_nothing(self):
        """Every rule of axe-core, the best practices with them, in light and dark, wide and on a phone."""
        with open(f"{npm.modules(AXE)}/node_modules/axe-core/axe.min.js") as file:
            axe = file.read()
        self.refuse()
        self.dead.close()
        client = self.log_in()
        for dark in (False, True):
            browser = self.browse(dark=dark)
            browser.run(axe)
            wait_until(lambda: self.text(browser, "#state") == "not ready", 20, "colours of bad news")
            for size in (None, PHONE):
                if size:
                    browser.resize(*size)
                with self.subTest(dark=dark, size=size):
                    found = browser.wait_for("""const found = await axe.run(); return {
                        passed: found.passes.map((rule) => rule.id),
                        violations: found.violations.concat(found.incomplete).map(
                            (rule) => [rule.id, rule.nodes.map((node) => [node.html, node.failureSummary])])};""")
                    self.assertEqual(found["violations"], [])
                    self.assertLessEqual({"color-contrast", "button-name", "empty-table-header", "svg-img-alt"},
                                         set(found["passed"]))
        client.close()

    def test_no_answer_is_said(self):
        browser = self.browse()
        self.front.stop()
        wait_until(lambda: self.text(browser, "#state") == "no answer", 15, "the page to say so")


if __name__ == "__main__":
    main()
