"""``medsamlite report``: what the page says, what it looks like, and that it stands alone."""

import base64
import csv
import hashlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, fields
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from cases import brick, save
from medsam_backends.cli.main import main
from medsam_backends.csv_table import write_csv
from medsam_backends.evaluation.records import Row
from medsam_backends.evaluation.report.study import read_study
from medsam_backends.evaluation.report.style import looks
from medsam_backends.evaluation.summary import summarise, write_summary
from PIL import Image

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Reads a page; a tag that is never closed, or closed too often, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag: str) -> str:
        return "".join(text for inside, text in self.texts if inside == tag)


def row(case: str, model: str, dsc: float, seconds: float = 1.0, label: int = 1, **more: float | str) -> Row:
    modality = case.removeprefix("2DBox_").split("_")[0]
    return Row(case, modality, "set", label, 1, model, dsc, dsc / 2, 0.9, seconds, 0.6, 0.3, **more)  # type: ignore[arg-type]


def three_models() -> Iterator[Row]:
    """Thirty cases of three modalities by a good, a middling and a bad model."""
    for model, (mean, seconds) in {"good": (0.9, 3.0), "middling": (0.7, 0.2), "bad": (0.3, 0.01)}.items():
        for number in range(30):
            modality = ("2DBox_US", "2DBox_XRay", "CT")[number % 3]
            score = mean + 0.08 * math.sin(7 * number + len(model))
            yield row(f"{modality}_set_{number}", model, score, seconds * (1 + number / 30), peak_mib=100 * seconds)


def evaluation(
    folder: Path, rows: Sequence[Row], failures: Sequence[tuple[str, str, str]] = (), **settings: object
) -> Path:
    """A folder as an evaluation leaves it."""
    folder.mkdir()
    write_csv(folder / "cases.csv", [field.name for field in fields(Row)], map(astuple, rows))
    write_csv(folder / "failures.csv", ("case", "model", "reason"), failures)
    write_summary(folder / "summary.csv", summarise(rows))
    models = {one.model: f"{one.model}@{hashlib.sha256(one.model.encode()).hexdigest()}" for one in rows}
    known = {"data": "/secret/place/pictures", "boxes": "tight", "seed": 3, "models": models, **settings}
    (folder / "settings.json").write_text(json.dumps(known))
    return folder


def report(*arguments: object) -> Page:
    """Run the command with few samples and read what it wrote."""
    assert main(["report", *map(str, arguments), "--samples", "50"]) == 0
    folders = [part for part in arguments if isinstance(part, Path)]
    return Page((folders[0] / "report.html").read_text("utf-8"))


def pictures(page: Page) -> list[np.ndarray]:
    sources = [attributes["src"].removeprefix("data:image/png;base64,") for attributes in page.all("img")]
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(source))).convert("RGB")) for source in sources]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation with its report; read it only."""
    folder = evaluation(tmp_path_factory.mktemp("report") / "three", list(three_models()))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    report(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name in before} == before
    assert not list(folder.rglob(".medsamlite-*"))
    return folder


@pytest.fixture(scope="module")
def page(three: Path) -> Page:
    return Page((three / "report.html").read_text("utf-8"))


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A small evaluation, without a report."""
    return evaluation(tmp_path / "two", [row(f"2DBox_US_set_{n}", m, 0.5) for n in range(3) for m in ("a", "b")])


def test_the_page_needs_nothing_but_itself(page: Page) -> None:
    for name in ("src", "href", "action", "data", "poster"):
        for tag, attributes in page.tags:
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,")), tag
    assert not page.all("link") and "url(" not in page.text("style") and "@import" not in page.text("style")
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert all(link["href"].removeprefix("#") in anchors for link in page.all("a"))
    [policy] = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    digest = base64.b64encode(hashlib.sha256(page.text("script").encode()).digest()).decode()
    assert policy.startswith("default-src 'none';") and f"'sha256-{digest}'" in policy


