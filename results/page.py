"""Write what is made from the csv files and the weights: results/README.md, its figures, the weights' model card, and the
tables in README.md and in the lessons."""

import hashlib
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
from PIL import Image

from modules.course import judge, results, shipped
from modules.course.costs import Costs
from modules.course.fire import fire_pictures
from modules.course.job import DEFAULT_MODEL
from modules.course.pictures import style
from modules.course.presets import PRESETS
from modules.course.results_figures import accuracy_against, explain

PAGE = """\
# The comparison

One recipe, from scratch, on all pictures of the fire set; the weights of the last epoch are measured, so that nothing is
chosen by the pictures that judge.

What is said of a difference: if the seeds' ranges overlap, it is within noise. If they lie apart and a paired bootstrap over
the 120 validation pictures excludes zero at 95 %, it is a gain or a loss with three seeds or more, and a direction with two.
If they lie apart and the bootstrap does not exclude zero, the pictures are too few to show it. Of one seed nothing is said.

Parameters and GMAC are those of the fused network at the size of the recipe. At scale n EMO, RepViT, FasterNet and RevCol
have a quarter of the channels that their papers publish.

`runs.csv` has a row for each training, `curves.csv` its epochs, `detections/` what it finds in the validation pictures.
`make results` runs what is missing, `python -m results page` writes this page.

{table}

![Mean mAP50 against GMAC, with the range over the seeds](comparison.png)

Bars are the range over the seeds, a hollow marker is one seed. The grey steps join the models with several seeds that no
other such model beats in both score and GMAC.

## One idea at a time

{ablations}
"""


CARD = """\
# Trained weights

Detectors of fire, one class, trained from scratch on the fire set of this course with the preset `results`. A file is
the best of the finished seeds, in half precision, with the model's YAML inside. "Best" is judged on the validation
pictures, so its score flatters a little: read the mean in the table. `modules.course.shipped.load(NAME)` opens a file, and
so does `model=fire/NAME` on the command line.

They are for learning. The pictures they have seen are composed, the scores are about 120 pictures of the same kind, and
nothing here may guard people or property.

{table}
"""

# Below the table of the course's README, which stands beside another one.
COSTS = """\
Parameters and GMAC are those of the fused network at the size of the training; ms are those of the fused network on a CPU
({cpu}), {threads} thread{s}. The table in [modules/](modules/README.md) counts before fusing, and at {size} px."""

FOUND = results.RESULTS / "found.jpg"  # what the course's README shows first
FRONT = Path(__file__).parents[1] / "README.md"
LESSONS = sorted(FRONT.parent.glob("notebooks/*.ipynb"))
IN_FRONT = re.compile(r"(?<=<!-- comparison: python -m results page -->\n\n).*?(?=\n\n<!-- /comparison -->)", re.DOTALL)
ROWS = re.compile(r'^rows_of\("(\d\d)"\)$', re.MULTILINE)  # the last line of a lesson's cell


def number_of_csv() -> str:
    """A number for what the page is made from."""
    path = results.RESULTS / "runs.csv"
    return hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()


def write_page() -> None:
    """Write the page, the figure, the model card, and the tables in the course's README and in the lessons."""
    (shipped.FOLDER / "README.md").write_text(card(), encoding="utf-8")
    FRONT.write_text(front(), encoding="utf-8")
    for lesson in LESSONS:
        lesson.write_text(with_rows(lesson), encoding="utf-8", newline="\n")
    (results.RESULTS / "README.md").write_text(page(), encoding="utf-8")
    with plt.rc_context():
        style()
        figure = draw()
        figure.savefig(results.RESULTS / "comparison.png", metadata={"Source": number_of_csv()})
        plt.close(figure)
    draw_found()


