"""A pool of co-ops: its creation, its processes, its service, and what is wrong with it.

``up`` is the demonstration on loopback; this package founds and runs a pool that members join.
"""
