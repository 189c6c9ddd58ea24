"""The command `llm`: tools, a conversation that goes on, a schema."""

import os
import subprocess
import sys
from pathlib import Path

llm = str(Path(sys.executable).parent / "llm")
folder = Path(os.environ["HOME"]) / "llm"
folder.mkdir()
(folder / "extra-openai-models.yaml").write_text(
    f"""
- model_id: petit
  model_name: petit
  api_base: {os.environ["ENTRAIDE_URL"]}
  supports_tools: true
  supports_schema: true
"""
)
environment = {**os.environ, "LLM_USER_PATH": str(folder)}
TOOL = """
def meteo(ville: str) -> str:
    "Donne le temps qu’il fait."
    return "12 °C"
"""


def run(*arguments: str) -> None:
    """Runs one command."""
    subprocess.run([llm, *arguments], check=True, env=environment, stdin=subprocess.DEVNULL)


run("-m", "petit", "-s", "Réponds en français.", "--functions", TOOL, "Quel temps à Lévis ?")
run("-c", "Et demain ?", "-o", "temperature", "0.2", "-o", "max_tokens", "64")
run("-m", "petit", "--no-stream", "--schema", "ville, celsius float", "En JSON ?")
