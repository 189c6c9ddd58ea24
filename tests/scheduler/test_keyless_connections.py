"""Connections without a key: how many an address may have, young and old."""

from entraide_scheduler.config import KEY_GRACE_S, YOUNG_FACTOR
from entraide_scheduler.gateway.http.peers import KeylessConnections

ADDRESS, OTHER = "192.0.2.1", "198.51.100.1"


def opened(count: int, *, most: int = 100) -> KeylessConnections[int]:
    """Connections that one address opened at 0 s, where each address may have two."""
    connections = KeylessConnections[int](most=most, most_per_address=2)
    for number in range(count):
        assert not connections.add(number, ADDRESS, 0.0)
    return connections


def test_connections_that_open_together_have_time_to_show_their_keys() -> None:
    """Connections of one moment stay until they have had the time to show a key."""
    connections = opened(2 * YOUNG_FACTOR)

    assert [] == connections.add(98, OTHER, 0.0)
    assert [0] == connections.add(99, ADDRESS, 0.9 * KEY_GRACE_S)


def test_next_connection_closes_the_old_ones_above_the_limit() -> None:
    """Once they are old, the next connection of the address leaves as many as it may have."""
    connections = opened(5)
    connections.remove(2)  # it has shown a key

    assert [0, 1, 3] == connections.add(99, ADDRESS, KEY_GRACE_S)
    assert 2 == len(connections)


def test_connections_whose_keys_wait_for_the_process_are_not_closed_for_their_age() -> None:
    """Nobody is old for what this process has not read yet; beyond the many, age does not count."""
    connections = KeylessConnections[int](
        most=100, most_per_address=2, is_unchecked=lambda number: number < 2
    )
    for number in range(4):
        connections.add(number, ADDRESS, 0.0)

    assert [] == connections.remove_aged(ADDRESS, KEY_GRACE_S)
    assert [2] == connections.add(4, ADDRESS, KEY_GRACE_S)


def test_old_connections_above_the_limit_are_closed_without_a_next_one() -> None:
    """An address cannot hold them by opening no more."""
    connections = opened(5)

    assert connections.is_crowded(ADDRESS)
    assert [] == connections.remove_aged(ADDRESS, 0.9 * KEY_GRACE_S)
    assert [0, 1, 2] == connections.remove_aged(ADDRESS, KEY_GRACE_S)
    assert not connections.is_crowded(ADDRESS)
    assert [] == connections.remove_aged(ADDRESS, 2 * KEY_GRACE_S)


def test_crowded_address_takes_its_own_places_at_the_limit_in_all() -> None:
    """Who has more than its share makes room among its own."""
    connections = opened(0, most=4)
    connections.add(0, OTHER, 0.0)
    for number in range(1, 4):
        connections.add(number, ADDRESS, 0.0)

    assert [1] == connections.add(99, ADDRESS, 0.0)


def test_address_takes_no_place_of_another_below_the_limit_in_all() -> None:
    """The limit in all closes the oldest connection of any address, at any age."""
    connections = opened(4, most=4)

    assert [0] == connections.add(99, OTHER, 0.0)
    assert 4 == len(connections)
