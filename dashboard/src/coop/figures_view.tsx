// What people of a co-op see of it: quotas, the month, grams, promises, weight; and its machines.
import { dateTime, number, t } from "../i18n.ts";
import { dotOf } from "../pool/changes.ts";
import { energyWriter, massWriter, percent, short } from "./amounts.ts";
import { comparisonOf, partUsed, type CoopOverview } from "./figures.ts";

interface FiguresProps {
  view: CoopOverview;
  /** Whether the machines are shown too. */
  parts: boolean;
}

export function Figures({ view, parts }: FiguresProps) {
  return (
    <>
      <Month view={view} />
      <Quotas view={view} />
      <Comparison view={view} />
      <Promises view={view} />
      <Weight view={view} />
      {parts && <Machines view={view} />}
    </>
  );
}

/** How the page writes energies and grams: each in one unit, whatever their place on it. */
function writersOf(view: CoopOverview) {
  const { given, received, own, comparison, machines } = view;
  const energies = [given, received, own, ...comparison.provinces].map((each) => each.energy_wh);
  const ofMachines = machines.map((machine) => machine.given.energy_wh + machine.own.energy_wh);
  const grams = [given, received, own, comparison, ...comparison.provinces].map((each) => each.direct_gco2e);
  return {
    writeEnergy: energyWriter([...energies, ...ofMachines]),
    writeMass: massWriter([...grams, comparison.average_gco2e]),
  };
}

function Month({ view }: { view: CoopOverview }) {
  const { given, received, own, balance } = view;
  const { writeEnergy, writeMass } = writersOf(view);
  const sides = [given, received, own];
  const rows = [
    { name: t("amount-jobs"), cells: sides.map((side) => number(side.jobs)) },
    { name: t("amount-tokens"), cells: sides.map((side) => number(side.tokens)) },
    { name: t("amount-energy"), cells: sides.map((side) => writeEnergy(side.energy_wh)) },
    { name: t("amount-grams"), cells: sides.map((side) => writeMass(side.direct_gco2e)) },
  ];
  return (
    <section aria-labelledby="month">
      <h2 id="month">{t("coop-month")}</h2>
      <table class="amounts">
        <thead>
          <tr>
            <td />
            <th scope="col">{t("amount-given")}</th>
            <th scope="col">{t("amount-received")}</th>
            <th scope="col">{t("amount-own")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.name}>
              <th scope="row">{row.name}</th>
              {row.cells.map((cell, place) => (
                <td key={place}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft">{t("coop-month-means")}</p>
      {balance && (
        <p>
          {t(`balance-${sideOf(balance.tokens)}`, { tokens: number(Math.abs(balance.tokens)) })}
        </p>
      )}
    </section>
  );
}

function sideOf(balance: number): string {
  if (balance === 0) return "even";
  return balance < 0 ? "received" : "given";
}

function Quotas({ view }: { view: CoopOverview }) {
  return (
    <section aria-labelledby="quotas">
      <h2 id="quotas">{t("coop-quotas")}</h2>
      {view.quotas.length === 0 && <p>{t("quotas-none")}</p>}
      <ul class="quotas">
        {view.quotas.map((quota) => {
          const owner = quota.project || quota.key;
          return (
            <li key={`${quota.name}/${quota.project}/${quota.key}`}>
              <p>
                <b>{t("quota-use", { used: short(quota.used), limit: short(quota.limit), name: quota.name })}</b>{" "}
                {owner && (
                  <span class="tag">
                    <bdi>{owner}</bdi>
                  </span>
                )}
              </p>
              <progress class="load" max={1} value={partUsed(quota.used, quota.limit)} aria-hidden="true" />
              <p class="soft">
                {t("quota-left", { left: short(quota.left) })}{" "}
                {quota.reserved > 0 && t("quota-reserved", { reserved: short(quota.reserved) })}{" "}
                {quota.starts_again_at && t("quota-again", { at: dateTime(quota.starts_again_at) })}
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Comparison({ view }: { view: CoopOverview }) {
  const { direct_gco2e, average_gco2e, saved_gco2e, provinces } = view.comparison;
  const { writeEnergy, writeMass } = writersOf(view);
  const values = {
    direct: writeMass(direct_gco2e),
    average: writeMass(average_gco2e),
    difference: writeMass(Math.abs(saved_gco2e)),
  };
  return (
    <section aria-labelledby="grams">
      <h2 id="grams">{t("coop-grams")}</h2>
      <p>{t(`grams-${comparisonOf(direct_gco2e, average_gco2e)}`, values)}</p>
      <ul class="rows">
        {provinces.map((province) => (
          <li key={province.zone}>
            <p>
              <b>{province.name}</b>
              <br />
              <span class="soft">
                {province.average_g_per_kwh === null
                  ? t("average-unknown")
                  : t("average-known", {
                      average: short(province.average_g_per_kwh),
                      source: province.source,
                      year: String(province.year),
                    })}
              </span>
            </p>
            <p>
              {t("grams-of-energy", { grams: writeMass(province.direct_gco2e), energy: writeEnergy(province.energy_wh) })}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Promises({ view }: { view: CoopOverview }) {
  return (
    <section aria-labelledby="promises">
      <h2 id="promises">{t("coop-promises")}</h2>
      <p class="soft">{t("promises-mean")}</p>
      {view.promises.length === 0 && <p>{t("promises-none")}</p>}
      <ul class="rows">
        {view.promises.map((one) => (
          <li key={one.job_class}>
            <b>{one.name}</b>
            <p>
              {one.kept_share !== null &&
                t("promise-kept", {
                  share: percent(one.kept_share),
                  kept: number(one.kept),
                  all: number(one.kept + one.missed),
                })}{" "}
              {one.unpromised > 0 && t("promise-without", { jobs: one.unpromised })}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Weight({ view }: { view: CoopOverview }) {
  const share = view.fair_share;
  return (
    <section aria-labelledby="weight">
      <h2 id="weight">{t("coop-weight")}</h2>
      {!share && <p>{t("weight-none")}</p>}
      {share?.why.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
    </section>
  );
}

function Machines({ view }: { view: CoopOverview }) {
  const { writeEnergy } = writersOf(view);
  return (
    <section aria-labelledby="machines">
      <h2 id="machines">{t("coop-machines")}</h2>
      {view.machines.length === 0 && <p>{t("machines-none")}</p>}
      {view.machines.length > 0 && (
        <p>
          <a href="#/machine">{t("machines-more")}</a>
        </p>
      )}
      <ul class="machines tile">
        {view.machines.map(({ node, now, given, own }) => (
          <li key={node}>
            <span class={`dot ${dotOf(now?.state ?? "")}`} aria-hidden="true" />
            <div>
              <p>
                <b>
                  <bdi>{node}</bdi>
                </b>
              </p>
              <p>{now ? now.sentence : t("machine-left")}</p>
              {now && <p class={now.green.is_green ? "green" : "soft"}>{now.green.sentence}</p>}
              <p class="soft">
                {t("machine-month", {
                  given: number(given.tokens),
                  own: number(own.tokens),
                  energy: writeEnergy(given.energy_wh + own.energy_wh),
                })}
              </p>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
