// A button for what cannot be taken back: it asks once more in its own place.
import { useState } from "preact/hooks";
import { t } from "../i18n.ts";

interface ConfirmedProps {
  text: string;
  /** Of whom or what, for readers who hear the button without the line it stands in. */
  about: string;
  act: () => Promise<void>;
}

export function Confirmed({ text, about, act }: ConfirmedProps) {
  const [asked, setAsked] = useState(false);
  if (!asked) {
    return (
      <button type="button" class="quiet" aria-label={`${text} ${about}`} onClick={() => setAsked(true)}>
        {text}
      </button>
    );
  }
  const confirm = async () => {
    await act();
    setAsked(false);
  };
  return (
    <span class="confirm" role="group" aria-label={`${text} ${about}`}>
      <button type="button" class="danger" autoFocus ref={(button) => button?.focus()} onClick={confirm}>
        {t("confirm-yes", { act: text })}
      </button>
      <button type="button" class="quiet" onClick={() => setAsked(false)}>
        {t("confirm-no")}
      </button>
    </span>
  );
}
