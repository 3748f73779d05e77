"""Chromium without a window, asked by its own protocol through a pipe, which needs no library."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)

# TensorBoard's pages are trees within trees, which a dump of the document leaves out.
_ELEMENTS = """
const elements = (root) => [...root.querySelectorAll('*')].flatMap(
    (each) => [each, ...(each.shadowRoot ? elements(each.shadowRoot) : [])]);
"""


class Page:
    """An open page, whose elements are looked for in shadow trees too."""

    def __init__(self, to: BinaryIO, of: BinaryIO) -> None:
        self._to, self._of, self._number = to, of, 0
        self._session: dict[str, str] = {}

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a method of the protocol; see chromedevtools.github.io."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": parameters, **self._session}
        self._to.write(json.dumps(request).encode() + b"\0")
        self._to.flush()
        while True:
            answer = json.loads(self._message())
            if answer.get("id") == self._number:
                return answer["result"]

    def _message(self) -> bytes:
        data = bytearray()
        while (byte := self._of.read(1)) != b"\0":
            if not byte:
                raise EOFError("the browser has ended")
            data += byte
        return bytes(data)

    def attach(self) -> None:
        """Turns to a new empty page."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def open(self, url: str) -> None:
        """Goes to another page, also where only the part behind # differs."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What JavaScript says, in which `elements(root)` are all elements below `root`."""
        script = f"(() => {{ {_ELEMENTS}; return ({expression}); }})()"
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    def text(self) -> str:
        """All that is written on the page."""
        found = self.value(
            "elements(document).filter(e => !['SCRIPT', 'STYLE'].includes(e.tagName)).flatMap("
            "e => [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim())"
            ").filter(Boolean).join('\\n')"
        )
        return str(found or "")

    def wait_for(self, *texts: str, seconds: float = 120.0) -> str:
        """The text of the page once these are in it."""
        end = time.monotonic() + seconds
        while not all(each in (shown := self.text()) for each in texts):
            if time.monotonic() > end:
                raise AssertionError(f"the page must show {texts}, but shows\n{shown}")
            time.sleep(0.5)
        return shown

    def wait_until(self, expression: str, seconds: float = 120.0) -> Any:
        """What JavaScript says once it is true."""
        end = time.monotonic() + seconds
        while not (found := self.value(expression)):
            if time.monotonic() > end:
                raise AssertionError(f"it must become true that {expression}")
            time.sleep(0.5)
        return found


@contextmanager
def opened_browser(profile: Path) -> Iterator[Page]:
    """An empty page of a browser that keeps what it stores in `profile`."""
    assert CHROMIUM is not None
    their_input, our_output = os.pipe()
    our_input, their_output = os.pipe()
    # Its sandbox cannot be used by root, as tests in containers are; 3 and 4 are the pipes' numbers to it.
    flags = "--headless --no-sandbox --disable-gpu --window-size=1400,1200 --remote-debugging-pipe"
    shell = f'exec "$0" {flags} --user-data-dir="$1" 3<&{their_input} 4>&{their_output}'
    command = ["bash", "-c", shell, CHROMIUM, str(profile)]
    with (
        os.fdopen(our_output, "wb") as to,
        os.fdopen(our_input, "rb") as of,
        subprocess.Popen(
            command, pass_fds=(their_input, their_output), stderr=subprocess.DEVNULL
        ) as browser,
    ):
        os.close(their_input)
        os.close(their_output)
        try:
            page = Page(to, of)
            page.attach()
            yield page
        finally:
            browser.terminate()
