"""Store: durable state in SQLite or PostgreSQL, with one schema.

One thread writes, with group commit; reads run concurrently. Prompts and answers are stored as
encrypted bytes only.
"""