def test_every_plot_shows_something_and_says_it_in_words(three: Path, page: Page) -> None:
    names = {path.stem for path in (three / "plots").iterdir()}
    assert names == {
        *("accuracy", "tradeoff", "stability", "significance"),
        *(f"modalities-{metric}" for metric in ("dsc", "nsd", "seconds")),
    }
    for image in pictures(page):
        assert image.shape[0] >= 150 and image.std() > 10
    for attributes in page.all("img"):
        assert len(attributes["alt"]) > 30
    alts = " ".join(attributes["alt"] for attributes in page.all("img"))
    assert "good over middling" in alts and "good 100 %" in alts.replace("first: middling 0 %, ", "")
    embedded = {attributes["src"].partition(",")[2] for attributes in page.all("img")}
    assert {base64.b64encode(path.read_bytes()).decode() for path in (three / "plots").iterdir()} == embedded


def test_the_numbers_are_those_of_the_summary(three: Path, page: Page) -> None:
    with open(three / "summary.csv", newline="") as stream:
        means = {(line["model"], line["modality"], line["dataset"]): line for line in csv.DictReader(stream)}
    overall = {line[0]: line for line in page.rows[1:4]}
    for model in ("good", "middling", "bad"):
        expected = means[model, "mean", "mean"]
        assert overall[model][1:4] == ["30", f"{float(expected['dsc']):.4f}", f"{float(expected['nsd']):.4f}"]
    [modality] = [line for line in page.rows if line[:2] == ["US", "10"]][:1]
    assert modality[2] == f"{float(means['good', 'US', 'mean']['dsc']):.4f}"


def test_what_the_evaluation_was_is_at_the_foot_without_folders(three: Path, page: Page) -> None:
    facts = dict(line for line in page.rows if len(line) == 2)
    assert facts["Evaluation three"] == "data pictures, boxes tight, seed 3"
    assert hashlib.sha256(b"good").hexdigest() in facts["Model good"]
    assert facts["Command"].startswith("medsamlite report three --worst 3")
    assert "secret" not in (three / "report.html").read_text()


def test_one_model_alone_gets_a_report_without_a_ranking(tmp_path: Path) -> None:
    one = evaluation(tmp_path / "one", [row("2DBox_US_set_1", "only", 0.5)])
    page = report(one)
    assert "A ranking needs two models" in page.text("p") and "stability" not in {p.stem for p in one.rglob("*.png")}
    assert "1 model on 1 pictures of 1 modality" in page.text("p")


def test_missing_values_and_failed_cases_are_told_not_counted(tmp_path: Path) -> None:
    rows = [row(f"2DBox_US_set_{n}", model, 0.5 + n / 20) for n in range(8) for model in ("first", "second")]
    rows[3] = row("2DBox_US_set_1", "second", math.nan)
    del rows[0]
    rows.append(row("CT_set_1", "first", 0.8, seconds=0.0, hd95_mm=math.inf))
    failed = [("2DBox_US_set_0", "first", "no memory"), ("2DBox_US_set_2", "first", "done later")]
    folder = evaluation(tmp_path / "gaps", rows, failed)
    page = report(folder)
    assert ["2DBox_US_set_0", "first", "no memory"] in page.rows
    assert "done later" not in page.text("td"), "it has a score since"
    assert "first lacks 1, second lacks 1" in page.text("p")
    assert "∞" in page.text("td"), "a missed object is infinitely far"
    assert all(image.std() > 5 for image in pictures(page))


def test_a_model_without_a_finite_score_breaks_nothing(tmp_path: Path) -> None:
    rows = [row(f"2DBox_US_set_{n}", "fine", 0.5) for n in range(3)]
    rows += [row(f"2DBox_US_set_{n}", "none", math.nan, seconds=0.0) for n in range(3)]
    page = report(evaluation(tmp_path / "none", rows))
    assert [line[0] for line in page.rows[1:3]] == ["fine", "none"]


