"""The Merkle tree of RFC 9162: its roots are those that others compute."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entraide.merkle import MerkleTree

# The leaves and roots with which implementations of transparency logs are compared.
LEAVES = tuple(
    map(
        bytes.fromhex,
        ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
         "606162636465666768696a6b6c6d6e6f"),
    )
)  # fmt: skip
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def tree_of(leaves: tuple[bytes, ...]) -> MerkleTree:
    tree = MerkleTree()
    for leaf in leaves:
        tree.append(leaf)
    return tree


def root_by_definition(leaves: tuple[bytes, ...]) -> bytes:
    """The root as section 2.1.1 of the RFC defines it, by recursion."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    left, right = root_by_definition(leaves[:half]), root_by_definition(leaves[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    """The first leaves of the published tree have the published root."""
    tree = tree_of(LEAVES[:size])

    assert (size, ROOTS[size]) == (tree.size, tree.root().hex())


@given(st.lists(st.binary(max_size=8), max_size=70).map(tuple))
def test_roots_are_those_of_the_definition(leaves: tuple[bytes, ...]) -> None:
    """Any number of leaves, also if the root was asked for in between."""
    tree = MerkleTree()
    for leaf in leaves:
        tree.root()
        tree.append(leaf)

    assert root_by_definition(leaves) == tree.root()
