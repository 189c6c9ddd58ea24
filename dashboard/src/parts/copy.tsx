// A button that copies a text.
import { useState } from "preact/hooks";
import { t } from "../i18n.ts";

/** Copies a text, by the older way too where the page comes over plain HTTP. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } finally {
    area.remove();
  }
}

export function Copy({ text, label = "copy" }: { text: string; label?: string }) {
  const [said, setSaid] = useState("");
  const copy = async () => setSaid(t((await copyText(text)) ? "copied" : "copy-failed"));
  return (
    <button type="button" class="quiet small" onClick={copy}>
      <span aria-live="polite">{said || t(label)}</span>
    </button>
  );
}
