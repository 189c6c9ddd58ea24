"""Reads a co-op's documents and splits them into passages. Input: files. Output: texts."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from docx import Document
from pypdf import PdfReader

FILE_BYTES_MAX = 20_000_000
PASSAGE_CHARS = 700  # about 200 tokens: within what a sentence model reads
HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def read_pdf(path: Path) -> str:
    """Returns the text of a PDF file, page by page."""
    return "\n\n".join(page.extract_text() for page in PdfReader(path).pages)


def read_docx(path: Path) -> str:
    """Returns the paragraphs of a Word document; headings become Markdown's."""
    return "\n\n".join(
        f"# {paragraph.text}" if paragraph.style.name.startswith("Heading") else paragraph.text
        for paragraph in Document(str(path)).paragraphs
    )


def read_text(path: Path) -> str:
    """Returns the text of a Markdown or text file."""
    return path.read_text("utf-8")


READERS = {".md": read_text, ".txt": read_text, ".pdf": read_pdf, ".docx": read_docx}


def find_documents(folder: Path) -> list[Path]:
    """Returns the files of a folder that can be read, links left out."""
    files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in READERS)
    return [path for path in files if path.is_file() and not path.is_symlink()]


def read_passages(path: Path) -> list[str]:
    """Returns the passages of a document, each after the heading that it stands under.

    Raises:
        Exception: the file is too large, or is not what its name says.
    """
    if path.stat().st_size > FILE_BYTES_MAX:
        raise ValueError(f"> {FILE_BYTES_MAX:,} bytes")
    return list(split_text(READERS[path.suffix.lower()](path)))


def split_text(text: str) -> Iterator[str]:
    """Yields passages: paragraphs of one section, joined up to ``PASSAGE_CHARS`` characters."""
    parts = ["", *HEADING.split(text)]  # a heading, its section, the next heading
    for heading, section in zip(parts[::2], parts[1::2], strict=True):
        passage = ""
        for piece in cut_section(section):
            if passage and len(passage) + len(piece) > PASSAGE_CHARS:
                yield f"{heading}\n{passage}".strip()
                passage = ""
            passage = f"{passage}\n{piece}".strip()
        if passage:
            yield f"{heading}\n{passage}".strip()


def cut_section(section: str) -> Iterator[str]:
    """Yields the paragraphs of a section; longer ones are cut between words."""
    for paragraph in section.split("\n\n"):
        yield from textwrap.wrap(paragraph, PASSAGE_CHARS, replace_whitespace=False)
