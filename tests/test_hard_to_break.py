"""Input that cannot work gets one clear line and leaves nothing behind: a table for each kind of input."""

import errno
import inspect
import io
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from ultralytics import YOLO
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import check_det_dataset, verify_image_label
from ultralytics.engine.model import Model
from ultralytics.utils import LOGGER
from untrained import save

from modules.__main__ import main, read_words
from modules.course import check
from modules.course.checkpoints import load_model, modules_named, pickles_in
from modules.course.errors import InputError, explain, nothing_left, one_line, our_command
from modules.course.files import nothing_lost, replace
from modules.course.fire import FIRE_YAML, read_boxes, show_labelled
from modules.course.inputs import check_cache, check_freeze
from modules.course.job import look_at_data, write_set
from modules.course.quiet import nothing_fetched, quiet, tensors_in, warnings_by
from modules.course.sets import check_data, list_pictures
from modules.registry import REGISTERED, ModelError

TINY = "model=yolo11n-TinyNet.yaml"
NAMES = "names: {0: fire}"
PLACES = "train: train/images\nval: val/images\n"
HEAD = "head:\n  - [[0], 1, Detect, [nc]]\n"
BACKBONE = "backbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n" for before, key in zip("abcdef", "bcdefg")
)


# ---------------------------------------------------------------------------------------------------------- the tables
# file name -> (what stands in it, what is said of it)
DATA = {
    "one_based.yaml": (f"{PLACES}names: {{1: a, 2: b}}", "must run from 0 to 1"),
    "gaps.yaml": (f"{PLACES}names: {{0: a, 2: b}}", "are 0, 2; they must run from 0 to 1"),
    "no_names.yaml": (f"{PLACES}names: []", "must list the classes"),
    "text_names.yaml": (f"{PLACES}names: fire", "must list the classes"),
    "null_name.yaml": (f"{PLACES}names: {{0: }}", "class 0 has no name"),
    "no_key.yaml": (PLACES, "has no 'names:'"),
    "nc.yaml": (f"{PLACES}{NAMES}\nnc: 3", "'nc: 3' and the 1 'names:' do not agree"),
    "nc_text.yaml": (f"{PLACES}nc: many", "'nc: many' must be a number"),
    "no_train.yaml": (f"val: val/images\n{NAMES}", "'train:' key missing"),
    "train_number.yaml": (f"train: 5\nval: val/images\n{NAMES}", "'train: 5' must be a folder"),
    "val_none.yaml": (f"train: train/images\nval:\n{NAMES}", "'val:' key missing"),
    "val_list.yaml": (f"train: train/images\nval: []\n{NAMES}", "'val: []' must be a folder"),
    "path_number.yaml": (f"path: 7\n{PLACES}{NAMES}", "'path: 7' must be a folder"),
    "nowhere.yaml": (f"path: /nowhere\n{PLACES}{NAMES}", "nowhere"),
    "channels.yaml": (f"{PLACES}{NAMES}\nchannels: 4", "only pictures with 3 channels"),
    "empty.yaml": ("", "is empty"),
    "number.yaml": ("42", "holds a int"),
    "list.yaml": ("- a\n- b", "holds a list"),
    "tab.yaml": ("train:\n\t- a", "valid YAML"),
    "latin.yaml": (f"{PLACES}names: {{0: Bäume}}".encode("latin-1"), "no text in UTF-8"),
    "binary.yaml": (bytes(range(256)), "UTF-8"),
    "download.yaml": (f"train: x\nval: x\n{NAMES}\ndownload: open('ran', 'w')", "does not run its 'download:'"),
    "picture.yaml": (f"train: train/images/0.jpg\nval: val/images\n{NAMES}", "is a picture. Name the folder"),
    "gone.yaml": (f"train: gone.txt\nval: val/images\n{NAMES}", "a.jpg: there is no such file"),
    "yes.yaml": (f"{PLACES}names: [yes, smoke]", "as True, for yes, no, on and off mean that"),
    "off.yaml": (f"{PLACES}names: {{0: off}}", "as False"),
    "twice.yaml": (f"{PLACES}{NAMES}\ntrain: val/images", "the key 'train' stands twice"),
    "class_twice.yaml": (f"{PLACES}names: {{0: fire, 0: smoke}}", "the key '0' stands twice"),
    "code.yaml": (f"{PLACES}names: !!python/object/apply:os.mkdir [ran]", "could not determine a constructor"),
    "two.yaml": (f"{PLACES}{NAMES}\n---\na: 1", "another document"),
    "minus.yaml": (f"{PLACES}names: {{-1: fire}}", "are -1; they must run from 0 to 0"),
    "same.yaml": (f"{PLACES}names: {{0: fire, 1: fire}}", "several classes are called 'fire'"),
    "blank.yaml": (f"{PLACES}names: ['']", "class 0 has no name"),
    "date.yaml": (f"{PLACES}names: [2020-01-01]", "class 0 has no name"),
    "float_keys.yaml": (f"{PLACES}names: {{0.0: a, 1.0: b}}", "must run from 0 to 1"),
    "nc_huge.yaml": (f"{PLACES}nc: 100000000", "from 1 to 100,000"),
    "bomb.yaml": (f"{BOMB}train: *g\nval: val/images\n{NAMES}", "aliases (*) stand for more than 1,000,000"),
    "itself.yaml": (f"train: &a [*a]\nval: val/images\n{NAMES}", "aliases (*) stand for more than"),
    "deep.yaml": (f"train: {'[' * 3000}", "recursion"),
    "long.yaml": (f"train: {'t' * 300}\nval: val/images\n{NAMES}", "...: this name is too long"),
    "nul.yaml": (f'train: "a\\0b"\nval: val/images\n{NAMES}', "null byte"),
    "no_place.yaml": (f"train: ''\nval: val/images\n{NAMES}", "'train: ' must be a folder"),
    "one_of_two.yaml": (f"train: [train/images, nowhere]\nval: val/images\n{NAMES}", "nowhere, which 'train:' names"),
    "list_of_one.yaml": (f"train: [train/images, '']\nval: val/images\n{NAMES}", "must be a folder"),
    "test_number.yaml": (f"{PLACES}{NAMES}\ntest: 5", "'test: 5' must be a folder"),
    "minival.yaml": (f"{PLACES}{NAMES}\nminival: 5", "'minival: 5' must be a folder"),
    "escape.yaml": (f'{PLACES}names: ["\\e[2J"]', "'\\x1b[2J' holds a character that cannot be printed"),
    "line_break.yaml": (f'{PLACES}names: ["a\\nb"]', "holds a character that cannot be printed"),
    "same_number.yaml": (f"{PLACES}names: {{0: 1, 1: '1'}}", "several classes are called '1'"),
    "reversed.yaml": (f"{PLACES}names: {{fire: 0}}", "the numbers in 'names:' are fire"),
    "glob.yaml": (f"train: train/images/*.jpg\nval: val/images\n{NAMES}", "*.jpg, which 'train:' names"),
    "unlabelled.yaml": (f"train: bare/images\nval: bare/images\n{NAMES}", "has a label"),
}

