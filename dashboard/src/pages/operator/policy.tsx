// The policy: its text, what a change of it comes to, its versions and their differences.
import { useState } from "preact/hooks";
import { inOrder } from "../../bidi.ts";
import { dateTime, number, t } from "../../i18n.ts";
import { session } from "../../session.ts";
import { admin, bytesOf, mayAct, textOf, type History, type Version } from "./admin.ts";
import { compareLines } from "./diff.ts";
import { Choice, Confirmed, Field, Read, Said, TextField, useActing, useReading, type Acting } from "./parts.tsx";
import { Replayed } from "./replayed.tsx";
import { OperationState, useOperation } from "./operation.tsx";
import { daysChoices } from "./words.ts";

async function readPolicy(): Promise<{ inForce: Version; history: History }> {
  const [inForce, history] = await Promise.all([admin("GetPolicy", {}), admin("ListPolicies", {})]);
  return { inForce: inForce as Version, history };
}

export function PolicyPart() {
  const reading = useReading(readPolicy);
  const acting = useActing(); // what was said stays when the text in force changes
  return (
    <Read of={reading}>
      {({ inForce, history }) => (
        <>
          <Editor key={inForce.version} inForce={inForce} acting={acting} onChange={reading.again} />
          <Compare history={history} />
          <Versions history={history} onChange={reading.again} />
        </>
      )}
    </Read>
  );
}

interface EditorProps {
  inForce: Version;
  acting: Acting;
  onChange: () => Promise<void>;
}

function Editor({ inForce, acting, onChange }: EditorProps) {
  const held = textOf(inForce.document);
  const [text, setText] = useState(held);
  const [reason, setReason] = useState("");
  const [faults, setFaults] = useState<string[] | null>(null);
  const body = { document: bytesOf(text), baseVersion: inForce.version };
  const write = (changed: string) => [setText(changed), setFaults(null)];
  const check = () => acting.act(async () => setFaults((await admin("CheckPolicy", body)).faults));
  const apply = async () => {
    const signed = { ...body, reason, author: session.value?.person.id ?? "" };
    if (await acting.act(() => admin("ApplyPolicy", signed), t("op-policy-applied"))) await onChange();
  };
  return (
    <section aria-labelledby="op-policy">
      <h2 id="op-policy">{t("op-policy-title", { version: inForce.version })}</h2>
      <p>{t("op-policy-lead")}</p>
      <form onSubmit={(event) => [event.preventDefault(), void check()]}>
        <Field label={t("op-policy-text")}>
          {(id) => (
            <textarea
              id={id}
              class="document"
              spellcheck={false}
              readOnly={!mayAct()}
              value={text}
              onInput={(event) => write(event.currentTarget.value)}
            />
          )}
        </Field>
        {text !== held && (
          <>
            <h3>{t("op-policy-changes")}</h3>
            <Diff old={held} now={text} label={t("op-policy-changes")} />
            <p class="row">
              <button type="submit" class="quiet" disabled={acting.busy}>
                {t("op-policy-check")}
              </button>
              <button type="button" class="quiet" onClick={() => write(held)}>
                {t("op-policy-undo")}
              </button>
            </p>
          </>
        )}
      </form>
      <Said of={acting} />
      <div role="status">{faults && text !== held && <Faults faults={faults} />}</div>
      {faults?.length === 0 && text !== held && (
        <form class="fields" onSubmit={(event) => [event.preventDefault(), void apply()]}>
          <TextField label={t("op-reason")} value={reason} onValue={setReason} hint={t("op-policy-reason-hint")} required />
          <p class="whole">{t("op-policy-signed", { name: session.value?.person.name ?? "" })}</p>
          <p class="whole">
            <button type="submit" disabled={acting.busy}>
              {t("op-policy-apply")}
            </button>
          </p>
        </form>
      )}
      <Trial document={body.document} isChanged={text !== held} />
    </section>
  );
}

/** What the text would have decided on recent traffic. */
function Trial({ document, isChanged }: { document: string; isChanged: boolean }) {
  const [days, setDays] = useState("7");
  const following = useOperation("policy");
  return (
    <>
      <h3>{t("op-policy-try")}</h3>
      <p>{t("op-policy-try-lead")}</p>
      {mayAct() && (
        <form class="fields" onSubmit={(event) => [event.preventDefault(), void following.start({ document, days: Number(days) })]}>
          <Choice label={t("op-days")} value={days} onValue={setDays} choices={daysChoices()} />
          <p class="whole">
            <button type="submit" class="quiet" disabled={!isChanged || following.acting.busy || following.isRunning}>
              {t("op-policy-try-now")}
            </button>
          </p>
        </form>
      )}
      <OperationState of={following} running={t("op-policy-trying")} />
      {following.operation && <Replayed operation={following.operation} kind="policy" />}
    </>
  );
}

