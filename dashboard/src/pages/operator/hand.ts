// What needs a hand now, from what the pool says of its nodes, keys and grid data. Pure.

export interface Finding {
  kind: "waiting" | "node-quarantine" | "key-quarantine" | "silent" | "old" | "refusal" | "grid";
  /** The node, key or zone that it is about. */
  name: string;
  coop: string;
  /** A code or a name that the sentence needs: a reason, a version, a model. */
  detail: string;
  /** A second one. */
  more: string;
  /** Since when, seconds since the epoch; 0 where that is not known. */
  since: number;
}

export interface SeenNode {
  node: string;
  coop: string;
  approval: string;
  state: string;
  agent: string;
  seenAt: number;
  quarantine?: { reason: string; detail: string; since: number };
  loadRefusals: { model: string; code: string; at: number }[];
}

export interface SeenKey {
  key: string;
  coop: string;
  revoked: boolean;
  quarantine?: { reason: string; detail: string; since: number };
}

export interface SeenZone {
  zone: string;
  source: string;
  chosen: string;
}

const VERSION = /^(\d+)\.(\d+)/;

/** Whether a version is at least one minor version older than the pool's. */
export function isOlder(own: string, pool: string): boolean {
  const [mine, theirs] = [VERSION.exec(own), VERSION.exec(pool)];
  if (!mine || !theirs) return false;
  const [major, minor] = [Number(mine[1]) - Number(theirs[1]), Number(mine[2]) - Number(theirs[2])];
  return major < 0 || (major === 0 && minor < 0);
}

/** Returns what needs a hand, the most pressing kind first. */
export function findWork(
  nodes: readonly SeenNode[],
  keys: readonly SeenKey[],
  zones: readonly SeenZone[],
  poolVersion: string,
): Finding[] {
  return [
    ...nodes.filter((node) => node.approval === "waiting").map((node) => about("waiting", node)),
    ...nodes.flatMap((node) => quarantineOf("node-quarantine", node.node, node)),
    ...keys.filter((key) => !key.revoked).flatMap((key) => quarantineOf("key-quarantine", key.key, key)),
    ...nodes.filter(isSilent).map((node) => ({ ...about("silent", node), since: node.seenAt })),
    ...nodes.flatMap(refusalsOf),
    ...nodes
      .filter((node) => node.approval === "approved" && isOlder(node.agent, poolVersion))
      .map((node) => ({ ...about("old", node), detail: node.agent, more: poolVersion })),
    ...zones.filter(isStale).map((zone) => ({ ...EMPTY, kind: "grid" as const, name: zone.zone })),
  ];
}

const EMPTY = { coop: "", detail: "", more: "", since: 0 };

function about(kind: Finding["kind"], node: SeenNode): Finding {
  return { ...EMPTY, kind, name: node.node, coop: node.coop };
}

function isSilent(node: SeenNode): boolean {
  return node.approval === "approved" && node.state === "lost";
}

function isStale(zone: SeenZone): boolean {
  return ["series", "electricity_maps"].includes(zone.chosen) && zone.source !== zone.chosen;
}

function quarantineOf(
  kind: Finding["kind"],
  name: string,
  of: { coop: string; quarantine?: { reason: string; detail: string; since: number } },
): Finding[] {
  if (!of.quarantine?.since) return [];
  const { reason, detail, since } = of.quarantine;
  return [{ kind, name, coop: of.coop, detail: reason, more: detail, since }];
}

function refusalsOf(node: SeenNode): Finding[] {
  return node.loadRefusals.map((refusal) => ({
    ...about("refusal", node),
    detail: refusal.model,
    more: refusal.code,
    since: refusal.at,
  }));
}
