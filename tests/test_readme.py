"""The README shows what the program prints."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def shown(command: str) -> str:
    """The fenced block of the README that follows the line with the command."""
    pattern = rf"^`\$ {re.escape(command)}`\n```text\n(.*?)^```$"
    match = re.search(pattern, README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert match, f"README.md has no block of output under '$ {command}'"
    return match.group(1)


def without_times(text: str) -> str:
    return re.sub(r"\b\d+(\.\d+)? (ms|s|min)\b", "<time>", text)


def test_times_are_the_only_difference_allowed():
    assert without_times("10,000 epochs in 1.2 s") == without_times("10,000 epochs in 740 ms")
    assert without_times("loss 0.1264 in 1 s") != without_times("loss 0.1265 in 1 s")


def test_first_command_prints_what_the_readme_shows():
    program = Path(sys.executable).with_name("chainrule")
    result = subprocess.run([program, "train", "xor"], capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    assert without_times(result.stdout) == without_times(shown("scripts/chainrule train xor"))


def test_check_prints_what_the_readme_shows():
    program = Path(sys.executable).with_name("chainrule")
    path = "tests/programs/main_guard__derivative_of_another.py"
    command = [program, "check", path]
    result = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=README.parent)
    assert result.returncode == 1, result.stderr
    assert result.stdout == shown(f"chainrule check {path}")


def test_explain_prints_what_the_readme_shows():
    program = Path(sys.executable).with_name("chainrule")
    command = [program, "explain", "xor", "--epoch", "731", "--why", "W1[0,1]"]
    result = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    assert result.stdout == shown('chainrule explain xor --epoch 731 --why "W1[0,1]"')


def test_sweep_prints_what_the_readme_shows(tmp_path):
    program = Path(sys.executable).with_name("chainrule")
    command = "chainrule sweep xor --seeds 4000 --hidden 2,3"
    arguments = [program, *command.split()[1:]]
    result = subprocess.run(arguments, capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert result.returncode == 0, result.stderr

    def steady(text: str) -> str:
        """Without the lines that only a slow machine prints, as it shows how far it is."""
        lines = without_times(text).splitlines()
        return "\n".join(line for line in lines if " left" not in line)

    assert steady(result.stdout) == steady(shown(command))
