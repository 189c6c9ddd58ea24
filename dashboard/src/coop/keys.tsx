// The API keys and projects of a co-op, for its admin: create, show the secret once, revoke.
import { useState } from "preact/hooks";
import { api, take } from "../api.ts";
import { t } from "../i18n.ts";
import { Confirmed } from "../parts/confirmed.tsx";
import { Once } from "../parts/once.tsx";
import { projectsOf, type Key, type Person } from "./figures.ts";

interface KeysProps {
  coop: string;
  keys: readonly Key[];
  read: () => Promise<void>;
  attempt: (act: () => Promise<void>) => Promise<void>;
}

export function Keys({ coop, keys, read, attempt }: KeysProps) {
  const [made, setMade] = useState<Key | null>(null);
  const create = async (form: HTMLFormElement) => {
    const data = new FormData(form);
    const field = (name: string) => String(data.get(name) ?? "").trim();
    const body = { coop, project: field("project") || "default", label: field("label") };
    setMade(await take(api.POST("/v1/admin/CreateKey", { body })));
    form.reset();
    await read();
  };
  const revoke = async (key: Key) => {
    await take(api.POST("/v1/admin/RevokeKey", { body: { key: key.key ?? "" } }));
    await read();
  };
  return (
    <section aria-labelledby="keys">
      <h2 id="keys">{t("coop-keys")}</h2>
      <p class="soft">{t("keys-mean")}</p>
      {made?.secret && (
        <Once label={t("key-new")} secret={made.secret} hint={t("key-once")} onClose={() => setMade(null)} />
      )}
      <ul class="rows">
        {keys.map((key) => (
          <li key={key.key}>
            <div>
              <p>
                <b>
                  <bdi>{key.label || key.key}</bdi>
                </b>{" "}
                {key.revoked && <span class="tag">{t("key-revoked")}</span>}
              </p>
              <p class="soft">
                <bdi>{[key.label && key.key, key.project].filter(Boolean).join(" · ")}</bdi>
              </p>
            </div>
            {!key.revoked && (
              <Confirmed
                text={t("key-revoke")}
                about={key.label || key.key || ""}
                act={() => attempt(() => revoke(key))}
              />
            )}
          </li>
        ))}
      </ul>
      <NewKey onSend={(form) => attempt(() => create(form))} />
    </section>
  );
}

function NewKey({ onSend }: { onSend: (form: HTMLFormElement) => void }) {
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        onSend(event.currentTarget);
      }}
    >
      <h3>{t("key-create-title")}</h3>
      <div class="fields">
        <label>
          {t("field-label")}
          <input name="label" required maxLength={100} autoComplete="off" />
        </label>
        <label>
          {t("field-project")}
          <input name="project" maxLength={100} autoComplete="off" />
        </label>
        <button type="submit">{t("key-create")}</button>
      </div>
    </form>
  );
}

export function Projects({ keys, people }: { keys: readonly Key[]; people: readonly Person[] }) {
  return (
    <section aria-labelledby="projects">
      <h2 id="projects">{t("coop-projects")}</h2>
      <p class="soft">{t("projects-mean")}</p>
      <ul class="rows">
        {projectsOf(keys, people).map((project) => (
          <li key={project.name}>
            <b>
              <bdi>{project.name || t("project-unnamed")}</bdi>
            </b>
            <p>{t("project-has", { people: project.people, keys: project.keys })}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}
