"""A co-op's memory: it reads documents once, and answers questions about them with their sources.

Texts and vectors stay in one SQLite file of the co-op. The pool computes the vectors and writes
the answers, as class ``restricted``: on the co-op's own machines only.

    python memoire.py lire documents
    python memoire.py demander "Quel est le prix d'une livraison ?"

``ENTRAIDE_URL`` and ``ENTRAIDE_KEY`` name pool and key.
"""

import argparse
import hashlib
import json
import os
import re
import sqlite3
import sys
import unicodedata
from pathlib import Path

import numpy as np
from documents import find_documents, read_passages
from openai import OpenAI
from usearch.index import MetricKind, search

RESTRICTED = {"X-Entraide-Data-Class": "restricted"}
INPUTS_PER_REQUEST = 64
CLOSEST = 20  # passages whose words are compared, too
SOURCES = 3
WORDS_WEIGHT = 0.2  # of the part of a question's words that a passage has, beside the similarity
TABLES = """
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS documents (path TEXT PRIMARY KEY, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS passages (
    path TEXT NOT NULL REFERENCES documents ON DELETE CASCADE, text TEXT NOT NULL,
    vector BLOB NOT NULL, usual REAL NOT NULL
);
"""
TEXTS = json.loads(Path(__file__).with_name("textes.json").read_text("utf-8"))


