"""Batches of a pool, for both clients: files and batches over HTTP, as plain frozen structs.

``answers`` are the types; ``input`` reads and checks requests before anything is sent; ``calls``
makes requests and reads replies, without I/O; ``sync`` and ``aio`` are ``client.batches``.
"""
