"""Two processes on the CPU instead of two GPUs: `python -m modules.course.two_processes [MODEL]`.

Ultralytics writes the script that each GPU's process runs. Here torchrun starts that very script twice, with gloo over
loopback. Each process builds the model, then makes one backward pass over its half of eight pictures in place of the
training; process 0 also makes it over all eight, alone, and says how far the two gradients are apart.
"""

import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from copy import deepcopy
from pathlib import Path

import torch
from PIL import Image
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from ultralytics.engine.trainer import BaseTrainer

PICTURES = 8
SIZE = 64  # pixels


def tensors(value) -> list[torch.Tensor]:
    """All tensors of a network's output, which is a list or a dictionary, by the version of Ultralytics."""
    if isinstance(value, torch.Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value
    return [tensor for inner in values for tensor in tensors(inner)]


def gradients(network: nn.Module, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradients after one backward pass of the mean square of all outputs.

    A mean over pictures, so that the mean over two halves is the whole. Neither YOLO's loss nor batch norm keeps this:
    both look at all pictures of their own process, which is why batch norms are in eval mode here.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    sum(output.square().mean() for output in tensors(network(pictures)) if output.requires_grad).backward()
    return {
        name.removeprefix("module."): p.grad.clone() for name, p in network.named_parameters() if p.grad is not None
    }


def one_backward_pass(trainer: BaseTrainer, *args, **kwargs) -> None:
    """What stands in for `BaseTrainer.train` in each process."""
    distributed.init_process_group("gloo")
    rank, world = distributed.get_rank(), distributed.get_world_size()
    torch.manual_seed(0)
    trainer.setup_model()
    pictures = torch.rand(PICTURES, 3, SIZE, SIZE)
    alone = gradients(deepcopy(trainer.model), pictures)
    shared = gradients(DistributedDataParallel(trainer.model, find_unused_parameters=True), pictures.chunk(world)[rank])
    worst = max((shared[name] - grad).abs().max().item() for name, grad in alone.items())
    largest = max(grad.abs().max().item() for grad in alone.values())
    first = type(trainer.model.model[0]).__name__
    line = (
        f"process {rank} of {world}: row 0 is {first}, {len(shared)} gradients, {worst / largest:.0e} from one process"
    )
    lines = [None] * world
    distributed.all_gather_object(lines, line)
    if rank == 0:
        print("\n".join(lines), flush=True)
    distributed.destroy_process_group()


def small_set(folder: Path) -> Path:
    """Two grey pictures with a box, which the trainer looks at before it builds the model; returns the data YAML."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for i in range(2):
        Image.new("RGB", (SIZE, SIZE), (90 * i, 90, 90)).save(folder / "images" / f"{i}.png")
        (folder / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.4 0.4\n")
    path = folder / "data.yaml"
    path.write_text(f"path: {folder}\ntrain: images\nval: images\nnames: [thing]\n", encoding="utf-8")
    return path


def worker_file(model: str, folder: Path) -> str:
    """The script that Ultralytics writes for the processes of a training of `model`."""
    from ultralytics.models.yolo.detect import DetectionTrainer
    from ultralytics.utils import dist

    from .quiet import quiet

    settings = {"model": model, "data": str(small_set(folder / "set")), "imgsz": SIZE, "batch": PICTURES}
    settings |= {"workers": 0, "plots": False, "device": "cpu", "project": str(folder / "run"), "verbose": False}
    with quiet():
        return dist.generate_ddp_file(DetectionTrainer(overrides=settings))


def run(model: str = "yolo11n-EMO.yaml") -> str:
    """Start the two processes; returns what they print.

    Raises:
        RuntimeError: one of them failed; the message ends with its own.
    """
    folder = Path(tempfile.mkdtemp())
    try:
        script = worker_file(model, folder)
        # By its path: a process of Ultralytics' own would not know the course before its script imports it.
        command = [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc_per_node=2",
            __file__,
            script,
        ]
        loopback = {"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}
        env = os.environ | {"OMP_NUM_THREADS": "1"} | loopback
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
        Path(script).unlink(missing_ok=True)
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        return "\n".join(line for line in done.stdout.splitlines() if line.startswith("process "))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].endswith(".py"):  # one of the two
        BaseTrainer.train = one_backward_pass
        runpy.run_path(sys.argv[1], run_name="__main__")
    else:
        import modules  # noqa: F401

        print(run(*sys.argv[1:]))
