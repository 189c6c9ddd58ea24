"""Reads a report: its tags, and the text of each language."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """What a file has: tags with their attributes, and the text of each language.

    ``visible`` is the text without commands, which may name files and keys.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {"fr": [], "en": []}
        self.visible: dict[str, list[str]] = {"fr": [], "en": []}
        self._lang = ""
        self._is_code = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.tags.append((tag, held))
        self._is_code = tag == "code"
        if tag == "article":
            self._lang = held["lang"]

    def handle_endtag(self, tag: str) -> None:
        self._is_code = False
        if tag == "article":
            self._lang = ""

    def handle_data(self, data: str) -> None:
        if self._lang and data.strip():
            self.texts[self._lang].append(data.strip())
            if not self._is_code:
                self.visible[self._lang].append(data.strip())

    def said(self, lang: str) -> str:
        """All that one language says."""
        return "\n".join(self.texts[lang])
