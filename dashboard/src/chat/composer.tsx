// Where a question is written: text, documents, model, class of the data.
import { useEffect, useRef, useState } from "preact/hooks";
import { sentenceOf } from "../api.ts";
import { number, t } from "../i18n.ts";
import type { Attachment, DataClass } from "./conversation.ts";
import { change, conversation, inTab, kept, running, stopByHand, type Draft } from "./chat_state.ts";
import { thoughtEnergy } from "./footprint.ts";
import { ACCEPTED, DocumentProblem, FILE_MAX_BYTES, readDocument } from "./documents.ts";
import { isDemonstration, readModels, TOY, type Choice } from "./models.ts";

const CLASSES: readonly DataClass[] = ["restricted", "internal", "public"];

export function Composer({
  draft,
  onDraft,
  onSend,
}: {
  draft: Draft;
  onDraft: (draft: Draft) => void;
  onSend: () => void;
}) {
  const area = useRef<HTMLTextAreaElement>(null);
  const [problem, setProblem] = useState("");
  const [models, setModels] = useState<Choice[]>([]);
  const [unread, setUnread] = useState("");
  useEffect(() => {
    readModels().then(setModels, (caught) => setUnread(sentenceOf(caught)));
  }, []);
  const isRunning = running.value !== null;
  const canSend = !isRunning && (draft.text.trim() !== "" || draft.attachments.length > 0);
  const submit = (event?: Event) => {
    event?.preventDefault();
    if (canSend) onSend();
    area.current?.focus();
  };
  const stop = () => {
    stopByHand();
    area.current?.focus(); // the button goes
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  };
  return (
    <form class="composer" onSubmit={submit} aria-label={t("chat-composer")}>
      <Attached draft={draft} onDraft={onDraft} />
      <p role="alert" class={problem ? "notice bad" : "unseen"}>
        {problem}
      </p>
      <label class="unseen" for="question">
        {t("chat-question")}
      </label>
      <textarea
        id="question"
        autocomplete="off" // or the browser writes the draft into its list of open tabs
        ref={area}
        rows={2}
        dir="auto"
        placeholder={t("chat-placeholder")}
        value={draft.text}
        onInput={(event) => onDraft({ ...draft, text: event.currentTarget.value })}
        onKeyDown={onKeyDown}
      />
      <div class="composer-row">
        <Attach onProblem={setProblem} onRead={(read) => onDraft({ ...draft, attachments: [...draft.attachments, ...read] })} />
        <ModelChoice models={models} problem={unread} />
        <ClassChoice />
        <ThinkChoice />
        {isRunning ? (
          <button type="button" class="stop" onClick={stop}>
            {t("chat-stop")}
          </button>
        ) : (
          <button type="submit" disabled={!canSend}>
            {t("chat-send")}
          </button>
        )}
      </div>
      <p class="meaning">{t(`class-${conversation.value.data_class}-means`)}</p>
      <OpennessNote models={models} />
      <ThinkNote />
      <ToyNote models={models} />
    </form>
  );
}

/** Says how open the chosen model is, where somebody states it. */
function OpennessNote({ models }: { models: readonly Choice[] }) {
  const chosen = models.find((choice) => choice.id === conversation.value.model);
  if (!chosen?.openness) return null;
  const values = { model: chosen.means || chosen.id, openness: chosen.openness };
  return <p class="meaning openness">{t("model-openness", values)}</p>;
}

/** Says that the chosen model is the demonstration's toy, in a demonstration. */
function ToyNote({ models }: { models: readonly Choice[] }) {
  const [isDemo, setDemo] = useState(false);
  useEffect(() => {
    isDemonstration().then(setDemo, () => setDemo(false));
  }, []);
  const chosen = models.find((choice) => choice.id === conversation.value.model);
  const isToy = chosen !== undefined && (chosen.means || chosen.id) === TOY;
  return isDemo && isToy ? <p class="meaning toy">{t("chat-toy", { model: TOY })}</p> : null;
}

