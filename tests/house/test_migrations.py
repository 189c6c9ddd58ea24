"""The migrations of the store follow each other in one line."""

from alembic.script import ScriptDirectory

from entraide_scheduler.store.database import migration_config


def test_each_migration_follows_the_one_before() -> None:
    """Two migrations that follow the same one would keep every store from opening."""
    script = ScriptDirectory.from_config(migration_config())
    revisions = [each.revision for each in script.walk_revisions()]

    assert 1 == len(script.get_heads()), "two migrations follow the same one: renumber the later"
    assert sorted(revisions, reverse=True) == revisions
