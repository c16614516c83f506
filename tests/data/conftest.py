"""What the tests of the data layer share: files in a folder of their own, and read messages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chainrule.data import Preparation, read_table
from chainrule.errors import ChainruleError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new folder, which is the current one, so that messages name files without a path."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder: Path) -> Callable[[str, str | bytes], str]:
    """Writes a file of that name and gives the name back."""

    def write_file(name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
        return name

    return write_file


@pytest.fixture
def message() -> Callable[..., str]:
    """The message that reading and learning a table fails with."""

    def read_message(source: Any, encoding: str = "utf-8", **options: Any) -> str:
        with pytest.raises(ChainruleError) as caught:
            Preparation.learn(read_table(source, encoding=encoding), **options)
        text = str(caught.value)
        assert text[0].isupper() or text[0] in "./"
        assert text.endswith(".")
        assert "\n" not in text
        return text

    return read_message


@pytest.fixture
def people() -> str:
    """A good CSV of twelve rows: a number, a category, and a target of two classes."""
    rows = [
        f"{20 + i},{'Lyon' if i % 3 else 'Nice'},{'yes' if i % 2 else 'no'}\n" for i in range(12)
    ]
    return "age,city,label\n" + "".join(rows)
