"""The scripts make their environment once, repair it, and say what is wrong.

They run here in a copy of the repository, with a Python whose ``venv`` and ``pip`` only write down
that they were called. So nothing is installed, and a call too many is seen.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What the scripts may call besides Python: bash and POSIX.
TOOLS = ["bash", "cp", "dirname", "env", "find", "mkdir", "mv", "readlink", "rm", "rmdir", "sleep"]

PYTHON = """#!/usr/bin/env bash
if [[ $1 == -m && $2 == venv ]]; then
    echo venv >>"{log}"
    mkdir -p "$3/bin"
    for name in python pip ruff pyright lint-imports; do
        cp "{stubs}/in-venv" "$3/bin/$name"
    done
    echo "pip 26 from $3/lib/site-packages/pip" >"$3/bin/pip-version"
else
    exec "{python}" "$@"
fi
"""

IN_VENV = """#!/usr/bin/env bash
here=${{0%/*}}
case "${{0##*/}} $*" in
"pip --version")
    IFS= read -r line <"$here/pip-version"
    echo "$line" ;;
"python -m pip"*)
    echo "pip ${{!#}}" >>"{log}"
    IFS= read -r behaviour <"{stubs}/pip-behaviour"
    case $behaviour in
    dies) kill -9 $PPID; exit 1 ;;
    fails) echo "no network" >&2; exit 1 ;;
    takes-time) sleep 0.3 ;;
    waits) >"{stubs}/waiting"; sleep 60 ;;
    esac
    cp "{stubs}/in-venv" "$here/chainrule" ;;
"chainrule "*)
    printf '<%s>' "$@"
    exit 7 ;;
"pyright "*)
    echo "pyright" >>"{log}"
    [[ ! -e "{stubs}/types-are-wrong" ]] ;;
*)
    echo "${{0##*/}} $*" >>"{log}" ;;
