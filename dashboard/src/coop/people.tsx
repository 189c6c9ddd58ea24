// The people of a co-op, for its admin: invite by a link, new link, role, disable.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { api, take } from "../api.ts";
import { dateTime, t } from "../i18n.ts";
import { Confirmed } from "../parts/confirmed.tsx";
import { Once } from "../parts/once.tsx";
import { session } from "../session.ts";
import type { components } from "../openapi.d.ts";
import type { Person } from "./figures.ts";

type SigninLink = components["schemas"]["SigninLink"];
type Changes = components["schemas"]["PersonChanges"];
type Attempt = (act: () => Promise<void>) => Promise<void>;

const UNCHANGED: Changes = {
  name: null, email: null, role: null, project: null, lang: null, enabled: null,
}; // prettier-ignore

interface PeopleProps {
  coop: string;
  people: readonly Person[];
  read: () => Promise<void>;
  attempt: Attempt;
  /** Whether the co-op has nobody yet: the first person administers it. */
  isFirst?: boolean;
  /** What stands between the heading and the list. */
  before?: ComponentChildren;
}

export function People({ coop, people, read, attempt, isFirst = false, before }: PeopleProps) {
  const [made, setMade] = useState<{ person: Person; link: SigninLink } | null>(null);
  const makeLink = async (person: Person) => {
    const params = { path: { person: person.id } };
    const body = { valid_s: null, email: person.email !== "" };
    const link = await take(api.POST("/v1/people/{person}/link", { params, body }));
    setMade({ person, link });
  };
  const change = async (person: Person, changes: Partial<Changes>) => {
    const params = { path: { person: person.id } };
    await take(api.PATCH("/v1/people/{person}", { params, body: { ...UNCHANGED, ...changes } }));
    await read();
  };
  const invite = async (form: HTMLFormElement) => {
    const body = { coop, lang: "" as const, role: isFirst ? ("coop_admin" as const) : ("person" as const), ...fieldsOf(form) };
    const person = await take(api.POST("/v1/people", { body }));
    form.reset();
    await read();
    await makeLink(person);
  };
  return (
    <section aria-labelledby="people">
      <h2 id="people">{t("coop-people")}</h2>
      {before}
      {made && (
        <Once
          label={t("link-of", { name: made.person.name })}
          secret={made.link.link}
          hint={linkHint(made.link)}
          onClose={() => setMade(null)}
        />
      )}
      <ul class="rows">
        {people.map((person) => (
          <PersonLine
            key={person.id}
            person={person}
            onLink={() => attempt(() => makeLink(person))}
            onChange={(changes) => attempt(() => change(person, changes))}
          />
        ))}
      </ul>
      {isFirst && <p>{t("people-first")}</p>}
      <Invitation onSend={(form) => attempt(() => invite(form))} />
    </section>
  );
}

function linkHint(link: SigninLink): string {
  const once = t("link-once", { until: dateTime(link.expires_at) });
  const hint = `${once} ${t("link-new-start")}`;
  return link.emailed ? `${hint} ${t("link-emailed")}` : hint;
}

function fieldsOf(form: HTMLFormElement): { name: string; email: string; project: string } {
  const data = new FormData(form);
  const field = (name: string) => String(data.get(name) ?? "").trim();
  return { name: field("name"), email: field("email"), project: field("project") };
}

interface PersonLineProps {
  person: Person;
  onLink: () => void;
  onChange: (changes: Partial<Changes>) => Promise<void>;
}

function PersonLine({ person, onLink, onChange }: PersonLineProps) {
  const isSelf = person.id === session.value?.person.id;
  const isAdmin = person.role === "coop_admin";
  const isOfCoop = isAdmin || person.role === "person";
  const { name } = person;
  return (
    <li>
      <div>
        <p>
          <b>
            <bdi>{name}</bdi>
          </b>{" "}
          <span class="tag">{t(`role-${person.role}`)}</span>
        </p>
        <p class="soft">
          <bdi>{[person.email, person.project].filter(Boolean).join(" · ")}</bdi>
          {person.disabled_at > 0 && ` · ${t("person-disabled", { at: dateTime(person.disabled_at) })}`}
        </p>
      </div>
      {!isSelf && isOfCoop && person.disabled_at > 0 && (
        <button
          type="button"
          class="quiet"
          aria-label={`${t("person-enable")} ${name}`}
          onClick={() => onChange({ enabled: true })}
        >
          {t("person-enable")}
        </button>
      )}
      {!isSelf && isOfCoop && !person.disabled_at && (
        <div class="acts">
          <button type="button" class="quiet" aria-label={`${t("person-link")} ${name}`} onClick={onLink}>
            {t("person-link")}
          </button>
          <Confirmed
            text={t(`person-${isAdmin ? "demote" : "promote"}`)}
            about={name}
            act={() => onChange({ role: isAdmin ? "person" : "coop_admin" })}
          />
          <Confirmed text={t("person-disable")} about={name} act={() => onChange({ enabled: false })} />
        </div>
      )}
    </li>
  );
}

function Invitation({ onSend }: { onSend: (form: HTMLFormElement) => void }) {
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        onSend(event.currentTarget);
      }}
    >
      <h3>{t("invite-title")}</h3>
      <p class="soft">{t("invite-means")}</p>
      <div class="fields">
        <label>
          {t("field-name")}
          <input name="name" required maxLength={200} autoComplete="off" />
        </label>
        <label>
          {t("field-email")}
          <input name="email" type="email" maxLength={254} autoComplete="off" />
        </label>
        <label>
          {t("field-project")}
          <input name="project" maxLength={200} autoComplete="off" />
        </label>
        <button type="submit">{t("invite-send")}</button>
      </div>
    </form>
  );
}
