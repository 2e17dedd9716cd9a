"""An explorer in a real browser: make test-browser. Skipped where there is no playwright or no Chromium.

`BROWSER_PICTURE=picture.png make test-browser` keeps a picture of what the browser showed.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

from tools import lessons

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: make test-browser installs it")

CELLS = [
    """
import matplotlib.pyplot as plt
import numpy as np

from modules.course.explorer import Explorer


def stripes(number):
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.imshow(np.arange(24 * 24).reshape(24, 24) // 24 % (number + 1), cmap="viridis")
    ax.set_title(f"{number} stripes")
    ax.axis("off")
    return fig


Explorer(stripes, number=(1, 9, 1, 3))""",
    "import pathlib, time\nprint('begun')\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.1)\nprint('ended')",
]
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false"},
    "notebook-extension/tracker": {"windowingMode": "none"},
}


@pytest.fixture
def browser():
    """The system's Chromium, or the one that `playwright install` fetched."""
    with playwright.sync_playwright() as p:
        names = ("chromium", "chromium-browser", "google-chrome", p.chromium.executable_path)
        found = next(filter(None, map(shutil.which, names)), None)
        if not found:
            pytest.skip("no Chromium: run .venv/bin/playwright install --with-deps chromium")
        browser = p.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab that shows a notebook with an explorer."""
    kernel = {"display_name": "Python 3 (ipykernel)", "name": "python3", "language": "python"}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text.strip()) for text in CELLS], metadata={"kernelspec": kernel}
    )
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    for name, setting in SETTINGS.items():
        file = tmp_path / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(setting))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(8)
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
        + [f"--ServerApp.root_dir={tmp_path}", f"--IdentityProvider.token={token}"],
        env=os.environ
        | {"JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "spaces")}
        | {"PYTHONPATH": str(lessons.ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait(lambda: answers(f"{address}/api?token={token}"), 120)
        yield f"{address}/lab/tree/explorer.ipynb?token={token}"
    finally:
        server.terminate()
        server.wait(30)


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait(happened, seconds):
    """Until `happened()` is true; returns the seconds that it took."""
    begin = time.perf_counter()
    while not happened():
        assert time.perf_counter() - begin < seconds, f"not within {seconds} s"
        time.sleep(0.01)
    return time.perf_counter() - begin


def test_a_slider_moves_by_keyboard_also_when_another_cell_computes(browser, lab, tmp_path):
    page = browser.new_page(viewport={"width": 1100, "height": 900})
    page.set_default_timeout(180_000)
    page.goto(lab)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_text("from modules.course.explorer").first.click()
    page.keyboard.press("Shift+Enter")
    handle = page.locator(".noUi-handle")
    handle.wait_for()
    picture = page.locator(".jupyter-widgets img")
    picture.wait_for()

    def shown():
        return page.evaluate("fetch(document.querySelector('.jupyter-widgets img').src).then(r => r.text())")

    def printed(text):
        return page.locator(".jp-OutputArea-output", has_text=text)

    took = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
        before = shown()
        handle.focus()
        page.keyboard.press(key)
        took.append(wait(lambda: shown() != before, 60))
    print(f"from key to picture: {', '.join(f'{1000 * t:.0f}' for t in took)} ms")

    if keep := os.environ.get("BROWSER_PICTURE"):
        page.screenshot(path=keep)

    assert page.get_by_text("another cell still computes").is_visible()
    page.get_by_text("time.sleep").first.click()
    page.keyboard.press("Shift+Enter")
    printed("begun").wait_for()
    before = shown()
    handle.focus()
    page.keyboard.press("ArrowRight")
    time.sleep(3)
    print(f"while another cell computes the picture {'waits' if shown() == before else 'moves'}")
    (tmp_path / "go").touch()
    printed("ended").wait_for()
    wait(lambda: shown() != before, 60)
