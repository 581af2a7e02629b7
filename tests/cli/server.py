# SPDX-License-Identifier: MIT
"""A server on this machine that behaves, or misbehaves in each way that there is, for the tests of graft pull."""

import hashlib
import http.server
import os
import random
import re
import threading
import time

from command import Case

LONG = random.Random(5).randbytes(3000000)
DIGEST = hashlib.sha256(LONG).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """/MODE/FILE: the file that the server has by that name, or LONG, sent as MODE says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, code, body=b"", announced=None, **headers):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def rest(self, body):
        """What Range asks for."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return body[int(asked[1]) :] if asked else body

    def do_GET(self):
        server = self.server
        if self.path.startswith("http://"):  # as a proxy is asked
            server.asked.append((self.path, "proxy"))
            self.path = "/good/own.pth"
        mode, name = self.path.lstrip("/").split("/", 1) if "/" in self.path[1:] else ("good", self.path[1:])
        body = server.files.get(name.split("?")[0], LONG)
        server.asked.append((self.path, self.headers.get("Range")))
        self.close_connection = True
        try:
            self.misbehave(mode, name, body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def misbehave(self, mode, name, body):
        rest = self.rest(body)
        first = len(body) - len(rest)
        content = {"Content_Range": "bytes %d-%d/%d" % (first, len(body) - 1, len(body))}
        if mode == "good" and "Range" in self.headers:
            if first < len(body):
                self.answer(206, rest, **content)
            else:
                self.answer(416)
        elif mode in ("good", "whole"):
            self.answer(200, body)
        elif mode == "wrong":
            self.answer(200, body[:-1] + b"?")
        elif mode == "short":
            self.answer(206 if first else 200, rest[: len(rest) // 2], announced=len(rest), **content)
        elif mode == "hang":
            self.answer(206 if first else 200, rest[: len(rest) // 2], announced=len(rest), **content)
            self.wfile.flush()
            self.server.released.wait(60)
        elif mode == "silent":
            self.server.released.wait(60)
        elif mode == "slow":
            self.answer(200, announced=len(body))
            for first in range(0, len(body), 250000):
                self.wfile.write(body[first : first + 250000])
                time.sleep(0.1)
        elif mode == "endless":
            self.answer(206 if first else 200, rest, announced=(1 << 63) - 1, **content)
        elif mode == "part":
            self.answer(206, body, Content_Range="bytes 0-%d/%d" % (len(body) - 1, len(body)))
        elif mode == "huge":
            self.answer(200, b"begin", announced=1 << 60)
        elif mode == "more":
            for _ in range(40):
                self.wfile.write(b"" if _ else b"HTTP/1.1 200 OK\r\n\r\n")
                self.wfile.write(bytes(1 << 20))
        elif mode == "hop":
            self.answer(302, b"there", Location="/good/" + name)
        elif mode == "circle":
            self.answer(301, Location=self.path)
        elif mode == "nowhere":
            self.answer(302)
        elif mode == "file":
            self.answer(302, Location="file:///etc/passwd")
        elif mode == "https":
            self.answer(307, Location="https://127.0.0.1/" + name)
        elif mode == "broken":
            self.answer(500, b"oh")
        else:
            self.answer(404, b"<html>no such thing</html>")


class Served(Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.asked, self.server.files = [], {}
        self.server.released = threading.Event()
        self.base = "http://127.0.0.1:%d" % self.server.server_address[1]
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()

        def stop():
            self.server.released.set()
            self.server.shutdown()
            self.server.server_close()
            thread.join()

        self.addCleanup(stop)
        self.environment = {"GRAFT_CACHE": self.path("cache"), "GRAFT_PULLED": "yes", "no_proxy": "*"}

    def weights(self, name):
        return self.path("cache", "weights", name)

    def run_graft(self, *arguments, **options):
        environment = dict(self.environment, **options.pop("environment", {}))
        return super().run_graft(*arguments, environment=environment, **options)

    def pull(self, mode, *arguments, sha256=DIGEST, **options):
        arguments = ("pull", "resnet18", "--url", "%s/%s/own.pth" % (self.base, mode), *arguments)
        return self.good(*arguments, *(["--sha256", sha256] if sha256 else []), **options)

    def refuse(self, words, mode, *arguments, sha256=DIGEST, **options):
        arguments = ("pull", "resnet18", "--url", "%s/%s/own.pth" % (self.base, mode), *arguments)
        code = options.pop("code", 1)
        return self.bad(code, words, *arguments, *(["--sha256", sha256] if sha256 else []), **options)

    def assert_whole(self, name="own.pth"):
        with open(self.weights(name), "rb") as file:
            self.assertEqual(file.read(), LONG)
        self.assertFalse(os.path.exists(self.weights(name + ".part")))

    def assert_nothing(self, name="own.pth", part=0):
        self.assertFalse(os.path.exists(self.weights(name)))
        held = self.weights(name + ".part")
        self.assertEqual(os.path.getsize(held) if os.path.exists(held) else 0, part)
