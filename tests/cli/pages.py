# SPDX-License-Identifier: MIT
"""The pages that graft writes: single files that load nothing from elsewhere, with balanced tags, alternative texts and
colours for light, dark and paper. Where a headless Chromium is there (GRAFT_CHROMIUM, or chromium on the path) they are
opened, clicked and steered by keys, and the console is read; else that part is skipped."""

import base64
import html.parser
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.request
import zlib

from command import Case, draw_data, main

FIT = ["--model", "tiny_convnet", "--input", "32", "--device", "cpu", "--batch", "5", "--epochs", "2", "--out", "r"]
CHROMIUM = os.environ.get("GRAFT_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Reader(html.parser.HTMLParser):
    """Faults of a page, and counts of its elements."""

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.counts, self.ids, self.images = [], [], {}, set(), []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if len(values) != len(attributes):
            self.faults.append("an attribute twice in " + tag)
        for name, value in attributes:
            if name in ("src", "href", "action", "data", "poster", "srcset") and not re.match(r"data:image/(png|jpeg);base64,|#", value):
                self.faults.append("%s loads %s" % (tag, value[:60]))
            if name == "id":
                if value in self.ids:
                    self.faults.append("the id %s twice" % value)
                self.ids.add(value)
        if tag in ("iframe", "object", "embed", "link", "base"):
            self.faults.append("there is a " + tag)
        if tag == "img":
            if not values.get("alt", "").strip():
                self.faults.append("a picture without alternative text")
            self.images.append(base64.b64decode(values["src"].split(",")[1], validate=True))
        if values.get("role") == "img" and not values.get("aria-label", "").strip():
            self.faults.append("a mark without a label")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append("</%s> closes nothing" % tag)


def read(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    reader = Reader()
    reader.feed(text)
    reader.close()
    return text, reader


def mean_colour(png):
    """Of a PNG of 8 bits, RGB or RGBA."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6)
    channels, at, packed = (3 if kind == 2 else 4), 8, b""
    while at < len(png):
        size = struct.unpack(">I", png[at:at + 4])[0]
        packed += png[at + 8:at + 8 + size] if png[at + 4:at + 8] == b"IDAT" else b""
        at += 12 + size
    data, line = zlib.decompress(packed), width * channels
    above, sums = bytes(line), [0, 0, 0]
    for y in range(height):
        filtered, row = data[y * (line + 1)], bytearray(data[y * (line + 1) + 1:(y + 1) * (line + 1)])
        for i in range(line):
            a, b = row[i - channels] if i >= channels else 0, above[i]
            c = above[i - channels] if i >= channels else 0
            near = min((a, b, c), key=lambda v, p=a + b - c: abs(p - v))  # Paeth's: the first of equal ones
            row[i] = row[i] + (0, a, b, (a + b) // 2, near)[filtered] & 255
            if i % channels < 3:
                sums[i % channels] += row[i]
        above = row
    return [s / (width * height) for s in sums]


class Console:
    """Chromium's debugging protocol through one WebSocket, as much of it as is needed."""

    def __init__(self, program, folder):
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--no-first-run",
             "--window-size=1000,900", "--user-data-dir=" + folder, "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port, deadline = None, time.monotonic() + 60
        while port is None and time.monotonic() < deadline and self.process.poll() is None:
            try:
                with open(os.path.join(folder, "DevToolsActivePort"), encoding="utf-8") as file:
                    port = int(file.readline())
                with urllib.request.urlopen("http://127.0.0.1:%d/json" % port) as answer:
                    page = next(p for p in json.load(answer) if p["type"] == "page")
            except (OSError, ValueError, StopIteration):
                port = None
                time.sleep(0.1)
        if port is None:
            self.process.kill()
            self.process.wait()
            raise unittest.SkipTest("Chromium does not start")
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        address = page["webSocketDebuggerUrl"].split(str(port), 1)[1]
        self.socket.sendall(("GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n" % address).encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.socket.recv(4096)
        self.rest = self.rest.split(b"\r\n\r\n", 1)[1]
        self.number, self.events = 0, []
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def take(self, count):
        while len(self.rest) < count:
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("Chromium has gone")
            self.rest += more
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def message(self):
        data, last = b"", False
        while not last:
            first, size = self.take(2)
            size &= 127
            size = struct.unpack(">H", self.take(2))[0] if size == 126 else struct.unpack(">Q", self.take(8))[0] if size == 127 else size
            data += self.take(size)
            last = first & 128
        return json.loads(data)

    def call(self, method, **parameters):
        self.number += 1
        text = json.dumps({"id": self.number, "method": method, "params": parameters}).encode()
        head = b"\x81" + (struct.pack(">B", 128 | len(text)) if len(text) < 126 else struct.pack(">BH", 254, len(text)))
        self.socket.sendall(head + b"\0\0\0\0" + text)
        while True:
            found = self.message()
            if found.get("id") == self.number:
                return found.get("result", found)
            self.events.append(found)

    def open(self, path):
        self.events.clear()
        self.call("Page.navigate", url="file://" + path)
        for _ in range(600):
            if self.run("document.readyState") == "complete" and self.run("location.href") != "about:blank":
                return
            time.sleep(0.1)

    def run(self, code):
        found = self.call("Runtime.evaluate", expression=code, returnByValue=True)
        return found.get("result", {}).get("value")

    def key(self, key, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **({"text": text} if text and kind == "keyDown" else {}))

    def click(self, selector):
        x, y = self.run("(()=>{const e=document.querySelector(%s);e.scrollIntoView({block:'center'});const b=e.getBoundingClientRect();"
                        "return [b.x+b.width/2,b.y+b.height/2]})()" % json.dumps(selector))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def colour(self, selector, dx=0.5, dy=0.5):
        """What the screen shows at a place of an element: the mean of 8 x 8 pixels, three numbers."""
        x, y, width, height = self.run("(()=>{const b=document.querySelector(%s).getBoundingClientRect();"
                                       "return [b.x+scrollX,b.y+scrollY,b.width,b.height]})()" % json.dumps(selector))
        clip = {"x": round(x + dx * width) - 4, "y": round(y + dy * height) - 4, "width": 8, "height": 8, "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        return mean_colour(base64.b64decode(shot))

    def complaints(self):
        self.run("1")  # whatever was said before this has come
        return [event for event in self.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded") or
                (event["method"] == "Runtime.consoleAPICalled" and event["params"]["type"] in ("error", "warning", "assert"))]

    def close(self):
        self.socket.close()
        self.process.kill()
        self.process.wait()


class Pages(Case):
    def setUp(self):
        super().setUp()
        draw_data(self.path("d"))
        self.good("fit", "d", *FIT)
        self.good("explain", "r", "d/val/red/00.png", "d/val/blue/01.png", "--class", "red,blue", "--quiet")
        self.good("map", "r", "d", "--quiet", "--thumbnails", "20", "--steps", "50")
        self.good("evaluate", "r", "--report", "e.html", "--quiet")
        self.good("fit", "d", *FIT[:-1], "r2", "--label-smoothing", "0.1")
        self.good("compare", "r", "r2", "--quiet")
        self.pages = [self.path("r", "report.html"), self.path("explained", "index.html"), self.path("map.html"), self.path("e.html"),
                      self.path("compared", "index.html")]

    def test_whole(self):
        for path in self.pages:
            text, reader = read(path)
            self.assertEqual((reader.faults, reader.open), ([], []), path)
            self.assertNotIn("http", re.sub(r"base64,[^\"]*|http-equiv", "", text), path)
            for needed in ("prefers-color-scheme:dark", "@media print", ":focus-visible", "default-src 'none'", 'lang="en"'):
                self.assertIn(needed, text, path)
            self.assertEqual((reader.counts["h1"], reader.counts["main"], reader.counts["title"]), (1, 1, 1), path)
            for image in reader.images:
                self.assertTrue(image.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")), path)

    def test_reader(self):
        """What the reader above finds."""
        for text, fault in (("<p><b>x</p>", "</p>"), ("<img src='data:image/png;base64,AA=='>", "without alternative"), ("<script src='x.js'></script>", "loads x.js"),
                            ("<a href='https://a.b/c'>c</a>", "loads https"), ("<i role=img></i>", "without a label"), ("<p id=a><p id=a>", "twice")):
            reader = Reader()
            reader.feed(text)
            self.assertTrue(any(fault in found for found in reader.faults), (text, reader.faults))

    def test_parts(self):
        report, reader = read(self.pages[0])
        self.assertNotIn("<script", report)
        self.assertIn("Where it looks", report)
        self.assertGreaterEqual(len(reader.images), 2 + 2 * 2)  # curves, confusion; of each class a picture and its heat
        explained, reader = read(self.pages[1])
        self.assertNotIn("<script", explained)
        self.assertEqual((len(reader.images), reader.counts["section"]), (2 * 5, 2))
        self.assertEqual(len(read(self.pages[2])[1].images), 20)
        compared, reader = read(self.pages[4])
        self.assertEqual((len(reader.images), reader.counts["table"]), (2, 2))
        self.assertIn("<td>label_smoothing</td><td>0</td><td>0.1</td>", compared)
        evaluated, reader = read(self.pages[3])
        self.assertIn("Where it looks", evaluated)
        self.assertGreaterEqual(len(reader.images), 1 + 2 * 2)

    @unittest.skipUnless(CHROMIUM, "there is no Chromium")
    def test_browser(self):
        folder = tempfile.mkdtemp(prefix="graft-chromium-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        browser = Console(CHROMIUM, folder)
        try:
            for path in self.pages:
                for scheme in ("light", "dark"):
                    browser.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
                    browser.open(path)
                    self.assertEqual(browser.complaints(), [], path)
                    self.assertEqual(browser.run("[...document.images].filter(i=>!i.naturalWidth).length"), 0)
                    self.assertLessEqual(browser.run("document.documentElement.scrollWidth"), 1000, path)  # nothing sticks out
                    paper = browser.run("getComputedStyle(document.body).backgroundColor")
                    self.assertEqual(paper, "rgb(255, 255, 255)" if scheme == "light" else "rgb(23, 23, 28)")
                    picture = base64.b64decode(browser.call("Page.captureScreenshot", format="png")["data"])
                    self.assertGreater(len(picture), 5000, path)
            self.look_at_pictures(browser)
            with open(self.path("bad.html"), "w", encoding="utf-8") as file:
                file.write("<script>nothing()</script>")
            browser.open(self.path("bad.html"))
            self.assertEqual(len(browser.complaints()), 1)  # this would be heard
            browser.open(self.pages[0])
            self.assertFalse(browser.run("document.querySelector('details').open"))
            browser.click("summary")
            self.assertTrue(browser.run("document.querySelector('details').open"))
            self.look_closer(browser)
            self.assertEqual(browser.complaints(), [])
        finally:
            browser.close()

    def look_at_pictures(self, browser):
        """Explanations on light, dark, paper and a narrow screen: the red picture is where the red one belongs, the
        blue one below it, on the page's own ground; nothing sticks out."""
        browser.open(self.pages[1])
        for scheme, media, width, ground in (("light", "screen", 1000, 255), ("dark", "screen", 1000, 24), ("dark", "print", 700, 255),
                                             ("light", "screen", 380, 255)):
            browser.call("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])
            browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            where = (scheme, media, width)
            red, blue = (browser.colour("section:nth-of-type(%d) img" % n) for n in (1, 2))
            self.assertTrue(red[0] > red[1] + 50 and red[0] > red[2] + 50, (where, red))
            self.assertTrue(blue[2] > blue[0] + 50 and blue[2] > blue[1] + 50, (where, blue))
            self.assertTrue(all(abs(c - ground) < 8 for c in browser.colour("html", 6 / width, 0.01)), where)
            self.assertLessEqual(browser.run("document.documentElement.scrollWidth"), width, where)
            self.assertLess(*browser.run("[...document.querySelectorAll('section')].slice(0,2).map(s=>s.getBoundingClientRect().y)"))
        for path in self.pages:
            browser.open(path)  # still narrow
            self.assertLessEqual(browser.run("document.documentElement.scrollWidth"), 380, path)
        browser.call("Emulation.clearDeviceMetricsOverride")
        browser.call("Emulation.setEmulatedMedia", media="", features=[])

    def look_closer(self, browser):
        """The map: buttons, keys, a click on a picture, a class that is taken away."""
        browser.open(self.pages[2])
        middle = "(()=>{const p=document.querySelector('#plane img'),b=document.getElementById('plane').getBoundingClientRect(),q=p.getBoundingClientRect();return [q.x-b.x,q.width]})()"
        before = browser.run(middle)
        browser.click("button[data-key='+']")
        closer = browser.run(middle)
        self.assertNotEqual(closer[0], before[0])
        browser.click("button[data-key='0']")
        self.assertEqual(browser.run(middle), before)
        browser.run("document.getElementById('plane').focus()")
        browser.key("n", "n")
        self.assertIn(".png", browser.run("document.getElementById('told').textContent"))
        self.assertEqual(browser.run("document.querySelectorAll('.chosen').length"), 1)
        first = browser.run("document.getElementById('told').textContent")
        browser.key("n", "n")
        self.assertNotEqual(browser.run("document.getElementById('told').textContent"), first)
        browser.key("p", "p")
        self.assertEqual(browser.run("document.getElementById('told').textContent"), first)
        browser.key("+", "+")
        self.assertNotEqual(browser.run(middle), before)
        browser.key("0", "0")
        browser.click("input[data-class='0']")
        self.assertEqual(browser.run("[...document.querySelectorAll('#plane>*')].filter(e=>!e.offsetParent).length"), 14)
        browser.click("input[data-class='0']")
        self.assertEqual(browser.run("document.querySelectorAll('.hidden').length"), 0)


main()
