"""The store: what must outlive a process, in SQLite or PostgreSQL behind one schema.

One thread writes, and commits together what came together; reads run beside it. It decides
nothing about jobs, and sees prompts and answers only as sealed bytes.
"""
