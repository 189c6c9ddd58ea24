"""Asks with the pool's own options: where the answer may be computed, how sensitive the data is.

    python options.py

It needs OpenAI's client (`pip install openai`) and the variables ENTRAIDE_URL and ENTRAIDE_KEY.
"""

import os

import openai

client = openai.OpenAI(
    base_url=os.environ["ENTRAIDE_URL"] + "/v1",
    api_key=os.environ["ENTRAIDE_KEY"],
    # A header of the client counts for all its requests: here, no request leaves Québec.
    default_headers={"X-Entraide-Jurisdiction": "CA-QC"},
)
model = os.environ.get("ENTRAIDE_MODEL", "auto")

answer = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "Écris une phrase sur la neige."}],
    max_tokens=40,
    # The same options can stand in the body, for one request.
    extra_body={
        "entraide": {
            "job_class": "standard",  # no one waits in front of a screen
            "data_class": "internal",  # approved machines of members only
            "max_gco2e": 50,  # refuse the request rather than emit more grams
            "explain": True,  # say in the answer why this machine was chosen
        }
    },
)
receipt = (answer.model_extra or {})["entraide"]
print(answer.choices[0].message.content)
print(f"computed in {receipt['province']}")
print(receipt["explanation"]["sentence"]["en"])

# What the pool cannot promise is refused at once, with the reason.
try:
    client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": "Bonjour !"}],
        extra_headers={"X-Entraide-Jurisdiction": "CA-YT"},
    )
except openai.APIStatusError as error:
    print(f"{error.status_code}: {error.message}")
