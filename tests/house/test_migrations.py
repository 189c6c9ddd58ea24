"""The migrations of the store follow each other in one line."""

import hashlib
from pathlib import Path

from alembic.script import ScriptDirectory

from entraide_scheduler.store.database import migration_config


def test_each_migration_follows_the_one_before() -> None:
    """Two migrations that follow the same one would keep every store from opening."""
    script = ScriptDirectory.from_config(migration_config())
    revisions = [each.revision for each in script.walk_revisions()]

    assert 1 == len(script.get_heads()), "two migrations follow the same one: renumber the later"
    assert sorted(revisions, reverse=True) == revisions


# The base as it was when its number was given, by that number.
BASE = {"0104": "ba44e972047df51a"}


def test_the_base_has_a_new_number_when_it_changes() -> None:
    """Until the first release the base itself changes: by its number a pool of an earlier base is
    refused with a sentence, where it would fail in the middle of its start."""
    *_, base = ScriptDirectory.from_config(migration_config()).walk_revisions()
    text = Path(base.path).read_text("utf-8").partition("def upgrade")[2]

    assert {base.revision: hashlib.sha256(text.encode()).hexdigest()[:16]} == BASE
