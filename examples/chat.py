"""Asks one question, shows the answer as it is written, then the receipt.

    python chat.py "Qui dirige une coopérative ?"

It needs OpenAI's client (`pip install openai`) and the variables ENTRAIDE_URL and ENTRAIDE_KEY.
"""

import os
import sys

import openai

# The address of the pool and a key of your co-op are all that differs from any other service.
client = openai.OpenAI(
    base_url=os.environ["ENTRAIDE_URL"] + "/v1", api_key=os.environ["ENTRAIDE_KEY"]
)

# "auto" lets the pool choose a model. GET /v1/models lists the names that you may write here.
model = os.environ.get("ENTRAIDE_MODEL", "auto")
question = sys.argv[1] if len(sys.argv) > 1 else "Qui dirige une coopérative ?"

stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": question}],
    max_tokens=200,
    stream=True,
    # With the usage, the last event of the stream also holds the receipt.
    stream_options={"include_usage": True},
)

receipt = {}
for event in stream:
    if event.choices:
        print(event.choices[0].delta.content or "", end="", flush=True)
    # Fields that OpenAI's client does not know are kept in `model_extra`.
    receipt = (event.model_extra or {}).get("entraide") or receipt
print()

print(f"machine: {receipt['node']}, in {receipt['province']}")
print(f"energy: {receipt['energy_wh']:.4f} Wh, emissions: {receipt['carbon_gco2e']:.4f} g CO2e")
print(f"tokens: {receipt['input_tokens']} read, {receipt['output_tokens']} written")
