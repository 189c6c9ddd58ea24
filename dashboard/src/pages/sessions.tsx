// Where a person is signed in, with what ends each; and signing out here.
import { useEffect, useState } from "preact/hooks";
import { coopName } from "../coop_names.ts";
import { api, sentenceOf, take } from "../api.ts";
import { dateTime, t } from "../i18n.ts";
import { NewStart } from "../parts/new_start.tsx";
import { NeedsSignIn } from "../parts/needs_sign_in.tsx";
import type { components } from "../openapi.d.ts";
import { go } from "../router.ts";
import { session } from "../session.ts";
import { signOut } from "../signin.ts";

type OpenSession = components["schemas"]["OpenSession"];

export default function Sessions() {
  return (
    <NeedsSignIn>
      <List />
    </NeedsSignIn>
  );
}

function List() {
  const [sessions, setSessions] = useState<OpenSession[] | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  const own = session.value;
  const attempt = async (act: () => Promise<void>) => {
    setProblem(null);
    try {
      await act();
    } catch (caught) {
      setProblem(caught);
    }
  };
  const read = async () => setSessions((await take(api.GET("/v1/sessions"))).data);
  const end = async (id: string) => {
    await take(api.DELETE("/v1/sessions/{session}", { params: { path: { session: id } } }));
    await read();
  };
  const open = async (id: string) => {
    const params = { path: { session: id } };
    setSessions((await take(api.POST("/v1/sessions/{session}/opening", { params }))).data);
  };
  const leave = async () => {
    await signOut();
    go("#/");
  };
  const isNew = Boolean(own?.new_start);
  useEffect(() => void attempt(read), [isNew]); // a session that is opened sees the others
  if (!own) return null;
  return (
    <div class="narrow">
      <h1>{t("view-sessions")}</h1>
      <p>{t("sessions-who", { name: own.person.name, coop: coopName(own.person.coop) })}</p>
      <p>
        <button type="button" onClick={() => attempt(leave)}>
          {t("sign-out")}
        </button>
      </p>
      {!isNew && (
        <p>
          <a href="/v1/session/export" download>
            {t("sessions-export")}
          </a>
        </p>
      )}
      <p role="alert" class={problem ? "notice bad" : "unseen"}>
        {problem ? sentenceOf(problem) : ""}
      </p>
      <NewStart attempt={attempt} />
      <h2>{t("sessions-title")}</h2>
      <p class="soft">{t("sessions-lead")}</p>
      <ul class="rows">
        {sessions?.map((one) => (
          <li key={one.session}>
            <div>
              <p>
                <b>
                  <bdi>{one.device || t("sessions-device-unknown")}</bdi>
                </b>{" "}
                {one.session === own.session && <span class="tag">{t("sessions-here")}</span>}{" "}
                {one.new_start && <span class="tag">{t("sessions-new-start")}</span>}
              </p>
              <p class="soft">
                {t("sessions-times", { made: dateTime(one.made_at), seen: dateTime(one.seen_at) })}
              </p>
              <p class="soft">
                {t(`sessions-by-${one.way}`, { who: one.made_by || t("start-operator") })}
              </p>
              {one.asks && !isNew && <p class="notice">{t("sessions-asks")}</p>}
            </div>
            {one.session !== own.session && (
              <div class="acts">
                {one.asks && !isNew && (
                  <button type="button" onClick={() => attempt(() => open(one.session))}>
                    {t("sessions-open")}
                  </button>
                )}
                <button type="button" class="quiet" onClick={() => attempt(() => end(one.session))}>
                  {t("sessions-end")}
                </button>
              </div>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
