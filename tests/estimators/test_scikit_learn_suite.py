"""scikit-learn's own tests of its perceptrons, run as they are against these estimators."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn
from sklearn.utils.estimator_checks import check_estimator

from chainrule.estimators import MLPClassifier, MLPRegressor

TESTS = Path(sklearn.__file__).parent / "neural_network/tests/test_mlp.py"


@pytest.mark.skipif(not TESTS.exists(), reason="this scikit-learn comes without its tests")
def test_scikit_learns_own_tests_pass(tmp_path):
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, *filter(None, sys.path)])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "substitution", "-p", "no:cacheprovider",
         "-c", os.devnull, "--rootdir", str(tmp_path), str(TESTS)],
        env={**os.environ, "PYTHONPATH": paths, "SKLEARN_SEED": "42"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-5000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) >= TESTS.read_text().count("\ndef test_")
    assert "skipped" not in run.stdout


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
def test_every_check_of_an_estimator_passes(Estimator):
    results = check_estimator(Estimator(), on_fail=None)
    bad = [(each["check_name"], each["exception"]) for each in results
           if each["status"] not in ("passed", "skipped")]  # fmt: skip
    assert not bad
    assert sum(each["status"] == "passed" for each in results) > 50
