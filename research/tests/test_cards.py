"""Cards of models: what they say of parts, runs, data and accuracy, and that they refuse what is not there."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from disc_stream import DiscStream
from medsam_backends.evaluation.summary import Mean, write_summary
from medsam_backends.manifest import read_manifest
from medsam_research.cards.measured import accuracy, insert
from medsam_research.cards.measured import main as refresh
from medsam_research.cards.sources import find_sources
from medsam_research.cards.write import Training, card
from medsam_research.cards.write import main as write
from medsam_research.training.config import TrainConfig
from medsam_research.training.export import export
from medsam_research.training.train import Trainer

MARKED = f"before\n\n{accuracy([], 'one')}\n\nafter\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained for three steps."""
    folder, stream = tmp_path_factory.mktemp("runs") / "third", DiscStream()
    Trainer(TrainConfig(encoder="repvit", steps=3), folder, fixed=[stream.arrays()]).go(stream.next)
    return folder


@pytest.fixture(scope="module")
def model(run: Path) -> Path:
    """The same, exported."""
    folder = run.parent / "model"
    export(run / "checkpoint.pt", "disc-model", folder)
    return folder


def archives(folder: Path, *names: str) -> Path:
    (folder / "volumes").mkdir(parents=True)
    for name in names:
        with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("img/1.jpg", b"")
            archive.writestr("lab/1.png", b"")
    (folder / "volumes" / "CT_sts_0001_seg.nii.gz").touch()
    return folder


def evaluation(folder: Path, *models: str) -> Path:
    folder.mkdir(parents=True)
    means = [
        Mean(model, modality, dataset, 2, 0.5 + 0.25 * n, 0.625, 1.0, dsc_after_clicks="0.7 0.8")
        for n, model in enumerate(models)
        for modality, dataset in (("CT", "sts"), ("CT", "mean"), ("mean", "mean"))
    ]
    write_summary(folder / "summary.csv", means)
    return folder


def test_a_card_tells_parts_runs_and_held_out_accuracy(run: Path, model: Path, tmp_path: Path) -> None:
    manifest = read_manifest(model)
    text = card(manifest, Training((run,), None, tuple(find_sources(archives(tmp_path / "data", "CT_sts")))))

    assert f"| {manifest.encoder.sha256[:12]} |" in text and f"| {manifest.decoder.sha256[:12]} |" in text
    assert "| third | 0 | 3 | 24 | 96 | 0.002 | - |" in text
    assert "| CT | sts | 1 | 1 | CC BY 3.0 |" in text
    assert "| all | 4 |" in text, "the run's last validation"


def test_weights_of_data_without_a_known_licence_are_not_to_be_passed_on(
    run: Path, model: Path, tmp_path: Path
) -> None:
    known, unknown = archives(tmp_path / "known", "US_HC18"), archives(tmp_path / "mixed", "US_HC18", "US_Mine")
    texts = [card(read_manifest(model), Training((run,), None, tuple(find_sources(d)))) for d in (known, unknown)]

    assert "Do not pass" not in texts[0]
    assert "**Do not pass these weights on**: no licence is known of US Mine." in texts[1]


def test_the_command_writes_card_and_curves_beside_the_model(run: Path, model: Path, tmp_path: Path) -> None:
    pictures = evaluation(tmp_path / "pictures", "disc-model", "ellipse")
    write(
        f"{model} --run {run} --data {archives(tmp_path / 'data', 'CT_sts')} "
        f"--evaluation {pictures} --beside ellipse".split()
    )

    text = (model / "card.md").read_text("utf-8")
    assert "### Pictures by data set" in text and "| CT sts | 2 | 0.500 | 0.625 | 0.700 0.800 | 0.750 |" in text
    assert (model / "curves.png").exists()
    read_manifest(model).check_digests()


def test_measured_figures_are_renewed_between_the_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "card.md"
    page.write_text(MARKED, "utf-8")
    for number, names in enumerate((("one", "two"), ("two", "one"))):
        refresh(f"{page} --model one --evaluation {evaluation(tmp_path / str(number) / 'volumes', *names)}".split())

    text = page.read_text("utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    assert "| CT | 2 | 0.750 |" in text and "0.500" not in text, "of the second evaluation"


def test_evaluations_of_one_name_share_a_table(tmp_path: Path) -> None:
    folders = [evaluation(tmp_path / one / "volumes", one) for one in ("ours", "theirs")]
    text = accuracy(folders, "ours", ["theirs", "nobody"])

    assert text.count("### Volumes\n") == 1 and "| theirs |" in text and "nobody" not in text


def test_a_model_that_was_not_evaluated_and_a_page_without_marks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="volumes holds no evaluation of three"):
        accuracy([evaluation(tmp_path / "volumes", "one", "two")], "three")
    with pytest.raises(ValueError, match="lacks"):
        insert("no marks", MARKED)
