"""Run lessons as Colab does, as far as a machine without Colab can: `python tools/colab.py 00 05` (no number: all).

A Python of its own holds what Colab ships (torch, ipykernel 6.17, ipywidgets 7.7) and a package google.colab. Each lesson
then runs from top to bottom under the smoke preset. Its set-up cell clones this checkout, as last committed, in place of
the public address. What the imitation lacks: Colab's GPU, its browser, and its Python if this one is another.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from tools import lessons  # noqa: E402

CONTENT = Path("/content")
SHIPPED = ["ipykernel==6.17.1", "ipywidgets==7.7.1", "ipython<8", "jupyter-client<8"]
SHIPPED += ["torch", "torchvision", "numpy", "matplotlib", "pip", "setuptools"]
KEPT = ("ipykernel", "ipywidgets", "ipython", "jupyter-client", "torch", "torchvision", "numpy")


def uv(*words: object) -> str:
    return subprocess.run(
        [sys.executable, "-m", "uv", *map(str, words)], check=True, text=True, capture_output=True
    ).stdout


def make_python(folder: Path) -> Path:
    """A Python with what Colab ships, in which google.colab is imported from the start."""
    uv("venv", "-q", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    uv("pip", "install", "-q", "--python", python, *SHIPPED)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "google" / "colab").mkdir(parents=True)
    (site / "google" / "colab" / "__init__.py").touch()
    (site / "colab.pth").write_text("import google.colab\n")
    return python


def versions(python: Path) -> dict[str, str]:
    listed = json.loads(uv("pip", "list", "--python", python, "--format", "json"))
    return {package["name"]: package["version"] for package in listed if package["name"] in KEPT}


def run(path: Path, folder: Path, env: dict) -> None:
    """Run a lesson whose set-up cell is there twice: neither time may pip find that packages do not fit."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(2, nbformat.from_dict(notebook.cells[1]))
    kernel = folder / "share" / "kernels" / "colab"
    kernel.mkdir(parents=True, exist_ok=True)
    words = [str(folder / "python" / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": words, "display_name": "colab", "language": "python"}))
    client = NotebookClient(notebook, timeout=600, kernel_name="colab", resources={"metadata": {"path": str(CONTENT)}})
    client.execute(env=env)
    for cell in notebook.cells[1:3]:
        said = "".join(output.get("text", "") for output in cell.outputs)
        assert "ERROR" not in said, f"{path.name}: the set-up cell says {said}"
    print(f"{path.name}: ran from top to bottom", flush=True)


def main(names: list[str]) -> None:
    if (CONTENT / "course").exists():
        sys.exit(f"{CONTENT}/course is there already: this would be overwritten. Move it away first.")
    try:
        CONTENT.mkdir(exist_ok=True)
    except PermissionError:
        sys.exit(
            "Colab works in /content. Make that folder and let yourself write to it: sudo install -d -o $USER /content"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_python(folder / "python")
        before = versions(python)
        env = os.environ | lessons.kernel_environment("smoke", folder / "settings")
        env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf"}
        env |= {"GIT_CONFIG_VALUE_0": f"https://github.com/{lessons.address()}"}
        env |= {"PYTHONPATH": "", "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        os.environ["JUPYTER_PATH"] = str(folder / "share")
        try:
            for path in lessons.lessons(names):
                run(path, folder, env)
        finally:
            shutil.rmtree(CONTENT / "course", ignore_errors=True)
        after = versions(python)
    assert before == after, f"the set-up cell changed what Colab ships: {before} became {after}"
    print("Colab's own packages are as they were:", ", ".join(f"{name} {version}" for name, version in after.items()))


if __name__ == "__main__":
    main(sys.argv[1:])
