// Beside the conversation: a new one, keeping and exporting the open one, and the kept ones.
import { useState } from "preact/hooks";
import { dateTime, t } from "../i18n.ts";
import { found, titleOf, type Conversation } from "./conversation.ts";
import { conversation, drop, forget, inTab, isKept, isStored, keepOpen, keepProblem, kept, open, removeHere, rename, startNew, vaultKey } from "./chat_state.ts";
import { fileName, toJson, toMarkdown } from "./export.ts";
import { here, hereState } from "./here.ts";
import { KeepDialog } from "./keep_dialog.tsx";
import { messageLine } from "./words.ts";

export function ConversationList() {
  const [searched, setSearched] = useState("");
  const [asking, setAsking] = useState<"keep" | "open" | null>(null);
  const present = conversation.value;
  const written = present.messages.length > 0;
  const keepIt = () => (vaultKey.value ? void keepOpen() : setAsking("keep"));
  return (
    <aside class="conversations" aria-label={t("conversations-label")}>
      <button type="button" class="quiet" onClick={startNew}>
        {t("chat-new")}
      </button>
      {written && (
        <div class="conversations-open">
          {isKept(present.id) ? (
            <p class="tag">{t("keep-kept")}</p>
          ) : (
            <button type="button" class="quiet" onClick={keepIt}>
              {t("keep-this")}
            </button>
          )}
          <Download conversation={present} />
          {!isStored(present.id) && <p class="soft">{t("keep-not-kept")}</p>}
        </div>
      )}
      {hereState.value !== "none" && (
        <p class={hereState.value === "kept" ? "soft" : "notice"} id="where-kept">
          {t(`here-${hereState.value}`)}
        </p>
      )}
      {here.value.length + kept.value.length > 0 && (
        <p class="field">
          <label for="search-conversations">{t("here-search")}</label>
          <input
            id="search-conversations"
            type="search"
            autocomplete="off"
            value={searched}
            onInput={(event) => setSearched(event.currentTarget.value)}
          />
        </p>
      )}
      <HereList searched={searched} />
      <TabList />
      <p role="status" class={keepProblem.value ? "notice" : "unseen"}>
        {keepProblem.value}
      </p>
      {vaultKey.value ? (
        <KeptList searched={searched} />
      ) : (
        <button type="button" class="quiet" onClick={() => setAsking("open")}>
          {t("keep-open")}
        </button>
      )}
      {asking && (
        <KeepDialog
          onClose={() => setAsking(null)}
          onOpened={() => {
            if (asking === "keep") void keepOpen();
            setAsking(null);
          }}
        />
      )}
    </aside>
  );
}

/** What was left in this tab and is kept nowhere. */
function TabList() {
  const left = inTab.value.filter(({ id }) => !isStored(id));
  if (!left.length) return null;
  return (
    <>
      <h2>{t("tab-title")}</h2>
      <ul class="kept">
        {left.map((one) => (
          <Listed key={one.id} one={one} onRemove={() => drop(one.id)} />
        ))}
      </ul>
    </>
  );
}

/** What this browser keeps by itself. */
function HereList({ searched }: { searched: string }) {
  if (!here.value.length) return null;
  const shown = found(here.value, searched);
  return (
    <>
      <h2>{t("here-title")}</h2>
      {shown.length === 0 && <p class="soft">{t("here-none-found")}</p>}
      <ul class="kept here">
        {shown.map((one) => (
          <Listed key={one.id} one={one} onRemove={() => void removeHere(one.id)} />
        ))}
      </ul>
    </>
  );
}

function KeptList({ searched }: { searched: string }) {
  const shown = found(kept.value, searched);
  return (
    <>
      <h2>{t("keep-title")}</h2>
      {kept.value.length === 0 && <p class="soft">{t("keep-none")}</p>}
      <ul class="kept">
        {shown.map((one) => (
          <Listed key={one.id} one={one} onRemove={() => void forget(one.id)} />
        ))}
      </ul>
    </>
  );
}

function Listed({ one, onRemove }: { one: Conversation; onRemove: () => void }) {
  const title = titleOf(one) || t("chat-untitled");
  const remove = () => {
    if (confirm(t("keep-delete-sure", { title }))) onRemove();
  };
  const change = () => {
    const name = prompt(t("here-rename", { title }), titleOf(one));
    if (name !== null) void rename(one, name);
  };
  return (
    <li>
      <div>
        <button
          type="button"
          class="link"
          aria-current={one.id === conversation.value.id ? "true" : undefined}
          onClick={() => open(one)}
        >
          {title}
        </button>
        <span class="soft">{dateTime(one.updated_at)}</span>
      </div>
      <button type="button" class="quiet small" aria-label={t("here-rename", { title })} onClick={change}>
        ✎
      </button>
      <button type="button" class="quiet small" aria-label={t("keep-delete", { title })} onClick={remove}>
        ×
      </button>
    </li>
  );
}

function Download({ conversation: one }: { conversation: Conversation }) {
  const words = {
    question: t("export-question"),
    answer: t("export-answer"),
    document: t("export-document"),
    untitled: t("chat-untitled"),
  };
  return (
    <div class="downloads">
      <span class="soft">{t("export-label")}</span>
      <button type="button" class="quiet small" onClick={() => save(fileName(one, "md"), toMarkdown(one, words, messageLine), "text/markdown")}>
        Markdown
      </button>
      <button type="button" class="quiet small" onClick={() => save(fileName(one, "json"), toJson(one), "application/json")}>
        JSON
      </button>
    </div>
  );
}

/** Hands a text to the browser as a file to keep. */
function save(name: string, text: string, kind: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
