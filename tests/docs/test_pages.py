"""What pages of the documentation tell to type runs, block after block, in an empty folder."""

import re
import shlex
from pathlib import Path

import pytest

from nas.cli.main import main

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(
    r"^```(?:\{code-block\} )?(python|console)\n(?::caption: (\S+)\n)?\n?(.*?)^```", re.M | re.S
)

QUICK = ("guides/strategy", "guides/data", "guides/device", "guides/regression")
LONG = ("tutorial", "guides/compressor", "guides/space", "guides/notebook", "guides/machines")
ELSEWHERE = ("guides/trained", "guides/pruning")
"""Their blocks need a network of the reader's: tests/nas/cli/test_readme.py has one."""


def follow(page: str) -> int:
    """Does what a page tells to, and returns how many blocks it has."""
    found = BLOCK.findall((DOCS / f"{page}.md").read_text())
    namespace: dict[str, object] = {"__name__": "__main__"}
    for kind, name, content in found:
        if kind == "console":
            for line in content.splitlines():
                command, *arguments = shlex.split(line.removeprefix("$ "))
                assert command == "nas"
                main(arguments)
        elif name:
            Path(name).write_text(content)
        else:
            exec(compile(content, page, "exec"), namespace)
    return len(found)


@pytest.mark.parametrize(
    "page", [*QUICK, *(pytest.param(page, marks=pytest.mark.slow) for page in LONG)]
)
def test_a_page_can_be_followed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert follow(page) >= 1


def test_every_guide_with_code_is_followed_somewhere() -> None:
    with_code = {
        str(path.relative_to(DOCS).with_suffix(""))
        for path in [DOCS / "tutorial.md", *(DOCS / "guides").glob("*.md")]
        if BLOCK.search(path.read_text())
    }
    assert with_code == {*QUICK, *LONG, *ELSEWHERE}


def test_links_between_pages_lead_somewhere() -> None:
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    targets = {
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:\s]+\.md)\)", page.read_text())
    }
    assert len(targets) > 10
    assert [pair for pair in targets if not (pair[0].parent / pair[1]).is_file()] == []
