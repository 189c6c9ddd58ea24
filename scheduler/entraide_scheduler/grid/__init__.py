"""The grid: intensity of each zone, from shipped annual averages and from hourly series.

It knows numbers and where they come from; what they mean for a placement stands in the core.
"""