function Faults({ faults }: { faults: string[] }) {
  if (faults.length === 0) return <p class="notice good">{t("op-policy-sound")}</p>;
  return (
    <div class="notice bad">
      <p>{t("op-policy-faults", { count: faults.length })}</p>
      <ul class="faults">
        {faults.map((fault) => (
          <li key={fault}>{inOrder(fault)}</li>
        ))}
      </ul>
    </div>
  );
}

const LINE_MAX = 500; // characters

function shownLine(line: string): string {
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line;
}

function Diff({ old, now, label }: { old: string; now: string; label: string }) {
  const lines = compareLines(old, now);
  if (!lines.some((each) => each.mark === "gone" || each.mark === "new")) return <p class="soft">{t("op-diff-none")}</p>;
  const sign = { gone: "− ", new: "+ ", same: "  ", "left-out": "" };
  return (
    <div class="diff" tabIndex={0} role="region" aria-label={label}>
      <ol>
        {lines.map((each, at) => (
          <li key={at} class={each.mark}>
            {each.mark === "gone" && <span class="unseen">{t("op-diff-gone")}</span>}
            {each.mark === "new" && <span class="unseen">{t("op-diff-new")}</span>}
            {each.mark === "left-out" ? t("op-diff-left-out", { count: each.count }) : sign[each.mark] + shownLine(each.text)}
          </li>
        ))}
      </ol>
    </div>
  );
}

function Compare({ history }: { history: History }) {
  const names = history.versions.map((each) => each.version);
  const [old, setOld] = useState(names[1] ?? names[0] ?? "");
  const [now, setNow] = useState(names[0] ?? "");
  const read = async () => {
    const [a, b] = await Promise.all([admin("GetPolicy", { version: old }), admin("GetPolicy", { version: now })]);
    return [textOf(a.document), textOf(b.document)] as const;
  };
  const texts = useReading(read, `${old}\n${now}`);
  if (names.length < 2) return null;
  const choices = names.map((each) => [each, each] as const);
  return (
    <section aria-labelledby="op-compare">
      <h2 id="op-compare">{t("op-compare-title")}</h2>
      <div class="fields">
        <Choice label={t("op-compare-old")} value={old} onValue={setOld} choices={choices} />
        <Choice label={t("op-compare-new")} value={now} onValue={setNow} choices={choices} />
      </div>
      <Read of={texts}>{([a, b]) => <Diff old={a} now={b} label={t("op-compare-lines")} />}</Read>
    </section>
  );
}

function Versions({ history, onChange }: { history: History; onChange: () => Promise<void> }) {
  const [reason, setReason] = useState("");
  const acting = useActing();
  const roll = async (version: string) => {
    const body = { version, reason, author: session.value?.person.id ?? "" };
    if (await acting.act(() => admin("RollBackPolicy", body), t("op-rolled-back", { version }))) await onChange();
  };
  return (
    <section aria-labelledby="op-versions-policy">
      <h2 id="op-versions-policy">{t("op-policy-versions")}</h2>
      <p class="soft">
        {t("op-journal", {
          since: history.journal.since ? dateTime(history.journal.since) : "none",
          events: number(Number(history.journal.events)),
        })}
      </p>
      {mayAct() && history.versions.length > 1 && (
        <TextField label={t("op-roll-reason")} value={reason} onValue={setReason} hint={t("op-roll-reason-hint")} />
      )}
      <Said of={acting} />
      <ul class="rows">
        {history.versions.map((each) => (
          <li key={each.version}>
            <div>
              <p>
                <b>
                  <bdi>{each.version}</bdi>
                </b>{" "}
                {each.inForce && <span class="tag">{t("op-in-force")}</span>}
              </p>
              <p class="soft">
                <bdi>{[each.at ? dateTime(each.at) : "", each.author].filter(Boolean).join(" · ")}</bdi>
              </p>
              {each.reason && (
                <p>
                  <bdi>{each.reason}</bdi>
                </p>
              )}
            </div>
            {mayAct() && !each.inForce && (
              <Confirmed
                label={t("op-roll-back")}
                name={each.version}
                isNamed
                consequence={t("op-roll-back-means", { version: each.version })}
                disabled={acting.busy || !reason.trim()}
                onYes={() => roll(each.version)}
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
