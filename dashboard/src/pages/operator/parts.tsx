// What the parts of the operator's view share: reading, acting, confirming, copying.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { sentenceOf } from "../../api.ts";
import { lang, t } from "../../i18n.ts";
import { Loading } from "../../parts/loading.tsx";

/** Reads something now and again after each change; the last answer stays while it is read anew. */
export function useReading<T>(read: () => Promise<T>, about: string = ""): Reading<T> {
  const [data, setData] = useState<T | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const newest = useRef(0);
  const again = async () => {
    const own = (newest.current += 1);
    try {
      const answer = await read();
      if (own === newest.current) [setData(() => answer), setProblem(null)];
    } catch (caught) {
      if (own === newest.current) setProblem(caught);
    }
  };
  useEffect(() => void again(), [about, lang.value]);
  return { data, problem, again };
}

export interface Reading<T> {
  data: T | null;
  problem: unknown;
  again: () => Promise<void>;
}

/** What is read, once it is there; what went wrong, else. */
export function Read<T>({
  of,
  waiting,
  children,
}: {
  of: Reading<T>;
  /** What is said meanwhile. */
  waiting?: string;
  children: (data: T) => ComponentChildren;
}) {
  return (
    <>
      {of.problem !== null && (
        <p class="notice bad" role="alert">
          {sentenceOf(of.problem)}
        </p>
      )}
      {of.data === null ? of.problem === null && <Loading text={waiting} /> : children(of.data)}
    </>
  );
}

export interface Acting {
  busy: boolean;
  /** Does something; says afterwards what was done, or why not. Returns whether it was done. */
  act: (doing: () => Promise<unknown>, done?: string) => Promise<boolean>;
  said: { text: string; bad: boolean };
}

export function useActing(): Acting {
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState({ text: "", bad: false });
  const act = async (doing: () => Promise<unknown>, done = "") => {
    setBusy(true);
    setSaid({ text: "", bad: false });
    try {
      await doing();
      setSaid({ text: done, bad: false });
      return true;
    } catch (caught) {
      setSaid({ text: sentenceOf(caught), bad: true });
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, act, said };
}

/** What the last action came to. */
export function Said({ of }: { of: Acting }) {
  const { text, bad } = of.said;
  return (
    <div aria-live="polite" role={bad ? "alert" : "status"}>
      {text && <p class={bad ? "notice bad" : "notice good"}>{text}</p>}
    </div>
  );
}

/** A button that asks first, and names what follows. */
export function Confirmed({
  label,
  name,
  consequence,
  onYes,
  disabled,
  isNamed,
}: {
  label: string;
  name: string;
  consequence: string;
  onYes: () => void;
  disabled?: boolean;
  /** Whether the button shows the name, too. */
  isNamed?: boolean;
}) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" class="quiet" aria-label={`${label} ${name}`} disabled={disabled} onClick={() => setOpen(true)}>
        {isNamed ? `${label} ${name}` : label}
      </button>
      {open && (
        <Question
          title={`${label} ${name}`}
          consequence={consequence}
          label={isNamed ? `${label} ${name}` : label}
          onYes={() => [setOpen(false), onYes()]}
          onNo={() => setOpen(false)}
        />
      )}
    </>
  );
}

function Question(props: {
  title: string;
  consequence: string;
  label: string;
  onYes: () => void;
  onNo: () => void;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const opener = document.activeElement;
    element.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog ref={element} class="op-question" aria-labelledby={id} onClose={props.onNo}>
      <h2 id={id}>
        <bdi>{props.title}</bdi>
      </h2>
      <p>{props.consequence}</p>
      <p class="row">
        <button type="button" class="quiet" onClick={props.onNo}>
          {t("op-cancel")}
        </button>
        <button type="button" class="danger" onClick={props.onYes}>
          {props.label}
        </button>
      </p>
    </dialog>
  );
}

/** A line to copy: a command, a link, a secret. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  const [said, setSaid] = useState("");
  const line = useRef<HTMLElement>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(t("op-copied"));
    } catch {
      if (line.current) getSelection()?.selectAllChildren(line.current);
      setSaid(t("op-copy-selected"));
    }
  };
  return (
    <div class="copy-line">
      <code ref={line} tabIndex={0} role="group" aria-label={label}>
        {text}
      </code>
      <button type="button" class="quiet" aria-label={`${t("op-copy")} ${label}`} onClick={copy}>
        {t("op-copy")}
      </button>
      <span role="status" class="soft">
        {said}
      </span>
    </div>
  );
}

/** A labelled field. */
export function Field({ label, hint, children }: { label: string; hint?: string; children: (id: string) => ComponentChildren }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id)}
      {hint && <p class="soft hint">{hint}</p>}
    </div>
  );
}

export function TextField(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: string;
  required?: boolean;
  kind?: "text" | "search" | "number" | "password";
  min?: number;
  step?: number | "any";
  /** A regular expression that the whole text must match; the hint says it in words. */
  pattern?: string;
}) {
  return (
    <Field label={props.label} {...(props.hint ? { hint: props.hint } : {})}>
      {(id) => (
        <input
          id={id}
          {...({ type: props.kind ?? "text" } as { type: "text" })}
          value={props.value}
          required={props.required ?? false}
          min={props.min}
          step={props.step}
          pattern={props.pattern}
          title={props.pattern ? props.hint : undefined}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => props.onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function Choice(props: {
  label: string;
  value: string;
  onValue: (value: string) => void;
  choices: readonly (readonly [value: string, words: string])[];
  hint?: string;
}) {
  return (
    <Field label={props.label} {...(props.hint ? { hint: props.hint } : {})}>
      {(id) => (
        <select id={id} value={props.value} onChange={(event) => props.onValue(event.currentTarget.value)}>
          {props.choices.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
