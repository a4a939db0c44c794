"""The extension configures and installs with stand-ins of Slicer's CMake macros, and holds every file it needs.

Also: the rules of the Extensions Index that can be checked without a network.
"""

import ast
import json
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

NAME = "MedSAMLite"
MODULE = ROOT / NAME
TARGET = "lib/Slicer-5.13/qt-scripted-modules"

CONFIG = f"""
set(Slicer_FOUND TRUE)
set(Slicer_USE_FILE "${{CMAKE_CURRENT_LIST_DIR}}/use.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${{CMAKE_CURRENT_LIST_DIR}}/end.cmake")
set(Slicer_EXTENSION_CPACK "${{CMAKE_CURRENT_LIST_DIR}}/end.cmake")
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "{TARGET}")
set(Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR "{TARGET}")
"""

# After SlicerMacroBuildScriptedModule.cmake and ctkMacroCompilePythonScript.cmake: same arguments and refusals.
USE = r"""
set(BUILD_TESTING ON)
enable_testing()
foreach(name HOMEPAGE CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS)
  if("${EXTENSION_${name}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${name} is not set")
  endif()
endforeach()
function(ctkMacroCompilePythonScript)
  set(single TARGET_NAME SOURCE_DIR DESTINATION_DIR INSTALL_DIR)
  cmake_parse_arguments(MY "NO_INSTALL_SUBDIR" "${single}" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(name TARGET_NAME SCRIPTS DESTINATION_DIR INSTALL_DIR)
    if(NOT DEFINED MY_${name})
      message(FATAL_ERROR "${name} is mandatory")
    endif()
  endforeach()
  foreach(file ${MY_SCRIPTS} ${MY_RESOURCES})
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
      message(FATAL_ERROR "no file ${file}")
    endif()
    get_filename_component(folder "${file}" DIRECTORY)
    install(FILES "${file}" DESTINATION "${MY_INSTALL_DIR}/${folder}")
  endforeach()
endfunction()
function(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS;WITH_SUBDIR;VERBOSE" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MY_UNPARSED_ARGUMENTS OR NOT DEFINED MY_NAME)
    message(FATAL_ERROR "unknown keywords: ${MY_UNPARSED_ARGUMENTS}")
  endif()
  ctkMacroCompilePythonScript(TARGET_NAME ${MY_NAME} SCRIPTS "${MY_SCRIPTS}" RESOURCES "${MY_RESOURCES}"
    DESTINATION_DIR "build" INSTALL_DIR ${Slicer_INSTALL_QTSCRIPTEDMODULES_LIB_DIR} NO_INSTALL_SUBDIR)
endfunction()
function(slicer_add_python_unittest)
  cmake_parse_arguments(MY "" "SCRIPT;TESTNAME_PREFIX" "SLICER_ARGS" ${ARGN})
  get_filename_component(name "${MY_SCRIPT}" NAME_WE)
  add_test(NAME py_${MY_TESTNAME_PREFIX}${name} COMMAND "${CMAKE_COMMAND}" -E true)
endfunction()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """(folder of the installed modules, text of `ctest -N`)"""
    if shutil.which("cmake") is None or shutil.which("c++") is None:
        pytest.skip("cmake and a compiler are not installed")
    work = tmp_path_factory.mktemp("cmake")
    stand_in = work / "slicer"
    stand_in.mkdir()
    for file, text in (("SlicerConfig.cmake", CONFIG), ("use.cmake", USE), ("end.cmake", "")):
        (stand_in / file).write_text(text)

    def run(*command):
        done = subprocess.run(command, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(
        "cmake",
        "-S",
        str(ROOT),
        "-B",
        str(work / "b"),
        f"-DSlicer_DIR={stand_in}",
        f"-DCMAKE_INSTALL_PREFIX={work / 'out'}",
    )
    run("cmake", "--install", str(work / "b"))
    return work / "out" / TARGET, run("ctest", "-N", "--test-dir", str(work / "b"))


def files(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
    }


def test_every_file_of_the_module_and_the_package_is_installed(installed):
    folder, tests = installed
    expected = {f for f in files(MODULE) if not f.startswith("Testing/") and not f.endswith("CMakeLists.txt")}
    expected |= {f for f in files(ROOT / "backends") if f.startswith("medsam_backends/")}
    assert files(folder) == expected
    assert "py_MedSAMLite" in tests


def test_the_installed_copy_runs_without_the_checkout(installed):
    folder, _ = installed
    code = (
        "import medsam_backends, medsam_backends.registry as r; "
        f"assert medsam_backends.__file__.startswith({str(folder)!r}); "
        f"assert str(r.bundled_folder()).startswith({str(folder)!r}), r.bundled_folder(); "
        "import MedSAMLiteLib, sys; assert 'onnxruntime' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = [{str(folder)!r}] + {sys.path!r}; {code}"],
        capture_output=True,
        encoding="utf-8",
        cwd="/",
    )
    assert done.returncode == 0, done.stderr


def test_the_root_cmake_text_passes_the_index():
    text = (ROOT / "CMakeLists.txt").read_text()
    assert re.findall(r"project\s*\(\s*([^\s\)\n\r]+)", text, re.I)[0] == NAME
    [icon] = re.findall(r'set\s*\(EXTENSION_ICONURL\s*"([^"]+)"[ ]*\)', text, re.I)
    [screenshots] = re.findall(r'set\s*\(EXTENSION_SCREENSHOTURLS\s*"([^"]+)"\)', text, re.I)
    for url in [icon, *screenshots.split(" ")]:
        assert url.startswith("https://raw.githubusercontent.com/")
        path = ROOT / url.split("/main/")[1]
        assert path.is_file() and path.suffix == ".png" and path.stat().st_size < 200_000
    assert (ROOT / "LICENSE.txt").is_file()


def test_every_address_of_the_repository_is_the_same():
    """Known only when it is published; docs/slicer/publishing.md says where to set it."""
    entry = json.loads((ROOT / f"{NAME}.json").read_text())
    cmake = (ROOT / "CMakeLists.txt").read_text()
    owners = re.findall(r"https://(?:github|raw\.githubusercontent)\.com/([\w-]+/[\w-]+)", cmake)
    assert len(owners) == 4 and set(owners) == {
        entry["scm_url"].removeprefix("https://github.com/").removesuffix(".git")
    }
    tracked = subprocess.run(["git", "grep", "-lF", owners[0]], capture_output=True, encoding="utf-8", cwd=ROOT)
    if tracked.returncode == 0:
        assert set(tracked.stdout.split()) == {"CMakeLists.txt", f"{NAME}.json", "docs/slicer/publishing.md"}


def test_the_index_entry_is_as_its_schema_wants():
    raw = (ROOT / f"{NAME}.json").read_bytes()
    entry = json.loads(raw)
    assert b"\r" not in raw and raw.endswith(b"}\n") and not NAME.lower().startswith("slicer")
    allowed = {"$schema", "build_dependencies", "build_subdirectory", "category", "scm_revision", "scm_url", "tier"}
    assert set(entry) <= allowed and {"$schema", "category", "scm_url"} <= set(entry)
    assert re.search(r"/(Slicer[-_]?|SlicerExtension[-_])\w+\.git$", entry["scm_url"])
    depends = re.search(r'set\(EXTENSION_DEPENDS "([^"]*)"\)', (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert entry["build_dependencies"] == ([] if depends == "NA" else depends.split())
    assert entry["category"] == "Segmentation" and entry["tier"] in range(1, 6)


def test_the_icon_is_128_pixels_square():
    header = (MODULE / "Resources" / "Icons" / f"{NAME}.png").read_bytes()[:24]
    assert [int.from_bytes(header[a : a + 4], "big") for a in (16, 20)] == [128, 128]


def test_the_module_file_is_short_and_imports_nothing_heavy():
    path = MODULE / f"{NAME}.py"
    assert len(path.read_text().splitlines()) < 120
    tree = ast.parse(path.read_text())
    names = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert names == {"os", "sys", "slicer", "slicer.i18n", "slicer.ScriptedLoadableModule"}
