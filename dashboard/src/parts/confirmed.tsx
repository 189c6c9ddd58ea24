// A button for what cannot be taken back: it asks once more in its own place.
import { useRef, useState } from "preact/hooks";
import { t } from "../i18n.ts";

interface ConfirmedProps {
  text: string;
  /** Of whom or what, for readers who hear the button without the line it stands in. */
  about: string;
  act: () => Promise<void>;
}

export function Confirmed({ text, about, act }: ConfirmedProps) {
  const [asked, setAsked] = useState(false);
  const returns = useRef(false); // whether the focus comes back to the first button
  const takeFocus = (button: HTMLButtonElement | null) => {
    if (!button || !returns.current) return;
    button.focus();
    returns.current = false;
  };
  const ask = (isAsked: boolean) => {
    returns.current = true;
    setAsked(isAsked);
  };
  if (!asked) {
    const name = `${text} ${about}`;
    return (
      <button type="button" class="quiet" key="ask" ref={takeFocus} aria-label={name} onClick={() => ask(true)}>
        {text}
      </button>
    );
  }
  const confirm = async () => {
    await act();
    ask(false);
  };
  return (
    <span class="confirm" role="group" aria-label={`${text} ${about}`}>
      <button type="button" class="danger" key="yes" ref={takeFocus} onClick={confirm}>
        {t("confirm-yes", { act: text })}
      </button>
      <button type="button" class="quiet" onClick={() => ask(false)}>
        {t("confirm-no")}
      </button>
    </span>
  );
}
