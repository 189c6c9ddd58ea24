"""Rules on what a node offers and where it is: a served replica, or a model that it could load.

``OFFER_RULES`` has them in the order in which they are checked. Only a new card or new terms of the
owner can change an answer.
"""

from entraide.models import (
    EMBEDDINGS,
    EMBEDDINGS_ONLY,
    PUBLIC_ONLY,
    Artefact,
    ArtefactFile,
    ModelEntry,
    ModelSize,
    Openness,
    OpennessClass,
)
from entraide.types import Control, DataClass, Sandbox
from entraide_scheduler.core.records import Node, Shape
from entraide_scheduler.core.rules.rule import (
    EXAMPLE_MODEL,
    Change,
    Example,
    Needs,
    Offer,
    OfferFilter,
    Rule,
    Values,
)

# In a sentence, of a model whose class of openness nobody states, and of weights of an open model
# that are not the catalogue's.
UNSTATED, OTHER_WEIGHTS = "unstated", "other-weights"
CHAT = "chat"  # what a replica with ``embeddings_only`` lacks


def _missing_features(offer: Offer, needs: Needs) -> list[str]:
    missing = [feature for feature in needs.features if feature not in offer.features]
    if EMBEDDINGS_ONLY in offer.features and EMBEDDINGS not in needs.features:
        missing.append(CHAT)
    return missing


def _missing_feature_values(node: Node, shape: Shape) -> Values:
    return {"features": ", ".join(_missing_features(node.replicas[shape.model], shape))}


FEATURE_MISSING = Rule(
    code="feature_missing",
    excluded_if="its engine lacks tools, schemas, images, embeddings; or it only computes "
    "embeddings",
    waiting_helps=False,
    filter=OfferFilter(lambda _site, offer, _coop, needs: lacks_feature(offer, needs)),
    lifted=lambda node, shape: Change(shapes=({"features": node.replicas[shape.model].features},)),
    values=_missing_feature_values,
    example=Example(
        facts={"features": ("tools",)},
        able_replica={"features": ("tools",)},
        values={"features": "tools"},
    ),
)


# The model of the example's machines, with the weights of one of them.
_OPEN_WEIGHTS = ArtefactFile("petit.gguf", 1, "0" * 64)
_OPEN_ENTRY = ModelEntry(
    name=EXAMPLE_MODEL, title="", size=ModelSize.SMALL, parameters=1, active_parameters=1,
    licence="", openness=Openness.FULLY_OPEN, languages=(), features=(), context_tokens_max=1,
    kv_bytes_per_token=1, artefacts=(Artefact("gguf", "", "", files=(_OPEN_WEIGHTS,)),),
    openness_class=OpennessClass.OPEN_MODEL,
)  # fmt: skip


def _openness_values(_: Node, shape: Shape) -> Values:
    reached = OTHER_WEIGHTS if shape.open_revisions else shape.model_openness.value or UNSTATED
    return {"model_openness": reached, "asked_openness": shape.openness.value}


MODEL_NOT_OPEN = Rule(
    code="model_not_open",
    excluded_if="the request or the policy requires a [class of openness]"
    "(../reference/catalogue.md#openness), and the catalogue does not state that the model "
    "reaches it with these weights",
    waiting_helps=False,
    filter=OfferFilter(
        lambda _site, offer, _coop, needs: (
            needs.openness != "" and offer.revision not in needs.open_revisions
        )
    ),
    lifted=lambda _node, _shape: Change(shapes=({"openness": OpennessClass.UNSTATED},)),
    values=_openness_values,
    example=Example(
        able_replica={"revision": _OPEN_ENTRY.artefacts[0].checksum},
        facts={"openness": OpennessClass.OPEN_MODEL},
        catalogue=(_OPEN_ENTRY,),
        values={"model_openness": OTHER_WEIGHTS, "asked_openness": "open-model"},
    ),
)


def lacks_feature(offer: Offer, needs: Needs) -> bool:
    """Tells whether an offer lacks a feature that a job needs; chat is one of an embedding model.

    A replica or loadable model with ``embeddings_only`` answers requests for embeddings only.
    """
    for feature in needs.features:
        if feature not in offer.features:
            return True
    return EMBEDDINGS_ONLY in offer.features and EMBEDDINGS not in needs.features


def is_in_jurisdiction(zone: str, jurisdiction: str) -> bool:
    """Tells whether a zone lies in a jurisdiction: ``CA-QC`` lies in ``CA`` and in ``CA-QC``.

    A zone that the operator has not named, "", lies in none.
    """
    return zone != "" and (zone == jurisdiction or zone.startswith(jurisdiction + "-"))


ZONE_UNKNOWN = Rule(
    code="zone_unknown",
    excluded_if="the operator has not named its zone, so that it is in no jurisdiction",
    waiting_helps=False,
    filter=OfferFilter(lambda site, _offer, _coop, _needs: site.zone == ""),
    lifted=None,  # only the operator can
    example=Example(card={"zone": ""}),
)

WRONG_JURISDICTION = Rule(
    code="wrong_jurisdiction",
    excluded_if="its zone is not in the jurisdiction (`CA-QC` is in `CA`)",
    waiting_helps=False,
    filter=OfferFilter(
        lambda site, _offer, _coop, needs: not is_in_jurisdiction(site.zone, needs.jurisdiction)
    ),
    lifted=lambda node, _: Change(shapes=({"jurisdiction": node.card.zone},)),
    values=lambda node, shape: {"zone": node.card.zone, "jurisdiction": shape.jurisdiction},
    example=Example(
        card={"zone": "CA-ON"},
        facts={"jurisdiction": "CA-QC"},
        values={"zone": "CA-ON", "jurisdiction": "CA-QC"},
    ),
)

