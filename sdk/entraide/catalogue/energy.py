"""Energy estimate of a model that nobody has measured, and its energy class (a letter).

The reference machine is a Mac mini M4 with a memory bandwidth of 120 GB/s, which draws 30.1 W at
the wall while it generates (hardware catalogue, source GEER). Decoding one sequence is bound by
memory: each token reads every active weight once, at 0.7 of the bandwidth. For 8 billion weights
at 4 bits this gives 17 tokens/s, where 18.7 were measured. The estimate compares models. It does
not predict the energy of a job, and receipts never use it where a node has measured.
"""

REFERENCE_ACTIVE_W = 30.1
REFERENCE_BYTES_PER_S = 120e9
REFERENCE_BANDWIDTH_SHARE = 0.7

# Upper bounds of the classes A to F in Wh per 1,000 output tokens, each twice the one before.
BOUNDS_WH = (("A", 0.05), ("B", 0.1), ("C", 0.2), ("D", 0.4), ("E", 0.8), ("F", 1.6))
LAST = "G"


def energy_wh_per_1k_tokens(
    *, weights_bytes: int, parameters: int, active_parameters: int
) -> float:
    """Returns the estimate for 1,000 output tokens, Wh, to four decimals.

    Args:
        weights_bytes: size of the artefact's weights.
        parameters: number of parameters of the model.
        active_parameters: number of parameters used for each token.
    """
    bytes_per_token = weights_bytes * active_parameters / parameters
    seconds = 1_000 * bytes_per_token / (REFERENCE_BYTES_PER_S * REFERENCE_BANDWIDTH_SHARE)
    return round(REFERENCE_ACTIVE_W * seconds / 3_600, 4)


def energy_class(wh_per_1k_tokens: float) -> str:
    """Returns the class of an energy figure; "" where the figure is unknown (0).

    >>> energy_class(0.0), energy_class(0.05), energy_class(0.5), energy_class(9)
    ('', 'A', 'E', 'G')
    """
    if wh_per_1k_tokens <= 0.0:
        return ""
    return next((letter for letter, most in BOUNDS_WH if wh_per_1k_tokens <= most), LAST)
