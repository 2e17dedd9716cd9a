"""The house in order: set-up, links, addresses, drawings, and the check that learners run first."""

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image

from modules.course import check
from tools import lessons

ROOT = lessons.ROOT
PAGES = [
    path
    for path in (
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "TEACHING", "GLOSSARY", "READING")),
        *ROOT.glob("datasets/*/README.md"),
    )
    if path.exists()
]


def tracked_texts():
    """(name, text) of every text file that git keeps."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    if not listed:
        pytest.skip("not a git checkout")
    for name in listed.splitlines():
        try:
            yield name, (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            pass


# ---------------------------------------------------------------------------------------------------------- set-up
def test_ruff_finds_nothing():
    command = [sys.executable, "-m", "ruff", "check", "modules", "tests", "tools", "figures", "datasets", "conftest.py"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_environment_yml_takes_its_packages_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *packages, pip = environment["dependencies"]
    assert pip == {"pip": ["-e .[dev]"]}
    assert [re.split("[=<>]", package)[0] for package in packages] == ["python", "pip"], (
        "other packages: pyproject.toml"
    )
    minor = int(packages[0].removeprefix("python=3."))
    assert 10 <= minor <= 13


def makefile_targets():
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_on_the_pages_exist(page):
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text(encoding="utf-8"), re.S))
    named = set(re.findall(r"\bmake ((?!PYTHON|MODEL)[a-z-]+)", code))
    assert named <= makefile_targets()


def test_make_help_lists_every_target():
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z-]+) ", listed, re.M)) == makefile_targets()


@pytest.fixture
def bare(tmp_path):
    """An empty machine. `bare(lie)` runs `make check` with a Python that believes `lie`; returns what a newcomer reads."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)

    def make(lie):
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c 'import sys; {lie}; exec(sys.argv[1])' \"$2\"\n")
        python.chmod(0o755)
        run = subprocess.run(["make", "check", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode and not (tmp_path / ".venv").exists()
        return run.stdout

    return make


def test_make_with_an_old_python_says_what_to_do(bare):
    assert "needs Python 3.10 or newer" in bare("sys.version_info = (3, 9, 18)")


def test_make_without_venv_names_the_package(bare):
    assert "sudo apt install python3-venv" in bare('sys.modules["ensurepip"] = None')


# ----------------------------------------------------------------------------------------------------------- pages
def test_no_place_of_the_authors_in_any_file():
    """No home folder, no other absolute place of a machine, no package index but everybody's default."""
    place = re.compile(r"(?<![\w.])/(?:home|Users|root|work)/\w+|pypi\.org|pythonhosted|index-url|\.\./shared")
    allowed = {"tests/test_house.py", "tests/test_lessons.py"}  # they hold such places to look for them
    found = [(name, hit[0]) for name, text in tracked_texts() if name not in allowed for hit in place.finditer(text)]
    assert found == []


def test_the_address_is_pyprojects_everywhere():
    link = re.compile(
        r"(?:git clone (?:-q )?(?:--depth 1 )?https://github\.com|colab\.research\.google\.com/github)/([\w-]+/[\w.-]+)"
    )
    found = {
        (name, hit[1].removesuffix(".git"))
        for name, text in tracked_texts()
        if name.endswith((".md", ".ipynb"))
        for hit in link.finditer(text)
    }
    assert ("README.md", lessons.address()) in found
    assert {address for _, address in found} == {lessons.address()}, "run: python tools/lessons.py address OWNER/NAME"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    headings = {
        re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-") for h in re.findall(r"^#+ (.+)", text, re.M)
    }
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif "://" not in link:
            assert (page.parent / link.split("#")[0]).exists(), link


NOTEBOOKS = sorted((ROOT / "notebooks").glob("**/[!.]*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT / "notebooks")))
def test_links_of_notebooks_lead_somewhere(path):
    """Files and headings are there; addresses are only looked at, not opened."""
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "markdown"]
    text = re.sub(r"`[^`\n]*`", "", "\n".join("".join(cell["source"]) for cell in cells))
    headings = {h.strip().replace(" ", "-") for h in re.findall(r"^#+ (.+)", text, re.M)}  # as Jupyter names them
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif "://" in link:
            assert re.fullmatch(r"https://[\w-]+(\.[\w-]+)+(/[^\s<>]*)?", link), link
        elif not link.startswith("attachment:"):
            assert (path.parent / link.split("#")[0]).exists(), link


@pytest.mark.parametrize("path", lessons.lessons(), ids=lambda path: path.stem)
def test_readme_lists_every_lesson_with_its_minutes(path):
    title_cell = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    title = re.match(r"# [\dA]\d · (.+)", title_cell)[1]
    minutes = re.search(r"\*\*Time\*\* about (\d+) minutes", title_cell)[1]
    row = rf"\| {path.stem[:2]} \| \[{re.escape(title)}\]\(notebooks/{path.name}\) \| .+ \| {minutes} \|"
    assert re.search(row, (ROOT / "README.md").read_text(encoding="utf-8")), f"no row {row}"


@pytest.mark.parametrize("script", sorted((ROOT / "figures").glob("*.py")), ids=lambda script: script.stem)
def test_drawings_are_what_their_code_draws(script, tmp_path):
    stored = Image.open(script.with_suffix(".png"))
    assert stored.text["Source"] == hashlib.sha256(script.read_bytes()).hexdigest(), "run `make figures`"
    shutil.copy(script, tmp_path)
    subprocess.run([sys.executable, tmp_path / script.name], check=True)
    drawn = Image.open((tmp_path / script.name).with_suffix(".png"))
    assert drawn.size == stored.size
    difference = np.abs(np.subtract(drawn.convert("L"), stored.convert("L"), dtype=float)).mean()
    assert difference < 8, "more than matplotlib's versions differ in their letters"


# ----------------------------------------------------------------------------------------------------------- check
def fake(monkeypatch, name, **attributes):
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


def test_check_accepts_this_machine():
    for one in (check.python, check.torch, check.torchvision, check.opencv, check.timm, check.einops, check.modules):
        assert one().status == "OK", one()
    assert check.ultralytics().status in ("OK", "WARN") and check.gpu().status in ("OK", "WARN")


def test_check_python():
    assert check.python((3, 9, 18)).status == "FAIL" and "3.10" in check.python((3, 9, 18)).hint
    assert check.python((3, 10, 0)) == ("OK", "Python 3.10.0", "")


@pytest.mark.parametrize("name", ["torch", "torchvision", "ultralytics", "timm", "einops"])
def test_check_names_what_is_not_installed(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    found = getattr(check, name)()
    assert found.status == "FAIL" and found.line.startswith(f"{name}: not installed") and "pip install" in found.hint


def test_check_torch_that_does_not_fit_numpy(monkeypatch):
    class Ones:
        def __matmul__(self, other):
            return self

        def sum(self):
            return 12.0

        def numpy(self):
            raise RuntimeError("Numpy is not available")

    fake(monkeypatch, "torch", ones=lambda *shape: Ones(), __version__="2.3.0")
    found = check.torch()
    assert found.status == "FAIL" and "Numpy is not available" in found.line and "numpy" in found.hint


def test_check_torchvision_of_another_torch(monkeypatch):
    def nms(*arguments):
        raise RuntimeError("operator torchvision::nms does not exist\nand forty lines more")

    fake(monkeypatch, "torchvision", ops=SimpleNamespace(nms=nms), __version__="0.1")
    found = check.torchvision()
    assert found.status == "FAIL" and found.line.endswith("nms does not exist") and "another torch" in found.hint


def test_check_opencv_on_a_server(monkeypatch, tmp_path):
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    found = check.opencv()
    assert found.status == "FAIL" and "libGL" in found.line and "headless" in found.hint


@pytest.mark.parametrize(
    "version, folder, status",
    [
        ("8.2.103", "lib/site-packages", "FAIL"),
        ("8.3.0", "lib/site-packages", "OK"),
        ("8.4.190", "my/fork", "WARN"),
    ],
)
def test_check_ultralytics(version, folder, status, monkeypatch):
    fake(monkeypatch, "ultralytics", __version__=version, __file__=f"/{folder}/ultralytics/__init__.py")
    found = check.ultralytics()
    assert found.status == status and version in found.line and folder in found.line
    assert bool(found.hint) == (status != "OK")


def test_check_another_package_called_modules(monkeypatch):
    fake(monkeypatch, "modules", __file__="/lib/site-packages/modules/__init__.py", __all__=[])
    found = check.modules()
    assert found.status == "FAIL" and "pip uninstall modules" in found.hint


def test_check_gpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert check.gpu() == ("OK", "GPU: none, so the laptop preset is used", "")
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert check.gpu().status == "WARN"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Some GPU")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(total_memory=8 * 2**30))
    assert check.gpu().line == "GPU: Some GPU, 8 GiB"


def test_check_fire_set(tmp_path):
    missing = check.fire_set(tmp_path)
    assert missing.status == "FAIL" and "manifest.json" in missing.line and "git checkout" in missing.hint
    (tmp_path / "manifest.json").write_text(
        '{"train/images/a.jpg": {}, "train/images/b.png": {}, "val/images/c.jpg": {}}'
    )
    for name in (
        "train/images/a.jpg",
        "train/labels/a.txt",
        "train/images/b.png",
        "val/images/c.jpg",
        "val/labels/c.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert check.fire_set(tmp_path).line == "fire set: 1 of 6 files missing, such as train/labels/b.txt"
    (tmp_path / "train/labels/b.txt").touch()
    assert check.fire_set(tmp_path) == ("OK", "fire set: 2 pictures to train, 1 to validate", "")


def test_check_advises_nothing_impossible_after_pip_install_git(tmp_path, monkeypatch):
    monkeypatch.setattr(check, "IN_ITS_FOLDER", False)
    found = check.fire_set(tmp_path / "fire")
    assert found.status == "WARN" and "git clone" in found.hint and "git checkout" not in found.hint


def test_check_fire_set_of_this_repository():
    assert check.fire_set().line == "fire set: 480 pictures to train, 120 to validate"


def test_check_disk():
    assert [check.disk(free).status for free in (0.5, 3, 50)] == ["FAIL", "WARN", "OK"]


def test_report_prints_what_to_do_and_counts(capsys):
    results = [check.Result("OK", "one"), check.Result("FAIL", "two", "do this"), check.Result("WARN", "three")]
    assert check.report([lambda r=r: r for r in results]) == 1
    assert capsys.readouterr().out == "OK    one\nFAIL  two\n      -> do this\nWARN  three\n\n1 to put right.\n"


def test_check_runs_where_nothing_is_installed(tmp_path):
    """-S leaves out site-packages, as on a machine where the set-up failed."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-S", str(Path(check.__file__))]
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr == ""
    assert "FAIL  torch: not installed" in run.stdout and "OK    Python" in run.stdout


def test_files_that_the_package_reads_are_installed_with_it():
    listed = re.search(r"^modules = (\[.*\])$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    patterns = ast.literal_eval(listed[1])
    read = [p.relative_to(ROOT / "modules") for p in (ROOT / "modules").rglob("*") if p.suffix in {".csv", ".yaml"}]
    assert read and [str(path) for path in read if not any(path.match(pattern) for pattern in patterns)] == []
