// A scenario of `entraide sim` from what the pool says of itself, with the recorded demand and more. Pure.
import type { CatalogueModel } from "./catalogue.ts";

export interface SimNode {
  node: string;
  coop: string;
  site: string;
  zone: string;
  device: string;
  approval: string;
  models: string[];
}

export interface Growth {
  /** Name of the journal's file, beside the scenario. */
  journal: string;
  /** How much more demand, percent of the recorded one. */
  percent: number;
  hours: number;
  /** First day, `2027-01-13`. */
  start: string;
}

/** Writes a text of TOML: JSON's form of a text is one. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/\u007f/g, "\\u007f");
}

/** Machines that can be simulated: approved, of a known device, with a model. */
export function simulated(nodes: readonly SimNode[]): SimNode[] {
  return nodes.filter((node) => node.approval === "approved" && node.device && node.models.length > 0);
}

/** Returns the scenario's document. */
export function writeScenario(
  nodes: readonly SimNode[],
  coops: readonly { coop: string; shares: number }[],
  catalogue: readonly CatalogueModel[],
  growth: Growth,
): string {
  const machines = simulated(nodes);
  const sites = new Map(machines.map((node) => [`${node.site} ${node.zone}`, node]));
  const models = [...new Set(machines.flatMap((node) => node.models))].sort();
  return [
    `name = "demand-of-next-year"`,
    `start = ${growth.start}T00:00:00-05:00`,
    `hours = ${growth.hours}`,
    ...coops.map((each) => table("coops", { name: each.coop, shares: each.shares })),
    ...models.map((name) => table("models", modelFacts(name, catalogue))),
    ...[...sites.values()].map((node) => table("sites", { name: siteOf(node), zone: node.zone })),
    ...machines.map((node) =>
      table("nodes", { name: node.node, device: node.device, coop: node.coop, site: siteOf(node), models: node.models }),
    ),
    ...workloads(growth),
    "",
  ].join("\n");
}

/** A site's name is its co-op's word; the same name may stand in two zones. */
function siteOf(node: SimNode): string {
  return `${node.site}-${node.zone}`.replace(/[^A-Za-z0-9_-]+/g, "-");
}

function modelFacts(name: string, catalogue: readonly CatalogueModel[]): Record<string, string | number> {
  const known = catalogue.find((each) => each.name === name);
  if (!known) return { name };
  return {
    name,
    params_b: round(known.parameters / 1e9),
    active_params_b: round(known.active_parameters / 1e9),
    context_tokens: known.context_tokens_max,
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** The recorded requests, and a part of them again for each hundred percent or less of growth. */
function workloads(growth: Growth): string[] {
  const { journal } = growth;
  const parts = [table("workloads", { name: "recorded", trace: journal })];
  for (let left = growth.percent, at = 1; left > 0; left -= 100, at += 1) {
    parts.push(table("workloads", { name: `growth-${at}`, trace: journal, keep: Math.min(left, 100) / 100 }));
  }
  return parts;
}

function table(name: string, values: Record<string, string | number | string[]>): string {
  const lines = Object.entries(values).map(([key, value]) => {
    if (Array.isArray(value)) return `${key} = [${value.map(quoted).join(", ")}]`;
    return `${key} = ${typeof value === "number" ? value : quoted(value)}`;
  });
  return [``, `[[${name}]]`, ...lines].join("\n");
}
