// The chat: the conversation, where the next question is written, and the kept conversations.
import { useEffect, useRef, useState } from "preact/hooks";
import { t } from "../i18n.ts";
import { NeedsSignIn } from "../parts/needs_sign_in.tsx";
import "../chat/chat.css";
import { Composer } from "../chat/composer.tsx";
import { isRestricted, promptText, type Message } from "../chat/conversation.ts";
import { askAgain, change, conversation, draft, EMPTY_DRAFT, inTab, isStored, messagesAgain, running, send, type Edit } from "../chat/chat_state.ts";
import type { Receipt } from "../chat/footprint.ts";
import { Answer, Question } from "../chat/message_view.tsx";
import { findPersonalData, withoutPersonalData, type Finding } from "../chat/personal_data.ts";
import { ReceiptDialog } from "../chat/receipt_dialog.tsx";
import { ConversationList } from "../chat/conversation_list.tsx";
import { WarningDialog, type Choice } from "../chat/warning_dialog.tsx";

export default function Chat() {
  return (
    <NeedsSignIn>
      <ChatOfPerson />
    </NeedsSignIn>
  );
}

/** Messages that wait for a choice: personal data is in them, or something restricted until now. */
interface Held {
  isRestricted: boolean;
  findings: Finding[];
  go: (edit: Edit) => void;
}

const UNCHANGED: Edit = (text) => text;

function ChatOfPerson() {
  const [held, setHeld] = useState<Held | null>(null);
  const [shown, setShown] = useState<Receipt | null>(null);
  const agreed = useRef(new Set<string>()); // what the person has chosen to send all the same
  useLeaveWarning();
  const { messages } = conversation.value;

  // Asks at once, or after a choice where personal data, or what went to the co-op's machines
  // alone, would leave them.
  const guard = (sent: readonly Message[], go: Held["go"]) => {
    const isOwn = conversation.peek().data_class === "restricted";
    const findings = isOwn ? [] : sent.flatMap((message) => findPersonalData(promptText(message)));
    const open = findings.filter((finding) => !agreed.current.has(finding.text));
    const leaves = !isOwn && isRestricted(sent);
    if (open.length || leaves) setHeld({ findings: open, isRestricted: leaves, go });
    else go(UNCHANGED);
  };
  const sendDraft = () => {
    const { text, attachments } = draft.value;
    const question: Message = { role: "user", text, ...(attachments.length ? { attachments } : {}) };
    guard([...messages, question], (edit) => {
      send(question, edit);
      draft.value = EMPTY_DRAFT;
    });
  };
  const goOn = () => {
    const question: Message = { role: "user", text: t("chat-continue-question") };
    guard([...messages, question], (edit) => send(question, edit));
  };
  const repeat = (index: number, text: string) =>
    guard(messagesAgain(index, text), (edit) => askAgain(index, text, edit));
  const choose = (choice: Choice) => {
    setHeld(null);
    if (choice === "restrict") change({ data_class: "restricted" });
    if (choice === "send") held?.findings.forEach((finding) => agreed.current.add(finding.text));
    held?.go(choice === "remove" ? removePersonalData : UNCHANGED);
  };
  return (
    <div class="chat-columns">
      <h1 class="unseen">{t("view-chat")}</h1>
      <ConversationList />
      <section class="talk" aria-label={t("chat-conversation")}>
        {messages.length === 0 ? (
          <Welcome />
        ) : (
          <Messages messages={messages} onRepeat={repeat} onContinue={goOn} onExplain={setShown} />
        )}
        <Composer draft={draft.value} onDraft={(written) => (draft.value = written)} onSend={sendDraft} />
      </section>
      {held && (
        <WarningDialog
          findings={held.findings}
          isRestricted={held.isRestricted}
          onChoose={choose}
          onClose={() => setHeld(null)}
        />
      )}
      {shown && <ReceiptDialog receipt={shown} onClose={() => setShown(null)} />}
    </div>
  );
}

function removePersonalData(text: string): string {
  return withoutPersonalData(text, (kind) => t(`removed-${kind}`));
}

/** The browser asks before a tab closes in which something is written that is kept nowhere. */
function useLeaveWarning(): void {
  const open = conversation.value;
  const isLost = (open.messages.length > 0 && !isStored(open.id)) || inTab.value.some(({ id }) => !isStored(id));
  const written = draft.value.text !== "" || isLost;
  useEffect(() => {
    if (!written) return undefined;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", warn);
    return () => removeEventListener("beforeunload", warn);
  }, [written]);
}

const NEAR_PX = 240;

/** Keeps the end of the answer in view while it grows, unless the reader has gone up. */
function useFollow(messages: readonly Message[]): void {
  const page = document.documentElement;
  const isNear = page.scrollHeight - page.clientHeight - page.scrollTop < NEAR_PX;
  useEffect(() => {
    // Drawing comes a moment after the text.
    if (isNear) setTimeout(() => page.scrollTo({ top: page.scrollHeight }), 100);
  }, [messages]);
  useEffect(() => page.scrollTo({ top: page.scrollHeight }), [messages.length]);
}

function Welcome() {
  return (
    <div class="welcome">
      <p class="welcome-title">{t("chat-welcome")}</p>
      <p class="soft">{t("chat-welcome-where")}</p>
    </div>
  );
}

function Messages({
  messages,
  onRepeat,
  onContinue,
  onExplain,
}: {
  messages: readonly Message[];
  onRepeat: (index: number, text: string) => void;
  onContinue: () => void;
  onExplain: (receipt: Receipt) => void;
}) {
  const isRunning = running.value !== null;
  useFollow(messages);
  return (
    <>
      <ol class="messages">
        {messages.map((message, index) => {
          const isLast = index === messages.length - 1;
          const question = messages[index - 1];
          return (
            <li key={index}>
              {message.role === "user" ? (
                <Question message={message} onAskAgain={(text) => onRepeat(index, text)} />
              ) : (
                <Answer
                  message={message}
                  isRunning={isRunning && isLast}
                  onRepeat={isLast && question ? () => onRepeat(index - 1, question.text) : undefined}
                  onContinue={onContinue}
                  onExplain={() => message.receipt && onExplain(message.receipt)}
                />
              )}
            </li>
          );
        })}
      </ol>
      <p class="unseen" role="status">
        {isRunning ? (messages.at(-1)?.waits ?? t("chat-running")) : t("chat-done")}
      </p>
    </>
  );
}
