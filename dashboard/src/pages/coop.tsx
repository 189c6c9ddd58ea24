// My co-op: its figures of a month for all its people; people, keys and projects for its admin.
import { useEffect, useState } from "preact/hooks";
import { api, sentenceOf, take } from "../api.ts";
import { monthName } from "../coop/amounts.ts";
import {
  mayManage, monthsFrom, seesParts, type CoopOverview, type Key, type Person,
} from "../coop/figures.ts"; // prettier-ignore
import { Figures } from "../coop/figures_view.tsx";
import { Keys, Projects } from "../coop/keys.tsx";
import { People } from "../coop/people.tsx";
import { coopName } from "../coop_names.ts";
import { Statement } from "../coop/statement.tsx";
import { lang, t } from "../i18n.ts";
import { Loading } from "../parts/loading.tsx";
import { NeedsSignIn } from "../parts/needs_sign_in.tsx";
import { session } from "../session.ts";
import "../coop/coop.css";

const MONTHS = 24;

export default function Coop() {
  return (
    <NeedsSignIn>
      <Own />
    </NeedsSignIn>
  );
}

function Own() {
  const [month, setMonth] = useState(""); // "" is the present one
  const [present, setPresent] = useState("");
  const [view, setView] = useState<CoopOverview | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const attempt = async (act: () => Promise<void>) => {
    setProblem(null);
    try {
      await act();
    } catch (caught) {
      setProblem(caught);
    }
  };
  useEffect(() => {
    let isWanted = true; // an answer for a month that was left is dropped
    void attempt(async () => {
      const query = { lang: lang.value, ...(month && { month }) };
      const read = await take(api.GET("/v1/coop", { params: { query } }));
      if (!isWanted) return;
      setView(read);
      if (!month) setPresent(read.month);
    });
    return () => void (isWanted = false);
  }, [month, lang.value]);
  const person = session.value?.person;
  if (!person) return null;
  return (
    <div class="coop">
      <h1>
        <bdi>{coopName(person.coop)}</bdi>
      </h1>
      <p role="alert" class={problem ? "notice bad" : "unseen"}>
        {problem ? sentenceOf(problem) : ""}
      </p>
      {present && <MonthChoice present={present} chosen={month || present} onChoose={setMonth} />}
      {!view && !problem && <Loading />}
      {view && <Figures view={view} parts={seesParts(person.role)} />}
      {view && seesParts(person.role) && (
        <Statement coop={view.coop} month={view.month} attempt={attempt} />
      )}
      {view && !seesParts(person.role) && <p class="soft">{t("coop-totals-only")}</p>}
      {mayManage(person.role) && <Management coop={person.coop} attempt={attempt} />}
    </div>
  );
}

interface MonthChoiceProps {
  present: string;
  chosen: string;
  onChoose: (month: string) => void;
}

function MonthChoice({ present, chosen, onChoose }: MonthChoiceProps) {
  return (
    <p class="month">
      <label for="which-month">{t("coop-which-month")}</label>
      <select id="which-month" value={chosen} onChange={(event) => onChoose(event.currentTarget.value)}>
        {monthsFrom(present, MONTHS).map((month) => (
          <option key={month} value={month}>
            {monthName(month)}
          </option>
        ))}
      </select>
    </p>
  );
}

interface ManagementProps {
  coop: string;
  attempt: (act: () => Promise<void>) => Promise<void>;
}

function Management({ coop, attempt }: ManagementProps) {
  const [people, setPeople] = useState<readonly Person[] | null>(null);
  const [keys, setKeys] = useState<readonly Key[] | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const readPeople = async () => {
    setPeople((await take(api.GET("/v1/people", { params: { query: { coop } } }))).data);
  };
  const readKeys = async () => {
    setKeys((await take(api.POST("/v1/admin/ListKeys", { body: { coop } }))).keys ?? []);
  };
  useEffect(() => {
    Promise.all([readPeople(), readKeys()]).catch(setProblem);
  }, [coop]);
  const own = { coop, attempt };
  return (
    <>
      {problem ? <p class="notice bad">{sentenceOf(problem)}</p> : null}
      {!(people && keys) && !problem && <Loading />}
      {people && keys && (
        <>
          <People people={people} read={readPeople} {...own} />
          <Keys keys={keys} read={readKeys} {...own} />
          <Projects keys={keys} people={people} />
        </>
      )}
    </>
  );
}
