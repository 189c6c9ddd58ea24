// Co-ops with their terms, and their API keys.
import { useState } from "preact/hooks";
import { coopName, noteCoopNames } from "../../coop_names.ts";
import { number, t } from "../../i18n.ts";
import { admin, mayAct, worded, type Coop, type Key, type Quota } from "./admin.ts";
import { CoopPeople } from "./coop_people.tsx";
import { Choice, Confirmed, CopyLine, Read, Said, TextField, useActing, useReading, type Acting } from "./parts.tsx";

const KINDS = ["tokens", "requests", "jobs_in_flight", "energy_wh", "carbon_g"];
const PERIODS = ["day", "month", "minute", "none"];

async function readCoops(): Promise<{ coops: Coop[]; keys: Key[] }> {
  const [coops, keys] = await Promise.all([admin("ListCoops", {}), admin("ListKeys", {})]);
  noteCoopNames(coops.coops);
  return { coops: coops.coops as Coop[], keys: keys.keys as Key[] };
}

export function Coops() {
  const reading = useReading(readCoops);
  const acting = useActing();
  const act = async (doing: () => Promise<unknown>, done: string) => {
    const isDone = await acting.act(doing, done);
    await reading.again();
    return isDone;
  };
  return (
    <Read of={reading}>
      {({ coops, keys }) => (
        <>
          <section aria-labelledby="op-coops">
            <h2 id="op-coops">{t("op-coops-title")}</h2>
            <ul class="nodes">
              {coops.map((coop) => (
                <CoopLine key={coop.coop} coop={coop} act={act} busy={acting.busy} />
              ))}
            </ul>
            <Said of={acting} />
            {mayAct() && <NewCoop act={act} />}
          </section>
          {mayAct() && coops.length > 0 && <CoopPeople coops={coops.map((each) => each.coop)} />}
          <Keys coops={coops.map((each) => each.coop)} keys={keys} onChange={reading.again} />
        </>
      )}
    </Read>
  );
}

type Act = (doing: () => Promise<unknown>, done: string) => Promise<boolean>;

function CoopLine({ coop, act, busy }: { coop: Coop; act: Act; busy: boolean }) {
  const [changing, setChanging] = useState(false);
  const balance = Math.round(Number(coop.balanceTokens));
  const lend = coop.lend ?? { part: 1, limited: false, energyWhPerDay: "0" };
  return (
    <li>
      <p class="what">
        <b>
          <bdi>{coopName(coop.coop)}</bdi>
        </b>{" "}
        {coop.name && <code class="soft">{coop.coop}</code>}
      </p>
      <p>{t("op-coop-shares", { shares: number(coop.shares, 2) })}</p>
      <p>
        {t("op-coop-lends", { part: number(lend.part * 100), limit: lend.limited ? number(Number(lend.energyWhPerDay)) : "none" })}
      </p>
      <p>{t("op-coop-balance", { side: Math.sign(balance), tokens: number(Math.abs(balance)) })}</p>
      {coop.quotas.map((quota, at) => (
        <p key={at} class="soft">
          {quotaSentence(quota)}
        </p>
      ))}
      {mayAct() && (
        <p class="row">
          <button
            type="button"
            class="quiet"
            aria-expanded={changing}
            aria-label={`${t("op-change")} ${coopName(coop.coop)}`}
            onClick={() => setChanging(!changing)}
          >
            {t("op-change")}
          </button>
          <Confirmed
            label={t("op-remove")}
            name={coopName(coop.coop)}
            consequence={t("op-remove-means")}
            disabled={busy}
            onYes={() => act(() => admin("RemoveCoop", { coop: coop.coop }), t("op-removed", { coop: coopName(coop.coop) }))}
          />
        </p>
      )}
      {changing && <CoopForm coop={coop} act={act} onDone={() => setChanging(false)} />}
    </li>
  );
}

function quotaSentence(quota: Quota): string {
  return t("op-quota", {
    kind: worded(`op-kind-${quota.kind}`, quota.kind),
    used: number(Number(quota.used)),
    limit: number(Number(quota.limit)),
    period: worded(`op-period-${quota.period || "none"}`, quota.period),
    of: quota.project || quota.key || "none",
  });
}

