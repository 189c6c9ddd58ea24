// The operator's view, in parts.
// An auditor sees the same without anything that changes it.
import "./operator/operator.css";
import { t } from "../i18n.ts";
import type { ViewProps } from "../parts/lazy.tsx";
import { NeedsSignIn } from "../parts/needs_sign_in.tsx";
import { session } from "../session.ts";
import { mayAct } from "./operator/admin.ts";
import { Coops } from "./operator/coops.tsx";
import { Grid } from "./operator/grid.tsx";
import { Machines } from "./operator/machines.tsx";
import { Models } from "./operator/models.tsx";
import { PolicyPart } from "./operator/policy.tsx";
import { Simulation } from "./operator/simulation.tsx";
import { Work } from "./operator/work.tsx";

const PARTS = [
  { path: "", title: "op-part-work", Part: Work },
  { path: "machines", title: "op-part-machines", Part: Machines },
  { path: "cooperatives", title: "op-part-coops", Part: Coops },
  { path: "modeles", title: "op-part-models", Part: Models },
  { path: "reseau", title: "op-part-grid", Part: Grid },
  { path: "politique", title: "op-part-policy", Part: PolicyPart },
  { path: "simulation", title: "op-part-simulation", Part: Simulation },
] as const;

export default function Operator({ rest }: ViewProps) {
  return (
    <NeedsSignIn>
      <Allowed path={rest[0] ?? ""} />
    </NeedsSignIn>
  );
}

function Allowed({ path }: { path: string }) {
  const role = session.value?.person.role ?? "";
  if (!["operator", "auditor"].includes(role)) {
    return (
      <div class="narrow">
        <h1>{t("view-operator")}</h1>
        <p>{t("op-not-for-you")}</p>
      </div>
    );
  }
  const current = PARTS.find((part) => part.path === path) ?? PARTS[0];
  return (
    <div class="operator">
      <h1>{t("view-operator")}</h1>
      {!mayAct() && <p class="notice">{t("op-auditor")}</p>}
      <nav class="parts" aria-label={t("op-parts")}>
        <ul>
          {PARTS.map((part) => (
            <li key={part.path}>
              <a
                href={`#/exploitation${part.path && `/${part.path}`}`}
                aria-current={part === current ? "page" : undefined}
              >
                {t(part.title)}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <current.Part key={current.path} />
    </div>
  );
}
