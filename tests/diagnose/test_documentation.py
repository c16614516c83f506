"""Each verdict has a page, named as it is, and each page is of a verdict."""

from pathlib import Path

from chainrule.diagnose.verdict import VERDICTS

PAGES = Path(__file__).parents[2] / "docs" / "diagnose"


def test_there_is_a_page_for_each_verdict():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in PAGES.glob("*.md")}
    guide = pages.pop("README")
    assert pages.keys() == VERDICTS.keys()
    for name, title in VERDICTS.items():
        assert pages[name].startswith(f"# {title}\n")
        assert f"[{title}]({name}.md) | `{name}`" in guide