def words_of(text: str) -> set[str]:
    """Returns the beginnings of a text's longer words, without accents, so that plurals match."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return {word[:6] for word in re.findall(r"\w{5,}", letters)}


def unit_vector(values: list[float]) -> bytes:
    """Returns a vector of length 1, as the store keeps it."""
    vector = np.array(values, np.float32)
    return (vector / (np.linalg.norm(vector) or 1.0)).tobytes()


def as_matrix(vectors: list[bytes]) -> np.ndarray:
    """Returns vectors as rows."""
    return np.stack([np.frombuffer(vector, np.float32) for vector in vectors])


class Memory:
    """The documents of a co-op, as passages with their vectors."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._client = OpenAI(
            base_url=os.environ["ENTRAIDE_URL"] + "/v1", api_key=os.environ["ENTRAIDE_KEY"]
        )
        self._texts = TEXTS[options.lang]
        self._off_topic: list[bytes] = []
        self._store = sqlite3.connect(options.memory)
        self._store.executescript(TABLES)

    def say(self, name: str, **values: object) -> None:
        """Prints a sentence in the chosen language."""
        print(self._texts[name].format(**values))

    def embed(self, texts: list[str]) -> list[bytes]:
        """Returns the vectors of texts, computed by the co-op's own machines."""
        vectors: list[bytes] = []
        for first in range(0, len(texts), INPUTS_PER_REQUEST):
            answer = self._client.embeddings.create(
                model=self._options.sentences,
                input=texts[first : first + INPUTS_PER_REQUEST],
                extra_headers=RESTRICTED,
            )
            vectors += [unit_vector(each.embedding) for each in answer.data]
        return vectors

    def read_folder(self, folder: Path) -> None:
        """Reads what is new or changed in a folder, and forgets what is no longer there."""
        known = dict(self._store.execute("SELECT path, digest FROM documents"))
        paths = {path.relative_to(folder).as_posix(): path for path in find_documents(folder)}
        new = 0
        for name, path in paths.items():
            key = self._options.sentences.encode() + b"\0" + path.read_bytes()
            digest = hashlib.sha256(key).hexdigest()
            if known.get(name) != digest:
                new += self._read_document(name, path, digest)
        gone = known.keys() - paths.keys()
        for name in sorted(gone):
            self._forget(name)
            self.say("left", path=name)
        self.say("total", new=new, same=len(paths) - new, left=len(gone))

    def _read_document(self, name: str, path: Path, digest: str) -> bool:
        """Replaces a document's passages at once; an unreadable one keeps its old ones."""
        try:
            passages = read_passages(path)
        except Exception as problem:  # noqa: BLE001  (the libraries of PDF and Word raise anything)
            self.say("unreadable", path=name, problem=problem)
            return False
        vectors = self.embed(passages)
        usual = self._usual_similarity(vectors)
        with self._store:
            self._store.execute("DELETE FROM documents WHERE path = ?", (name,))
            self._store.execute("INSERT INTO documents VALUES (?, ?)", (name, digest))
            rows = [(name, *row) for row in zip(passages, vectors, usual, strict=True)]
            self._store.executemany("INSERT INTO passages VALUES (?, ?, ?, ?)", rows)
        self.say("read", path=name, count=len(passages))
        return True

    def _usual_similarity(self, vectors: list[bytes]) -> list[float]:
        """Returns how similar each passage is to questions that no co-op's documents answer.

        Some passages are a little similar to any question; what counts is being more so.
        """
        if not self._off_topic:
            self._off_topic = self.embed(TEXTS["off_topic"])
        usual = as_matrix(self._off_topic).mean(0)
        return [float(value) for value in as_matrix(vectors) @ usual] if vectors else []

    def _forget(self, name: str) -> None:
        with self._store:
            self._store.execute("DELETE FROM documents WHERE path = ?", (name,))

    def find(self, question: str) -> list[tuple[str, str]]:
        """Returns path and text of the passages that fit a question, none below the threshold.

        What counts is how much more similar than usual, and the question's words in the passage.
        """
        rows = self._store.execute("SELECT path, text, usual, vector FROM passages").fetchall()
        if not rows:
            sys.exit(self._texts["empty"].format(command="python memoire.py lire DOSSIER"))
        (query,), asked = as_matrix(self.embed([question])), words_of(question)
        vectors = as_matrix([row[3] for row in rows])
        scores = []
        for hit in search(vectors, query, min(CLOSEST, len(rows)), MetricKind.Cos, exact=True):
            path, text, usual, _ = rows[hit.key]
            shared = len(asked & words_of(text)) / max(1, len(asked))
            scores.append((1.0 - hit.distance - usual + WORDS_WEIGHT * shared, path, text))
        best = sorted(scores, reverse=True)[:SOURCES]
        return [(path, text) for score, path, text in best if score >= self._options.least]

    def answer(self, question: str) -> None:
        """Prints the answer to a question with its sources, or that there is none."""
        passages = self.find(question)
        if not passages:
            self.say("nothing")
            return
        excerpts = "\n\n".join(f"[{n}] {text}" for n, (_, text) in enumerate(passages, 1))
        answer = self._client.chat.completions.create(
            model=self._options.model,
            messages=[
                {"role": "system", "content": self._texts["task"]},
                {"role": "user", "content": f"{excerpts}\n\n{question}"},
            ],
            temperature=0,
            max_tokens=self._options.tokens,
            extra_headers=RESTRICTED,
        )
        print(answer.choices[0].message.content, f"\n{self._texts['sources']}", sep="\n")
        for number, (path, text) in enumerate(passages, 1):
            print(f"    [{number}] {path} – {text.splitlines()[0]}")
        receipt = answer.model_extra["entraide"]
        coop = receipt["node_coop"]
        self.say("where", node=receipt["node"], coop=receipt["coop_names"].get(coop, coop))


def main() -> None:
    """Reads the command line and does what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("command", choices=("lire", "demander"))
    parser.add_argument("what", help="a folder, or a question")
    parser.add_argument("--memory", default="memoire.db", help="SQLite file")
    parser.add_argument("--model", default="auto", help="model that answers")
    parser.add_argument(
        "--sentences", default="granite-embedding-278m-multilingual", help="model of vectors"
    )
    parser.add_argument("--least", type=float, default=0.18, help="least score of a source")
    parser.add_argument("--tokens", type=int, default=300, help="longest answer")
    parser.add_argument("--lang", choices=tuple(TEXTS), default="fr")
    options = parser.parse_args()
    missing = [name for name in ("ENTRAIDE_URL", "ENTRAIDE_KEY") if not os.environ.get(name)]
    if missing:
        sys.exit(TEXTS[options.lang]["unset"].format(names=", ".join(missing)))
    if options.command == "lire" and not Path(options.what).is_dir():
        sys.exit(TEXTS[options.lang]["no_folder"].format(path=options.what))
    os.umask(0o077)  # the texts are the co-op's own
    memory = Memory(options)
    if options.command == "lire":
        memory.read_folder(Path(options.what))
    else:
        memory.answer(options.what)


if __name__ == "__main__":
    main()
