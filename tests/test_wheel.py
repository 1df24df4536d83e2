"""The built package, installed where nobody has the checkout. Takes minutes: `make long`."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.long


def called(*command, cwd, code=0):
    """stdout of a command that ends with `code`, without the checkout in its environment."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The directory with the wheel and the sdist."""
    out = tmp_path_factory.mktemp("dist")
    called(sys.executable, "-m", "build", "--outdir", out, ROOT, cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(built):
    return next(built.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The programs of a fresh environment with the wheel and its dependencies."""
    place = tmp_path_factory.mktemp("elsewhere") / "env"
    venv.create(place, with_pip=True)
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    called(programs / "python", "-m", "pip", "install", "--quiet", wheel, cwd=place)
    return programs


def test_the_wheel_holds_every_module_the_models_and_the_sample_book(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rebalancer").rglob("*.py")}
    modules.add("rebalancer/store/grants.sql")
    models = {f"rebalancer/shipped/models/{path.name}" for path in (ROOT / "models").glob("*.toml")}
    sample = {f"rebalancer/shipped/data/sample/{path.name}" for path in (ROOT / "data" / "sample").iterdir()}
    assert len(models) >= 5
    assert {"rebalancer/shipped/data/sample/accounts.csv", "rebalancer/shipped/data/sample/ams.csv"} <= sample
    assert sorted((modules | models | sample) - names) == []
    assert [name for name in names if name.startswith(("tests/", "benchmarks/")) or "__pycache__" in name] == []


def test_the_wheel_says_that_it_is_typed(wheel):
    assert "rebalancer/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_the_package_is_built_from_the_sdist_as_well(built, tmp_path):
    sdist = next(built.glob("*.tar.gz"))
    called(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, sdist, cwd=tmp_path)
    again, first = (
        {info.filename: info.CRC for info in zipfile.ZipFile(path).infolist() if "dist-info" not in info.filename}
        for path in (next(tmp_path.glob("*.whl")), next(built.glob("*.whl")))
    )
    assert again == first


def test_an_installed_package_comes_from_the_wheel_and_not_from_the_checkout(installed, tmp_path):
    code = "import json, rebalancer, rebalancer.api; print(json.dumps([rebalancer.__file__, rebalancer.model_names()]))"
    file, models = json.loads(called(installed / "python", "-c", code, cwd=tmp_path))
    assert ROOT not in Path(file).parents
    assert models == sorted(path.stem for path in (ROOT / "models").glob("*.toml"))


def test_the_installed_command_lists_its_models(installed, tmp_path):
    found = json.loads(called(installed / "rebalancer", "models", "list", "--json", cwd=tmp_path))
    assert "coverage_units" in [model["name"] for model in found["models"]]


def test_the_installed_doctor_finds_nothing_wrong(installed, tmp_path):
    shown = called(installed / "rebalancer", "doctor", cwd=tmp_path)
    assert all(line.startswith("ok ") for line in shown.splitlines())


def test_the_installed_demo_runs_anywhere_and_its_run_is_verified(installed, tmp_path):
    assert "The sample book: " in called(installed / "rebalancer", "demo", cwd=tmp_path)
    assert (tmp_path / "runs" / "demo" / "manifest.json").is_file()
    assert called(installed / "rebalancer", "verify", "runs/demo", cwd=tmp_path).startswith("Verified: ")


def test_an_editable_installation_finds_models_and_sample(tmp_path):
    shown = called(sys.executable, "-m", "rebalancer", "doctor", "--json", cwd=tmp_path)
    checks = {check["name"]: check["ok"] for check in json.loads(shown)["checks"]}
    assert checks["coverage models"] is True
    assert checks["sample book"] is True