// A co-op's short name, as the pool takes it.
const NAME = "[a-z0-9][a-z0-9\\-]{0,62}";

const NEW: Coop = {
  coop: "", name: "", shares: 1, quotas: [], balanceTokens: "0", balanceWh: 0, balanceGco2e: 0, author: "", reason: "",
  language: "",
};

function NewCoop({ act }: { act: Act }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <p class="row">
        <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {t("op-coop-add")}
        </button>
      </p>
      {open && <CoopForm coop={NEW} act={act} onDone={() => setOpen(false)} />}
    </>
  );
}

function CoopForm({ coop, act, onDone }: { coop: Coop; act: Act; onDone: () => void }) {
  const [identifier, setIdentifier] = useState(coop.coop);
  const [name, setName] = useState(coop.name);
  const [language, setLanguage] = useState(coop.language);
  const [shares, setShares] = useState(String(coop.shares));
  const [part, setPart] = useState(String(Math.round((coop.lend?.part ?? 1) * 100)));
  const [daily, setDaily] = useState(coop.lend?.limited ? coop.lend.energyWhPerDay : "");
  const [quotas, setQuotas] = useState<Quota[]>(coop.quotas);
  const [reason, setReason] = useState("");
  const keep = async () => {
    const lend = { part: Number(part) / 100, limited: daily !== "", energyWhPerDay: daily || "0" };
    const terms = quotas.map(({ used: _, ...rest }) => rest);
    const body = { coop: identifier, name, language, shares: Number(shares), lend, quotas: terms, reason };
    if (await act(() => admin("SetCoop", body), t(coop.coop ? "op-coop-kept" : "op-coop-added", { coop: name || identifier }))) onDone();
  };
  const replace = (at: number, quota: Quota) => setQuotas(quotas.map((each, i) => (i === at ? quota : each)));
  return (
    <form class="fields" onSubmit={(event) => [event.preventDefault(), void keep()]}>
      {!coop.coop && <TextField label={t("op-coop-name")} value={identifier} onValue={setIdentifier} hint={t("op-coop-name-hint")} pattern={NAME} required />}
      <TextField label={t("op-coop-full-name")} value={name} onValue={setName} hint={t("op-coop-full-name-hint")} />
      <Choice
        label={t("op-coop-language")}
        value={language}
        onValue={setLanguage}
        choices={["", "fr", "en"].map((each) => [each, t(`op-coop-language-${each || "pool"}`)] as const)}
      />
      <TextField label={t("op-shares")} value={shares} onValue={setShares} kind="number" min={0} step="any" required />
      <TextField label={t("op-lend-part")} value={part} onValue={setPart} kind="number" min={0} step={1} required />
      <TextField label={t("op-lend-daily")} value={daily} onValue={setDaily} kind="number" min={0} step={1} hint={t("op-lend-daily-hint")} />
      <fieldset class="whole">
        <legend>{t("op-quotas")}</legend>
        {quotas.map((quota, at) => (
          <QuotaFields
            key={at}
            quota={quota}
            onQuota={(changed) => replace(at, changed)}
            onRemove={() => setQuotas(quotas.filter((_, i) => i !== at))}
          />
        ))}
        <button
          type="button"
          class="quiet"
          onClick={() => setQuotas([...quotas, { kind: "tokens", limit: "1000000", period: "day", used: "0", project: "", key: "" }])}
        >
          {t("op-quota-add")}
        </button>
      </fieldset>
      <TextField label={t("op-reason")} value={reason} onValue={setReason} hint={t("op-coop-version")} />
      <p class="whole">
        <button type="submit">{t("op-keep")}</button>
      </p>
    </form>
  );
}

function QuotaFields(props: { quota: Quota; onQuota: (quota: Quota) => void; onRemove: () => void }) {
  const { quota, onQuota } = props;
  const of = quota.project || quota.key;
  return (
    <div class="quota">
      <Choice
        label={of ? t("op-quota-of", { of }) : t("op-quota-kind")}
        value={quota.kind}
        onValue={(kind) => onQuota({ ...quota, kind })}
        choices={KINDS.map((each) => [each, worded(`op-kind-${each}`, each)] as const)}
      />
      <TextField label={t("op-quota-limit")} value={quota.limit} onValue={(limit) => onQuota({ ...quota, limit })} kind="number" min={0} step={1} required />
      <Choice
        label={t("op-quota-period")}
        value={quota.period || "none"}
        onValue={(period) => onQuota({ ...quota, period })}
        choices={PERIODS.map((each) => [each, worded(`op-period-${each}`, each)] as const)}
      />
      <button type="button" class="quiet" onClick={props.onRemove}>
        {t("op-quota-remove")}
      </button>
    </div>
  );
}

