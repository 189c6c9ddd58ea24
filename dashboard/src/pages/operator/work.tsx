// What needs a hand now, each with its remedy.
import { useEffect, useState } from "preact/hooks";
import { coopName } from "../../coop_names.ts";
import { inOrder } from "../../bidi.ts";
import { dateTime, lang, number, t } from "../../i18n.ts";
import { live, watchPool } from "../../pool/live.ts";
import { admin, mayAct } from "./admin.ts";
import { DoctorPart, type Findings } from "./doctor.tsx";
import { Gateways, type Gateway } from "./gateways.tsx";
import { Invitation } from "./invitation.tsx";
import { NotifyPart } from "./notify.tsx";
import { Confirmed, CopyLine, Read, Said, useActing, useReading, type Acting } from "./parts.tsx";
import { listWork, splitRemedy, type Finding } from "./remedy.ts";

async function readWork(): Promise<{ findings: Finding[]; gateways: Gateway[] }> {
  const [status, running] = await Promise.all([
    admin("GetStatus", {}),
    admin("ListFindings", { runningOnly: true }),
  ]);
  return { findings: running.findings as Finding[], gateways: status.gateways };
}

/** How many requests wait, and why, as it changes. */
function WaitingNow() {
  useEffect(() => watchPool(lang.value), [lang.value]);
  const waiting = live.value.view?.waiting ?? [];
  if (waiting.length === 0) return null;
  return (
    <div role="status">
      <h3>{t("now-waiting")}</h3>
      <ul class="waiting">
        {waiting.map((reason) => (
          <li key={reason.reason}>
            <b>{number(reason.jobs)}</b> {inOrder(reason.sentence)}
          </li>
        ))}
      </ul>
    </div>
  );
}

export function Work() {
  const work = useReading(readWork);
  const doctor = useReading(async () => (await admin("ListFindings", {})) as Findings);
  const [checking, setChecking] = useState(false);
  const acting = useActing();
  const check = async () => {
    setChecking(true);
    await Promise.all([doctor.again(), work.again()]);
    setChecking(false);
  };
  const act = async (doing: () => Promise<unknown>, done: string) => {
    await acting.act(doing, done);
    await work.again();
  };
  return (
    <>
      <section aria-labelledby="op-work">
        <h2 id="op-work">{t("op-work-title")}</h2>
        <Said of={acting} />
        <WaitingNow />
        <Read of={work}>
          {({ findings }) => {
            const all = listWork(findings, (doctor.data?.findings ?? []) as Finding[]);
            if (all.length === 0)
              return (doctor.data !== null || doctor.problem !== null) && <p class="now">{t("op-work-none")}</p>;
            return (
              <ul class="findings">
                {all.map((one) => (
                  <Line key={keyOf(one)} finding={one} act={act} busy={acting.busy} />
                ))}
              </ul>
            );
          }}
        </Read>
      </section>
      <DoctorPart reading={doctor} busy={checking} onAgain={() => void check()} />
      {work.data && <Gateways gateways={work.data.gateways} />}
      {mayAct() && <NotifyPart />}
      {mayAct() && <Invitation />}
    </>
  );
}

function keyOf({ code, names }: Finding): string {
  return [code, names.node, names.key, names.part, names.model, names.port].join(" ");
}

interface LineProps {
  finding: Finding;
  act: (doing: () => Promise<unknown>, done: string) => Promise<void>;
  busy: Acting["busy"];
}

function Line({ finding, act, busy }: LineProps) {
  const { words, command } = splitRemedy(finding.remedy);
  const { node, key, coop } = finding.names;
  return (
    <li class={`finding doctor-${finding.level} ${finding.code}`}>
      <p class="what">
        <b>
          <bdi>{node || key || t("op-doctor-machine")}</bdi>
        </b>{" "}
        {coop && (
          <span class="soft">
            <bdi>{coopName(coop)}</bdi>
          </span>
        )}
      </p>
      <p>{inOrder(finding.sentence)}</p>
      {finding.since > 0 && <p class="soft">{t("op-doctor-since", { when: dateTime(finding.since) })}</p>}
      {words && <p class="soft">{inOrder(words)}</p>}
      {command && <CopyLine text={command} label={t("op-command")} />}
      {mayAct() && <Buttons finding={finding} act={act} busy={busy} />}
    </li>
  );
}

function Buttons({ finding, act, busy }: LineProps) {
  const { code, names } = finding;
  const name = names.node || names.key || "";
  const approve = () => act(() => admin("ApproveNode", { node: name }), t("op-approved", { name }));
  const revoke = () => act(() => admin("RevokeNode", { node: name }), t("op-revoked", { name }));
  const clear = () => act(() => admin("ClearKey", { key: name }), t("op-cleared", { name }));
  const own = (label: string, onClick: () => void) => (
    <button type="button" disabled={busy} aria-label={`${label} ${name}`} onClick={onClick}>
      {label}
    </button>
  );
  const refuse = (
    <Confirmed label={t("op-revoke")} name={name} consequence={t("op-revoke-means")} disabled={busy} onYes={revoke} />
  );
  if (code === "node-waiting") return <p class="row">{own(t("op-approve"), approve)} {refuse}</p>;
  if (code === "node-quarantined") return <p class="row">{own(t("op-end-quarantine"), approve)} {refuse}</p>;
  if (code === "key-quarantined") return <p class="row">{own(t("op-end-quarantine"), clear)}</p>;
  return null;
}
