"""A real Chromium, if there is one, driven by Playwright (the extra `browser`)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
SIZE: Final = {"width": 1280, "height": 640}


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Run a browser; skips the test where there is none."""
    why = "needs the extra `browser`: pip install 'fake-dra-driver[browser]'"
    api = pytest.importorskip("playwright.sync_api", reason=why)
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("needs a Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        # its own sandbox needs user namespaces, which containers seldom have
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A visit to a page: what the browser complains of is an error, and where it asks is known."""

    def __init__(self, browser: "Browser", url: str, scheme: str = "light") -> None:
        self._context = browser.new_context(color_scheme=scheme, viewport=SIZE)
        self.page: Page = self._context.new_page()
        self.page.set_default_timeout(30_000)
        self.complaints: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.add(request.url))
        self.page.goto(url)
        self.page.wait_for_selector('html[data-ready="true"]')

    def focused(self) -> str:
        """Return the text or label of what has the focus."""
        script = (
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
        )
        return str(self.page.evaluate(script))

    def end(self, url: str) -> None:
        """Leave the page; nothing was wrong, and nobody else was asked."""
        assert self.complaints == []
        assert {each for each in self.asked if not each.startswith(url)} == set()
        self._context.close()
