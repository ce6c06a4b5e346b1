"""A headless Chromium for tests of pages: Debian's own, offline, with all it asked for and complained of."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def missing() -> str | None:
    """Why there is no browser here, None if there is one."""
    for program in (CHROMIUM, DRIVER):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    return None


class Browser:
    """One window; pages are files, scripts are expressions or bodies with `return`."""

    def __init__(self, driver: Any):
        self.driver = driver
        self._look: dict[str, Any] = {}

    def open(self, page: Path, ready: str = "return document.documentElement.dataset.ready == 'all'") -> None:
        """Load a page and wait until it says that it is drawn."""
        self.forget()
        self.driver.get(page.as_uri())
        self.wait(ready)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, script: str, seconds: float = 20) -> Any:
        """The first true answer of a script; AssertionError if there is none in time."""
        return self.until(lambda: self.run(script), seconds, script)

    def until(self, question: Callable[[], Any], seconds: float = 20, name: str = "") -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = question()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"never true in {seconds} s: {name}; {self.errors()}")

    def becomes(self, script: str, value: Any, seconds: float = 20) -> None:
        """Wait until a script answers this; AssertionError with what it answered last."""
        found: list[Any] = []

        def same() -> bool:
            found[:] = [self.run(script)]
            return bool(found[0] == value)

        try:
            self.until(same, seconds)
        except AssertionError:
            raise AssertionError(f"{found[0]!r} instead of {value!r}: {script}") from None

    def cdp(self, command: str, **arguments: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, arguments)

    def settle(self, script: str, quiet: float = 0.15, seconds: float = 10) -> Any:
        """What a script answers once it answers the same for a while."""
        end, last, since = time.monotonic() + seconds, object(), time.monotonic()
        while time.monotonic() < end:
            found = self.run(script)
            if found != last:
                last, since = found, time.monotonic()
            elif time.monotonic() - since > quiet:
                return found
            time.sleep(0.03)
        raise AssertionError(f"never at rest: {script}")

    # -- what a person does --------------------------------------------------------------------------

    def click(self, target: Any) -> None:
        """Click an element, given itself or as a CSS selector, once nothing lies over it any more."""
        from selenium.common.exceptions import ElementClickInterceptedException

        element = self.driver.find_element("css selector", target) if isinstance(target, str) else target
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)

        def clicked() -> bool:
            try:
                element.click()
            except ElementClickInterceptedException:
                return False
            return True

        self.until(clicked, name=f"nothing lies over {target}")

    def keys(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def drag(self, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a line with the mouse, given as shares of an element's width and height."""
        from selenium.webdriver import ActionChains

        element = self.driver.find_element("css selector", selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        width, height = element.size["width"], element.size["height"]
        at = [(int((x - 0.5) * width), int((y - 0.5) * height)) for x, y in (start, end)]
        chain = ActionChains(self.driver, duration=60)
        chain.move_to_element_with_offset(element, *at[0]).click_and_hold()
        chain.move_to_element_with_offset(element, (at[0][0] + at[1][0]) // 2, (at[0][1] + at[1][1]) // 2)
        chain.move_to_element_with_offset(element, *at[1]).release().perform()

    def hover(self, selector: str) -> None:
        """Move the mouse over an element, from corner to corner."""
        from selenium.webdriver import ActionChains

        element = self.driver.find_element("css selector", selector)
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        chain = ActionChains(self.driver, duration=20)
        for share in range(-9, 10):
            x, y = (int(share * element.size[side] / 20) for side in ("width", "height"))
            chain.move_to_element_with_offset(element, x, y)
        chain.perform()

    def look(self, *, dark: bool = False, paper: bool = False) -> None:
        """Prefer a dark or a light page, as for a screen or for paper, and no motion."""
        wanted = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self._emulate("setEmulatedMedia", media="print" if paper else "", features=features)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._emulate("setDeviceMetricsOverride", **size)

    def _emulate(self, what: str, **settings: Any) -> None:
        """Each change costs a new layout, so that the same again is nothing."""
        if self._look.get(what) != settings:
            self.cdp(f"Emulation.{what}", **settings)
            self._look[what] = settings

    def pdf(self) -> bytes:
        return base64.b64decode(
            self.cdp("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"]
        )

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A screenshot, of the ``whole`` page or of the window."""
        data = self.cdp("Page.captureScreenshot", captureBeyondViewport=whole, format="png")["data"]
        path.write_bytes(base64.b64decode(data))

    # -- what happened -------------------------------------------------------------------------------

    def forget(self) -> None:
        """Start new lists of complaints and requests."""
        self.driver.get("about:blank")
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)

    def errors(self) -> list[str]:
        """What the page wrote to the console as errors or warnings since it was opened."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def requests(self) -> list[str]:
        """Every address that was asked for since the page was opened."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = (m["params"] for m in messages if m["method"] == "Network.requestWillBeSent")
        return [params["request"]["url"] for params in sent]


@contextmanager
def browser(folder: Path, *flags: str, width: int = 1280, height: int = 900) -> Iterator[Browser]:
    """A browser with a profile of its own in ``folder``; closed at the end."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}", *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        driver.set_script_timeout(30)
        yield Browser(driver)
    finally:
        driver.quit()
