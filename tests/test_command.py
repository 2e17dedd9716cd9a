"""`python -m modules` and `python -m results` in a terminal of any kind: closed, full, without letters, in a folder that is gone."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modules.course import start
from modules.course.command import carry_out, leave
from modules.course.errors import InputError
from results.__main__ import main as results

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /bin/sh")

# What stands before the imports of torch and Ultralytics is tried without them: `start.py` as `python -m` runs it.
BEGUN = f"import sys; sys.argv = ['-m']; exec(open({start.__file__!r}).read())"


def begun(then: str, shell: str = "{}", **environment) -> subprocess.CompletedProcess:
    """A process that begins as a command does, then runs `then`; `shell` is the line of the shell around it."""
    line = shell.format(f"'{sys.executable}' -c \"$THEN\"")
    environment = {**os.environ, "THEN": f"{BEGUN}\n{then}", **environment}
    return subprocess.run(line, shell=True, capture_output=True, text=True, env=environment)


STREAMS = {  # how the shell starts the command -> the numbers of the standard streams that were closed
    "{}": [],
    "{} <&-": [0],
    "{} >&-": [1],
    "{} 2>&-": [2],
    "{} >&- 2>&-": [1, 2],
    "{} <&- >&-": [0, 1],
    "{} <&- 2>&-": [0, 2],
    "{} <&- >&- 2>&-": [0, 1, 2],
}


@POSIX
@pytest.mark.parametrize("shell", STREAMS)
def test_a_stream_that_is_closed_takes_no_file(shell, tmp_path):
    """Else the next file that is opened, as one of weights, would get what is printed."""
    file = tmp_path / "weights"
    ended = begun(f"f = open({str(file)!r}, 'w'); assert f.fileno() > 2; print('said')", shell)
    assert ended.returncode == 0 and file.read_text() == ""
    assert "said" in ended.stdout or 1 in STREAMS[shell]


ENCODINGS = {"ascii": "\\u706b", "latin-1": "\\u706b", "cp1252": "\\u706b", "utf-8": "火"}


@POSIX
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_letter_that_the_terminal_does_not_know_is_no_reason_to_stop(encoding):
    ended = begun(r"print('\u706b')", PYTHONIOENCODING=encoding)
    assert ended.returncode == 0 and ended.stdout.strip() == ENCODINGS[encoding]


@POSIX
def test_a_folder_that_was_deleted_is_said(tmp_path):
    ended = begun("print('went on')", f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; {{}}")
    assert ended.returncode == 2 and ended.stdout == ""
    assert ended.stderr == f"Error: {start.GONE}\n"


def test_only_commands_are_prepared(monkeypatch):
    for words, one in {("-m",): True, (f"x{os.sep}results{os.sep}__main__.py",): True, ("train.py",): False}.items():
        monkeypatch.setattr(sys, "argv", list(words))
        assert start.is_command() == one


def raising(error: BaseException):
    def call():
        raise error

    return call


# What a command ends with -> its exit code, and what is said
ENDS = {
    "nothing": (lambda: None, 0, ""),
    "a code": (lambda: 1, 1, ""),
    "a wrong input": (raising(InputError("give another")), 2, "Error: give another\n"),
    "a name that clears the terminal": (raising(InputError("\x1bc: no file")), 2, "Error: \\x1bc: no file\n"),
    "a full disk": (raising(OSError(errno.ENOSPC, "No space")), 2, "Error: The disk is full. Make room, then"),
    "Ctrl-C": (raising(KeyboardInterrupt()), 130, "\nInterrupted. Repeat it.\n"),
    "a reader that left": (raising(BrokenPipeError(errno.EPIPE, "Broken pipe")), 141, ""),
    "a folder that was deleted": (
        raising(FileNotFoundError(errno.ENOENT, "No such file")),
        2,
        f"Error: {start.GONE}\n",
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_how_a_command_ends(end, capsys):
    call, code, said = ENDS[end]
    assert carry_out(call, " Repeat it.") == code
    err = capsys.readouterr().err
    assert err.startswith(said) and bool(err) == bool(said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_what_cannot_be_printed_is_said(monkeypatch, capsys):
    with monkeypatch.context() as full:
        full.setattr(sys, "stdout", open("/dev/full", "w"))
        assert carry_out(lambda: print("hello")) == 2
        with pytest.raises(SystemExit) as ended:
            leave(2)
    assert ended.value.code == 2 and "the disk is full" in capsys.readouterr().err.lower()


def test_a_bug_keeps_its_traceback():
    with pytest.raises(KeyError):
        carry_out(raising(KeyError("a")))


RESULTS = {
    ("cook",): "no command 'cook'; choose one of status, run, page, ship",
    ("status", "EMO"): "'EMO' is not planned",
    ("status", "yolo11n-EMO-9"): "'yolo11n-EMO-9' is not planned",
    ("run", "\u706b"): "is not planned",
    ("run", "yolo11n-EMO", "-1"): "'-1' is not planned",
    ("page", "all"): "page takes no names, and was given 'all'",
    ("ship", "yolo11n-EMO"): "ship takes no names",
    ("status", ""): "'' is not planned",
}


@pytest.mark.parametrize("words", RESULTS, ids=str)
def test_what_results_refuses(words, capsys):
    assert results(list(words)) == 2
    said = capsys.readouterr().err
    assert RESULTS[words] in said and said.startswith("Error: ") and said.count("\n") == 1
