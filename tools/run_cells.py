"""Run a notebook to its end whatever its cells do. tools/grade.py starts this inside a sandbox.

python tools/run_cells.py SECONDS GIGABYTES WARM_UP < notebook.ipynb

For each code cell one line of JSON goes to standard output: {"cell": its place, "outputs": [...], "why": "" or what
stopped it}. A cell that ends its kernel is left out in a second run, so that it costs what it would have done and no
more. The last line about a cell counts. SECONDS is each cell's time; what WARM_UP imports before is not counted.
"""

import json
import os
import resource
import sys

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

TIMEOUT = {"ename": "TimeoutError", "evalue": "the cell ran too long", "traceback": ["TimeoutError: it ran too long"]}
LONGEST_OUTPUT = 100_000  # characters
RESTARTS = 10

# Jupyter's exit() returns and stops the kernel a second later, in the midst of another cell.
PREPARE = """
def leave(*arguments, **keywords):
    raise SystemExit("exit() ends the notebook")
get_ipython().ask_exit = leave
del leave
"""


class Ended(Exception):
    """A cell ended its kernel, or cannot be interrupted."""


def run(notebook: nbformat.NotebookNode, seconds: int, warm_up: str, fatal: dict[int, str], report) -> None:
    """Run all cells but those in `fatal` in a new kernel. Raises Ended, with the cell's place and the reason."""
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")  # a sandbox may have no loopback network
    client = NotebookClient(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell()]),  # it writes each cell into its place 0
        **{"km": kernel, "startup_timeout": 300, "allow_errors": True},
        **{"interrupt_on_timeout": True, "error_on_timeout": TIMEOUT},
    )
    with client.setup_kernel():
        execute(client, nbformat.v4.new_code_cell(PREPARE + warm_up))
        client.timeout = seconds
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type != "code" or place in fatal:
                continue
            try:
                reply = execute(client, cell)
            except DeadKernelError:
                raise Ended(place, "it ended the kernel (out of memory, or an exit)")
            why = "" if reply["status"] != "error" else f"{reply['ename']}: {reply['evalue']}"
            if reply.get("ename") == "TimeoutError" and reply.get("evalue") == TIMEOUT["evalue"]:
                why = f"stopped after {seconds} s"
                if not alive(client):
                    raise Ended(place, f"{why}, and it would not be interrupted")
            report(place, cell.outputs, why)


def execute(client: NotebookClient, cell: nbformat.NotebookNode) -> dict:
    """What the kernel replies to a cell."""
    replies = []
    client.on_cell_executed = lambda cell, cell_index, execute_reply: replies.append(execute_reply["content"])
    client.execute_cell(cell, 0)
    return replies[-1] if replies else {"status": "ok"}


def alive(client: NotebookClient) -> bool:
    """Whether the kernel answers within some seconds."""
    long, client.timeout = client.timeout, 5
    try:
        return execute(client, nbformat.v4.new_code_cell("pass"))["status"] == "ok"
    except DeadKernelError:
        return False
    finally:
        client.timeout = long


def short(outputs: list) -> list:
    """The outputs, or where they are too long their errors alone."""
    if len(json.dumps(outputs)) <= LONGEST_OUTPUT:
        return outputs
    return [nbformat.v4.new_output("stream", text="(more output than is kept)\n")] + [
        {**output, "traceback": []} for output in outputs if output["output_type"] == "error"
    ]


def main() -> None:
    seconds, gigabytes, warm_up = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    limit = int(gigabytes * 2**30)
    # Not RLIMIT_AS: the libraries of a torch with CUDA take many gigabytes of addresses and little memory.
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the kernel inherits standard output; it is not to write between the lines

    def report(place, outputs, why):
        print(json.dumps({"cell": place, "outputs": short(outputs), "why": why}), file=lines, flush=True)

    notebook, fatal = nbformat.read(sys.stdin, as_version=4), {}
    for _ in range(RESTARTS):
        try:
            return run(notebook, seconds, warm_up, fatal, report)
        except Ended as ended:
            place, why = ended.args
            fatal[place] = why
            report(place, [nbformat.v4.new_output("error", ename="Ended", evalue=why, traceback=[why])], why)


if __name__ == "__main__":
    main()