def test_hostile_names_are_text(tmp_path: Path) -> None:
    case = '2DBox_<script>alert(1)</script>_"><img src=x onerror=alert(1)>$\\frac{_1'
    model = "'><b onclick=alert(2)>{{ 7*7 }}&amp;"
    rows = [row(case, name, 0.5) for name in (model, "plain")]
    folder = evaluation(tmp_path / "hostile", rows, [("</td><script>", model, "<iframe src=//evil>")])
    page = report(folder, "--title", "<h1>&")
    assert len(page.all("script")) == 1 and not page.all("iframe") and not page.all("h1")[1:]
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    cells = [cell for line in page.rows for cell in line]
    assert case in cells and model in cells and "<iframe src=//evil>" in cells


def test_several_evaluations_become_one_report(tmp_path: Path) -> None:
    rows = [one for one in three_models() if one.model != "bad"]
    first = evaluation(tmp_path / "first", [one for one in rows if one.case.startswith("2DBox")])
    second = evaluation(tmp_path / "second", [one for one in rows if one.case.startswith("CT")])
    assert main(["report", str(first), str(second), "--output", str(tmp_path / "both"), "--samples", "20"]) == 0
    page = Page((tmp_path / "both" / "report.html").read_text())
    assert "20 pictures and 10 volumes" in page.text("p")
    assert {"Pictures", "Volumes", "All images"} == {text.split(":")[0] for text in page.text("caption").split(".")[:3]}
    assert not (first / "report.html").exists()


def test_corrections_have_a_plot_of_their_own(tmp_path: Path) -> None:
    rows = [row(f"2DBox_US_set_{n}", "m", 0.5, dsc_after_clicks="0.6 0.75") for n in range(3)]
    page = report(evaluation(tmp_path / "clicks", rows))
    assert "Lines of DSC: m from 0.500 to 0.750." in [attributes["alt"] for attributes in page.all("img")]


def test_tables_of_older_programs_are_read(two: Path) -> None:
    with open(two / "cases.csv", newline="") as stream:
        lines = [line[:12] for line in csv.reader(stream)]
    write_csv(two / "cases.csv", lines[0], lines[1:])
    page = report(two)
    assert "Peak memory" not in page.text("button") and "Memory is not known of every model" in page.text("figcaption")


def test_models_keep_their_looks_when_others_join(three: Path, page: Page) -> None:
    few, many = looks(["a", "b"]), looks(["a", "b", *map(str, range(20))])
    assert [many[name] for name in few] == list(few.values())
    assert len(set(many.values())) == 22
    swatch = next(span["style"] for span in page.all("span") if "style" in span).split("#")[1][:6]
    colour = [int(swatch[n : n + 2], 16) for n in (0, 2, 4)]
    stability = np.asarray(Image.open(three / "plots" / "stability.png").convert("RGB"))
    assert (stability == colour).all(axis=2).sum() > 100


@pytest.fixture
def evaluated(tmp_path: Path) -> Path:
    """A real evaluation of a picture and a volume, predictions kept; images in `data` beside it."""
    data = tmp_path / "data"
    data.mkdir()
    truth = np.zeros((48, 64), np.uint8)
    truth[5:20, 5:30], truth[25:45, 40:60] = 1, 2
    np.savez(data / "2DBox_US_a_1.npz", imgs=(truth > 0).astype(np.uint8) * 90 + 40, gts=truth)
    save(brick().astype(np.int16), data / "MR_b_1.nii.gz")
    save((brick() == 200).astype(np.uint8), data / "MR_b_1_seg.nii.gz")
    output = tmp_path / "evaluated"
    options = ("--model", "ellipse", "--model", "otsu-box", "--boxes", "loose", "--save-predictions")
    assert main(["evaluate", str(data), "--output", str(output), *options]) == 0
    return output


