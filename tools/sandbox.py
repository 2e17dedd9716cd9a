"""Run a command where it can read Python and this course, write into a folder in memory, and reach nothing else.

Linux's namespaces do it, through bubblewrap (`bwrap`) or, where that is missing, util-linux's `unshare`.
"""

import functools
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/nix")
COURSE = ("modules", "datasets", "results")  # not the folder itself: it may hold other students' answers
PROC = ("sys", "sysrq-trigger", "irq", "bus")  # of /proc: root of the machine could write there
SCRATCH = "/tmp"
DEVICES = ("null", "zero", "full", "random", "urandom")

# The first argument is the new root, then come the folders to read, `--` and the command. All that is not bound is gone
# with the old root. Capabilities go last: with them the command could mount what it reads once more, to write.
UNSHARE = """
set -e
root=$1; shift
mount -t tmpfs -o size=1g,mode=755 scratch "$root"
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount -o bind,ro "$1" "$root$1"
    shift
done
shift
mkdir -p "$root/proc" "$root/dev/shm" "$root/tmp" "$root/.old"
for device in %s; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
mount -t proc proc "$root/proc"
for part in %s; do
    test ! -e "$root/proc/$part" || mount -o bind,ro "$root/proc/$part" "$root/proc/$part"
done
cd "$root"
pivot_root . .old
umount -l /.old
rmdir /.old
cd /tmp
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
""" % (" ".join(DEVICES), " ".join(PROC))


def readable() -> list[str]:
    """The folders that a command needs to read: the system's, Python's, this course's. None lies within another."""
    python = [
        sys.prefix,
        sys.base_prefix,
        sysconfig.get_paths()["purelib"],
        *site.getsitepackages(),
        *(str(ROOT / name) for name in COURSE),
    ]
    found = []
    for folder in sorted({os.path.realpath(f) if f not in SYSTEM else f for f in (*SYSTEM, *python)}):
        if os.path.isdir(folder) and not any(Path(folder).is_relative_to(outer) for outer in found):
            found.append(folder)
    return found


def environment() -> dict[str, str]:
    """Nothing of the caller's environment but what finds programs and keeps the number of threads."""
    kept = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS", "COURSE_THREADS", "COURSE_PRESET")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "YOLO_CONFIG_DIR": SCRATCH,
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "COURSE_RUNS": f"{SCRATCH}/runs",
        "MPLBACKEND": "agg",
    }


def bwrap(command: list[str]) -> list[str]:
    """`command` with bubblewrap before it."""
    binds = [word for folder in readable() for word in ("--ro-bind", folder, folder)]
    memory = [word for folder in (SCRATCH, "/dev/shm") for word in ("--size", str(2**30), "--tmpfs", folder)]
    proc = [word for part in PROC for word in ("--ro-bind-try", f"/proc/{part}", f"/proc/{part}")]
    return [
        *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", *binds),
        *("--proc", "/proc", *proc, "--dev", "/dev", *memory, "--remount-ro", "/", "--chdir", SCRATCH),
        *command,
    ]


def unshare(command: list[str]) -> list[str]:
    """`command` with unshare before it."""
    flags = ("--user", "--map-root-user", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child")
    return ["unshare", *flags, "sh", "-c", UNSHARE, "sandbox", SCRATCH, *readable(), "--", *command]


KINDS = {"bwrap": bwrap, "unshare": unshare}


def works(kind: str) -> bool:
    """Whether this machine lets us make such a sandbox, and whether Python runs in it."""
    if not shutil.which(kind):
        return False
    trial = KINDS[kind]([sys.executable, "-c", "import nbclient; open('trial', 'w').close()"])
    return subprocess.run(trial, env=environment(), capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


@functools.cache
def best() -> str | None:
    """The first kind of sandbox that works here, or None."""
    return next((kind for kind in KINDS if works(kind)), None)
