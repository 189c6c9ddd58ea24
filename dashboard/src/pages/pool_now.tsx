// The pool now, for people of its co-ops: provinces, machines, what waits and why, as it changes.
import { useEffect } from "preact/hooks";
import { inOrder } from "../bidi.ts";
import { coopName } from "../coop_names.ts";
import { clockTime, lang, list, number, t } from "../i18n.ts";
import { Loading } from "../parts/loading.tsx";
import { HoursPlot, workOf } from "../pool/hours_plot.tsx";
import {
  availableOf, dotOf, listedOf, type PoolMachine, type PoolProvince, type PoolSite, type PoolView,
} from "../pool/changes.ts"; // prettier-ignore
import type { GridView } from "../pool/hours.ts";
import { live, watchPool } from "../pool/live.ts";
import "../pool/pool_now.css";

export default function PoolNow() {
  useEffect(() => watchPool(lang.value), [lang.value]);
  const { view, grid, confirmedAt, late } = live.value;
  return (
    <>
      <div class="now-head">
        <h1>{t("now-heading")}</h1>
        {view && !late && <p class="tag live">{t("now-live")}</p>}
      </div>
      <p class={late ? "notice" : "unseen"} role="status">
        {late ? t("now-late", { time: view ? clockTime(confirmedAt) : t("never") }) : ""}
      </p>
      {!view && !late && <Loading />}
      {view && <Now view={view} grid={grid} />}
    </>
  );
}

function Now({ view, grid }: { view: PoolView; grid: GridView | null }) {
  const hidden = view.machines - listedOf(view);
  return (
    <>
      <p class="now">
        {t("now-machines", { available: availableOf(view), all: view.machines })}{" "}
        {t("pool-now-jobs", { running: view.running, queued: view.queued })}
      </p>
      <p>
        <a class="button large" href="#/chat">
          {t("pool-ask")}
        </a>
      </p>
      <Waiting view={view} grid={grid} />
      <section aria-labelledby="provinces">
        <h2 id="provinces">{t("now-provinces")}</h2>
        <div class="now-provinces">
          {view.provinces.map((province) => (
            <ProvinceTile key={province.zone} province={province} grid={grid} />
          ))}
        </div>
        {hidden > 0 && <p class="soft">{t("now-not-listed", { machines: hidden })}</p>}
      </section>
    </>
  );
}

function Waiting({ view, grid }: { view: PoolView; grid: GridView | null }) {
  const unplanned = grid ? workOf(grid.unplanned) : "";
  if (view.waiting.length === 0 && !unplanned) return null;
  return (
    <section aria-labelledby="waiting">
      <h2 id="waiting">{t("now-waiting")}</h2>
      <ul class="waiting">
        {view.waiting.map((reason) => (
          <li key={reason.reason}>
            <b>{number(reason.jobs)}</b>
            <span>
              {inOrder(reason.sentence)} <span class="soft">{classesOf(reason.by_class)}</span>
            </span>
          </li>
        ))}
      </ul>
      {unplanned && <p>{t("now-unplanned", { work: unplanned })}</p>}
    </section>
  );
}

function classesOf(byClass: Record<string, number>): string {
  return list(Object.entries(byClass).map(([name, jobs]) => t(`job-class-${name}`, { jobs })));
}

function ProvinceTile({ province, grid }: { province: PoolProvince; grid: GridView | null }) {
  const zone = grid?.zones.find((one) => one.zone === province.zone);
  const { intensity } = province;
  return (
    <article class="tile now-tile" aria-label={province.name}>
      <header>
        <h3>{province.name}</h3>
        {intensity && (
          <p class="intensity" aria-hidden="true">
            <b>{number(intensity.g_per_kwh, intensity.g_per_kwh < 10 ? 1 : 0)}</b>{" "}
            {t("intensity-unit")}
          </p>
        )}
      </header>
      <div class="tile-body">
        <p class="soft">
          {intensity ? intensity.sentence : t("intensity-unknown")}{" "}
          {intensity?.source_name && t("intensity-source", { source: intensity.source_name })}
        </p>
        {zone && grid && <HoursPlot zone={zone} grid={grid} />}
        <Load province={province} />
      </div>
      {province.sites.map((site) => (
        <Site key={`${site.coop}/${site.site}`} site={site} />
      ))}
    </article>
  );
}

function Load({ province }: { province: PoolProvince }) {
  const { running, slots, available, green, machines } = province;
  return (
    <>
      {slots > 0 && (
        <progress class="load" max={slots} value={Math.min(running, slots)} aria-hidden="true" />
      )}
      <p>
        {t("province-load", { running, slots })}{" "}
        {t("province-available", { available, all: machines })}{" "}
        {green > 0 && <span class="green">{t("province-green", { green })}</span>}
      </p>
    </>
  );
}

function Site({ site }: { site: PoolSite }) {
  return (
    <section class="site" aria-label={t("site-name", { site: site.site, coop: coopName(site.coop) })}>
      <h4>
        <bdi>{site.site}</bdi>{" "}
        <span class="soft">
          <bdi>{coopName(site.coop)}</bdi>
        </span>
      </h4>
      <ul class="machines">
        {site.machines.map((machine) => (
          <MachineLine key={machine.node} machine={machine} />
        ))}
      </ul>
    </section>
  );
}

function MachineLine({ machine }: { machine: PoolMachine }) {
  const models = machine.models.map((model) => model.model);
  return (
    <li>
      <span class={`dot ${dotOf(machine.state)}`} aria-hidden="true" />
      <div>
        <p>
          <b>
            <bdi>{machine.node}</bdi>
          </b>{" "}
          <span class="soft">
            <bdi>{machine.device}</bdi>
          </span>
        </p>
        <p>{inOrder(machine.sentence)}</p>
        {models.length > 0 && <p class="soft">{t("machine-models", { models: list(models) })}</p>}
        {machine.loading.length > 0 && (
          <p class="soft">{t("machine-loading-models", { models: list(machine.loading) })}</p>
        )}
        <p class={machine.green.is_green ? "green" : "soft"}>{machine.green.sentence}</p>
      </div>
    </li>
  );
}
