// The catalogue of models: what is in it, more models, fewer, and pins.
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../../api.ts";
import { inOrder } from "../../bidi.ts";
import { number, t } from "../../i18n.ts";
import { admin, bytesOf, mayAct, textOf, worded } from "./admin.ts";
import {
  isPinned,
  versionOf,
  weightsGb,
  withEntries,
  withMissing,
  without,
  type CatalogueModel,
} from "./catalogue.ts";
import { FILE_BYTES_MAX } from "./files.ts";
import { Choice, Confirmed, Field, Said, TextField, useActing } from "./parts.tsx";
import { OperationState, useOperation } from "./operation.tsx";

interface CatalogueProps {
  document: string;
  models: CatalogueModel[];
  onChange: () => Promise<void>;
}

/** Replaces the catalogue, unless somebody changed it since `base` was read. */
async function replaceCatalogue(base: string, changed: string): Promise<void> {
  await admin("SetCatalogue", { document: bytesOf(changed), baseVersion: String(versionOf(base)) });
}

export function Catalogue({ document, models, onChange }: CatalogueProps) {
  const acting = useActing();
  const remove = async (name: string) => {
    await acting.act(() => replaceCatalogue(document, without(document, name)), t("op-model-removed", { name }));
    await onChange();
  };
  return (
    <section aria-labelledby="op-catalogue">
      <h2 id="op-catalogue">{t("op-catalogue-title")}</h2>
      <p>{t("op-catalogue-lead")}</p>
      <Said of={acting} />
      <ul class="rows">
        {models.map((model) => (
          <li key={model.name}>
            <div>
              <p>
                <b>
                  <bdi>{model.title}</bdi>
                </b>{" "}
                <span class="tag">{worded(`op-size-${model.size}`, model.size)}</span>{" "}
                {!isPinned(model) && <span class="tag warn">{t("op-unpinned")}</span>}
              </p>
              <p class="soft">
                {t("op-model-facts", {
                  name: model.name,
                  gb: number(weightsGb(model), 1),
                  billions: number(model.parameters / 1e9, 1),
                  class: model.energy_class || "none",
                  wh: number(model.energy_wh_per_1k_tokens, 2),
                  licence: model.licence,
                  openness: model.openness_class || "unstated",
                })}
              </p>
            </div>
            {mayAct() && (
              <Confirmed
                label={t("op-remove")}
                name={model.name}
                consequence={t("op-model-remove-means")}
                disabled={acting.busy}
                onYes={() => remove(model.name)}
              />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Models from a file of entries, or those that Entraide ships with. */
export function AddModels({ document, onChange }: Omit<CatalogueProps, "models">) {
  const [file, setFile] = useState<File | null>(null);
  const [count, setCount] = useState(0);
  const acting = useActing();
  const put = async (made: { document: string; count: number }) => {
    if (made.count > 0) await replaceCatalogue(document, made.document);
    setCount(made.count);
  };
  const add = async () => {
    if (!file) return;
    await acting.act(async () => put(entriesOf(document, await textOfFile(file))), " ");
    await onChange();
  };
  const addShipped = async () => {
    const read = async () => textOf((await admin("GetCatalogue", { shipped: true })).document);
    await acting.act(async () => put(withMissing(document, await read())), " ");
    await onChange();
  };
  return (
    <section aria-labelledby="op-models-add">
      <h2 id="op-models-add">{t("op-models-add")}</h2>
      <p>{t("op-models-add-lead")}</p>
      <form class="fields" onSubmit={(event) => [event.preventDefault(), void add()]}>
        <Field label={t("op-models-file")} hint={t("op-models-file-hint")}>
          {(id) => (
            <input
              id={id}
              type="file"
              accept=".json,application/json"
              required
              onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
            />
          )}
        </Field>
        <p class="whole row">
          <button type="submit" disabled={acting.busy}>
            {t("op-models-add-now")}
          </button>
          <button type="button" class="quiet" disabled={acting.busy} onClick={() => void addShipped()}>
            {t("op-models-shipped")}
          </button>
        </p>
      </form>
      <Said of={said(acting, count)} />
    </section>
  );
}

function said(acting: ReturnType<typeof useActing>, count: number): ReturnType<typeof useActing> {
  const { text, bad } = acting.said;
  return text && !bad ? { ...acting, said: { text: t("op-models-added", { count }), bad } } : acting;
}

async function textOfFile(file: File): Promise<string> {
  if (file.size > FILE_BYTES_MAX) throw new ApiError("file_long", t("op-file-long"), 0);
  return await file.text();
}

function entriesOf(document: string, text: string): { document: string; count: number } {
  try {
    return withEntries(document, text);
  } catch {
    throw new ApiError("no_entries", t("op-models-no-entries"), 0);
  }
}

/** Records the checksums of a model's weights, and fetches them where the pool can. */
export function PinModel({ models, onChange }: Omit<CatalogueProps, "document">) {
  const [name, setName] = useState(models[0]?.name ?? "");
  const [format, setFormat] = useState("");
  const [revision, setRevision] = useState("");
  const following = useOperation("pin");
  const { operation } = following;
  useEffect(() => {
    if (operation?.state === "done") void onChange();
  }, [operation?.state, operation?.endedAt]);
  const model = models.find((each) => each.name === name);
  const formats = [...new Set(model?.artefacts.map((each) => each.format))];
  return (
    <section aria-labelledby="op-pin">
      <h2 id="op-pin">{t("op-pin-title")}</h2>
      <p>{t("op-pin-lead")}</p>
      <form class="fields" onSubmit={(event) => [event.preventDefault(), void following.start({ model: name, format, revision })]}>
        <Choice
          label={t("op-model")}
          value={name}
          onValue={(value) => [setName(value), setFormat("")]}
          choices={models.map((each) => [each.name, each.title] as const)}
        />
        <Choice
          label={t("op-pin-format")}
          value={format}
          onValue={setFormat}
          choices={[["", t("op-pin-all")], ...formats.map((each) => [each, each] as const)]}
        />
        <TextField label={t("op-pin-revision")} value={revision} onValue={setRevision} hint={t("op-pin-revision-hint")} />
        <p class="whole">
          <button type="submit" disabled={following.acting.busy || following.isRunning}>
            {t("op-pin-now")}
          </button>
        </p>
      </form>
      <OperationState of={following} running={t("op-pinning", { name: operation?.about ?? "" })} />
      {operation?.state === "done" && (
        <div class="made" role="status">
          <p>{t("op-pinned", { name: operation.about })}</p>
          {operation.said && <pre class="said">{inOrder(operation.said)}</pre>}
        </div>
      )}
    </section>
  );
}