function Attached({ draft, onDraft }: { draft: Draft; onDraft: (draft: Draft) => void }) {
  if (!draft.attachments.length) return null;
  const without = (place: number) => draft.attachments.filter((_, other) => other !== place);
  return (
    <ul class="attachments">
      {draft.attachments.map(({ name, text, cut }, place) => (
        <li key={place}>
          <bdi>{name}</bdi>{" "}
          <span class="soft">
            {t("document-length", { characters: number(text.length) })} {cut && t("document-cut")}
          </span>
          <button
            type="button"
            class="quiet small"
            aria-label={t("document-remove", { name })}
            onClick={() => onDraft({ ...draft, attachments: without(place) })}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function Attach({
  onRead,
  onProblem,
}: {
  onRead: (attachments: Attachment[]) => void;
  onProblem: (sentence: string) => void;
}) {
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const read = async (files: FileList | null) => {
    onProblem("");
    setBusy(true);
    const done: Attachment[] = [];
    for (const file of files ?? []) {
      try {
        done.push(await readDocument(file));
      } catch (problem) {
        const limit = number(FILE_MAX_BYTES / 1e6);
        const code = problem instanceof DocumentProblem ? problem.code : "broken";
        onProblem(t(`document-${code}`, { name: file.name, limit }));
      }
    }
    setBusy(false);
    if (input.current) input.current.value = "";
    if (done.length) onRead(done);
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        id="documents"
        class="unseen"
        multiple
        accept={ACCEPTED}
        tabIndex={-1}
        aria-hidden="true"
        onChange={(event) => read(event.currentTarget.files)}
      />
      <button
        type="button"
        class="quiet"
        title={t("document-attach-what")}
        disabled={busy}
        onClick={() => input.current?.click()}
      >
        {busy ? t("document-reading") : t("document-attach")}
      </button>
    </>
  );
}

function ModelChoice({ models, problem }: { models: readonly Choice[]; problem: string }) {
  const { model } = conversation.value;
  const known = models.some((choice) => choice.id === model);
  useEffect(() => {
    // A size that the pool does not have now: take what it has.
    if (models[0] && !known) change({ model: models[0].id });
  }, [models, known]);
  return (
    <span class="pick">
      <label class="unseen" for="model">{t("chat-model")}</label>
      <select id="model" value={model} title={problem} onChange={(event) => change({ model: event.currentTarget.value })}>
        {models.map((choice) => (
          <option key={choice.id} value={choice.id}>
            {choice.isSize ? t(`size-${choice.id}`, { means: choice.means || choice.id }) : choice.id}
          </option>
        ))}
      </select>
    </span>
  );
}

function ThinkChoice() {
  return (
    <label class="pick">
      <input
        type="checkbox"
        id="think"
        checked={conversation.value.thinks ?? false}
        onChange={(event) => change({ thinks: event.currentTarget.checked })}
      />{" "}
      {t("chat-think")}
    </label>
  );
}

/** What a thought costs, as measured in this person's conversations with the pool. */
function ThinkNote() {
  if (!conversation.value.thinks) return null;
  const { answers, withWh, thoughtWh, withoutWh } = thoughtEnergy(
    [conversation.value, ...kept.value, ...inTab.value].flatMap(({ messages }) =>
      messages.flatMap(({ receipt }) => (receipt ? [receipt] : [])),
    ),
  );
  const measured = {
    answers,
    with: number(withWh, 3),
    thought: number(thoughtWh, 3),
    without: withoutWh ? number(withoutWh, 3) : "none",
  };
  return <p class="meaning">{answers ? t("chat-think-measured", measured) : t("chat-think-unmeasured")}</p>;
}

function ClassChoice() {
  return (
    <span class="pick">
      <label class="unseen" for="data-class">{t("chat-class")}</label>
      <select
        id="data-class"
        value={conversation.value.data_class}
        onChange={(event) => change({ data_class: event.currentTarget.value as DataClass })}
      >
        {CLASSES.map((name) => (
          <option key={name} value={name}>
            {t(`class-${name}`)}
          </option>
        ))}
      </select>
    </span>
  );
}
