"""GLOSSARY.md and READING.md: no dead term, no dead link, and nothing that a lesson cites is left out."""

import json
import re

import pytest

from tools import lessons

GLOSSARY = (lessons.ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
READING = (lessons.ROOT / "READING.md").read_text(encoding="utf-8")
TERMS = re.findall(r"^- \*\*(.+?)\*\*: (.+) \[(..)\]\((notebooks/.+?\.ipynb)\)$", GLOSSARY, re.M)
ENTRIES = re.findall(r"^- (.+) \((\[.+)\)$", READING, re.M)
LESSONS = {
    path.stem[:2]: " ".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"])
    for path in lessons.lessons()
}


def test_every_line_is_understood():
    assert len(TERMS) == len(re.findall("^- ", GLOSSARY, re.M)) > 0
    assert len(ENTRIES) == len(re.findall("^- ", READING, re.M)) > 0


@pytest.mark.parametrize("term, meaning, number, link", TERMS, ids=lambda value: value if len(value) < 25 else "")
def test_a_term_is_used_by_its_lesson_and_is_one_sentence(term, meaning, number, link):
    assert (lessons.ROOT / link).name.startswith(number) and (lessons.ROOT / link).exists()
    assert term.lower() in LESSONS[number].lower(), f"no {term!r} in lesson {number}"
    assert meaning.endswith(".") and not re.search(r"[a-z]\. [A-Z]", meaning)


def test_terms_are_in_order_and_every_lesson_has_some():
    names = [term.lower() for term, *_ in TERMS]
    assert names == sorted(names) and len({term for term, *_ in TERMS}) == len(TERMS)
    assert {number for _, _, number, _ in TERMS} >= {number for number in LESSONS if number.isdigit()}


@pytest.mark.parametrize("number", LESSONS)
def test_what_a_lesson_cites_is_in_the_list_and_names_the_lesson(number):
    for paper in set(re.findall(r"arXiv (\d{4}\.\d{5})", LESSONS[number].partition("## Reading")[2])):
        assert any(f"arXiv {paper}]" in text and f"[{number}]" in places for text, places in ENTRIES), (
            f"READING.md lacks {paper}, which lesson {number} cites"
        )


@pytest.mark.parametrize("text, places", ENTRIES, ids=lambda value: value[:20])
def test_an_entry_is_cited_by_the_lessons_that_it_names(text, places):
    for number, link in re.findall(r"\[(..)\]\((.+?)\)", places):
        assert (lessons.ROOT / link).exists()
        paper = re.search(r"arXiv (\S+)\]", text)
        title = re.search(r"\*(.+?)[:*]", text)[1]
        cited = LESSONS[number].partition("## Reading")[2]
        assert (paper and paper[1] in cited) or title in cited, f"lesson {number} does not cite {title}"
    assert all(f"arxiv.org/abs/{paper}" in text for paper in re.findall(r"arXiv (\S+)\]", text))
