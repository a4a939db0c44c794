"""The means of an evaluation against the data set's own scoring program, on the same predictions."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from medsam_backends.evaluation.prompts import Boxes, read_table
from medsam_backends.evaluation.runner import Plan, evaluate

DATA = Path(__file__).parents[3] / "shared" / "data"
CASES = {
    "2d": ("2DBox_Dental_DC1000-caries_0001", "2DBox_US_BUS?_0001", "2DBox_Fundus_*_000[12]", "2DBox_OCT_*_0001"),
    "3d": ("MR_hippocampus-msd_000[12]", "MR_sunnybrook_0001", "PET_sts_0003"),
}

pytestmark = pytest.mark.skipif(not (DATA / "score.py").is_file(), reason="the data set is not here")


@pytest.fixture
def score() -> ModuleType:
    """The program, as a module of its own."""
    spec = importlib.util.spec_from_file_location("score", DATA / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_both_programs_tell_the_same_means(
    kind: str, score: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for pattern in CASES[kind]:
        for path in (DATA / "eval" / kind).glob(f"{pattern}[._]*"):
            shutil.copy(path, data)
    cases = {path.name.split(".")[0].removesuffix("_seg") for path in data.iterdir()}
    assert len(cases) >= 4
    boxes = Boxes(table=read_table(DATA / "eval" / f"boxes-{kind}.csv"))
    result = evaluate(data, ["ellipse"], tmp_path / "out", Plan(boxes, save_predictions=True))
    assert not result.failures

    every = score.rows
    monkeypatch.setattr(score, "rows", lambda name: [row for row in every(name) if row["case"] in cases])
    found = score.predictions(kind, str(tmp_path / "out" / "predictions" / "ellipse"))
    assert {(row.case, row.label): row.dsc for row in result.rows} == pytest.approx(found)
    score.table({"yours": found})
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[-1].split()[-1]) == pytest.approx(result.means[-1].dsc, abs=6e-5)
    for mean in result.means[:-1]:
        named = [line for line in lines if line.split()[:2] == [mean.modality, mean.dataset]]
        named = named or [line for line in lines if line.split()[:2] == [mean.modality, "yours"]]
        assert float(named[0].split()[-1]) == pytest.approx(mean.dsc, abs=6e-4)
