// The machines of the co-op, for those who run it: state, what each gave, and what its owner tells.
import { useEffect, useState } from "preact/hooks";
import { api, sentenceOf, take } from "../api.ts";
import { energyWriter, massWriter, monthName } from "../coop/amounts.ts";
import type { Amounts, OwnMachine, OwnMachines } from "../coop/figures.ts";
import { clockTime, lang, list, number, t } from "../i18n.ts";
import { Loading } from "../parts/loading.tsx";
import { NeedsSignIn } from "../parts/needs_sign_in.tsx";
import { dotOf } from "../pool/changes.ts";
import { session } from "../session.ts";
import { chooseMachineMail } from "../signin.ts";
import "../coop/coop.css";

const READ_EVERY_MS = 15_000;

export default function Machine() {
  return (
    <NeedsSignIn>
      <Own />
    </NeedsSignIn>
  );
}

function Own() {
  const [view, setView] = useState<OwnMachines | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    let isWanted = true; // an answer in a language that was left is dropped
    const read = async () => {
      try {
        const query = { lang: lang.value };
        const answer = await take(api.GET("/v1/machines", { params: { query } }));
        if (isWanted) setView(answer);
        if (isWanted) setProblem(null);
      } catch (caught) {
        if (isWanted) setProblem(caught);
      }
    };
    void read();
    const timer = setInterval(() => void read(), READ_EVERY_MS);
    return () => {
      isWanted = false;
      clearInterval(timer);
    };
  }, [lang.value]);
  return (
    <div class="coop">
      <h1>{t("view-machine")}</h1>
      <p class="soft machine-means">{t("machine-page-means")}</p>
      <MachineMail />
      <p role="alert" class={problem ? "notice bad" : "unseen"}>
        {problem ? sentenceOf(problem) : ""}
      </p>
      {!view && !problem && <Loading />}
      {view?.machines.length === 0 && <p>{t("machines-none")}</p>}
      {view?.machines.map((machine) => (
        <One key={machine.node} machine={machine} month={view.month} />
      ))}
      {view && (
        <p class="soft machine-at">
          {t("machine-page-at", { time: clockTime(view.at), zone: view.timezone })}
        </p>
      )}
    </div>
  );
}

/** Whether the pool writes to the person about these machines: the person's own choice. */
function MachineMail() {
  const [problem, setProblem] = useState<unknown>(null);
  const own = session.value;
  if (!own || !mayBeTold(own.person.role)) return null;
  if (own.machine_mail === null) return <p class="soft machine-mail">{t("machine-mail-not")}</p>;
  const choose = async (wanted: boolean) => {
    setProblem(null);
    try {
      await chooseMachineMail(wanted);
    } catch (caught) {
      setProblem(caught);
    }
  };
  return (
    <>
      <p class="machine-mail">
        <label>
          <input
            type="checkbox"
            checked={own.machine_mail}
            onChange={(change) => void choose(change.currentTarget.checked)}
          />{" "}
          {t("machine-mail")}
        </label>
      </p>
      <p role="alert" class={problem ? "notice bad" : "unseen"}>
        {problem ? sentenceOf(problem) : ""}
      </p>
    </>
  );
}

const mayBeTold = (role: string) => role === "coop_admin" || role === "operator";

function One({ machine, month }: { machine: OwnMachine; month: string }) {
  const { node, now, site, zone_name } = machine;
  const models = now?.models.map((model) => model.model) ?? [];
  return (
    <article class="tile machine" aria-label={node}>
      <h2>
        <span class={`dot ${dotOf(now?.state ?? "")}`} aria-hidden="true" />
        <bdi>{node}</bdi>
      </h2>
      <p>
        <b>{now ? now.sentence : t("machine-left")}</b>
      </p>
      {now && (
        <p class="soft">
          <bdi>{now.device}</bdi> · <bdi>{site}</bdi> · {zone_name}
        </p>
      )}
      {models.length > 0 && <p>{t("machine-models", { models: list(models) })}</p>}
      {now && now.loading.length > 0 && (
        <p>{t("machine-loading-models", { models: list(now.loading) })}</p>
      )}
      {now && <p class={now.green.is_green ? "green" : "soft"}>{now.green.sentence}</p>}
      {machine.terms_sentences.length > 0 && (
        <>
          <h3>{t("machine-terms")}</h3>
          <ul class="terms">
            {machine.terms_sentences.map((sentence) => (
              <li key={sentence}>{sentence}</li>
            ))}
          </ul>
        </>
      )}
      <h3>{t("machine-gave")}</h3>
      <Work machine={machine} month={month} />
    </article>
  );
}

function Work({ machine, month }: { machine: OwnMachine; month: string }) {
  const { today, this_month } = machine;
  const all = [today.given, today.own, this_month.given, this_month.own];
  return (
    <table class="amounts">
      <thead>
        <tr>
          <td />
          <th scope="col">{t("machine-today")}</th>
          <th scope="col">{monthName(month)}</th>
        </tr>
      </thead>
      <Rows name={t("machine-for-others")} today={today.given} month={this_month.given} all={all} />
      <Rows name={t("machine-for-own")} today={today.own} month={this_month.own} all={all} />
    </table>
  );
}

function Rows(props: { name: string; today: Amounts; month: Amounts; all: readonly Amounts[] }) {
  const { name, today, month, all } = props;
  const writeEnergy = energyWriter(all.map((amounts) => amounts.energy_wh));
  const writeMass = massWriter(all.map((amounts) => amounts.direct_gco2e));
  const rows = [
    { code: "amount-jobs", write: (amounts: Amounts) => number(amounts.jobs) },
    { code: "amount-tokens", write: (amounts: Amounts) => number(amounts.tokens) },
    { code: "amount-energy", write: (amounts: Amounts) => writeEnergy(amounts.energy_wh) },
    { code: "amount-grams", write: (amounts: Amounts) => writeMass(amounts.direct_gco2e) },
  ];
  return (
    <tbody>
      <tr>
        <th scope="rowgroup" colSpan={3} class="group">
          {name}
        </th>
      </tr>
      {rows.map(({ code, write }) => (
        <tr key={code}>
          <th scope="row">{t(code)}</th>
          <td>{write(today)}</td>
          <td>{write(month)}</td>
        </tr>
      ))}
    </tbody>
  );
}