MODELS = {
    "utf16.yaml": (f"nc: 1\n{BACKBONE}{HEAD}".encode("utf-16"), "UTF-8"),
    "binary.yaml": (bytes(range(256)), "UTF-8"),
    "empty.yaml": ("", "describes no model"),
    "text.yaml": ("hello", "describes no model"),
    "no_head.yaml": (f"nc: 1\n{BACKBONE}", "no list 'head:'"),
    "comma.yaml": (f"nc: 1\nbackbone:\n  - [-1, 1 Conv, [64, 3, 2]]\n{HEAD}", "a row reads"),
    "short_row.yaml": (f"nc: 1\nbackbone:\n  - [-1, 1, Conv]\n{HEAD}", "a row reads"),
    "forward.yaml": (f"nc: 1\nbackbone:\n  - [3, 1, Conv, [64, 3, 2]]\n{HEAD}", "points nowhere"),
    "twice.yaml": (f"nc: 1\nnc: 2\n{BACKBONE}{HEAD}", "the key 'nc' stands twice"),
    "two_backbones.yaml": (f"nc: 1\n{BACKBONE}{BACKBONE}{HEAD}", "the key 'backbone' stands twice"),
    "bomb.yaml": (f"{BOMB}nc: 1\nbackbone: *g\n{HEAD}", "aliases (*) stand for more than"),
    "itself.yaml": (f"nc: 1\nbackbone: &b\n  - [-1, 1, Conv, *b]\n{HEAD}", "aliases (*) stand for more than"),
    "program.yaml": (f"activation: open('ran', 'w')\nnc: 1\n{BACKBONE}{HEAD}", "would be run as a program"),
    "inside.yaml": (f"activation: nn.ReLU(open('ran', 'w'))\nnc: 1\n{BACKBONE}{HEAD}", "would be run as a program"),
    "no_call.yaml": (f"activation: nn.ReLU\nnc: 1\n{BACKBONE}{HEAD}", "activation: nn.LeakyReLU(0.1)"),
    "function.yaml": (f"activation: nn.functional.relu(1)\nnc: 1\n{BACKBONE}{HEAD}", "a class of torch.nn"),
    "nc_huge.yaml": (f"nc: 1000000000\n{BACKBONE}{HEAD}", "at most 100,000 classes"),
    "repeats.yaml": (f"nc: 1\n{BACKBONE.replace('-1, 1', '-1, 9999999')}{HEAD}", "9999999 repeats are more than 100"),
    "wide.yaml": (f"nc: 1\n{BACKBONE.replace('64', '100000000')}{HEAD}", "100000000 is more than 8,192"),
    "infinite.yaml": (f"nc: 1\n{BACKBONE.replace('64', '.inf')}{HEAD}", "inf is more than 8,192"),
    "scale.yaml": (f"nc: 1\nscales: {{n: [.nan, 1, 64]}}\n{BACKBONE}{HEAD}", "'scales:' needs lines such as"),
    "scale_huge.yaml": (f"nc: 1\nscales: {{n: [1, 99, 64]}}\n{BACKBONE}{HEAD}", "99 as a factor of depth or width"),
    "grey.yaml": (f"nc: 1\nchannels: 1\n{BACKBONE}{HEAD}", "only pictures with 3 channels"),
    "maybe.yaml": (f"nc: 1\nend2end: maybe\n{BACKBONE}{HEAD}", "write true or false"),
    "kernel.yaml": (f"nc: 1\n{BACKBONE.replace('64, 3', '64, -3')}{HEAD}", "row 0"),
    "head_one.yaml": (f"nc: 1\n{BACKBONE}{HEAD.replace('[[0],', '[0,')}", "row 1"),
    "no_head_row.yaml": (f"nc: 1\n{BACKBONE}{HEAD}  - [0, 1, Conv, [64]]\n", "last row, Conv, is no head of YOLO"),
    "reg_max.yaml": (f"nc: 1\nreg_max: 1000000\n{BACKBONE}{HEAD}", "'reg_max: 1000000': give a number up to 8,192"),
    "fat.yaml": (
        "nc: 1\nbackbone:\n  - [-1, 1, EMO_1M, [99]]\nhead:\n  - [[2, 3, 4], 1, Detect, [nc]]\n",
        "million parameters",
    ),
    "args.yaml": (f"nc: 1\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2, 1, 1, 1, 1, 1, 1]]\n{HEAD}", "row 0"),
}

# What stands in the args.yaml of a run
NOTED = "model: yolo11n-TinyNet.yaml\ndata: good.yaml\nimgsz: 64\nbatch: 4\nepochs: 1\n"
RUNS = {
    "broken": "[",
    "list": "- 1",
    "lacking": "model: a.pt",
    "words": NOTED.replace("batch: 4", "batch: many"),
    "curve": NOTED,
}

# What the course's commands alone refuse: pictures that Ultralytics itself can read, what it says itself in other words,
# and what would fill the memory here.
ON_THE_COMMAND_LINE = {"grey.yaml", "no_head_row.yaml", "reg_max.yaml", "fat.yaml"}

