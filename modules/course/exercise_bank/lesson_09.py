"""Exercises of lesson 09: rows without numbers, the best pairs, a file that travels, a clean split, a neck that fits."""

import functools
import io
import pickle
from collections import Counter
from copy import deepcopy

import torch
from torch import nn
from ultralytics.nn import tasks

from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.exercise_bank.parts import parts
from modules.course.graft import graft
from modules.course.measure import parameters
from modules.course.quiet import quiet
from modules.transfer import match_rows, shared_tensors, transfer


# ------------------------------------------------------------------------------------------------- 09.1 a row taken away
def without_row(model: dict, at: int) -> dict:
    """A model's YAML without row `at` of the backbone; what read it reads the row before."""

    def moved(f):
        return [moved(g) for g in f] if isinstance(f, list) else f - (f >= at)

    model = deepcopy(model)
    for row in model["backbone"] + model["head"]:
        row[0] = moved(row[0])
    del model["backbone"][at]
    return model


@functools.cache
def yolo11n() -> nn.Module:
    with quiet():
        return tasks.DetectionModel("yolo11n.yaml", verbose=False)


@functools.cache
def partners() -> tuple:
    """The rows of YOLO11n from which rows 5, 6 and 21 of the network without row 6 take their tensors."""
    with torch.random.fork_rng(), quiet():
        changed = tasks.DetectionModel(without_row(yolo11n().yaml, 6), verbose=False)
        pairs = match_rows(yolo11n(), changed)
    return tuple(pairs[row] for row in (5, 6, 21))


# --------------------------------------------------------------------------------------------------- 09.2 best pairs
def most_tensors(gain):
    return shared_tensors(gain)[0][0]


def gains() -> list[tuple]:
    def random(old, new):
        return (torch.randint(0, 6, (old, new)) * (torch.rand(old, new) < 0.7)).tolist()

    greedy, crossed = [[1, 4, 0], [3, 0, 0], [0, 3, 3]], [[0, 5, 2], [4, 0, 0]]
    return [(greedy,), (crossed,), ([[2]],), (random(3, 5),), (random(5, 4),), (random(4, 4),)]


def by_number(gain):
    return sum(gain[i][i] for i in range(min(len(gain), len(gain[0]))))


def first_that_fits(gain):
    """Each old row takes the first new row behind the last pair with which it shares anything."""
    total = start = 0
    for row in gain:
        for j in range(start, len(row)):
            if row[j]:
                total, start = total + row[j], j + 1
                break
    return total


def best_of_each_row(gain):
    return sum(map(max, gain))


def table(gain, with_pair):
    """The table of the lesson with another rule for a pair."""
    best = [[0] * (len(gain[0]) + 1) for _ in range(len(gain) + 1)]
    for i in reversed(range(len(gain))):
        for j in reversed(range(len(gain[0]))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], with_pair(best, gain, i, j))
    return best[0][0]


def pair_as_one(gain):
    return table(gain, lambda best, gain, i, j: (gain[i][j] > 0) + best[i + 1][j + 1])


def old_row_again(gain):
    return table(gain, lambda best, gain, i, j: gain[i][j] + best[i][j + 1])


def new_row_again(gain):
    return table(gain, lambda best, gain, i, j: gain[i][j] + best[i + 1][j])


# ------------------------------------------------------------------------------------------------ 09.3 a file to travel
class Small(nn.Module):
    """A network that has what a YOLO network has: tensors, statistics, a counter, its YAML and its classes' names."""

    def __init__(self, channels: int, names: list | dict):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels)
        self.yaml, self.names = {"nc": len(names), "backbone": [[-1, 1, "Conv", [channels, 3]]]}, names


def networks() -> list[tuple]:
    made = [Small(4, ["fire"]), Small(7, {0: "fire", 1: "smoke"}), Small(1, ["lamp", "sun", "fire"])]
    for network in made:
        network.bn.running_mean.normal_()
        network.bn.num_batches_tracked.add_(10_001)  # half precision makes it 10,000
    return [(network,) for network in made]


def portable(network, state=None, names=None):
    tensors = network.state_dict()
    return {
        "state": state(network) if state else {k: v.half() if v.is_floating_point() else v for k, v in tensors.items()},
        "yaml": network.yaml,
        "names": names(network)
        if names
        else dict(network.names if isinstance(network.names, dict) else enumerate(network.names)),
    }


def portable_with(**changes):
    return lambda network: portable(network, **changes)


def with_network(network):
    return {**portable(network), "model": network}


WITH_CLASSES = "the file holds more than tensors and plain values: weights_only=True refuses to open it"


