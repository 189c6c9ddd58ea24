// The machines by state and version: approve, revoke, vouch, forget.
import { useState } from "preact/hooks";
import { coopName } from "../../coop_names.ts";
import { dateTime, list, t } from "../../i18n.ts";
import { admin, mayAct, worded, type Node } from "./admin.ts";
import { Choice, Confirmed, Read, Said, TextField, useActing, useReading } from "./parts.tsx";
import { controlChoices, evidenceChoices, zoneChoices } from "./words.ts";

type Act = (doing: () => Promise<unknown>, done: string) => Promise<boolean>;
const SHOWN_MAX = 200;

export function Machines() {
  const nodes = useReading(async () => (await admin("ListNodes", {})).nodes as Node[]);
  const acting = useActing();
  const [sought, setSought] = useState("");
  const act: Act = async (doing, done) => {
    const isDone = await acting.act(doing, done);
    await nodes.again();
    return isDone;
  };
  const isSought = (node: Node) =>
    [node.node, node.coop, node.site, node.zone].some((each) => each.toLowerCase().includes(sought.toLowerCase()));
  return (
    <>
      <Read of={nodes}>
        {(all) => (
          <>
            <ByVersion nodes={all} />
            <section aria-labelledby="op-nodes">
              <h2 id="op-nodes">{t("op-part-machines")}</h2>
              <TextField label={t("op-seek")} value={sought} onValue={setSought} kind="search" />
              <Said of={acting} />
              {all.length === 0 && <p>{t("pool-empty")}</p>}
              <ul class="nodes">
                {all.filter(isSought).slice(0, SHOWN_MAX).map((node) => (
                  <NodeLine key={node.node} node={node} act={act} busy={acting.busy} />
                ))}
              </ul>
              {all.filter(isSought).length > SHOWN_MAX && <p>{t("op-seek-more", { shown: SHOWN_MAX })}</p>}
            </section>
          </>
        )}
      </Read>
    </>
  );
}

/** The state that counts: the operator's word first, then what the machine does. */
function stateOf(node: Node): string {
  if (node.approval !== "approved") return node.approval;
  if (node.quarantine?.since) return "quarantined";
  if (node.state === "live") return node.accepting ? "live" : "paused";
  return node.state || "unseen";
}

function ByVersion({ nodes }: { nodes: Node[] }) {
  const versions = new Map<string, Map<string, number>>();
  for (const node of nodes) {
    const states = versions.get(node.agent) ?? new Map<string, number>();
    const state = stateOf(node);
    versions.set(node.agent, states.set(state, (states.get(state) ?? 0) + 1));
  }
  const newest = [...versions].sort(([a], [b]) => b.localeCompare(a, undefined, { numeric: true }));
  if (newest.length === 0) return null;
  return (
    <section aria-labelledby="op-versions">
      <h2 id="op-versions">{t("op-versions")}</h2>
      <dl class="versions">
        {newest.map(([version, states]) => (
          <div key={version}>
            <dt>
              <bdi>{version || t("op-version-unknown")}</bdi>
            </dt>
            <dd>
              {list([...states].map(([state, count]) => `${count} ${worded(`op-state-${state}`, state).toLowerCase()}`))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function NodeLine({ node, act, busy }: { node: Node; act: Act; busy: boolean }) {
  const [vouching, setVouching] = useState(false);
  const state = stateOf(node);
  return (
    <li>
      <p class="what">
        <b>
          <bdi>{node.node}</bdi>
        </b>{" "}
        <span class={`tag state-${state}`}>{worded(`op-state-${state}`, state)}</span>
      </p>
      <p class="soft">
        <bdi>{[coopName(node.coop), node.site, node.zone || t("op-zone-unknown", { said: node.saidZone || "none" })].join(" · ")}</bdi>
      </p>
      <p>{t("op-node-version", { version: node.agent || "none", when: node.seenAt ? dateTime(node.seenAt) : "none" })}</p>
      {node.models.length > 0 && <p>{t("op-node-models", { models: list(node.models) })}</p>}
      {node.falseAlarms > 0 && <p>{t("op-node-alarms", { number: node.falseAlarms })}</p>}
      <p>{vouched(node)}</p>
      {mayAct() && <NodeButtons node={node} act={act} busy={busy} onVouch={() => setVouching(!vouching)} vouching={vouching} />}
      {vouching && <VouchForm node={node} act={act} onDone={() => setVouching(false)} />}
    </li>
  );
}

function vouched(node: Node): string {
  const control = worded(`op-control-${node.controlledBy || "none"}`, node.controlledBy);
  const evidence = worded(`op-evidence-${node.surplusEvidence || "none"}`, node.surplusEvidence);
  const document = node.evidenceDocument || "none";
  return t("op-node-vouched", { control, evidence, document });
}

function NodeButtons(props: { node: Node; act: Act; busy: boolean; vouching: boolean; onVouch: () => void }) {
  const { node, act, busy } = props;
  const name = node.node;
  const isConnected = ["live", "suspect"].includes(node.state);
  const needsApproval = node.approval !== "approved" || Boolean(node.quarantine?.since);
  return (
    <p class="row">
      {needsApproval && (
        <button
          type="button"
          disabled={busy}
          aria-label={`${t("op-approve")} ${name}`}
          onClick={() => act(() => admin("ApproveNode", { node: name }), t("op-approved", { name }))}
        >
          {t("op-approve")}
        </button>
      )}
      <button type="button" class="quiet" aria-expanded={props.vouching} aria-label={`${t("op-vouch")} ${name}`} onClick={props.onVouch}>
        {t("op-vouch")}
      </button>
      {node.approval !== "revoked" && (
        <Confirmed
          label={t("op-revoke")}
          name={name}
          consequence={t("op-revoke-means")}
          disabled={busy}
          onYes={() => act(() => admin("RevokeNode", { node: name }), t("op-revoked", { name }))}
        />
      )}
      {(node.approval === "revoked" || !isConnected) && (
        <Confirmed
          label={t("op-forget")}
          name={name}
          consequence={t("op-forget-means")}
          disabled={busy}
          onYes={() => act(() => admin("ForgetNode", { node: name }), t("op-forgotten", { name }))}
        />
      )}
    </p>
  );
}

function VouchForm({ node, act, onDone }: { node: Node; act: Act; onDone: () => void }) {
  const [zone, setZone] = useState(node.zone);
  const [site, setSite] = useState(node.site);
  const [control, setControl] = useState(node.controlledBy);
  const [evidence, setEvidence] = useState(node.surplusEvidence);
  const [document, setDocument] = useState(node.evidenceDocument);
  const vouch = async () => {
    const body = { node: node.node, zone, site, controlledBy: control, evidence, document: evidence ? document : "" };
    if (await act(() => admin("VouchNode", body), t("op-vouched", { name: node.node }))) onDone();
  };
  return (
    <form class="fields" onSubmit={(event) => [event.preventDefault(), void vouch()]}>
      <Choice label={t("op-zone")} value={zone} onValue={setZone} choices={zoneChoices(node.zone)} />
      <TextField label={t("op-site")} value={site} onValue={setSite} required />
      <Choice label={t("op-control")} value={control} onValue={setControl} choices={controlChoices()} />
      <Choice label={t("op-evidence")} value={evidence} onValue={setEvidence} choices={evidenceChoices(node.surplusEvidence)} />
      {evidence && <TextField label={t("op-document")} value={document} onValue={setDocument} required />}
      <p class="whole">
        <button type="submit">{t("op-vouch-now")}</button>
      </p>
    </form>
  );
}
