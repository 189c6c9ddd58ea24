"""Merkle tree of a list of byte strings, by RFC 9162, section 2.1: its root commits to all of them.

Pure, and it holds only the roots of the complete subtrees so far: of n leaves at most log2(n) + 1.
"""

import hashlib

LEAF, NODE = b"\x00", b"\x01"  # so that no inner node can be taken for a leaf
ROOT_BYTES = 32


class MerkleTree:
    """A tree to which leaves are appended.

    >>> tree = MerkleTree()
    >>> tree.append(b"")
    >>> tree.root().hex()[:16]
    '6e340b9cffb37a98'
    """

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []  # of complete subtrees, the largest and leftmost first

    def append(self, leaf: bytes) -> None:
        """Adds a leaf on the right."""
        root = hashlib.sha256(LEAF + leaf).digest()
        remaining = self.size
        while remaining & 1:  # a complete subtree of the same size is on its left
            root = _join(self._roots.pop(), root)
            remaining >>= 1
        self._roots.append(root)
        self.size += 1

    def root(self) -> bytes:
        """Returns the root of the leaves so far; of none, the digest of the empty string."""
        if not self._roots:
            return hashlib.sha256().digest()
        *others, root = self._roots
        for left in reversed(others):
            root = _join(left, root)
        return root


def _join(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE + left + right).digest()