# The closest first; what is unstated counts as the farthest.
_DISTANCES = {Control.MEMBER: 0, Control.CANADIAN: 1, Control.OTHER: 2, Control.UNSTATED: 2}


def has_control(controlled_by: Control, asked: Control) -> bool:
    """Tells whether a node's control is the one asked for, or a closer one.

    ``member`` is closer than ``canadian``. Unstated, a node's control counts as ``other``, and a
    job asks for none.
    """
    return _DISTANCES[controlled_by] <= _DISTANCES[asked]


WRONG_CONTROL = Rule(
    code="wrong_control",
    excluded_if="its owner is not controlled as the job asks: `member` wants a member co-op, "
    "`canadian` any Canadian organisation; what is unstated counts as `other`",
    waiting_helps=False,
    filter=OfferFilter(
        lambda site, _offer, _coop, needs: not has_control(site.controlled_by, needs.controlled_by)
    ),
    lifted=lambda node, _: Change(shapes=({"controlled_by": node.card.controlled_by},)),
    values=lambda node, shape: {
        "controlled_by": (node.card.controlled_by or Control.OTHER).value,
        "asked_control": shape.controlled_by.value,
    },
    example=Example(
        card={"controlled_by": Control.CANADIAN},
        able={"controlled_by": Control.MEMBER},
        facts={"controlled_by": Control.MEMBER},
        values={"controlled_by": "canadian", "asked_control": "member"},
    ),
)

DATA_CLASS_OWN_COOP = Rule(
    code="data_class_own_coop",
    excluded_if="the data is restricted and the machine belongs to another co-op",
    waiting_helps=False,
    filter=OfferFilter(
        lambda _site, _offer, coop, needs: (
            needs.data_class is DataClass.RESTRICTED and coop != needs.coop
        )
    ),
    lifted=lambda _node, _shape: Change(
        shapes=({"data_class": DataClass.INTERNAL}, {"data_class": DataClass.PUBLIC})
    ),
    values=lambda _, shape: {"coop": shape.coop, "data_class": shape.data_class.value},
    example=Example(
        facts={"data_class": DataClass.RESTRICTED},
        able={"data_classes": tuple(DataClass)},
        values={"data_class": "restricted"},
    ),
)

DATA_CLASS_REFUSED = Rule(
    code="data_class_refused",
    excluded_if="its owner does not allow data of this class",
    waiting_helps=False,
    filter=OfferFilter(
        lambda site, _offer, _coop, needs: needs.data_class not in site.data_classes
    ),
    lifted=lambda node, _: Change(
        shapes=[{"data_class": data_class} for data_class in node.card.data_classes]
    ),
    values=lambda _, shape: {"data_class": shape.data_class.value},
    example=Example(card={"data_classes": (DataClass.PUBLIC,)}),
)

ENGINE_KEEPS_PROMPTS = Rule(
    code="engine_keeps_prompts",
    excluded_if="its engine was not shown to keep no prompt, and the data is not public",
    waiting_helps=False,
    filter=OfferFilter(
        lambda _site, offer, _coop, needs: (
            needs.data_class is not DataClass.PUBLIC and PUBLIC_ONLY in offer.features
        )
    ),
    lifted=lambda _node, _shape: Change(shapes=({"data_class": DataClass.PUBLIC},)),
    values=lambda _, shape: {"data_class": shape.data_class.value},
    example=Example(
        replica={"features": (PUBLIC_ONLY,)}, values={"data_class": DataClass.INTERNAL.value}
    ),
)

NOT_SANDBOXED = Rule(
    code="not_sandboxed",
    excluded_if="its engines, or one of them, run without a [sandbox]"
    "(../reference/engines.md#sandbox), and the policy requires one for data of this class",
    waiting_helps=False,
    filter=OfferFilter(
        lambda site, _offer, _coop, needs: needs.sandboxed and site.sandbox is Sandbox.NONE
    ),
    lifted=lambda _node, _shape: Change(shapes=({"sandboxed": False},)),
    values=lambda _, shape: {"data_class": shape.data_class.value},
    example=Example(
        able={"sandbox": Sandbox.LANDLOCK},
        facts={"sandboxed": True},
        values={"data_class": DataClass.INTERNAL.value},
    ),
)


def _context_values(node: Node, shape: Shape) -> Values:
    offered = node.replicas[shape.model].context_tokens
    return {"context_tokens": offered, "needed_tokens": shape.context_tokens}


CONTEXT_TOO_SMALL = Rule(
    code="context_too_small",
    excluded_if="prompt and longest answer do not fit, while they fit on another node",
    waiting_helps=False,
    filter=OfferFilter(
        lambda _site, offer, _coop, needs: offer.context_tokens < needs.context_tokens
    ),
    lifted=lambda node, shape: Change(
        shapes=({"context_tokens": node.replicas[shape.model].context_tokens},)
    ),
    values=_context_values,
    example=Example(replica={"context_tokens": 150}),
)

OFFER_RULES = (
    MODEL_NOT_OPEN,
    FEATURE_MISSING,
    ZONE_UNKNOWN,
    WRONG_JURISDICTION,
    WRONG_CONTROL,
    DATA_CLASS_OWN_COOP,
    DATA_CLASS_REFUSED,
    ENGINE_KEEPS_PROMPTS,
    NOT_SANDBOXED,
    CONTEXT_TOO_SMALL,
)