COMMANDS = {
    "places": {
        f"train {TINY} data=good.yaml preset=smoke project=file.txt": "is a file",
        f"train {TINY} data=good.yaml preset=smoke project=/dev/null": "is a file",
        f"train {TINY} data=good.yaml preset=smoke project=/proc/runs": "",
        f"train {TINY} data=good.yaml preset=smoke name={'n' * 300}": "too long",
        f"train {TINY} data=good.yaml preset=smoke project=file.txt/runs": "is a file",
        f"train {TINY} data=good.yaml name=..": "give a name, as name=run",
        f"train {TINY} data=good.yaml name=.": "give a name, as name=run",
        f"train {TINY} data=good.yaml name=../../out": "project= says in which folder",
        f"train {TINY} data=good.yaml name=a\x07b": "name=a\\x07b: it holds a character that cannot be printed",
        f"train {TINY} data=good.yaml name=caf\udce9": "caf\\udce9: this name is not in UTF-8",
        f"predict {TINY} source=caf\udce9.jpg": "this name is not in UTF-8",
        f"train {TINY} data=good.yaml name=/tmp/out": "project= says in which folder",
        f"predict {TINY} source=good name=../out": "project= says in which folder",
        f"train model={'m' * 300}.yaml": "too long",
        f"train {TINY} data={'d' * 300}.yaml": "too long",
        f"train {TINY} data=good.yaml cfg={'c' * 300}.yaml": "too long",
        f"predict {TINY} source={'s' * 300}": "too long",
        f"predict {TINY} source=good project=file.txt": "file.txt",
        f"train {TINY} data=good.yaml preset=smoke project=loop": "leads to itself",
        f"predict {TINY} source=good project=loop/runs": "leads to itself",
        f"train {TINY} data=good.yaml preset=smoke project=train/images/0.jpg/runs": "is a file",
    },
    "data": {
        f"train {TINY} data=5": "there is no such file",
        f"train {TINY} data=.": "this is a folder",
        f"train {TINY} data=file.txt": "does not end in .yaml",
        f"train {TINY} data=coco8.yaml": "does not run its 'download:'",
        f"train {TINY} data=[a.yaml]": "there is no such file",
        f"train {TINY} data={{}}": "there is no such file",
        f"train {TINY} data=0": "there is no such file",
        f"train {TINY} data=https://127.0.0.1:9/set.zip": "there is no such file",
        "train model={}": "give a model file",
        f"val {TINY} data=nowhere.yaml": "there is no such file",
        **{
            f"classify val model=yolo11n-cls.yaml imgsz=32 {data}": "needs a folder that holds train/ and"
            for data in (
                "data=train",
                "data=nowhere",
                "data=good.yaml",
                "data=mnist160",
                "data=file.txt",
                "data=good",
                "",
            )
        },
        f"val {TINY} data=good.yaml split=test": "'test:' key missing",
    },
    "sources": {
        f"predict {TINY} source=nothing": "no pictures or films",
        f"predict {TINY} source=file.md": "no pictures or films",
        f"predict {TINY} source=*.jpg": "no such file or folder",
        f"predict {TINY} source=77": "no camera 77 can be opened here",
        f"track {TINY} source=77": "no camera 77 can be opened here",
        f"predict {TINY} source=rtsp://127.0.0.1:9/x": "rtsp://127.0.0.1:9/x: no picture comes from there",
        f"predict {TINY} source=tcp://127.0.0.1:9": "no picture comes from there",
        f"predict {TINY} source=list.streams": "no picture comes from there",
        f"predict {TINY} source=film.mp4": "film.mp4",
        f"predict {TINY} source=damaged": "none of the 2 pictures there can be read",
        f"predict {TINY} source=damaged/0.jpg": "none of the 1 pictures there can be read",
        f"predict {TINY} source=damaged/*.jpg": "none of the 1 pictures there can be read",
        f"predict {TINY} source=C:\\Users\\me\\fire.jpg": "there is no such file or folder",
        f"predict {TINY} source=-1": "there is no such file or folder",
        f"predict {TINY} source=[0,1]": "there is no such file or folder",
        f"predict {TINY} source=https://youtu.be/x": "Nothing is installed unasked",
        f"predict {TINY} source=http://127.0.0.1:9/a.jpg": "127.0.0.1",
        f"predict {TINY} source=http://127.0.0.1:9/a.m3u8": "127.0.0.1",
        f"predict {TINY} source=piped": "piped/1.jpg is no file that can be read",
        f"track {TINY} source=piped": "piped/1.jpg is no file that can be read",
        f"predict {TINY} source=piped/1.jpg": "piped/1.jpg is no file that can be read",
        f"predict {TINY} source=piped/*.jpg": "piped/1.jpg is no file that can be read",
        f"predict {TINY} source=/dev/zero": "no pictures or films",
        f"predict {TINY} source=/dev/stdin": "no pictures or films",
        f"predict {TINY} source=/dev/video99": "there is no such file or folder",
        f"predict {TINY} source=two.txt": "missing.jpg does not exist",
        f"predict {TINY} source=empty.txt": "no pictures or films are there",
        f"track {TINY} source=nothing": "no pictures or films",
        f"track {TINY} source=good tracker=none.yaml": "none.yaml",
        f"track {TINY} source=good tracker=good.yaml": "no tracker is described there. Write one of botsort.yaml",
        f"track {TINY} source=good tracker=list.yaml": "no tracker is described there",
        f"track {TINY} source=good tracker=5": "no tracker is described there",
        f"predict {TINY} source=good conf=2": "conf",
        f"predict {TINY} source=good conf=50%": "conf",
        f"predict {TINY} source=good conf=0,5": "conf",
        f"predict {TINY} source=good imgsz=640x480": "or [height,width]",
        f"predict {TINY} source=good line_width=-3": "line_width=-3: give a number from 1 on",
        f"predict {TINY} source=good classes=fire": "",
    },
    "formats": {
        f"export {TINY} format=tractor": "format",
        f"export {TINY} format=5": "name of a format",
        f"export {TINY} format=None": "name of a format",
        f"export {TINY} format=[onnx]": "Did you mean 'onnx'",
        f"export {TINY} format=onnx,torchscript": "Did you mean 'torchscript'",
        f"export {TINY} format=oonx": "Did you mean 'onnx'",
        f"benchmark {TINY} format=tractor": "name of a format",
        f"export {TINY} format=openvino imgsz=32": "pip install openvino",
        f"export {TINY} format=ncnn imgsz=32": "ncnn",
        f"export {TINY} format=paddle imgsz=32": "paddle",
        f"export {TINY} format=engine imgsz=32": "GPU",
        f"export {TINY} format=coreml imgsz=32": "coreml",
        f"export {TINY} format=saved_model imgsz=32": "tensorflow",
        f"export {TINY} format=onnx opset=999 imgsz=32": "999",
        f"export {TINY} fromat=onnx": "Did you mean 'format'",
        f"export {TINY} format=onnx imgsz=huge": "imgsz",
        "export model=file.txt": "give a model file",
    },
    "arguments": {
        f"train {TINY} device=tpu": "device=cpu",
        f"train {TINY} device=cuda:x": "device=cpu",
        f"train {TINY} device=0,0": "no CUDA GPU",
        f"train {TINY} device=-1": "no CUDA GPU",
        f"train {TINY} device=cpu,cpu": "device=cpu",
        f"train {TINY} device=mps:0,cpu": "device=cpu",
        f"train {TINY} time=1e400": "time=inf: give a number from 1e-09 to 100000",
        f"train {TINY} pretrained=nowhere.pt": "there is no such file",
        f"train {TINY} pretrained=weights.zip": "end in .pt",
        f"train {TINY} cfg=nowhere.yaml": "there is no such file",
        f"train {TINY} cfg=list.yaml": "holds no arguments",
        f"train {TINY} seed=99999999999": "seed=99999999999: give a number from 0 to 4294967295",
        f"train {TINY} epochs=0": "epochs",
        f"train {TINY} epochs=999999999999999999999": "give a number from 1 to 100000",
        f"train {TINY} auto_augment=magic": "choose one of randaugment",
        f"train {TINY} workers=-3": "workers=-3",
        f"train {TINY} batch=-5": "batch=-5",
        f"train {TINY} batch=2.5": "batch=2.5",
        f"train {TINY} imgsz=999999": "up to 8192",
        f"train {TINY} imgsz=[640,480]": "one whole number",
        f"train {TINY} freeze=99": "the model has rows 0 to",
        f"train {TINY} freeze=[0,77]": "the model has rows 0 to",
        f"train {TINY} freeze=all": "freeze",
        f"train {TINY} freeze=-1": "the model has rows 0 to",
        f"train {TINY} freeze=1.5": "the model has rows 0 to",
        f"train {TINY} freeze=0.stem": "the model has rows 0 to",
        f"train {TINY} data=good.yaml classes=[99]": "classes=[99]: give numbers of classes, as classes=[0]; known are 0 (fire)",
        f"train {TINY} data=good.yaml classes=-1": "known are 0 (fire)",
        f"train {TINY} data=good.yaml classes=fire": "known are 0 (fire)",
        f"train {TINY} data=good.yaml classes=[]": "known are 0 (fire)",
        f"predict {TINY} source=good embed=[99]": "embed=[99]: give a list of rows from 0 to",
        f"predict {TINY} source=good embed=[-1]": "give a list of rows",
        f"predict {TINY} source=good embed=backbone": "give a list of rows",
        f"predict {TINY} source=good half=maybe": "half=maybe",
        f"val {TINY} data=good.yaml int8=5": "int8=5",
        f"train {TINY} pretrained=5": "pretrained=5: give weights that end in .pt",
        f"train {TINY} compile=fast": "compile",
        f"train {TINY} cache=tape": "write cache=ram, cache=disk or cache=False",
        f"train {TINY} box=-1": "box=-1: give a number from 0 on",
        f"train {TINY} close_mosaic=-1": "close_mosaic",
        f"train {TINY} warmup_epochs=-1": "warmup_epochs",
        f"train {TINY} save_period=-5": "save_period",
        f"train {TINY} lr0=nan": "lr0",
        f"train {TINY} epochs=1 epochs=2": "epochs= is given twice, as 1 and as 2",
        f"predict {TINY} source=good classes=[99]": "give numbers of classes",
        f"predict {TINY} source=good batch=-1": "only train finds a number of pictures itself",
        f"val {TINY} batch=0.5": "only train finds a number of pictures itself",
        f"predict {TINY} source=good imgsz=0": "give one side in pixels up to 8192",
        f"predict {TINY} source=good imgsz=[64,64,64]": "or [height,width]",
        f"export {TINY} imgsz=-32": "give one side in pixels",
        f"train {TINY} lr0=fast": "lr0",
        f"train {TINY} resume": "resume",
        f"train {TINY} task=pose": "a model of the task 'detect'",
        f"train {TINY} task=cooking": "a model of the task 'detect'",
        "classify train model=yolo11n-cls.yaml data=good.yaml": "its task is 'classify'",
        "train model=yolo11n-seg.yaml data=good.yaml": "needs outlines",
        "train model=yolo11n-obb.yaml data=good.yaml": "needs outlines",
        "train model=yolo11n-pose.yaml data=good.yaml": "kpt_shape",
        "train model=FastSAM-s.pt": "not supported here",
        "train model=sam_b.pt": "not supported here",
    },
    "words": {
        "solutions count": "not supported here",
        "login": "not supported here",
        "detect": "Which command?",
        "model=a.yaml": "Which command?",
        "mode=cook": "no command 'cook'",
        "detect trian": "no command 'trian'",
        "train predict": "key=value",
        "PREDICT model=a.pt": "Did you mean 'predict'",
        "predict --model a.pt": "'model': arguments are written key=value",
        "predict \u2013model=a.pt": "Did you mean 'model'",
        "predict model:a.pt": "key=value",
        "predict model=\u201ca.pt\u201d": "ends in .yaml",
        "predict model==a.pt": "no such file",
        "predict model=\x1bca.pt": "model=\\x1bca.pt: there is no such file",
        "predict,model=a.pt": "Which command?",
        "yolo predict model=a.pt": "key=value",
        "check all": "key=value",
        "check model=x": "takes no arguments",
    },
    "our own commands": {
        "doctor 5": "give a model file that ends in .yaml",
        "doctor model=[]": "give a model file that ends in .yaml",
        "doctor file.txt/weights": "give a model file that ends in .yaml",
        "doctor list.yaml good.yaml": "describes no model",
        "doctor yolo11n-TinyNt.yaml": "Did you mean yolo11-TinyNet.yaml",
        "doctor nothing": "holds no args.yaml",
        "doctor yolo11n-cls.yaml good.yaml": "its task is 'classify'",
        "compare fire/yolo11n-TinyNet nothing": "it holds no weights",
        "doctor yolo11n-TinyNet.yaml model=a.pt": "model is given twice",
        f"doctor {TINY} data=5": "data=5: there is no such file",
        f"doctor {TINY} data=good.yaml preset=[1]": "choose one of smoke",
        f"doctor {TINY} data=good.yaml imgsz=[64,64]": "one whole number of pixels",
        f"doctor {TINY} data=good.yaml imgsz=big": "one whole number of pixels",
        f"doctor {TINY} data=good.yaml device=99": "no CUDA GPU",
        f"doctor {TINY} data=good.yaml epochs=0": "epochs",
        "doctor old/broken": "args.yaml: this is not valid YAML",
        "doctor old/list": "does not say model, data, imgsz, batch, epochs",
        "doctor old/lacking": "does not say model, data",
        "doctor old/words": "args.yaml: 'batch=many'",
        "doctor old/curve": "results.csv, line 2: not a number for each column",
        "graft 5 EMO_1M": "graft yolo11n.yaml EMO_1M",
        "graft EMO_1M yolo11n.yaml": "graft yolo11n.yaml EMO_1M",
        "graft yolo11n-EMO.yaml EMO_1M": "it has a backbone of ours already",
        "graft list.yaml EMO_1M": "describes no model",
        "graft yolo11n.yaml Conv": "no registered backbone",
        "vendor nothing EMO": "There is no class 'EMO'. Did you mean",
        "vendor nothing EMO_1M": "holds no Python package",
        "data check 5": "there is no such file",
        "data split train names=": "class 0 has no name",
        "data split train names=a,a": "several classes are called 'a'",
        "data split train names=fire shares=x": "shares=x",
        "data split train names=fire seed=x": "seed=x",
        "data show good.yaml path=/proc/x.png": "/proc/x.png: there is no such",
        "data show good.yaml path=x.txt": "give a file that ends in .png",
        "data show good.yaml path=x": "give a file that ends in .png",
        "bench 5": "5",
        "bench sizes=x": "give whole numbers from 1 to 8192",
        "bench TinyNet sizes=99999999": "sizes=99999999: give whole numbers from 1 to 8192",
        "bench TinyNet sizes=224,8193": "give whole numbers",
        "bench TinyNet sizes=\u00b2": "give whole numbers",
        "bench TinyNet batches=99999": "batches=99999: give whole numbers from 1 to 1024",
        "bench TinyNet rounds=0": "rounds=0: give whole numbers from 1 to 1000",
        "bench TinyNet minutes=1e9": "minutes=1e9: give whole numbers from 1 to 10000",
        "bench device=tpu": "there is cpu",
        "compare 5 5": "there is no such run here",
        "compare nothing nothing": "it holds no weights",
        "compare fire/yolo11n-TinyNet fire/yolo11n-EMO save=5": "give a file that ends in .png",
        "compare fire/yolo11n-TinyNet fire/yolo11n-EMO conf=x": "a confidence between 0 and 1",
    },
    "trace": {
        f"trace {TINY} imgsz=0": "imgsz=0",
        f"trace {TINY} imgsz=-64": "imgsz=-64",
        f"trace {TINY} imgsz=big": "imgsz=big",
        f"trace {TINY} imgsz=1e9": "up to 8192",
        f"trace {TINY} imgsz=100000": "up to 8192",
        f"trace {TINY} imgsz=[64,64]": "one whole number",
        f"trace {TINY} imgsz=True": "imgsz=True",
        f"trace {TINY} imgsz=8193": "up to 8192",
        f"trace {TINY} imgsz=64.0": "imgsz=64.0",
        f"trace {TINY} imgsz=64,64": "imgsz=(64, 64)",
        f"trace {TINY} imgsz=64px": "imgsz=64px",
        f"trace {TINY} imgsz=None": "imgsz=None",
        f"trace {TINY} imgsz=": "has no value",
        "trace model=rtdetr-resnet50.yaml": "this is an RT-DETR",
        "trace model=nothing": "this folder is empty",
        "trace model=5": "give a model file",
    },
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a small sound set, good.yaml, and with a file of every wrong kind."""
    for part in ("train", "val", "bare"):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / part / "images" / "0.jpg")
        if part != "bare":
            (tmp_path / part / "labels" / "0.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "good.yaml").write_text(f"path: {tmp_path}\n{PLACES}{NAMES}\n")
    for name in ("file.txt", "file.md", "weights.zip"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "gone.txt").write_text("a.jpg\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    for name in ("nothing", "good", "folder.pt"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "picture.png")
    os.symlink("loop", tmp_path / "loop")
    (tmp_path / "piped").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "piped" / "0.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "piped" / "1.jpg")
    (tmp_path / "two.txt").write_text("picture.png\nmissing.jpg\n")
    (tmp_path / "damaged").mkdir()
    for name in ("damaged/0.jpg", "damaged/1.png", "film.mp4"):
        (tmp_path / name).write_bytes(b"hello")
    (tmp_path / "list.streams").write_text("rtsp://127.0.0.1:9/x\n")
    for name, args in RUNS.items():
        (tmp_path / "old" / name).mkdir(parents=True)
        (tmp_path / "old" / name / "args.yaml").write_text(args)
    (tmp_path / "old" / "curve" / "results.csv").write_text("epoch,train/box_loss\n1,hello\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURSE_RUNS", raising=False)
    return tmp_path


def refused(line: str, capsys) -> str:
    """The one line that `line` is refused with; nothing may have been written."""
    before = {p for p in Path().rglob("*")}
    code = main(line.split())
    said = capsys.readouterr().err
    errors = [row for row in said.splitlines() if row.startswith("Error: ")]
    assert code == 2 and len(errors) == 1 and "Traceback" not in said, said
    left = {p for p in Path().rglob("*")} - before
    assert not left, f"left behind: {left}"
    return errors[0]


@pytest.mark.parametrize("line", [line for kind in COMMANDS.values() for line in kind])
def test_a_request_that_cannot_work_is_one_line(line, here, capsys):
    if line.split()[1:2] == [TINY] and line.split()[0] in {"predict", "track"}:
        Path("good/0.jpg").write_bytes(Path("train/images/0.jpg").read_bytes())
    for package, word in {"onnx": "opset=999", "lap": "track model=yolo11n-TinyNet.yaml source=77"}.items():
        if word in line:
            pytest.importorskip(package)
    expected = next(kind[line] for kind in COMMANDS.values() if line in kind)
    assert expected in refused(line, capsys)


@pytest.mark.parametrize("name", DATA)
def test_a_data_yaml_that_cannot_work(name, here):
    text, expected = DATA[name]
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    before = {p: p.lstat().st_mtime_ns for p in here.rglob("*")}
    with pytest.raises(InputError) as caught:
        check_data(name)
    assert expected in str(caught.value) and "\n" not in str(caught.value)
    assert {p: p.lstat().st_mtime_ns for p in here.rglob("*")} == before


@pytest.mark.parametrize("name", MODELS)
def test_a_model_yaml_that_cannot_work(name, here, capsys):
    text, expected = MODELS[name]
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    assert expected in refused(f"train model={name} data=good.yaml", capsys)
    if name not in ON_THE_COMMAND_LINE:
        with pytest.raises(ModelError) as caught:
            YOLO(name)
        assert expected in str(caught.value) and str(caught.value).count("\n") == 0
    assert not Path("ran").exists()


@pytest.mark.parametrize("source", ["damaged", "damaged/*.jpg", "pictures.txt"])
def test_a_damaged_picture_among_sound_ones_is_said_and_seen_in_the_exit_code(source, here, capsys):
    shutil.copy("picture.png", "damaged/2.png")
    shutil.copy("train/images/0.jpg", "damaged/3.jpg")
    shutil.copy("damaged/1.png", "damaged/4.png")
    Path("pictures.txt").write_text(f"{here}/damaged/0.jpg\n{here}/picture.png\n")
    assert main(["predict", TINY, f"source={source}", "imgsz=32", "save=False"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    count = {"damaged": "3 of 5", "damaged/*.jpg": "1 of 2", "pictures.txt": "1 of the"}[source]
    assert said.startswith(f"Warning: {count} pictures cannot be read and were passed over; the first: damaged/0.jpg")
    assert main(["predict", TINY, "source=damaged/2.png", "imgsz=32", "save=False"]) == 0


@pytest.mark.parametrize("command", ["predict", "track"])
def test_what_is_found_in_a_film_is_not_kept(command, here, monkeypatch):
    """Ultralytics' own command keeps nothing either; from Python it would, unless it is asked for a stream."""
    frames, asked = [], {}

    def found(self, **settings):
        asked.update(settings)
        for number in range(3):
            frames.append(number)
            yield number

    monkeypatch.setattr(Model, command, found)
    assert main([command, TINY, "source=good", "name=1_2", f"project={here}/[a"]) == 2  # there are no pictures
    shutil.copy("picture.png", "good")
    assert main([command, TINY, "source=good", "name=1_2", f"project={here}/a b=c'\""]) == 0
    assert asked["stream"] is True and frames == [0, 1, 2]
    assert asked["name"] == "1_2" and asked["project"] == f"{here}/a b=c'\"", "what is passed on is as it was given"


class Closed:
    """A camera that cannot be opened."""

    def __init__(self, *place):
        pass

    def isOpened(self):
        return False

    def release(self):
        pass


@pytest.mark.parametrize("command", ["predict", "track"])
def test_no_camera(command, here, capsys, monkeypatch):
    """Whether or not this machine has one."""
    pytest.importorskip("lap" if command == "track" else "cv2")
    monkeypatch.setattr("ultralytics.data.loaders.cv2.VideoCapture", Closed)
    assert "no camera 0 can be opened here" in refused(f"{command} {TINY} source=0", capsys)


def test_track_without_its_package(here, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("ultralytics.trackers")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lap", None)
    shutil.copy("picture.png", "good")
    assert "this needs the package 'lap'" in refused(f"track {TINY} source=good imgsz=32", capsys)


# --------------------------------------------------------------------------------------------------------------- labels
LABELS = {  # what a label file holds -> why its picture is left out
    "0 .5 .5 .2 .2\n0 .1 .1 .3 .1 .3 .5": "line 1: this is a box, and other rows are outlines",
    "0 .1 .1 .3 .1 .3 .5 .2": "line 1: an outline needs pairs of numbers",
    "0 .5 .5 .2 .2 .9": "labels require 5 columns, 6 columns detected",
    "nan .5 .5 .2 .2": "class nan does not exist",
    "0 inf .5 .2 .2": "x is inf, outside 0 to 1",
    "-1 .5 .5 .2 .2": "class -1 does not exist",
    "0 .5 .5 -.2 .2": "width is -0.2",
    "0 50 50 20 20": "x is 50, outside 0 to 1",
    "0,.5,.5,.2,.2": "is not all numbers",
    "0 .5 .5 .2 .2 # fire": "is not all numbers",
    "0 .5 .5 .2 .2".encode("utf-16"): "is not all numbers",
    "0 .5 .5 .2 .2\n9 .5 .5 .2 .2": "line 2: class 9 does not exist",
}
ODD = {  # what a label file holds -> what is said of it, though its picture is used
    "0 .5 .5 0 .2": "1 of 1 boxes have no width or no height",
    "0 .5 .5 .2 .2\n0 .3 .3 .1 0": "1 of 2 boxes have no width or no height",
    "0 .1 .1 .3 .1 .5 .1": "1 of 1 boxes have no width or no height",
    "0 .5 .5 .2 .2\n0 .5 .5 .2 .2": "1 rows stand there once more",
    b"\xef\xbb\xbf0 .5 .5 .2 .2": "",
}


def label_of(text: str | bytes) -> None:
    Path("train/labels/0.txt").write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize("text", LABELS, ids=range(len(LABELS)))
def test_a_label_that_cannot_be_used_is_named(text, here):
    label_of(text)
    with pytest.raises(InputError) as caught:
        check_data("good.yaml")
    assert LABELS[text] in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_what_is_odd_about_a_label_is_said(text, here, capsys):
    if isinstance(text, bytes) and "utf-8-sig" not in inspect.getsource(verify_image_label):
        pytest.skip("this version of Ultralytics leaves such a picture out")
    label_of(text)
    assert len(look_at_data("good.yaml", "detect").pictures["train"]) == 1
    said = capsys.readouterr().err
    assert ODD[text] in said and bool(said) == bool(ODD[text])
    assert main(["data", "check", "good.yaml"]) == 0 and ODD[text] in capsys.readouterr().out


def test_two_pictures_that_share_a_label_are_named(here, capsys):
    shutil.copy("picture.png", "train/images/0.png")
    look_at_data("good.yaml", "detect")
    assert "0.jpg and 0.png both take their boxes from train/labels/0.txt" in capsys.readouterr().err


def test_nothing_is_odd_about_the_course_own_set():
    assert check_data(FIRE_YAML).remarks == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_among_pictures_or_labels_is_not_waited_for(here):
    os.mkfifo("train/images/pipe.jpg")
    os.mkfifo("train/labels/pipe.txt")
    assert "pipe.jpg: this is no file" in check_data("good.yaml").problems[0]


# ------------------------------------------------------------------------------------------------------------- weights
def pickled(module: str, protocol: int = 2) -> bytes:
    """A pickle that would import `module`, which need not exist here."""
    name = module.encode()
    if protocol == 2:
        return b"\x80\x02c" + name + b"\nmake\n)R."
    return b"\x80\x04\x8c" + bytes([len(name)]) + name + b"\x94\x8c\x04make\x94\x93)R."


def archive(text: bytes, name: str = "archive/data.pkl") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, text)
    return out.getvalue()


def with_password(text: bytes) -> bytes:
    """The same archive, marked as encrypted in its entry and in its table."""
    marked = bytearray(archive(text))
    marked[6] |= 1
    marked[marked.index(b"PK\x01\x02") + 8] |= 1
    return bytes(marked)


def saved(held) -> bytes:
    out = io.BytesIO()
    torch.save(held, out)
    return out.getvalue()


WEIGHTS = {
    "junk.pt": (b"hello", "another kind of file"),
    "nothing.pt": (b"", "another kind of file"),
    "cut.pt": (archive(pickled("torch"))[:40], "cut short"),
    "damaged.pt": (archive(pickled("torch")).replace(b"ctorch", b"ctorcx"), "Bad CRC-32"),
    "secret.pt": (with_password(pickled("torch")), "password required"),
    "pictures.pt": (archive(b"hello", "holiday.jpg"), "another kind of file"),
    "foreign.pt": (archive(pickled("yolo_of_somebody")), "package 'yolo_of_somebody', which is not here"),
    "nested.pt": (archive(pickled("modules.of_tomorrow")), "package 'modules.of_tomorrow', which is not here"),
    "yolov5.pt": (archive(pickled("models.yolo")), "package 'models.yolo', which is not here"),
    "new.pt": (archive(pickled("somebodys", 4)), "package 'somebodys', which is not here"),
    "old.pt": (pickled("somebodys"), "package 'somebodys', which is not here"),
    "number.pt": (b"\x80\x02K\x05.", "numbers without a network"),
    "state.pt": (
        saved({"a": torch.ones(2)}),
        "holds numbers without a network, as of torch.save(model.state_dict(), ...)",
    ),
    "nothing_in_it.pt": (saved({}), "numbers without a network"),
    "script.pt": (archive(pickled("__torch__.net")), "let its name end in .torchscript"),
    "layer.pt": (saved({"model": nn.Linear(2, 2)}), "cannot be read as weights"),
    "bare.pt": (saved(nn.Linear(2, 2)), "cannot be read as weights"),
}


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("key", ["model", "pretrained"])
def test_weights_that_cannot_be_read_or_name_a_package(key, name, here, capsys, monkeypatch):
    def install(*args, **kwargs):
        raise AssertionError("something would have been installed")

    monkeypatch.setattr("ultralytics.nn.tasks.check_requirements", install)
    Path(name).write_bytes(WEIGHTS[name][0])
    line = f"train model={name}" if key == "model" else f"train {TINY} data=good.yaml pretrained={name} preset=smoke"
    assert WEIGHTS[name][1] in refused(line, capsys)


USES = (
    "predict model=w.pt source=good",
    "val model=w.pt data=good.yaml",
    "export model=w.pt format=torchscript",
    "train model=w.pt data=good.yaml",
    f"train {TINY} data=good.yaml pretrained=w.pt",
)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("line", USES)
def test_weights_that_are_no_numbers_are_not_used(line, value, here, capsys):
    yolo = YOLO("yolo11n-TinyNet.yaml")
    with torch.no_grad():
        next(yolo.model.parameters()).fill_(value)
    save(yolo, "w.pt")
    assert "1 of its" in (said := refused(line, capsys)) and "tensors hold nan or infinity, the first model.0." in said


@pytest.mark.parametrize("names", [None, 5, {}, {1: "fire"}, "fire"], ids=str)
def test_a_checkpoint_whose_classes_have_no_names(names, here, capsys):
    yolo = YOLO("yolo11n-TinyNet.yaml")
    yolo.model.names = names
    save(yolo, "w.pt")
    assert refused("predict model=w.pt source=good", capsys)


@pytest.mark.parametrize("folder", ["o'k", 'q"u', "a b", "[x]", "Bäume", "日本", "x=y", "a*b", "%20"])
def test_weights_in_a_folder_of_any_name(folder, here):
    """Ultralytics itself drops apostrophes: a training would end with weights that nobody finds."""
    Path(folder).mkdir()
    save(YOLO("yolo11n-TinyNet.yaml"), f"{folder}/w.pt")
    assert load_model(f"{folder}/w.pt").task == "detect"
    assert main(["val", f"model={folder}/w.pt", "data=good.yaml", "imgsz=32", "plots=False", "workers=0"]) == 0


def test_weights_of_our_own_are_opened(here):
    save(YOLO("yolo11n-EMO.yaml"), "emo.pt")
    assert {"modules.emo", "collections", "torch._utils"} <= modules_named(*pickles_in(Path("emo.pt")))
    assert load_model("emo.pt").task == "detect"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in folders")
def test_a_pipe_is_not_waited_for(here, capsys):
    os.mkfifo("pipe.yaml")
    assert "no file that can be read" in refused("train model=pipe.yaml", capsys)


def test_a_whole_network_that_was_saved_is_no_checkpoint(here, capsys):
    torch.save(YOLO("yolo11n-TinyNet.yaml").model, "whole.pt")
    assert "no checkpoint as Ultralytics writes it" in refused("predict model=whole.pt source=good", capsys)


# ------------------------------------------------------------------------------------------------- looking at a set
COUNTED = {  # what a set says of train and val -> pictures to train on, and what is said
    "listed twice": ("train: twice.txt\nval: val/images", 1, "1 pictures are listed more than once"),
    "folders overlap": ("train: [train, train/images]\nval: val/images", 1, "1 pictures are listed more than once"),
    "a link leads in a circle": ("train: round/images\nval: val/images", 1, "more than once"),
    "val is train": ("train: train/images\nval: train/images", 1, "1 of 1 pictures of 'val:' are in 'train:' too"),
    "everything is both": ("train: [train, val]\nval: val", 2, "1 of 1 pictures of 'val:' are in 'train:' too"),
    "a sound set": ("train: train/images\nval: val/images", 1, ""),
}


@pytest.mark.parametrize("case", COUNTED)
def test_each_picture_is_counted_once(case, here, capsys):
    places, count, said = COUNTED[case]
    Path("twice.txt").write_text("./train/images/0.jpg\n./train/images/../images/0.jpg\n")
    shutil.copytree("train", "round")
    os.symlink(here / "round", here / "round" / "images" / "again")
    Path("set.yaml").write_text(f"path: {here}\n{places}\n{NAMES}\n")
    found = look_at_data("set.yaml", "detect")
    assert len(found.pictures["train"]) == count
    told = capsys.readouterr().err
    assert said in told and bool(told) == bool(said)
    Path("run").mkdir()
    named = check_det_dataset(write_set(here / "run" / "training.yaml", found, **found.pictures))
    assert len(list_pictures(named["train"])) == count, "Ultralytics would train on others than are counted"


def test_what_is_left_out_is_left_out_by_ultralytics_too(here, capsys):
    Image.new("RGB", (64, 64)).save("train/images/a\nb.jpg")
    found = look_at_data("good.yaml", "detect")
    assert "holds a line break" in capsys.readouterr().err and len(found.pictures["train"]) == 1
    named = check_det_dataset(write_set(here / "training.yaml", found, **found.pictures))
    assert len(list_pictures(named["train"])) == 1


def test_looking_and_scanning_leave_a_motion_photo_as_it_is(here):
    picture = Path("train/images/0.jpg")
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (80, 40), "red").save(picture, exif=exif)
    photo = picture.read_bytes() + b"a film of half a second"
    picture.write_bytes(photo)
    for _ in range(2):
        assert check_data("good.yaml").pictures["train"] == [picture.resolve()]
    assert picture.read_bytes() == photo
    with nothing_fetched():
        YOLODataset(str(picture.parent), data=check_det_dataset("good.yaml"), imgsz=64)
    assert picture.read_bytes() == photo, "Ultralytics' own scan rewrote it"
    assert not list(here.rglob("*.cache")), "it noted in the set what the labels say"