def opened_again(function, network):
    """What another machine reads from the file."""
    content = function(network)
    if not isinstance(content, dict):
        return content
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    try:
        content = torch.load(file, weights_only=True)
    except pickle.UnpicklingError:
        raise Fault(WITH_CLASSES) from None
    if isinstance(content.get("state"), dict):
        content["state"] = dict(content["state"])
    return content


# ---------------------------------------------------------------------------------------------------------- 09.4 a split
def films() -> list[tuple]:
    def case(share, *sizes):
        scenes = [f"scene {i}" for i, size in enumerate(sizes) for _ in range(size)]
        return [scenes[int(i)] for i in torch.randperm(len(scenes))], share

    return [case(0.25, 4, 4, 4, 4), case(0.2, 9, 1, 2, 8, 1, 3, 6), case(0.5, 1, 7, 1, 1), case(0.3, 3, 12, 5, 2, 2)]


def split(scenes, share):
    room, held = share * len(scenes), set()
    for scene, count in Counter(scenes).items():
        if count <= room:
            held.add(scene)
            room -= count
    return by_scene(scenes, held)


def by_scene(scenes, held):
    val = [i for i, scene in enumerate(scenes) if scene in held]
    return [i for i in range(len(scenes)) if i not in val], val


def every_so_many(scenes, share):
    step = round(1 / share)
    return [i for i in range(len(scenes)) if i % step], list(range(0, len(scenes), step))


def the_first(scenes, share):
    count = int(share * len(scenes))
    return list(range(count, len(scenes))), list(range(count))


def share_of_scenes(scenes, share):
    names = sorted(set(scenes), key=scenes.count)
    return by_scene(scenes, set(names[: int(share * len(names))]))


def one_too_many(scenes, share):
    held, count = set(), 0
    for scene, size in Counter(scenes).most_common():
        if count < share * len(scenes):
            held.add(scene)
            count += size
    return by_scene(scenes, held)


def stopped_early(scenes, share):
    held, room = set(), share * len(scenes)
    for scene, size in sorted(Counter(scenes).items()):
        if size > room:
            break
        held.add(scene)
        room -= size
    return by_scene(scenes, held)


def one_of_each(scenes, share):
    train, val = split(scenes, share)
    return train, [i for i in val if scenes.index(scenes[i]) == i]


def trained_on_all(scenes, share):
    return list(range(len(scenes))), split(scenes, share)[1]


def names_of_scenes(scenes, share):
    return tuple([scenes[i] for i in part] for part in split(scenes, share))


def judged(function, scenes, share):
    """ "clean", or a fault."""
    found = parts("train", "val")(function, scenes, share)
    if found is None:
        return None
    train, val = (list(part) for part in found.values())
    if not all(type(i) is int and 0 <= i < len(scenes) for i in train + val):
        raise Fault(f"the numbers of pictures are asked for, 0 to {len(scenes) - 1}")
    if twice := set(train) & set(val):
        raise Fault(f"{len(twice)} of {len(scenes)} pictures stand in both parts")
    if sorted(train + val) != list(range(len(scenes))):
        raise Fault(f"{len(train + val)} pictures are shared out, and there are {len(scenes)}")
    if torn := {scenes[i] for i in train} & {scenes[i] for i in val}:
        raise Fault(f"{len(torn)} scenes stand in both parts: what is validated was seen in training")
    room = share * len(scenes) - len(val)
    if room < 0:
        raise Fault(f"{len(val)} of {len(scenes)} pictures are for validation, more than a share of {share}")
    if fits := [scene for scene, count in Counter(scenes[i] for i in train).items() if count <= room]:
        raise Fault(f"{len(val)} of {len(scenes)} pictures are for validation, and {fits[0]!r} would still fit")
    return "clean"


# ------------------------------------------------------------------------------------------------------ 09.5 a budget
def measured_transfer(choice: dict) -> dict:
    """Tensors that YOLO11n hands on to itself with another backbone, and million parameters."""
    if not isinstance(choice, dict) or set(choice) != {"backbone", "width"}:
        raise ValueError(f"a dictionary with the keys backbone and width is asked for, and this is {choice!r}")
    model = graft(tasks.yaml_model_load("yolo11n.yaml"), choice["backbone"]) | {"scale": "n"}
    model["backbone"][0][3] = [choice["width"]]
    with torch.random.fork_rng(), quiet():
        changed = tasks.DetectionModel(model, verbose=False)
        kept = transfer(yolo11n(), changed).kept
    return {"tensors taken": kept, "million parameters": round(parameters(changed) / 1e6, 3)}


