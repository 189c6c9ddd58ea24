// The power grid's zones: value, source and age; another source, or hours from a file.
import { useState } from "preact/hooks";
import { ApiError } from "../../api.ts";
import { dateTime, number, t } from "../../i18n.ts";
import { admin, mayAct, worded, type Answer } from "./admin.ts";
import { FILE_BYTES_MAX, base64Of } from "./files.ts";
import { Choice, Field, Read, Said, TextField, useActing, useReading, type Acting } from "./parts.tsx";

type Zone = Answer<"ListGrid">["zones"][number];
const SOURCES = ["annual", "series", "electricity_maps", "configured"] as const;

export function Grid() {
  const zones = useReading(async () => (await admin("ListGrid", {})).zones);
  return (
    <Read of={zones}>
      {(all) => (
        <>
          <section aria-labelledby="op-grid">
            <h2 id="op-grid">{t("op-grid-title")}</h2>
            <p>{t("op-grid-lead")}</p>
            <ul class="rows zones">
              {all.map((zone) => (
                <li key={zone.zone}>
                  <div>
                    <p>
                      <b>{zone.zone}</b> {isMissing(zone) && <span class="tag warn">{t("op-grid-missing")}</span>}
                    </p>
                    <p>{t("op-grid-value", { direct: number(zone.directGPerKwh, 1), lifecycle: number(zone.lifecycleGPerKwh, 1) })}</p>
                    <p class="soft">{sourceOf(zone)}</p>
                  </div>
                </li>
              ))}
            </ul>
          </section>
          {mayAct() && <SourceForm zones={all.map((zone) => zone.zone)} onChange={zones.again} />}
          {mayAct() && <ImportForm zones={all.map((zone) => zone.zone)} onChange={zones.again} />}
        </>
      )}
    </Read>
  );
}

function isMissing(zone: Zone): boolean {
  return Boolean(zone.chosen) && zone.chosen !== "configured" && zone.chosen !== zone.source;
}

function sourceOf(zone: Zone): string {
  return t("op-grid-source", {
    source: worded(`op-grid-source-${zone.source}`, zone.source),
    year: zone.source === "annual" && zone.dataAt ? yearOf(zone.dataAt) : "none",
    when: zone.source !== "annual" && zone.dataAt ? dateTime(zone.dataAt) : "none",
    hours: zone.forecastHours,
    file: zone.file || "none",
  });
}

/** The year of an average, whose data are of its end. */
function yearOf(dataAt: number): string {
  return String(new Date((dataAt - 86_400) * 1000).getUTCFullYear());
}

interface FormProps {
  zones: string[];
  onChange: () => Promise<void>;
}

function Finish({ of, label }: { of: Acting; label: string }) {
  return (
    <>
      <p class="whole">
        <button type="submit" disabled={of.busy}>
          {label}
        </button>
      </p>
      <div class="whole">
        <Said of={of} />
      </div>
    </>
  );
}

function SourceForm({ zones, onChange }: FormProps) {
  const [zone, setZone] = useState(zones[0] ?? "");
  const [source, setSource] = useState<string>("annual");
  const [token, setToken] = useState("");
  const acting = useActing();
  const choose = async () => {
    const body = { zone, source, token: source === "electricity_maps" ? token : "" };
    if (await acting.act(() => admin("SetGridSource", body), t("op-grid-chosen", { zone }))) setToken("");
    await onChange();
  };
  return (
    <section aria-labelledby="op-grid-choose">
      <h2 id="op-grid-choose">{t("op-grid-choose")}</h2>
      <form class="fields" onSubmit={(event) => [event.preventDefault(), void choose()]}>
        <Choice label={t("op-zone")} value={zone} onValue={setZone} choices={zones.map((each) => [each, each] as const)} />
        <Choice
          label={t("op-grid-new-source")}
          value={source}
          onValue={setSource}
          choices={SOURCES.map((each) => [each, t(`op-grid-source-${each}`)] as const)}
        />
        {source === "electricity_maps" && (
          <TextField label={t("op-grid-token")} value={token} onValue={setToken} hint={t("op-grid-token-hint")} kind="password" />
        )}
        <Finish of={acting} label={t("op-grid-choose-now")} />
      </form>
    </section>
  );
}

function ImportForm({ zones, onChange }: FormProps) {
  const [zone, setZone] = useState(zones[0] ?? "");
  const [column, setColumn] = useState("");
  const [years, setYears] = useState("0");
  const [file, setFile] = useState<File | null>(null);
  const acting = useActing();
  const read = async () => {
    if (!file) return;
    await acting.act(async () => {
      if (file.size > FILE_BYTES_MAX) throw new ApiError("file_long", t("op-file-long"), 0);
      const csv = await base64Of(file);
      await admin("ImportGrid", { zone, file: file.name, csv, column, yearShift: Number(years) || 0 });
    }, t("op-grid-imported", { zone }));
    await onChange();
  };
  return (
    <section aria-labelledby="op-grid-import">
      <h2 id="op-grid-import">{t("op-grid-import")}</h2>
      <p>{t("op-grid-import-lead")}</p>
      <form class="fields" onSubmit={(event) => [event.preventDefault(), void read()]}>
        <Choice label={t("op-zone")} value={zone} onValue={setZone} choices={zones.map((each) => [each, each] as const)} />
        <Field label={t("op-grid-file")}>
          {(id) => (
            <input
              id={id}
              type="file"
              accept=".csv,text/csv"
              required
              onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
            />
          )}
        </Field>
        <TextField label={t("op-grid-column")} value={column} onValue={setColumn} hint={t("op-grid-column-hint")} />
        <TextField label={t("op-grid-years")} value={years} onValue={setYears} hint={t("op-grid-years-hint")} kind="number" min={-100} step={1} />
        <Finish of={acting} label={t("op-grid-import-now")} />
      </form>
    </section>
  );
}