@pytest.mark.parametrize("damage", [lambda b: b[:-2], lambda b: b[: len(b) // 2], lambda b: b[:30], lambda b: b""])
def test_a_damaged_picture_is_named_when_a_set_is_split(damage, here, capsys):
    Image.effect_noise((64, 64), 50).save("train/images/1.jpg")
    Path("train/images/1.jpg").write_bytes(damage(Path("train/images/1.jpg").read_bytes()))
    assert "train/images/1.jpg: this " in (said := refused("data split train names=fire", capsys)) and "picture" in said


def test_a_picture_cut_short_is_left_out(here):
    Image.effect_noise((64, 64), 50).save("train/images/1.jpg")
    whole = Path("train/images/1.jpg").read_bytes()
    Path("train/images/1.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    found = check_data("good.yaml")
    assert len(found.pictures["train"]) == 1 and "1.jpg" in found.problems[0]


def test_linked_folders_are_counted(here):
    (here / "linked").mkdir()
    os.symlink(here / "train" / "images", here / "linked" / "images")
    os.symlink(here / "train", here / "val" / "images" / "more")
    assert [p.name for p in list_pictures(here / "linked" / "images")] == ["0.jpg"]
    assert len(list_pictures(here / "val" / "images")) == 2


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"\xff.png"])
def test_a_name_that_is_not_utf8_is_said(name, here):
    place = os.fsencode(here / "train" / "images") + b"/" + name
    Path(os.fsdecode(place)).write_bytes(Path("train/images/0.jpg").read_bytes())
    problem = check_data("good.yaml").problems[0]
    assert "not in UTF-8" in problem and problem.encode()


def test_huge_pictures_are_left_out(here, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match="more than 2,000 pixels"):
        check_data("good.yaml")


@pytest.mark.parametrize(
    "row, box",
    [
        ("0 .5 .5 .2 .4", [0.5, 0.5, 0.2, 0.4]),
        ("0 .1 .1 .3 .1 .3 .5", [0.2, 0.3, 0.2, 0.4]),
        ("0 .1 .2 .5 .2 .5 .6 .1 .6", [0.3, 0.4, 0.4, 0.4]),
    ],
)
def test_outlines_become_boxes(row, box, here):
    Path("train/labels/0.txt").write_text(row)
    assert read_boxes(here / "train/images/0.jpg") == pytest.approx(np.array([box]))


def test_a_turned_picture_is_drawn_upright(here):
    picture = here / "train/images/0.jpg"
    exif = Image.Exif()
    exif[274] = 6  # the camera was held upright
    Image.new("RGB", (80, 40)).save(picture, exif=exif)
    ax = Figure().subplots()
    show_labelled(ax, picture, "green")
    assert ax.images[0].get_array().shape[:2] == (80, 40)


def test_the_course_own_set_is_not_littered(capsys):
    settings = {"cache": "disk"}
    check_cache(settings, FIRE_YAML)
    assert settings["cache"] == "ram" and "cache=disk" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------------- what is said
RAISED = {
    "the disk is full": OSError(errno.ENOSPC, "No space left on device", "runs/a/run.json"),
    "this is read-only": OSError(errno.EROFS, "Read-only file system", "runs"),
    "there is no permission": PermissionError(errno.EACCES, "Permission denied", "runs"),
    "oo many files are open": OSError(errno.EMFILE, "Too many open files"),
    "our share of this disk": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "this is a folder": IsADirectoryError(errno.EISDIR, "Is a directory", "runs"),
    "pip install openvino": ModuleNotFoundError("No module named 'openvino'", name="openvino.runtime"),
    "pip install paddlepaddle": ModuleNotFoundError("No module named 'paddle'", name="paddle"),
    "Give a smaller batch=": RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
    "smaller batch= or imgsz=": MemoryError(),
    "weights could not be written": RuntimeError("[enforce fail at inline_container.cc] . PytorchStreamWriter failed"),
    "cannot be read as weights": pickle.UnpicklingError("invalid load key"),
}


@pytest.mark.parametrize("said", RAISED)
def test_what_libraries_raise(said):
    line = explain(RAISED[said])
    assert said in line and "\n" not in line


def test_a_run_that_is_refused_by_the_disk_leaves_nothing(here, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device", "runs/a/run.json")

    monkeypatch.setattr("modules.course.train.write_record", full)
    assert "the disk is full" in refused(f"train {TINY} data=good.yaml preset=smoke", capsys)


def test_a_disk_that_is_full_within_a_training_loses_nothing(here, capsys, monkeypatch):
    line = f"train {TINY} data=good.yaml preset=smoke epochs=3 imgsz=64 workers=0 name=run".split()
    last, write = Path("runs/run/weights/last.pt").resolve(), Path.write_bytes

    def write_some(path, data):
        if path.resolve() == last and last.is_file():  # in the second epoch; a file is emptied before it is written
            write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", write_some)
        assert main(line) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "Error: runs/run/weights/last.pt: the disk is full. Make room, then repeat the command."
    assert main(line) == 0
    said = capsys.readouterr()
    assert "Going on with runs/run after epoch 1 of 3." in said.out and "mAP50" in said.out
    assert "last.pt was not written to its end; runs/run/weights/best.pt is whole" in said.err
    assert len(Path("runs/run/results.csv").read_text().splitlines()) == 4


def test_weights_are_never_removed(tmp_path):
    weights = tmp_path / "run" / "weights" / "last.pt"
    weights.parent.mkdir(parents=True)
    weights.touch()
    with pytest.raises(KeyError), nothing_left(tmp_path / "run"):
        raise KeyError
    assert weights.exists()


@pytest.mark.parametrize(
    "said, ours",
    [
        ("try yolo predict model=a.pt", "try python -m modules predict model=a.pt"),
        ("yolo cfg='a.yaml' imgsz=320", "python -m modules cfg='a.yaml' imgsz=320"),
        ("yolo export format=onnx", "python -m modules export format=onnx"),
        ("yolo detect train data=a.yaml", "python -m modules detect train data=a.yaml"),
        ("the yolo model is small", "the yolo model is small"),
        ("yolo11n.pt", "yolo11n.pt"),
    ],
)
def test_hints_name_our_command(said, ours):
    assert our_command(said) == ours


WARNED = {
    "WARNING ⚠️ CUDA out of memory with batch=64. Reducing to batch=32 and retrying (1/3).": "with batch=64. Reducing to",
    "Loss NaN/Inf detected (attempt 1/3), recovering from last.pt...": "Loss NaN/Inf detected (attempt 1/3), recovering",
    "No 'flip_idx' array defined in data.yaml,\n disabling 'fliplr'": "data.yaml, disabling 'fliplr'",
    "train: Slow image access detected (ping: 2 ms)": None,
    "cache='ram' may produce non-deterministic training results": None,
}


@pytest.mark.parametrize("text", WARNED)
def test_what_ultralytics_warns_of_while_it_is_kept_quiet(text, capsys):
    said = []
    with quiet(), warnings_by(said.append):
        for _ in range(2):
            LOGGER.warning(text)
        LOGGER.info("a page of other things")
    with quiet():
        LOGGER.warning(text)
    assert len(said) == (WARNED[text] is not None) and all(WARNED[text] in line and "\n" not in line for line in said)
    assert all(not line.startswith("WARNING") for line in said) and capsys.readouterr().err == ""


def test_names_keep_their_letters():
    assert one_line("❌ ERROR ❌️ Bäume\n  日本.yaml is\x1b[31m lost") == "Bäume 日本.yaml is lost"


# ------------------------------------------------------------------------------------------------------ the command
ORDERS = {
    "train model=a": {"mode": "train", "model": "a"},
    "detect train model=a": {"task": "detect", "mode": "train", "model": "a"},
    "model=a train": {"mode": "train", "model": "a"},
    "mode=val task=segment": {"mode": "val", "task": "segment"},
    "val half int8": {"mode": "val", "half": True, "int8": True},
    "train resume": {"mode": "train", "resume": True},
    "train val=False": {"mode": "train", "val": False},
    "train name=1_2 project=1e3": {"mode": "train", "name": "1_2", "project": "1e3"},
    "train name=007 project=None": {"mode": "train", "name": "007", "project": None},
    "train --imgsz=64, epochs = 3": {"mode": "train", "imgsz": 64, "epochs": 3},
}


@pytest.mark.parametrize("line", ORDERS)
def test_the_orders_of_the_yolo_command(line):
    assert read_words(line.split()) == ORDERS[line]


@pytest.mark.parametrize(
    "line, has, lacks",
    [
        ("train --help", "preset:", "stream_buffer"),
        ("help train", "close_mosaic:", "opset"),
        ("predict -h", "stream_buffer:", "mosaic:"),
        ("export --help", "opset:", "lr0"),
        ("val -h", "save_json:", "opset"),
        ("track --help", "tracker:", "opset"),
        ("trace -h", "imgsz:", "opset"),
        ("--help", "COMMAND --help", "opset"),
    ],
)
def test_each_command_has_help_of_its_own(line, has, lacks, capsys):
    assert main(line.split()) == 0
    said = capsys.readouterr().out
    assert has in said and lacks not in said


def test_a_set_for_classification_is_measured(here):
    for place in ("train/a", "train/b", "val/a", "val/b"):
        (here / "classes" / place).mkdir(parents=True)
        shutil.copy("train/images/0.jpg", here / "classes" / place)
    assert main("classify val model=yolo11n-cls.yaml imgsz=32 data=classes plots=False workers=0".split()) == 0


def test_half_and_copy_cfg_work(here):
    save(YOLO("yolo11n-TinyNet.yaml"), "t.pt")
    assert main("val model=t.pt data=good.yaml imgsz=32 half plots=False".split()) == 0
    assert main(["copy-cfg"]) == 0 and Path("default_copy.yaml").is_file()


def test_a_copy_that_fails_leaves_nothing(here, capsys, monkeypatch):
    def full(source, target):
        Path(target).touch()
        raise OSError(errno.ENOSPC, "No space left on device", str(source), None, str(target))

    monkeypatch.setattr("ultralytics.cfg.shutil.copy2", full)
    assert refused("copy-cfg", capsys).endswith(
        "default_copy.yaml: the disk is full. Make room, then repeat the command."
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_pictures_that_cannot_be_written_are_no_success(here, capsys, monkeypatch):
    """OpenCV passes over them: nothing would be there, and nothing said."""
    write, place = Path.write_bytes, Path("runs/predict/0.jpg").resolve()

    def full(path, data):
        return write(Path("/dev/full") if path.parent == place.parent else path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    shutil.copy("train/images/0.jpg", "good")
    assert "the disk is full" in refused(f"predict {TINY} source=good imgsz=32", capsys).lower()


def test_a_film_for_which_there_is_no_room_is_no_success(here, capsys, monkeypatch):
    """OpenCV passes over its frames: the film would be cut short, and nothing said."""
    film = cv2.VideoWriter("long.avi", cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 64))
    for _ in range(3):
        film.write(np.zeros((64, 64, 3), np.uint8))
    film.release()
    assert main(["predict", TINY, "source=long.avi", "imgsz=32", "name=whole"]) == 0
    frames = cv2.VideoCapture("runs/whole/long.avi")
    assert frames.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    usage = shutil.disk_usage
    monkeypatch.setattr("modules.course.files.shutil.disk_usage", lambda place: usage(place)._replace(free=100))
    assert main(["predict", TINY, "source=long.avi", "imgsz=32"]) == 2
    assert "long.avi: the disk is full" in capsys.readouterr().err


def test_what_ends_a_thread_is_one_line(capsys):
    with nothing_lost():
        for error in (OSError(errno.ENOSPC, "No space left on device", "curve.png"), KeyError("a bug")):
            drawing = threading.Thread(target=lambda: exec("raise error", {"error": error}))
            drawing.start()
            drawing.join()
    said = capsys.readouterr().err
    assert said.startswith("Warning: curve.png: the disk is full") and "KeyError: 'a bug'" in said
    assert said.count("Traceback") == 1, "a bug keeps its traceback"


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")

    def half(beside):
        beside.write_text("ne")
        raise OSError(errno.ENOSPC, "No space left on device", str(beside))

    with pytest.raises(OSError) as caught:
        replace(path, half)
    assert caught.value.filename == str(path) and path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_shipped_checkpoint_that_does_not_fit_leaves_nothing(here, capsys, monkeypatch):
    def full(held, path):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    Path("runs").mkdir()
    monkeypatch.setattr("modules.course.shipped.torch.save", full)
    assert "the disk is full" in refused("predict model=fire/yolo11n-TinyNet source=good", capsys)


def test_that_nothing_can_be_resumed_is_said_when_it_begins(here, capsys, monkeypatch):
    monkeypatch.setattr("modules.course.train.carry_out", lambda *args: exec("raise KeyboardInterrupt"))
    for words, said in {"save=False": True, "save=True": False, "": False}.items():
        assert main(f"train {TINY} data=good.yaml preset=smoke {words}".split()) == 130
        assert ("an interrupted training begins anew" in capsys.readouterr().err) == said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /bin/sh")
@pytest.mark.parametrize("command", ["cfg", "train --help"])
def test_a_closed_pipe_is_no_error(command):
    line = f"'{sys.executable}' -m modules {command} | head -1"
    run = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert run.stderr == "" and len(run.stdout.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT")
def test_interrupting_while_importing_is_one_line():
    started = subprocess.Popen([sys.executable, "-m", "modules", "help"], stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    started.send_signal(signal.SIGINT)
    assert "Traceback" not in started.communicate()[1]


# ---------------------------------------------------------------------------------------------------- small mechanisms
@pytest.mark.parametrize("width", [True, "half", [0.5], None, 0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", [name for name, entry in REGISTERED.items() if hasattr(entry.cls, "feature_channels")])
def test_a_width_that_is_no_number(name, width):
    with pytest.raises(ValueError, match=rf"^width={re.escape(repr(width))}: it must be a number .*such as 0.25"):
        REGISTERED[name].cls.feature_channels(width)


@pytest.mark.parametrize(
    "outputs, count",
    [
        (torch.ones(1), 1),
        ((torch.ones(1), torch.ones(1)), 2),
        (((torch.ones(1),), {"a": [torch.ones(1)]}), 2),
        (None, 0),
    ],
)
def test_tensors_are_found_in_the_outputs_of_all_tasks(outputs, count):
    assert len(tensors_in(outputs)) == count


LONG_NAMES = f'{{"train/images/{"a" * 9000}.jpg": 1}}'
MANIFESTS = [
    LONG_NAMES,
    '{"/images/\\u0000": 1}',
    "true",
    '{"a":1}{"b":2}',
    "\ufeff{}",
    "",
    "[",
    "null",
    "[]",
    "{}",
    "5",
    '["train/images/a.jpg"]',
    '{"a": 1}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", MANIFESTS, ids=range(len(MANIFESTS)))
def test_a_broken_manifest_is_one_result(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    found = check.fire_set(tmp_path)
    assert found.status == "FAIL" and "git checkout" in found.hint
    assert "manifest.json" in found.line or "2 of 2 files missing, such as" in found.line


def test_rows_to_freeze_are_named(capsys):
    check_freeze(5, YOLO("yolo11n-EMO.yaml").model.model)
    assert "rows 0 to 4 are the backbone" in capsys.readouterr().out
