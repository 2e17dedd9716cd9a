"""make bundle: one zip for rooms without internet. It holds all that git keeps and the packages as wheels.

python tools/bundle.py           without torch and torchvision, which each machine has already
python tools/bundle.py --torch   with them: for machines of the same system and Python as this one

On the other side: unpack, then `python install.py`.
"""

import argparse
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "bundle"
NAME = "backbones-by-hand"
TORCH = {"torch", "torchvision"}
INSTALLERS = ("pip", "setuptools", "wheel")  # an old pip, or a venv without setuptools, cannot install the course


def packages(project: str, extra: str, without: set[str]) -> dict[str, str]:
    """{name: version} of what `project[extra]` needs, as installed here. What only one of `without` needs is left out."""
    found, ahead = {}, [Requirement(f"{project}[{extra}]")]
    seen = set()
    while ahead:
        wanted = ahead.pop()
        name = canonicalize_name(wanted.name)
        if name in without or (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            sys.exit(
                f"bundle: {name} is not installed here. Run `make check` first: the bundle takes the versions of .venv."
            )
        found[name] = installed.version
        for line in installed.requires or []:
            needed = Requirement(line)
            if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted.extras)):
                ahead.append(needed)
    del found[canonicalize_name(project)]
    return found


def download(wanted: dict[str, str], folder: Path) -> list[Path]:
    """The wheels of these packages. One that is there from before is not fetched again."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{name}=={version}" for name, version in wanted.items()]
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--find-links",
        folder,
        "--wheel-dir",
        folder,
    ]
    subprocess.run([*command, *INSTALLERS, *names], check=True)
    return sorted(folder.glob("*.whl"))


def files() -> list[Path]:
    """All that git keeps."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def write(wheels: list[Path]) -> Path:
    """Write bundle/backbones-by-hand.zip."""
    target = OUT / f"{NAME}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files():
            archive.write(path, f"{NAME}/{path.relative_to(ROOT).as_posix()}")
        archive.write(ROOT / "tools" / "install.py", f"{NAME}/install.py")
        for wheel in wheels:
            archive.write(wheel, f"{NAME}/wheels/{wheel.name}", zipfile.ZIP_STORED)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", action="store_true", help="take torch and torchvision too")
    with_torch = parser.parse_args().torch
    folder = OUT / ("wheels-with-torch" if with_torch else "wheels")
    wheels = download(packages(NAME, "lab", set() if with_torch else TORCH), folder)
    target = write(wheels)
    megabytes = sum(wheel.stat().st_size for wheel in wheels) / 1e6
    print(
        f"{len(wheels)} wheels, {megabytes:.0f} MB, for Python {sys.version_info.major}.{sys.version_info.minor} on {sys.platform}"
    )
    print(
        f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.0f} MB. On the other side: unpack, then python install.py"
    )


if __name__ == "__main__":
    main()
