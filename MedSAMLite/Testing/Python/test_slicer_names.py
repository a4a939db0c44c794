"""Every name of Slicer that the module uses exists in Slicer, and is called as Slicer's own sources define it.

slicer-core is Slicer's own code and answers for itself; what it lacks is in two tables, read in Slicer's sources.
"""

import ast
import inspect

import pytest
import slicer
from conftest import ROOT

MODULE = ROOT / "MedSAMLite"
SOURCES = [MODULE / "MedSAMLite.py", *MODULE.glob("MedSAMLiteLib/*.py"), *MODULE.glob("MedSAMLiteEffect/*.py")]

# Below `slicer`, and where Slicer defines it.
FROM_SLICER = {
    "app.applicationLogic": "Base/QTCore/qSlicerCoreApplication.h",
    "app.connect": "QObject",
    "app.processEvents": "QCoreApplication",
    "app.temporaryPath": "Base/QTCore/qSlicerCoreApplication.h",
    "dicomDatabase": "Base/Python/slicer/__init__.py",
    "modules.segmenteditor": "Modules/Scripted/SegmentEditor",
    "modules.medsamlite": "this module",
    "mrmlScene": "Base/Python/slicer/__init__.py",
    "packaging": "Base/Python/slicer/packaging.py, from 5.12; else slicer.util.pip_install",
    "qSlicerSegmentEditorAbstractEffect": "Modules/Loadable/Segmentations/EditorEffects",
    "util.pip_install": "Base/Python/slicer/util.py",
}

# Functions of objects that slicer-core lacks: how many arguments by position, and which by name.
_EFFECT = "Modules/Loadable/Segmentations/EditorEffects/qSlicerSegmentEditorAbstractEffect.h"
_SCRIPTED = "Modules/Loadable/Segmentations/EditorEffects/qSlicerSegmentEditorScriptedEffect.h"
_PACKAGING = "Base/Python/slicer/packaging.py"
_SAMPLES = "Modules/Scripted/SampleData/SampleData.py"
CALLS = {
    ("scriptedEffect", "parameterSetNode"): (0, (), _EFFECT),
    ("scriptedEffect", "addOptionsWidget"): (1, (), _EFFECT),
    ("scriptedEffect", "addLabeledOptionsWidget"): (2, (), _EFFECT),
    ("scriptedEffect", "renderer"): (1, (), _EFFECT),
    ("scriptedEffect", "renderWindow"): (1, (), _EFFECT),
    ("scriptedEffect", "defaultModifierLabelmap"): (0, (), _EFFECT),
    ("scriptedEffect", "saveStateForUndo"): (0, (), _EFFECT),
    ("scriptedEffect", "modifySelectedSegmentByLabelmap"): (2, (), _EFFECT),
    ("effects", "qSlicerSegmentEditorScriptedEffect"): (1, (), _SCRIPTED),
    ("effect", "setPythonSource"): (1, (), _SCRIPTED),
    ("clonedEffect", "setPythonSource"): (1, (), _SCRIPTED),
    ("effect", "self"): (0, (), _SCRIPTED),
    ("packaging", "pip_ensure"): (1, ("constraints", "skip_packages", "prompt_install", "requester"), _PACKAGING),
    ("packaging", "load_requirements"): (1, (), _PACKAGING),
    ("SampleDataLogic", "registerCustomSampleDataCategory"): (1, ("title",), _SAMPLES),
    ("SampleDataLogic", "registerCustomSampleDataSource"): (
        0,
        ("category", "sampleName", "thumbnailFileName", "uris", "fileNames", "checksums", "nodeNames"),
        _SAMPLES,
    ),
}
# Methods that qSlicerSegmentEditorScriptedEffect.cxx calls, with the number of their arguments.
CALLED_BY_SLICER = {
    "clone": 0,
    "icon": 0,
    "helpText": 0,
    "setupOptionsFrame": 0,
    "activate": 0,
    "deactivate": 0,
    "createCursor": 1,
    "processInteractionEvents": 3,
    "cleanup": 0,
}


def trees():
    return [ast.parse(path.read_text()) for path in SOURCES]


def slicerNames():
    """Dotted names below `slicer` in the module's sources, two levels deep."""
    found = set()
    for tree in trees():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") == "getattr"
                and ast.unparse(node.args[0]) == "slicer"
            ):
                found.add(node.args[1].value)
            names = []
            while isinstance(node, ast.Attribute):
                names.insert(0, node.attr)
                node = node.value
            if names and isinstance(node, ast.Name) and node.id == "slicer":
                found.add(".".join(names[:2]))
    inner = {name.split(".")[0] for name in found if "." in name}
    return {name for name in found if name not in inner}


def isInCore(name):
    head, _, rest = name.partition(".")
    if head == "util":
        return hasattr(slicer.util, rest)
    return head.startswith("vtk") and hasattr(slicer, head) and (not rest or hasattr(getattr(slicer, head), rest))


def test_every_name_below_slicer_exists():
    names = slicerNames()
    assert "vtkMRMLTransformNode.GetTransformBetweenNodes" in names  # methods of classes are looked at too
    known = {name for name in names if name in FROM_SLICER or name.split(".")[0] in FROM_SLICER}
    assert {name for name in names - known if not isInCore(name)} == set()


def test_the_table_holds_nothing_that_is_not_used():
    used = slicerNames() | {name.split(".")[0] for name in slicerNames()}
    assert FROM_SLICER.keys() <= used


def test_names_that_only_slicer_core_has_are_never_used():
    """slicer-core copies slicer.util into slicer; Slicer does not."""
    heads = {name.split(".")[0] for name in slicerNames()} - {"util"}
    assert {head for head in heads if hasattr(slicer.util, head) and not head.startswith("vtk")} <= FROM_SLICER.keys()


def callsOf(owners):
    """(owner, function, call) of calls on objects of these names."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                value = node.func.value
                owner = value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")
                if owner in owners:
                    yield owner, node.func.attr, node


def test_functions_of_slicer_are_called_as_it_defines_them():
    owners, seen = {owner for owner, _ in CALLS}, set()
    for owner, function, call in callsOf(owners):
        positional, named, source = CALLS[owner, function]
        assert len(call.args) == positional, (function, source)
        assert {keyword.arg for keyword in call.keywords} <= set(named), (function, source)
        seen.add((owner, function))
    assert seen == set(CALLS)


def test_the_effect_has_the_methods_that_slicer_calls():
    source = next(path for path in SOURCES if path.name == "SegmentEditorEffect.py")
    [effect] = [
        node for node in ast.parse(source.read_text()).body if getattr(node, "name", "") == "SegmentEditorEffect"
    ]
    methods = {node.name: len(node.args.args) - 1 for node in effect.body if isinstance(node, ast.FunctionDef)}
    assert {name: methods.get(name) for name in CALLED_BY_SLICER} == CALLED_BY_SLICER
    assert source.parent.name == "MedSAMLiteEffect"  # Slicer takes the folder's name for the Python module's


@pytest.mark.parametrize("function", ["pip_ensure", "load_requirements"])
def test_the_stand_in_takes_what_slicer_takes(function):
    positional, named, _ = CALLS["packaging", function]
    signature = inspect.signature(getattr(slicer.packaging, function))
    signature.bind(*[None] * positional, **dict.fromkeys(named))
