"""Replay: a recorded journal again, exactly, or its given events under a proposed policy.

``recording`` reads it and replays it exactly; ``past`` gathers what it tells of the world around
the core; ``retold`` lets it live once more among a world's machines; ``whatif`` holds a proposed
policy against the old one there; ``reported`` and ``telling`` say what came of it.
"""
