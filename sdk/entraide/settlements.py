"""Settlements: final amounts of runs, and the receipt that a member gets with each answer.

Part of the vocabulary: ``entraide.types`` has these structs, too. Energy is in microwatt-hours or
watt-hours, carbon in micrograms or grams of CO2 equivalent, as the names say.
"""

from msgspec import Struct

from entraide.coop_names import shown_name
from entraide.enums import Basis, Control, JobClass, Promise, SurplusEvidence


class Settlement(Struct, frozen=True, gc=False):
    """Final amounts of a run, computed from its terms and its usage alone."""

    energy_uwh: int
    carbon_direct_ug: int
    carbon_lifecycle_ug: int
    queue_s: float
    ttft_s: float
    promise: Promise


class ModelQuote(Struct, frozen=True, gc=False):
    """Energy of a token on another model that has the requested features.

    Attributes:
        model: its public name.
        input_uwh, output_uwh: energy of an uncached prompt token and of an output token, uWh.
        intensity_g_per_kwh: intensity of the node where it would run.
        basis: ``estimated`` (learned from a replica of that model) or ``default`` (in proportion
            to the catalogue's energy figures).
    """

    model: str
    input_uwh: float
    output_uwh: float
    intensity_g_per_kwh: float
    basis: Basis


class ComparedModel(Struct, frozen=True, gc=False):
    """Energy of the same tokens on another model that has the requested features.

    Attributes:
        model: its public name.
        energy_wh, carbon_gco2e: watt-hours, and grams of direct emissions.
        basis: how the figures were obtained; see ``ModelQuote``.
    """

    model: str
    energy_wh: float
    carbon_gco2e: float
    basis: Basis


UNKNOWN = "unknown"


class ServerPlace(Struct, frozen=True, gc=False):
    """A server through which the text of requests passes, beside the machines that answer.

    Attributes:
        zone: zone where it stands (``CA-QC``), or ``unknown``.
        controlled_by: who controls the organisation that runs it, a ``Control``; or ``unknown``.
        invented: whether the place is only for show, as in the demonstration.
    """

    zone: str = UNKNOWN
    controlled_by: str = UNKNOWN
    invented: bool = False


UNKNOWN_PLACE = ServerPlace()


class ReceiptRun(Struct, frozen=True, gc=False):
    """One run of an answer that several machines made, one after another.

    Attributes:
        node, node_key, node_coop, site, province, engine: where it ran.
        controlled_by: who controls the machine's owner, as the operator vouches.
        output_tokens: tokens of the answer from this run.
        energy_wh, energy_basis: its energy, watt-hours, and how it was obtained.
        carbon_gco2e, carbon_lifecycle_gco2e: its direct and life-cycle emissions, grams.
        ended: stable code of why it ended; "" for the run that ended the answer.
    """

    node: str
    node_coop: str
    site: str
    province: str
    engine: str
    output_tokens: int
    energy_wh: float
    energy_basis: Basis
    carbon_gco2e: float
    carbon_lifecycle_gco2e: float
    ended: str
    controlled_by: Control = Control.UNSTATED
    node_key: str = ""


class Receipt(Struct, frozen=True, gc=False):
    """Signed attestation that a member receives with each answer.

    ``settled`` is false on the receipt inside the answer and true on the one in the ledger; one
    function computes both from the same facts. ``signature`` is Ed25519, base64, over the receipt's
    canonical JSON without ``signature`` and ``key``, and without ``smaller``, ``controlled_by``,
    ``surplus_evidence``, ``runs``, ``place``, ``further_places``, ``node_key``, ``coop_names``,
    ``reasoning_tokens``, ``reasoning_wh``, ``always_thinks`` and ``larger`` where they are empty.
    ``smaller`` is the smallest model that has the requested features; ``larger`` the next larger
    one that is served, where an alias chose the model and both energies were measured. ``runs`` has
    a line for each run, oldest first, where a second machine continued the answer; node, site and
    province are then the last run's, and all amounts are of the whole answer. ``place`` is that of
    the pool's own server, None on receipts of before; ``further_places`` has each other server
    through which the text passed, such as a gateway elsewhere. ``node_key`` is the public key of
    the machine that answered. ``coop_names`` is what people read in place of the identifiers of the
    machines' co-ops, those that have a name. ``reasoning_tokens`` are the output tokens of the
    model's thought, and ``reasoning_wh`` their share of the energy; ``always_thinks`` tells that
    the model cannot be asked not to think.
    """

    job: str
    coop: str
    node: str
    node_coop: str
    site: str
    province: str
    engine: str
    model: str
    model_revision: str
    job_class: JobClass
    promise: Promise
    at_risk: bool
    queue_ms: float
    ttft_ms: float
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    tokens_basis: Basis
    energy_wh: float
    energy_basis: Basis
    carbon_gco2e: float
    carbon_lifecycle_gco2e: float
    intensity_g_per_kwh: float
    intensity_basis: Basis
    surplus_basis: Basis | None
    policy_version: str
    settled: bool
    issued_at: float
    key: str = ""
    signature: str = ""
    smaller: ComparedModel | None = None
    controlled_by: Control = Control.UNSTATED
    surplus_evidence: SurplusEvidence = SurplusEvidence.NONE
    runs: tuple[ReceiptRun, ...] = ()
    place: ServerPlace | None = None
    further_places: tuple[ServerPlace, ...] = ()
    node_key: str = ""
    coop_names: dict[str, str] = {}
    reasoning_tokens: int = 0
    reasoning_wh: float = 0.0
    always_thinks: bool = False
    larger: ComparedModel | None = None

    def name_of(self, coop: str) -> str:
        """Returns what people read for a co-op."""
        return shown_name(coop, self.coop_names)