esac
"""


@dataclass
class Checkout:
    root: Path
    stubs: Path

    def run(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / command[0], *command[1:]],
            cwd=self.stubs,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.stubs / 'bin'}:{self.stubs / 'tools'}", "CDPATH": str(self.root)}

    def calls(self) -> list[str]:
        """What was called since the last time this was asked."""
        log = self.stubs / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def pip(self, behaviour: str) -> None:
        (self.stubs / "pip-behaviour").write_text(behaviour + "\n")

    def python(self, text: str) -> None:
        """Put another python3 on the path; none for an empty text."""
        path = self.stubs / "bin" / "python3"
        path.unlink()
        if text:
            write_program(path, text)


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, stubs = tmp_path / "a folder with spaces", tmp_path / "stubs"
    (stubs / "bin").mkdir(parents=True)
    (stubs / "tools").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found, tool
        (stubs / "tools" / tool).symlink_to(found)
    names = {"log": stubs / "log", "stubs": stubs, "python": sys.executable}
    write_program(stubs / "bin" / "python3", PYTHON.format(**names))
    write_program(stubs / "in-venv", IN_VENV.format(**names))
    shutil.copytree(ROOT / "scripts", root / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
        os.utime(root / name, (1e9, 1e9))
    made = Checkout(root, stubs)
    made.pip("works")
    return made


def test_first_start_installs_and_later_ones_do_not(checkout: Checkout):
    first = checkout.run("chainrule", "train", "xor")
    assert first.stdout == "<train><xor>"
    assert first.stderr == "chainrule: making .venv, to run (once; about a minute)\n"
    assert checkout.calls() == ["venv", "pip .[plot]"]

    checkout.python("")
    second = checkout.run("chainrule", "train", "xor")
    assert (second.stdout, second.stderr) == (first.stdout, "")
    assert checkout.calls() == []


def test_arguments_and_exit_code_pass_through(checkout: Checkout):
    result = checkout.run("chainrule", "a b", "", "*", "-k=\n")
    assert result.stdout == "<a b><><*><-k=\n>"
    assert result.returncode == 7


def test_symlinks_lead_to_the_checkout(checkout: Checkout):
    folder = checkout.root.parent / "bin"
    folder.mkdir()
    (folder / "first").symlink_to(f"../{checkout.root.name}/scripts/chainrule")
    (folder / "second").symlink_to(folder / "first")
    result = checkout.run(folder / "second", "--help")
    assert result.stdout == "<--help>"
    assert (checkout.root / ".venv").is_dir()
    by_name = subprocess.run(
        ["bash", "chainrule", "--help"],
        cwd=checkout.root / "scripts",
        env=checkout.environment,
        capture_output=True,
        text=True,
    )
    assert (by_name.stdout, by_name.stderr) == ("<--help>", "")


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_into_the_same_environment(
    checkout: Checkout, name: str
):
    checkout.run("chainrule")
    checkout.calls()
    later = (checkout.root / ".venv" / ".ready-to-run").stat().st_mtime + 1
    os.utime(checkout.root / name, (later, later))
    result = checkout.run("chainrule", "show")
    assert result.stderr == "chainrule: bringing .venv up to date to run\n"
    assert result.stdout == "<show>"
    assert checkout.calls() == ["pip .[plot]"]


def test_interrupted_installation_is_made_anew(checkout: Checkout):
    checkout.pip("dies")
    assert checkout.run("chainrule").returncode == -9
    rubbish = checkout.root / ".venv" / "lib"
    rubbish.mkdir()
    checkout.calls()

    checkout.pip("works")
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.calls() == ["venv", "pip .[plot]"]
    assert not rubbish.exists()


def test_interrupted_update_is_made_anew(checkout: Checkout):
    checkout.run("chainrule")
    checkout.pip("dies")
    assert checkout.run("test").returncode != 0
    checkout.pip("works")
    checkout.calls()
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.calls() == ["venv", "pip .[plot]"]


def test_failed_installation_gives_the_reason_and_goes_on_later(checkout: Checkout):
    checkout.pip("fails")
    result = checkout.run("chainrule", "train", "xor")
    assert result.returncode == 1
    assert result.stdout == ""
    _, reason, message = result.stderr.splitlines()
    assert reason == "no network"
    assert message == (
        "chainrule: the installation failed, for the reason that pip gives above. "
        "Run the same command again to try once more."
    )
    checkout.pip("works")
    checkout.calls()
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.calls() == ["pip .[plot]"]


def test_simultaneous_first_starts_install_once(checkout: Checkout):
    checkout.pip("takes-time")
    starts = [
        subprocess.Popen(
            [checkout.root / "scripts" / "chainrule", str(number)],
            env=checkout.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    assert [start.communicate()[0] for start in starts] == ["<0>", "<1>", "<2>", "<3>"]
    assert checkout.calls() == ["venv", "pip .[plot]"]


def test_moved_checkout_is_made_anew(checkout: Checkout):
    checkout.run("chainrule")
    checkout.calls()
    checkout.root = checkout.root.rename(checkout.root.with_name("elsewhere"))
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.calls() == ["venv", "pip .[plot]"]


def test_environment_of_another_maker_is_used_or_left_alone(checkout: Checkout):
    venv = checkout.root / ".venv"
    subprocess.run(
        ["python3", "-m", "venv", venv], env=checkout.environment, check=True, cwd=checkout.stubs
    )
    checkout.calls()
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.calls() == ["pip .[plot]"]

    shutil.rmtree(venv)
    (venv / "bin").mkdir(parents=True)
    result = checkout.run("chainrule")
    assert result.returncode == 1
    assert result.stderr == (
        f"chainrule: {venv} is there, but pip does not work in it and this script did not make it. "
        "Move it away, then run the same command again.\n"
    )
    assert (venv / "bin").is_dir()


def test_missing_python_is_named(checkout: Checkout):
    checkout.python("")
    result = checkout.run("chainrule")
    assert result.returncode == 1
    assert result.stderr == (
        "chainrule: no Python of version 3.11 or later was found. Install one, or name it: "
        f"PYTHON=/path/to/python3 {checkout.root}/scripts/chainrule\n"
    )


def test_old_python_is_passed_over(checkout: Checkout):
    good = (checkout.stubs / "bin" / "python3").read_text()
    checkout.python("#!/usr/bin/env bash\nexit 1\n")
    assert "no Python of version 3.11 or later" in checkout.run("chainrule").stderr
    write_program(checkout.stubs / "bin" / "python3.12", good)
    assert checkout.run("chainrule", "show").stdout == "<show>"


def test_python_without_venv_is_named(checkout: Checkout):
    checkout.python('#!/usr/bin/env bash\n[[ $2 != "import ensurepip, venv" ]]\n')
    result = checkout.run("chainrule")
    assert result.returncode == 1
    assert result.stderr == (
        "chainrule: python3 lacks venv or pip. Install them (on Debian and Ubuntu: "
        "apt-get install python3-venv), then run the same command again.\n"
    )


def test_python_whose_venv_fails_is_named(checkout: Checkout):
    checkout.python("#!/usr/bin/env bash\nif [[ $2 == venv ]]; then echo no room; exit 1; fi\n")
    result = checkout.run("chainrule")
    assert result.returncode == 1
    _, reason, message = result.stderr.splitlines()
    venv = checkout.root / ".venv"
    assert reason.strip() == "no room"
    assert message == f"chainrule: python3 could not make {venv}, for the reason above."


def test_ctrl_c_is_one_line_and_begins_again(checkout: Checkout):
    checkout.pip("waits")
    start = subprocess.Popen(
        [checkout.root / "scripts" / "chainrule"],
        env=checkout.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert start.stderr
    assert start.stderr.readline().startswith("chainrule: making .venv")
    while not (checkout.stubs / "waiting").exists():
        assert start.poll() is None
        time.sleep(0.01)
    os.killpg(start.pid, signal.SIGINT)
    assert start.communicate()[1].endswith("chainrule: interrupted; the next start begins again.\n")
    assert start.returncode == 130
    checkout.calls()
    checkout.pip("works")
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.calls() == ["venv", "pip .[plot]"]


def test_python_can_be_chosen(checkout: Checkout):
    result = checkout.run("chainrule", PYTHON="/no/python")
    assert result.returncode == 1
    assert result.stderr == (
        "chainrule: PYTHON is /no/python, which is not a Python of version 3.11 or later.\n"
    )
    chosen = checkout.stubs / "bin" / "python3"
    assert checkout.run("chainrule", "show", PYTHON=str(chosen)).stdout == "<show>"


CHECKS = ["ruff format --check", "ruff check", "pyright", "lint-imports "]


def test_the_tests_come_after_the_checks_and_take_arguments(checkout: Checkout):
    result = checkout.run("test", "-k", "graph or tree")
    assert result.returncode == 0
    assert result.stderr == "chainrule: making .venv, to develop (once; about a minute)\n"
    assert checkout.calls() == [
        "venv",
        "pip .[dev]",
        *CHECKS,
        "python -m pytest -k graph or tree",
    ]
    # What is ready to develop is ready to run.
    assert checkout.run("chainrule", "show").stdout == "<show>"
    assert checkout.run("test").stderr == ""
    assert checkout.calls() == [*CHECKS, "python -m pytest"]


def test_a_failed_check_is_named_and_ends_the_tests(checkout: Checkout):
    (checkout.stubs / "types-are-wrong").touch()
    result = checkout.run("test")
    assert result.returncode == 1
    assert result.stderr.splitlines()[1:] == ["failed: pyright "]
    assert checkout.calls()[2:] == CHECKS
