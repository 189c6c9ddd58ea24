// What a person can do in a new start: have it opened, or erase the earlier things and begin empty.
import { useEffect, useState } from "preact/hooks";
import { api, take } from "../api.ts";
import { dateTime, t } from "../i18n.ts";
import type { components } from "../openapi.d.ts";
import { session } from "../session.ts";
import { askOpening, eraseEarlier, readSession } from "../signin.ts";
import { ByEmail } from "./by_email.tsx";
import { Confirmed } from "./confirmed.tsx";
import { beganBy } from "./start_notice.tsx";

type SigninWays = components["schemas"]["SigninWays"];

export function NewStart({ attempt }: { attempt: (act: () => Promise<void>) => Promise<void> }) {
  const [ways, setWays] = useState<SigninWays | null>(null);
  useEffect(() => {
    take(api.GET("/v1/signin")).then(setWays, () => setWays(null));
  }, []);
  const view = session.value;
  if (!view?.new_start) return null;
  const start = view.new_start;
  const earlier = { at: dateTime(start.earlier_at), who: start.earlier_by || t("start-operator") };
  return (
    <section aria-labelledby="new-start">
      <h2 id="new-start">{t("start-title")}</h2>
      <p class="notice">
        {beganBy(start)} {t("start-closed")}
      </p>
      <p>{t("start-earlier", earlier)}</p>
      <h3>{t("start-open-title")}</h3>
      <p>{t(start.asked ? "start-asked" : "start-ask-lead")}</p>
      <p>
        {start.asked ? (
          <button type="button" onClick={() => attempt(readSession)}>
            {t("start-check")}
          </button>
        ) : (
          <button type="button" onClick={() => attempt(askOpening)}>
            {t("start-ask")}
          </button>
        )}
      </p>
      <p>{t(start.by_email ? "start-by-email" : "start-no-email")}</p>
      {start.by_email && <ByEmail known={view.person.email} />}
      {start.by_oidc && ways?.oidc && (
        <p>
          {t("start-by-oidc")}{" "}
          <a class="button" href="/v1/oidc/start">
            {t("signin-oidc", { name: ways.oidc.name })}
          </a>
        </p>
      )}
      <h3>{t("start-empty-title")}</h3>
      <p>{t("start-empty-lead")}</p>
      <p>
        <Confirmed text={t("start-empty")} about="" act={() => attempt(eraseEarlier)} />
      </p>
    </section>
  );
}
