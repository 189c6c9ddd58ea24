"""Sends several questions as a batch, which may wait for greener hours, and reads the answers.

    python batch.py

The pool answers within 24 hours. It says when it expects to run the questions and, at the end, what
waiting saved. A batch goes on without this program: stop it with Ctrl-C, and give the batch's
name to find the answers later:

    python batch.py batch_…

It needs OpenAI's client (`pip install openai`) and the variables ENTRAIDE_URL and ENTRAIDE_KEY.
"""

import json
import os
import sys
import time

import openai
from openai.types import Batch

QUESTIONS = {
    "pain": "Écris une phrase sur le pain.",
    "neige": "Écris une phrase sur la neige.",
    "miel": "Écris une phrase sur le miel.",
}
ENDPOINT = "/v1/chat/completions"
POLL_S = float(os.environ.get("POLL_S", "60"))

client = openai.OpenAI(
    base_url=os.environ["ENTRAIDE_URL"] + "/v1", api_key=os.environ["ENTRAIDE_KEY"]
)
model = os.environ.get("ENTRAIDE_MODEL", "auto")


def start() -> Batch:
    """Sends a file with one request a line, and asks for its answers."""
    lines = [
        {
            "custom_id": name,  # comes back with the answer
            "method": "POST",
            "url": ENDPOINT,
            "body": {
                "model": model,
                "messages": [{"role": "user", "content": question}],
                "max_tokens": 200,
            },
        }
        for name, question in QUESTIONS.items()
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    file = client.files.create(file=("questions.jsonl", content), purpose="batch")
    return client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")


def expectation(batch: Batch) -> str:
    """When the pool expects to run it, in a sentence of the pool; "" before it knows."""
    expected = (batch.model_extra or {})["entraide"].get("expected")
    return expected["sentence"]["fr"] if expected else ""


batch = client.batches.retrieve(sys.argv[1]) if len(sys.argv) > 1 else start()
print(f"{batch.id}: {batch.status}")
shown = ""
while batch.status in ("validating", "in_progress", "finalizing"):
    time.sleep(POLL_S)
    batch = client.batches.retrieve(batch.id)
    if expectation(batch) not in ("", shown):
        shown = expectation(batch)
        print(shown)

print(f"{batch.id}: {batch.status}")
if batch.output_file_id:
    # The answers stand in the order of their ends; `custom_id` says to which question each belongs.
    for line in client.files.content(batch.output_file_id).text.splitlines():
        answer = json.loads(line)
        text = answer["response"]["body"]["choices"][0]["message"]["content"]
        print(f"{answer['custom_id']}: {text}")
if batch.error_file_id:
    print(client.files.content(batch.error_file_id).text)
saved = (batch.model_extra or {})["entraide"].get("saved_sentence")
if saved:
    print(saved["fr"])
