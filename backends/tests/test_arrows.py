"""Which part may import which: arrows point one way, and the engine runs inside 3D Slicer without further packages."""

import ast
import subprocess
import sys
from pathlib import Path

import medsam_backends
import pytest

PACKAGE = Path(medsam_backends.__file__).parent
SHELLS = ("cli", "evaluation", "cohort")
"""Folders that use the engine; it never uses them.  The command line uses the two others, which use neither."""
NEVER = {"torch", "slicer", "vtk", "qt", "ctk", "PySide6", "scipy", "onnx", "pandas", "cv2", "skimage"}
FOR_SHELLS_ONLY = {"click", "rich", "PIL", "matplotlib", "dask", "highdicom", "pydicom"}
ENGINE = {"numpy", "onnxruntime", "openvino", "SimpleITK"}
MAY_BE_MISSING = {"png_file.py": {"PIL"}, "dicom_seg.py": {"highdicom", "pydicom"}}

MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names that a module imports; those of this package begin with a dot."""
    found: set[str] = set()
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {"." + ".".join([*base, str(name)]) for name in names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    return found


def _shell(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first if first in SHELLS else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_one_way(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path) if not name.startswith(".")}
    own = {name.split(".")[1] for name in imports(path) if name.startswith(".")} | {
        name.split(".")[1] for name in imports(path) if name.startswith("medsam_backends.")
    }
    foreign = roots - set(sys.stdlib_module_names) - {"medsam_backends"}
    if shell := _shell(path):
        assert not foreign & (NEVER - {"scipy", "pandas"})
        assert shell == "cli" or not own & set(SHELLS) - {shell}, "cohorts and evaluations are used without a terminal"
        return
    assert foreign <= ENGINE | MAY_BE_MISSING.get(path.name, set()), "the engine needs nothing but these"
    if path.name != "__main__.py":
        assert not own & set(SHELLS), "the engine does not know its users"


@pytest.mark.parametrize(
    "lower", ["types", "errors", "window", "boxes", "resize", "schema", "onnx_file", "backend", "cache"]
)
def test_the_contract_stands_on_nothing_above_it(lower: str) -> None:
    above = {".segmenter", ".registry", ".propagation", ".volume_slices", ".folder_backend", ".io", ".runtimes"}
    assert not imports(PACKAGE / f"{lower}.py") & above


def test_only_the_runtimes_import_an_inference_library() -> None:
    users = {path for path in MODULES if {"onnxruntime", "openvino"} & {n.split(".")[0] for n in imports(path)}}
    assert users and {path.parent.name for path in users} == {"runtimes"}


def test_segmenting_an_array_imports_no_shell_and_no_file_library() -> None:
    code = (
        "import sys, medsam_backends as m\n"
        "for name in m.__all__: getattr(m, name)\n"
        "shells = {'click', 'rich', 'PIL', 'SimpleITK', 'torch', 'onnxruntime', 'medsam_backends.cli'}\n"
        "assert not shells & set(sys.modules), shells & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_interface_is_what_it_says() -> None:
    assert set(medsam_backends.__all__) <= set(dir(medsam_backends))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = medsam_backends.nonsense
