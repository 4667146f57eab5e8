"""A browser for tests of pages: Chromium, driven by Playwright, and what must hold of every page in it."""

import os
import shutil
from contextlib import contextmanager

import pytest
from helpers.needs import needs

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def running():
    """A browser. Where there is none the test is skipped, except in CI, as for packages (see `needs`)."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        reason = "needs a browser (chromium), which no package brings"
        if os.environ.get("NPCAM_TEST_EVERYTHING") and "chromium" not in os.environ.get(
            "NPCAM_TEST_WITHOUT", ""
        ):
            pytest.fail(reason)
        pytest.skip(reason)
    with needs("playwright.sync_api").sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser, file, size=(1280, 800), **options):
    """A page from disk; at the end it must have said nothing on the console and asked for nothing.

    Args:
        browser: from `running`.
        file: of the page.
        size: (width, height) of the window.
        options: of the browser's context.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    said, asked = [], []
    try:
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("request", lambda request: asked.append(request.url))
        page.route("**/*", lambda route: route.continue_() if _is_here(route.request.url) else route.abort())
        page.goto(file.as_uri())
        yield page
    finally:
        context.close()
    assert said == []
    assert [url for url in asked if not _is_here(url)] == []
    assert [url for url in asked if url.startswith("file:")] == [file.as_uri()]


def violations(page):
    """What axe-core finds to be hard to use: rules, and the elements that break them."""
    found = needs("axe_playwright_python.sync_playwright").Axe().run(page).response["violations"]
    return {rule["id"]: [node["html"][:120] for node in rule["nodes"]] for rule in found}


def _is_here(url):
    """Whether an address leads to a file, or is the data itself."""
    return url.startswith(("file:", "data:", "about:", "blob:"))
