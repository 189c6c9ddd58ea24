// A secret that is shown once: a link or a key, with a button that copies it.
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n.ts";

interface OnceProps {
  label: string;
  secret: string;
  hint: string;
  onClose: () => void;
}

export function Once({ label, secret, hint, onClose }: OnceProps) {
  const field = useRef<HTMLInputElement>(null);
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, [secret]);
  const close = () => {
    const form = field.current?.closest("section")?.querySelector("form");
    onClose();
    form?.querySelector("input")?.focus(); // where the next one is made
  };
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      setCopied(true);
    } catch {
      field.current?.select(); // the reader copies by hand
    }
  };
  return (
    <div class="once">
      <label for="once">{label}</label>
      <div class="row">
        <input id="once" ref={field} readOnly value={secret} aria-describedby="once-hint" />
        <button type="button" onClick={copy}>
          {t("once-copy")}
        </button>
        <button type="button" class="quiet" onClick={close}>
          {t("once-close")}
        </button>
      </div>
      <p id="once-hint">{hint}</p>
      <p role="status" class={copied ? "green" : "unseen"}>
        {copied ? t("once-copied") : ""}
      </p>
    </div>
  );
}
