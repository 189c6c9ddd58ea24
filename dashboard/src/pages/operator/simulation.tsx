// "Simulate this pool with next year's demand": run beside the pool, or from a scenario file.
import { useState } from "preact/hooks";
import { dateTime, number, t } from "../../i18n.ts";
import { admin, mayAct, textOf, type Node } from "./admin.ts";
import { readCatalogue } from "./catalogue.ts";
import { saveFile } from "./files.ts";
import { Choice, CopyLine, Read, TextField, useReading } from "./parts.tsx";
import { Replayed } from "./replayed.tsx";
import { simulated, writeScenario } from "./scenario.ts";
import { OperationState, useOperation } from "./operation.tsx";
import { daysChoices } from "./words.ts";

const JOURNAL = "parc.journal";
const SCENARIO = "an-prochain.toml";
const PERCENT_MAX = 1_000;
const HOURS_MAX = 24 * 366;

async function readPool() {
  const [nodes, coops, catalogue, history] = await Promise.all([
    admin("ListNodes", {}),
    admin("ListCoops", {}),
    admin("GetCatalogue", {}),
    admin("ListPolicies", {}),
  ]);
  return {
    nodes: nodes.nodes as Node[],
    coops: coops.coops,
    models: readCatalogue(textOf(catalogue.document)),
    journal: history.journal,
  };
}

export function Simulation() {
  const reading = useReading(readPool);
  const [percent, setPercent] = useState("20");
  const [days, setDays] = useState("7");
  const following = useOperation("demand");
  const start = () => following.start({ growthPercent: Number(percent) || 0, days: Number(days) });
  return (
    <section aria-labelledby="op-sim">
      <h2 id="op-sim">{t("op-sim-title")}</h2>
      <p>{t("op-sim-lead")}</p>
      <Read of={reading}>
        {({ nodes, coops, models, journal }) => {
          const hours = hoursOf(journal.since);
          const growth = {
            journal: JOURNAL,
            percent: Math.min(PERCENT_MAX, Math.max(0, Number(percent) || 0)),
            hours,
            start: new Date(journal.since * 1000 || Date.now()).toISOString().slice(0, 10),
          };
          return (
            <>
              <p>
                {t("op-sim-journal", {
                  since: journal.since ? dateTime(journal.since) : "none",
                  events: number(Number(journal.events)),
                  machines: simulated(nodes).length,
                })}
              </p>
              <form class="fields" onSubmit={(event) => [event.preventDefault(), void start()]}>
                <TextField label={t("op-sim-percent")} value={percent} onValue={setPercent} kind="number" min={1} step={1} required />
                <Choice label={t("op-days")} value={days} onValue={setDays} choices={daysChoices()} />
                {mayAct() && (
                  <p class="whole">
                    <button type="submit" disabled={following.acting.busy || following.isRunning}>
                      {t("op-sim-open")}
                    </button>
                  </p>
                )}
              </form>
              <OperationState of={following} running={t("op-sim-running")} />
              {following.operation && <Replayed operation={following.operation} kind="demand" />}
              <details class="elsewhere">
                <summary>{t("op-sim-elsewhere")}</summary>
                <p>{t("op-sim-elsewhere-lead")}</p>
                <Steps scenario={writeScenario(nodes, coops, models, growth)} hours={hours} />
              </details>
            </>
          );
        }}
      </Read>
    </section>
  );
}

function hoursOf(since: number): number {
  if (!since) return 24;
  return Math.min(HOURS_MAX, Math.max(24, Math.ceil((Date.now() / 1000 - since) / 3600)));
}

function Steps({ scenario, hours }: { scenario: string; hours: number }) {
  const save = () => saveFile(SCENARIO, scenario, "application/toml");
  return (
    <ol class="steps">
      <li>
        <p>{t("op-sim-export")}</p>
        <CopyLine text={`entraide scheduler journal export --out ${JOURNAL} --hours ${hours}`} label={t("op-sim-export")} />
      </li>
      <li>
        <p>{t("op-sim-file")}</p>
        <p>
          <button type="button" onClick={save}>
            {t("op-sim-save")}
          </button>
        </p>
        <details>
          <summary>{t("op-sim-show")}</summary>
          <pre class="diff" tabIndex={0} role="region" aria-label={SCENARIO}>
            {scenario}
          </pre>
        </details>
      </li>
      <li>
        <p>{t("op-sim-run")}</p>
        <CopyLine text={`entraide sim run ${SCENARIO} --out resultat`} label={t("op-sim-run")} />
      </li>
      <li>
        <p>{t("op-sim-plan")}</p>
        <CopyLine text={`entraide sim plan ${SCENARIO} --out plan`} label={t("op-sim-plan")} />
      </li>
    </ol>
  );
}