EXERCISES = {
    "09.1": Predict(
        partners,
        hints=(
            "Rows are matched by what they are, not by their numbers. Which rows of the old network have moved, and by how "
            "much?",
            "Rows 0 to 5 stay. The old row 7 is now row 6, and so on: what stands behind the gap takes from one number more.",
        ),
        wrong={
            "that is matching by number, which is what Ultralytics does": (5, 6, 21),
            "a row was taken away, not inserted: the partners have higher numbers": (5, 5, 20),
            "the row before the gap has not moved": (6, 7, 22),
            "row 6 of the new network stands behind the gap": (5, 6, 22),
        },
    ),
    "09.2": FillIn(
        most_tensors,
        gains,
        hints=(
            "Ask for less: how many tensors can the rows from i on and those from j on share? What are the three choices at "
            "(i, j)?",
            "best[i][j] = max(best[i + 1][j], best[i][j + 1], gain[i][j] + best[i + 1][j + 1]), filled from the end, with a "
            "row and a column of zeros behind the last.",
        ),
        wrong={
            "rows are paired by their numbers: any row may take from any, as long as the order is kept": by_number,
            "the first row that fits is not always the best: compare with leaving it out": first_that_fits,
            "the order is not kept: each row takes its best partner, and pairs cross": best_of_each_row,
            "pairs are counted, and it should be their tensors": pair_as_one,
            "an old row gives to several new ones: after a pair both go on": old_row_again,
            "a new row takes from several old ones: after a pair both go on": new_row_again,
        },
    ),
    "09.3": FillIn(
        portable,
        networks,
        hints=(
            "What is in state_dict() that is not in parameters()? Which of it holds no floating-point numbers?",
            "v.is_floating_point() tells which tensors to halve; a batch norm counts its batches in whole numbers. "
            "dict(enumerate(names)) makes a dictionary of a list.",
        ),
        wrong={
            "the weights are in float32: half precision halves the file": portable_with(
                state=lambda network: dict(network.state_dict())
            ),
            "a counter became half precision, which rounds it: halve only what is_floating_point()": portable_with(
                state=lambda network: {k: v.half() for k, v in network.state_dict().items()}
            ),
            "the statistics of the batch norm are missing: take state_dict(), not the parameters": portable_with(
                state=lambda network: {k: v.detach().half() for k, v in network.named_parameters()}
            ),
            "network.half() changes the network itself, which somebody may still train": portable_with(
                state=lambda network: dict(network.half().state_dict())
            ),
            WITH_CLASSES: with_network,
            "names may be a list, too: hand on {0: ..., 1: ...}": portable_with(names=lambda network: network.names),
        },
        call=opened_again,
    ),
    "09.4": FillIn(
        split,
        films,
        hints=(
            "Count the pictures of each scene first. Then decide scene by scene, and only at the end picture by picture.",
            "Keep the room that is left, share * len(scenes) at first. For each scene of Counter(scenes).items(): if its "
            "pictures fit into the room, it goes to validation and the room shrinks.",
        ),
        wrong={
            "scenes are torn: every so many pictures is the careless split of the lesson": every_so_many,
            "scenes are torn: the first pictures are taken, whatever scene they show": the_first,
            "the share is counted in scenes, and it should be counted in pictures": share_of_scenes,
            "validation has more than its share: ask whether a scene fits before you take it": one_too_many,
            "a scene that does not fit is no reason to stop: a later one may": stopped_early,
            "pictures are lost: all pictures of a scene that is held out go to validation": one_of_each,
            "what is validated is also trained on: take it out of the training part": trained_on_all,
            "these are the names of scenes, and the numbers of pictures are asked for": names_of_scenes,
        },
        call=judged,
    ),
    "09.5": Design(
        measured_transfer,
        limits={"tensors taken": ("at least", 310), "million parameters": ("at most", 2.2)},
        hints=(
            "Which rows of the neck read a map of the backbone? Their first convolution fits only if the map has as many "
            "channels as YOLO11n's.",
            "YOLO11n's P4 and P5 have 128 and 256 channels. Ask feature_channels(width) of each backbone which width gives "
            "these, and take the smallest of them.",
        ),
        wrong={
            "305 tensors taken, needed are at least 310": {"backbone": "TinyNet", "width": 0.25},
            "3.088 million parameters, allowed are at most 2.2": {"backbone": "FasterNet", "width": 0.8},
            "2.583 million parameters, allowed are at most 2.2": {"backbone": "TinyNet", "width": 0.75},
            "'C2f' is no registered backbone": {"backbone": "C2f", "width": 0.5},
            "it must be a number above 0": {"backbone": "TinyNet", "width": 0},
        },
    ),
}
