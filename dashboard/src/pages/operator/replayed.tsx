// What a replay of the recorded past came to: before and after, in total and by co-op.
import { coopName } from "../../coop_names.ts";
import { dateTime, number, t } from "../../i18n.ts";
import { useActing, Said } from "./parts.tsx";
import { saveReport, type Kind, type Operation } from "./operation.tsx";

type Replay = NonNullable<Operation["replayed"]>;
type Life = NonNullable<Replay["recorded"]>;
type Row = Replay["coops"][number];
type Figures = Row["before"];

const COLUMNS = ["served", "refused", "waited", "ttft", "carbon", "energy", "kept", "moved"] as const;

export function Replayed({ operation, kind }: { operation: Operation; kind: Kind }) {
  const saving = useActing();
  const replay = operation.replayed;
  if (operation.state !== "done" || !replay) return null;
  const values = { from: dateTime(replay.fromAt), until: dateTime(replay.untilAt) };
  const proposed = replay.proposedPolicy === replay.oldPolicy ? "none" : replay.proposedPolicy;
  const lead =
    kind === "policy"
      ? t("op-replay-policy", { ...values, old: replay.oldPolicy, now: proposed })
      : t("op-replay-demand", { ...values, percent: number(replay.growthPercent, 1) });
  return (
    <div class="replayed">
      {replay.recorded && <p>{t("op-replay-recorded", life(replay.recorded))}</p>}
      {replay.simulated && <p>{t("op-replay-simulated", life(replay.simulated))}</p>}
      <p>{lead}</p>
      <p class="soft">{t("op-replay-read")}</p>
      <div class="wide" tabIndex={0} role="region" aria-label={t("op-replay-table")}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t("op-coop")}</th>
              {COLUMNS.map((each) => (
                <th key={each} scope="col">
                  {t(`op-replay-${each}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {replay.coops.map((row) => (
              <tr key={row.coop}>
                <th scope="row">{row.coop ? <bdi>{coopName(row.coop)}</bdi> : t("op-replay-all")}</th>
                {cells(row).map((cell, at) => (
                  <td key={COLUMNS[at]}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="row">
        <button type="button" class="quiet" disabled={saving.busy} onClick={() => void saving.act(() => saveReport(kind))}>
          {t("op-replay-save")}
        </button>
      </p>
      <Said of={saving} />
    </div>
  );
}

/** The figures of the recorded or of the simulated past. */
function life(of: Life) {
  return {
    jobs: number(Number(of.jobs)),
    served: number(Number(of.served)),
    tokens: number(Number(of.tokens)),
    energy: significant(of.energyWh),
    first: decimal(of.ttftP95S),
  };
}

function cells(row: Row) {
  const both = (shown: (figures: Figures) => string) => {
    const [before, after] = [shown(row.before), shown(row.after)];
    if (before === after) return before;
    return (
      <>
        <span class="soft">{before}</span> → <b>{after}</b>
      </>
    );
  };
  return [
    both((each) => number(Number(each.completed))),
    both((each) => number(Number(each.refused) + Number(each.failed))),
    both((each) => decimal(each.waitedP95S)),
    both((each) => decimal(each.ttftP95S)),
    both((each) => significant(each.carbonG)),
    both((each) => significant(each.energyWh)),
    both((each) => (each.promisesKept === undefined ? "–" : number(each.promisesKept * 100))),
    number(Number(row.moved)),
  ];
}

function significant(value: number): string {
  return number(value, value >= 100 ? 0 : value >= 1 ? 1 : 4);
}

function decimal(value: number | undefined): string {
  return value === undefined ? "–" : number(value, value >= 100 ? 0 : 1);
}