def draw_found() -> None:
    """What the course's weights of the model that `make train` trains find in twelve validation pictures."""
    name = Path(DEFAULT_MODEL).stem
    weights = shipped.checkpoint(name)
    settings = {"imgsz": PRESETS["results"].imgsz}
    with tempfile.TemporaryDirectory() as folder, plt.rc_context():
        style()
        drawn = Path(folder) / "found.png"
        judge.draw_predictions(
            shipped.load(name), fire_pictures("val"), drawn, settings, judge.stored_threshold(str(weights))
        )
        Image.open(drawn).convert("RGB").save(FOUND, quality=80, comment=number_of_weights())


def number_of_weights() -> str:
    """A number for the weights that the picture was made with."""
    return hashlib.sha256((shipped.FOLDER / f"{Path(DEFAULT_MODEL).stem}.safetensors").read_bytes()).hexdigest()


def page() -> str:
    ablations = {name for name, model in results.trained().items() if results.is_ablation(model)}
    bases = {model.against for name, model in results.trained().items() if name in ablations}
    return PAGE.format(table=results.table().markdown(), ablations=results.table(ablations | bases).markdown())


def card() -> str:
    """The page beside the trained weights: what they were trained on, and how well they do."""
    return CARD.format(table=results.table(shipped.names()).markdown())


def front() -> str:
    """The course's README with today's answer and table in it."""
    times, size, threads = results.latencies()
    cells = [f"{times[name]:.0f}" if name in times else "" for name in results.main_models()]
    table = results.table().without("mAP50-95").with_column(f"ms at {size} px", cells, before="against")
    precise = {"million parameters": "million parameters (fused)", "GMAC": f"GMAC at {PRESETS['results'].imgsz} px"}
    table = replace(table, heading=tuple(precise.get(name, name) for name in table.heading))
    how = COSTS.format(cpu=Costs().machine["cpu"], s="s" * (threads != "1"), threads=threads, size=size)
    text = f"{answer()}\n\n{table.markdown()}\n\n{how}"
    return IN_FRONT.sub(lambda _: text, FRONT.read_text(encoding="utf-8"))


def answer() -> str:
    """Whether the backbones help, in a few sentences: who beats stock YOLO11n, who does not, and who cannot be told."""
    models = results.main_models()
    stock = models["yolo11n"]
    verdicts = {m.name: results.verdict(m, stock) for m in models.values() if m.against == stock.name}

    def those(word: str) -> str:
        return ", ".join(name.removeprefix("yolo11n-") for name, said in verdicts.items() if said.split()[0] == word)

    more = {"Higher, and not shown": "higher", "Lower, and not shown": "lower", "One seed only": "one"}
    sentences = [
        f"**Short answer.** Shown to be better than stock YOLO11n, mAP50 {stock.text()}: {those('gain') or 'none'}.",
        f"Not to be told from it: {those('within') or 'none'}. Shown to be worse: {those('loss') or 'none'}.",
        *(f"{words}: {those(word)}." for words, word in more.items() if those(word)),
        "EMO, RepViT, FasterNet and RevCol have here, at scale n, a quarter of the channels that their papers publish (M0.6",
        "half of them), and all start from random weights. With the full width, or with weights from ImageNet, it may be",
        "otherwise: not measured.",
    ]
    return "\n".join(sentences)


def with_rows(lesson: Path) -> str:
    """A lesson whose cell `rows_of("05")` shows today's table, as if that cell alone had been executed again."""
    notebook = nbformat.read(lesson, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code" and (asked := ROWS.search(cell.source)):
            table = results.rows_of(asked[1])
            data = {"text/markdown": table.markdown(), "text/plain": str(table)}
            count = cell.execution_count
            cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=count)]
    return nbformat.writes(notebook) + "\n"


def draw() -> plt.Figure:
    """Mean mAP50 of the models that are no variants, against GMAC, with the range over the seeds."""
    figure, ax = plt.subplots(figsize=(8, 4.5))
    cost = {name: model.of("gmac")[0] for name, model in results.main_models().items()}
    accuracy_against(ax, cost, "GMAC of the fused network")
    explain(figure)
    return figure