function Keys({ coops, keys, onChange }: { coops: string[]; keys: Key[]; onChange: () => Promise<void> }) {
  const acting = useActing();
  const [made, setMade] = useState<Key | null>(null);
  const [all, setAll] = useState(false);
  const act: Act = async (doing, done) => {
    const isDone = await acting.act(doing, done);
    await onChange();
    return isDone;
  };
  const shown = keys.filter((key) => all || !key.revoked);
  return (
    <section aria-labelledby="op-keys">
      <h2 id="op-keys">{t("op-keys-title")}</h2>
      <p>{t("op-keys-lead")}</p>
      {mayAct() && <NewKey coops={coops} acting={acting} onMade={(key) => [setMade(key), void onChange()]} />}
      <Said of={acting} />
      {made && (
        <div class="made" role="status">
          <p>{t("op-key-made", { coop: coopName(made.coop), key: made.key })}</p>
          <CopyLine text={made.secret} label={t("op-key-secret")} />
        </div>
      )}
      <p>
        <label>
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> {t("op-keys-revoked")}
        </label>
      </p>
      {shown.length === 0 && <p class="soft">{t("op-keys-none")}</p>}
      <ul class={shown.length ? "rows" : ""}>
        {shown.map((key) => (
          <KeyLine key={key.key} of={key} act={act} busy={acting.busy} />
        ))}
      </ul>
    </section>
  );
}

function NewKey({ coops, acting, onMade }: { coops: string[]; acting: Acting; onMade: (key: Key) => void }) {
  const [coop, setCoop] = useState(coops[0] ?? "");
  const [project, setProject] = useState("");
  const [label, setLabel] = useState("");
  const make = () =>
    acting.act(async () => {
      onMade((await admin("CreateKey", { coop, project, label })) as Key);
      setLabel("");
    });
  return (
    <form class="fields" onSubmit={(event) => [event.preventDefault(), void make()]}>
      <Choice label={t("op-coop")} value={coop} onValue={setCoop} choices={coops.map((each) => [each, coopName(each)] as const)} />
      <TextField label={t("op-project")} value={project} onValue={setProject} hint={t("op-project-hint")} />
      <TextField label={t("op-label")} value={label} onValue={setLabel} hint={t("op-label-hint")} />
      <p class="whole">
        <button type="submit" disabled={acting.busy}>
          {t("op-key-make")}
        </button>
      </p>
    </form>
  );
}

function KeyLine({ of, act, busy }: { of: Key; act: Act; busy: boolean }) {
  const name = of.key;
  const isHeld = Boolean(of.quarantine?.since);
  return (
    <li>
      <div>
        <p>
          <b>
            <bdi>{of.label || of.key}</bdi>
          </b>{" "}
          {of.revoked && <span class="tag off">{t("op-key-revoked")}</span>}
          {isHeld && <span class="tag off">{t("op-state-quarantined")}</span>}
        </p>
        <p class="soft">
          <bdi>{[coopName(of.coop), of.project, of.key].join(" · ")}</bdi>
        </p>
      </div>
      {mayAct() && !of.revoked && (
        <p class="row">
          {isHeld && (
            <button
              type="button"
              disabled={busy}
              aria-label={`${t("op-end-quarantine")} ${name}`}
              onClick={() => act(() => admin("ClearKey", { key: name }), t("op-cleared", { name }))}
            >
              {t("op-end-quarantine")}
            </button>
          )}
          <Confirmed
            label={t("op-revoke")}
            name={of.label || name}
            consequence={t("op-key-revoke-means", { key: name, coop: coopName(of.coop) })}
            disabled={busy}
            onYes={() => act(() => admin("RevokeKey", { key: name }), t("op-revoked", { name: of.label || name }))}
          />
        </p>
      )}
    </li>
  );
}
