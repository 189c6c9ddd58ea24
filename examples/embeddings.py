"""Finds the sentence that is closest in meaning to a question, by embeddings.

    python embeddings.py "Qui fait du pain ?"

It needs OpenAI's client (`pip install openai`), the variables ENTRAIDE_URL and ENTRAIDE_KEY, and in
ENTRAIDE_EMBEDDING_MODEL the name of a model that computes embeddings.
"""

import os
import sys

import openai

SENTENCES = [
    "Le boulanger cuit le pain avant l’aube.",
    "La neige couvre les montagnes en hiver.",
    "Le conseil a voté le budget de la coopérative.",
]

client = openai.OpenAI(
    base_url=os.environ["ENTRAIDE_URL"] + "/v1", api_key=os.environ["ENTRAIDE_KEY"]
)
model = os.environ["ENTRAIDE_EMBEDDING_MODEL"]
question = sys.argv[1] if len(sys.argv) > 1 else "Qui fait du pain ?"

# One request for all texts: it is one job of the pool, with one receipt.
answer = client.embeddings.create(model=model, input=[question, *SENTENCES])
asked, *known = [entry.embedding for entry in answer.data]


def similarity(one: list[float], other: list[float]) -> float:
    """The cosine of the angle between two embeddings: 1 for the same direction."""
    product = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = (sum(a * a for a in one) * sum(b * b for b in other)) ** 0.5
    return product / lengths


for score, sentence in sorted(
    (
        (similarity(asked, vector), sentence)
        for vector, sentence in zip(known, SENTENCES, strict=True)
    ),
    reverse=True,
):
    print(f"{score:.2f}  {sentence}")