def test_the_worst_cases_are_drawn_with_truth_prediction_and_box(evaluated: Path) -> None:
    page = report(evaluated, "--data", evaluated.parent / "data", "--worst", "2")
    captions = page.text("b")
    assert "Worst cases of ellipse" in captions and "Worst cases of otsu-box" in captions
    image = np.asarray(Image.open(evaluated / "plots" / "worst-2.png").convert("RGB")).astype(int)
    for colour in ((0x56, 0xB4, 0xE9), (0xE6, 0x9F, 0x00), (255, 255, 255)):
        assert (abs(image - colour).sum(axis=2) < 30).sum() > 60
    assert "slice" not in captions and "is not shown" not in page.text("p")


def test_without_images_the_worst_cases_are_a_table(evaluated: Path) -> None:
    page = report(evaluated, "--worst", "1")
    assert not (evaluated / "plots" / "worst-1.png").exists() and "--data" in page.text("p")
    assert ["MR_b_1", "ellipse"] in [line[:2] for line in page.rows]


def test_a_picture_that_cannot_be_drawn_is_explained(evaluated: Path) -> None:
    predictions = evaluated / "predictions"
    (predictions / "ellipse" / "MR_b_1.npz").write_bytes(b"broken")
    (predictions / "otsu-box" / "MR_b_1.npz").unlink()
    np.savez(predictions / "ellipse" / "2DBox_US_a_1.npz", masks=np.ones((2, 4, 4), bool))
    page = report(evaluated, "--data", evaluated.parent / "data")
    said = page.text("p")
    assert "MR_b_1 by ellipse is not shown: its saved masks cannot be read" in said
    assert "MR_b_1 by otsu-box is not shown: its masks were not saved" in said
    assert "2DBox_US_a_1 by ellipse is not shown: the saved masks have another size" in said
    assert "Worst cases of otsu-box" in page.text("b") and "Worst cases of ellipse" not in page.text("b")


def test_predictions_outside_the_folder_are_not_read(evaluated: Path) -> None:
    outside = evaluated.parent / "elsewhere"
    (evaluated / "predictions" / "ellipse").rename(outside)
    text = (evaluated / "cases.csv").read_text().replace(",ellipse,", ",../../elsewhere,")
    (evaluated / "cases.csv").write_text(text)
    page = report(evaluated, "--data", evaluated.parent / "data")
    assert "by ../../elsewhere is not shown: its masks were not saved" in page.text("p")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda folder: (folder / "cases.csv").unlink(), "holds no cases.csv"),
        (lambda folder: (folder / "cases.csv").write_text("a,b\n1,2\n"), "no column case"),
        (lambda folder: (folder / "cases.csv").write_text(""), "holds no scores yet"),
        (lambda folder: (folder / "plots").write_text("a file"), "cannot be made"),
    ],
)
def test_mistakes_are_one_sentence(
    two: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], sentence: str
) -> None:
    spoil(two)
    assert main(["report", str(two)]) == 2
    assert sentence in capsys.readouterr().err


def test_evaluations_that_cannot_be_compared_are_refused(two: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = evaluation(two.parent / "again", [row("2DBox_US_set_1", "a", 0.5)])
    assert main(["report", str(two), str(again)]) == 2
    assert "name one of them" in capsys.readouterr().err
    other = evaluation(two.parent / "other", [row("MR_set_1", "a", 0.5)], boxes="loose")
    assert main(["report", str(two), str(other)]) == 2
    assert "cannot be compared" in capsys.readouterr().err


def test_a_missing_package_is_named(
    two: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("medsam_backends.evaluation.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["report", str(two)]) == 2
    assert "the package matplotlib: pip install matplotlib" in capsys.readouterr().err


def test_scores_can_be_read_without_drawing_anything(three: Path) -> None:
    study = read_study([three])
    assert study.models == ["good", "middling", "bad"] and study.modalities == ["CT", "US", "XRay"]
    assert not study.uneven and len(study.of("good", kind="volumes")) == 10
