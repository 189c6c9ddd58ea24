"""The reference pages that are made from the code are as the code says."""

from pathlib import Path

import pytest


@pytest.mark.checkout
def test_the_pages_are_current() -> None:
    """Each page in the repository is what ``python scripts/reference.py`` writes now."""
    from scripts import reference

    made = reference.pages()

    assert [] == [path.name for path, text in made.items() if path.read_text("utf-8") != text]
    assert 12 == len(made)


@pytest.mark.checkout
def test_pages_are_not_written_without_every_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the environment lacks a command of ``pyproject.toml``, the script writes no page."""
    from scripts import reference

    text = (reference.ROOT / "pyproject.toml").read_text("utf-8")
    before = reference.find_missing_commands()
    more = text.replace("[project.entry-points", 'later = "a:b"\n\n[project.entry-points', 1)
    (tmp_path / "pyproject.toml").write_text(more, "utf-8")
    monkeypatch.setattr(reference, "ROOT", tmp_path)
    monkeypatch.setattr(reference, "pages", lambda: pytest.fail("pages were made"))
    monkeypatch.setattr("sys.argv", ["reference.py"])

    assert [] == before
    assert 1 == reference.main()
    assert "console_scripts: later" in capsys.readouterr().out
