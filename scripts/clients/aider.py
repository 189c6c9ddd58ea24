"""Aider, an assistant for programmers: two turns over one file."""

from pathlib import Path

from aider.coders import Coder
from aider.io import InputOutput
from aider.models import Model

Path("meteo.py").write_text("def meteo(ville):\n    return 12\n")
model = Model("openai/petit", weak_model="openai/petit")
for streamed in (False, True):
    coder = Coder.create(
        main_model=model, fnames=["meteo.py"], io=InputOutput(yes=True, pretty=False),
        use_git=False, stream=streamed, suggest_shell_commands=False,
    )  # fmt: skip
    coder.run("Que fait ce fichier ?")
    coder.run("Et demain ?")
