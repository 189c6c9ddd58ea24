// One question or answer, with what can be done with it.
import { useRef, useState } from "preact/hooks";
import { t } from "../i18n.ts";
import { Copy } from "../parts/copy.tsx";
import { AnswerText } from "./answer_text.tsx";
import type { Message } from "./conversation.ts";
import { receiptLine } from "./words.ts";

export function Question({
  message,
  onAskAgain,
}: {
  message: Message;
  /** Asks with another text; undefined while it cannot. */
  onAskAgain: (text: string) => void;
}) {
  const [edited, setEdited] = useState<string | null>(null);
  const returns = useRef(false); // whether the focus comes back to the button
  const leave = () => {
    returns.current = true;
    setEdited(null);
  };
  const takeFocus = (button: HTMLButtonElement | null) => {
    if (!button || !returns.current) return;
    returns.current = false;
    button.focus();
  };
  if (edited !== null) {
    const submit = (event: Event) => {
      event.preventDefault();
      setEdited(null);
      document.getElementById("question")?.focus();
      onAskAgain(edited);
    };
    return (
      <form class="question editing" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && leave()}>
        <label class="unseen" for="edited">
          {t("chat-edit-label")}
        </label>
        <textarea
          id="edited"
          rows={4}
          value={edited}
          ref={(area) => area?.focus()}
          onInput={(event) => setEdited(event.currentTarget.value)}
        />
        <div class="actions">
          <button type="submit" disabled={!edited.trim()}>
            {t("chat-ask-again")}
          </button>
          <button type="button" class="quiet" onClick={leave}>
            {t("cancel")}
          </button>
        </div>
      </form>
    );
  }
  return (
    <div class="question">
      {message.attachments?.map(({ name, cut }) => (
        <p class="attached" key={name}>
          <bdi>{name}</bdi>
          {cut && <span class="soft"> {t("document-cut")}</span>}
        </p>
      ))}
      <p class="question-text" dir="auto">
        {message.text}
      </p>
      <div class="actions">
        <button type="button" class="quiet small" ref={takeFocus} onClick={() => setEdited(message.text)}>
          {t("chat-edit")}
        </button>
      </div>
    </div>
  );
}

export function Answer({
  message,
  isRunning,
  onRepeat,
  onContinue,
  onExplain,
}: {
  message: Message;
  isRunning: boolean;
  /** Asks the same again; undefined where another question came after. */
  onRepeat: (() => void) | undefined;
  onContinue: () => void;
  onExplain: () => void;
}) {
  const { text, reasoning, receipt, ended } = message;
  return (
    <div class="answer">
      {reasoning && (
        <details class="reasoning">
          <summary>{t("chat-reasoning")}</summary>
          <p class="plain" dir="auto">
            {reasoning}
          </p>
        </details>
      )}
      {text && <AnswerText text={text} isRunning={isRunning} />}
      {isRunning && !text && <p class="soft waiting">{message.waits ?? t("chat-waiting")}</p>}
      {message.is_reconnecting && <p class="soft">{t("chat-reconnecting")}</p>}
      {message.resumed_by && <p class="soft">{t("chat-resumed", { machine: message.resumed_by })}</p>}
      {ended && <Ended ended={ended} />}
      {!isRunning && (
        <div class="actions">
          {text && <Copy text={text} />}
          {onRepeat && text && ended && (
            <button type="button" class="small" onClick={onContinue}>
              {t("chat-continue")}
            </button>
          )}
          {onRepeat && (
            <button type="button" class="quiet small" onClick={onRepeat}>
              {t("chat-ask-again")}
            </button>
          )}
        </div>
      )}
      {receipt && (
        <p class="receipt-line">
          <button type="button" class="link" onClick={onExplain} aria-haspopup="dialog">
            {receiptLine(receipt)}
          </button>
        </p>
      )}
    </div>
  );
}

function Ended({ ended }: { ended: NonNullable<Message["ended"]> }) {
  if (ended.how === "error") return <p class="notice bad">{ended.sentence}</p>;
  return <p class="notice">{t(`chat-ended-${ended.how}`)}</p>;
}
