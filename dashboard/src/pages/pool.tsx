// The pool now, in sentences: what anybody may see without signing in.
import { useEffect } from "preact/hooks";
import { lang, list, number, t } from "../i18n.ts";
import { isTaking, provincesOf, stateOf, status, watchStatus } from "../pool_status.ts";
import type { Machine, PoolStatus, Province } from "../pool_status.ts";
import { Lazy, type ViewSource } from "../parts/lazy.tsx";
import { session } from "../session.ts";

const NOW: ViewSource = { later: () => import("./pool_now.tsx") };

/** Members see more than strangers, and as it changes. */
export default function Pool() {
  return session.value ? <Lazy load={NOW} rest={[]} /> : <PublicPool />;
}

function PublicPool() {
  useEffect(watchStatus, []);
  const { facts, late } = status.value;
  return (
    <>
      <Opening facts={facts} />
      <p class={late ? "notice" : "unseen"} role="status">
        {late ? t("pool-late", { time: facts ? time(facts.at) : t("never") }) : ""}
      </p>
      {facts && facts.nodes.length > 0 && (
        <section aria-labelledby="machines">
          <h2 id="machines">{t("pool-machines")}</h2>
          <div class="provinces">
            {provincesOf(facts.nodes).map((province) => (
              <ProvinceTile key={province.zone} province={province} />
            ))}
          </div>
        </section>
      )}
      {facts && <Models facts={facts} />}
    </>
  );
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString(`${lang.value}-CA`, { timeStyle: "short" });
}

function Opening({ facts }: { facts: PoolStatus | null }) {
  return (
    <div class="opening">
      <h1>{t("pool-heading")}</h1>
      <p class="lead">{t("pool-lead")}</p>
      {facts && <p class="now">{sentenceNow(facts)}</p>}
      {session.value === null && (
        <p>
          <a class="button large" href="#/entrer">
            {t("sign-in")}
          </a>
        </p>
      )}
    </div>
  );
}

function sentenceNow(facts: PoolStatus): string {
  if (facts.nodes.length === 0) return t("pool-empty");
  const taking = facts.nodes.filter(isTaking);
  const zones = provincesOf(taking).map((province) => province.name[lang.value]);
  const coops = new Set(taking.map((machine) => machine.coop)).size;
  const machines = t("pool-now-machines", {
    taking: taking.length,
    all: facts.nodes.length,
    coops,
    zones: list(zones),
  });
  const jobs = t("pool-now-jobs", { running: facts.running ?? 0, queued: facts.queued ?? 0 });
  return `${machines} ${jobs}`;
}

function ProvinceTile({ province }: { province: Province }) {
  const name = province.name[lang.value];
  const taking = province.machines.filter(isTaking).length;
  return (
    <article class="tile" aria-label={name}>
      <header>
        <h3>{name}</h3>
        <p class="soft">{t("province-machines", { taking, all: province.machines.length })}</p>
      </header>
      <ul class="machines">
        {province.machines.map((machine) => (
          <MachineLine key={machine.node} machine={machine} />
        ))}
      </ul>
    </article>
  );
}

function MachineLine({ machine }: { machine: Machine }) {
  const state = stateOf(machine);
  const reason = machine.reason_text[lang.value];
  const said = t(`machine-${state}`, { running: machine.running, slots: machine.slots });
  return (
    <li>
      <span class={`dot ${state}`} aria-hidden="true" />
      <div>
        <p>
          <b>
            <bdi>{machine.node}</bdi>
          </b>{" "}
          <span class="soft">
            <bdi>{machine.coop}</bdi>
          </span>
        </p>
        <p>{reason && state !== "ready" ? t("machine-reason", { state: said, reason }) : said}</p>
        {machine.surplus_w > 0 && (
          <p class="green">{t("machine-surplus", { watts: Math.round(machine.surplus_w) })}</p>
        )}
      </div>
    </li>
  );
}

function Models({ facts }: { facts: PoolStatus }) {
  return (
    <section aria-labelledby="models">
      <h2 id="models">{t("pool-models")}</h2>
      {facts.models.length === 0 ? (
        <p>{t("pool-no-models")}</p>
      ) : (
        <ul class="models">
          {facts.models.map((model) => (
            <li key={model.model}>
              <b>
                <bdi>{model.model}</bdi>
              </b>
              <span>{t("model-replicas", { replicas: model.replicas })}</span>
              <span class="soft">{t("model-context", { pages: pages(model.context) })}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** About how many pages of text a model reads at once: 400 words a page, 1.5 tokens a word. */
function pages(tokens: number): string {
  return number(Math.max(1, Math.round(tokens / 600)));
}
