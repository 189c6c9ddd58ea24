// Inviting one machine: what the operator vouches for, then a link that serves once.
import { useState } from "preact/hooks";
import { coopName } from "../../coop_names.ts";
import { dateTime, t } from "../../i18n.ts";
import { admin } from "./admin.ts";
import { Choice, CopyLine, Read, Said, TextField, useActing, useReading } from "./parts.tsx";
import { controlChoices, evidenceChoices, zoneChoices } from "./words.ts";

const HOUR_S = 3_600;
const EMPTY = { coop: "", site: "", zone: "", controlledBy: "member", evidence: "", document: "", hours: "24" };

export function Invitation() {
  const coops = useReading(async () => (await admin("ListCoops", {})).coops.map((each) => each.coop));
  return (
    <section aria-labelledby="op-invite">
      <h2 id="op-invite">{t("op-invite-title")}</h2>
      <p>{t("op-invite-lead")}</p>
      <Read of={coops}>
        {(names) => (names.length ? <InvitationForm coops={names} /> : <p class="notice">{t("op-invite-no-coop")}</p>)}
      </Read>
    </section>
  );
}

function InvitationForm({ coops }: { coops: string[] }) {
  const [wish, setWish] = useState({ ...EMPTY, coop: coops[0] ?? "" });
  const [classes, setClasses] = useState<string[]>([]);
  const [made, setMade] = useState<{ link: string; expiresAt: number; coop: string } | null>(null);
  const acting = useActing();
  const set = (key: keyof typeof EMPTY) => (value: string) => setWish({ ...wish, [key]: value });
  const invite = async () => {
    const { hours, ...rest } = wish;
    setMade(null);
    await acting.act(async () => {
      const token = await admin("CreateJoinToken", { ...rest, dataClasses: classes, validS: Number(hours) * HOUR_S });
      setMade({ link: token.link, expiresAt: token.expiresAt, coop: wish.coop });
    });
  };
  const hours = ["1", "24", "168"].map((each) => [each, t(`op-hours-${each}`)] as const);
  return (
    <form class="fields" onSubmit={(event) => [event.preventDefault(), void invite()]}>
      <Choice label={t("op-coop")} value={wish.coop} onValue={set("coop")} choices={coops.map((each) => [each, coopName(each)])} />
      <TextField label={t("op-site")} value={wish.site} onValue={set("site")} hint={t("op-site-hint")} />
      <Choice
        label={t("op-zone")}
        value={wish.zone}
        onValue={set("zone")}
        choices={zoneChoices()}
      />
      <Choice label={t("op-hours")} value={wish.hours} onValue={set("hours")} choices={hours} />
      <Choice label={t("op-control")} value={wish.controlledBy} onValue={set("controlledBy")} choices={controlChoices()} />
      <Choice label={t("op-evidence")} value={wish.evidence} onValue={set("evidence")} choices={evidenceChoices()} />
      {wish.evidence && (
        <TextField label={t("op-document")} value={wish.document} onValue={set("document")} required />
      )}
      <fieldset class="whole ticks">
        <legend>{t("op-data")}</legend>
        {["public", "internal", "restricted"].map((each) => (
          <label key={each}>
            <input
              type="checkbox"
              checked={classes.includes(each)}
              onChange={(event) =>
                setClasses(event.currentTarget.checked ? [...classes, each] : classes.filter((one) => one !== each))
              }
            />{" "}
            {t(`op-data-${each}`)}
          </label>
        ))}
        <span class="soft">{t("op-data-hint")}</span>
      </fieldset>
      <p class="whole">
        <button type="submit" disabled={acting.busy}>
          {t("op-invite")}
        </button>
      </p>
      <div class="whole">
        <Said of={acting} />
        {made && (
          <div class="made" role="status">
            <p>{t("op-invited", { coop: coopName(made.coop), when: dateTime(made.expiresAt) })}</p>
            <CopyLine text={made.link} label={t("op-invite-link")} />
            <p>{t("op-invite-line")}</p>
            <CopyLine text={`entraide node join '${made.link}'`} label={t("op-command")} />
          </div>
        )}
      </div>
    </form>
  );
}
