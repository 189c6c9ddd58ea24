// Above every view: that a session is a new start, and who made its link; or that an address is
// still to be confirmed.
import { useEffect, useState } from "preact/hooks";
import { api, sentenceOf, take } from "../api.ts";
import { dateTime, t } from "../i18n.ts";
import type { components } from "../openapi.d.ts";
import { session, type SessionView } from "../session.ts";
import { confirmEmail } from "../signin.ts";

type SigninWays = components["schemas"]["SigninWays"];
type NewStart = NonNullable<SessionView["new_start"]>;

/** Returns how a new start began, in a sentence. */
export function beganBy(start: NewStart): string {
  const values = { at: dateTime(start.made_at), who: start.made_by || t("start-operator") };
  return t(start.way === "link" ? "start-by-link" : "start-by-address", values);
}

export function StartNotice({ current }: { current: string }) {
  const view = session.value;
  if (view?.new_start && current !== "sessions")
    return (
      <aside class="notice above" aria-label={t("start-title")}>
        <p>
          {beganBy(view.new_start)} {t("start-closed")} <a href="#/sessions">{t("start-more")}</a>
        </p>
      </aside>
    );
  const email = view?.email_to_confirm;
  return email ? <EmailNotice key={`${email} ${view.email_proven}`} email={email} proven={view.email_proven} /> : null;
}

function EmailNotice({ email, proven }: { email: string; proven: boolean }) {
  const [ways, setWays] = useState<SigninWays | null>(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    take(api.GET("/v1/signin")).then(setWays, () => setWays(null));
  }, []);
  const attempt = async (act: () => Promise<string>) => setSaid(await act().catch(sentenceOf));
  const confirm = () => attempt(() => confirmEmail(email).then(() => ""));
  const send = () =>
    attempt(async () => {
      await take(api.POST("/v1/signin/email", { body: { email } }));
      return t("signin-email-sent");
    });
  return (
    <aside class="notice above" aria-label={t("email-title")}>
      <p>{proven ? t("email-question", { email }) : t("email-unproven", { email, by: ways?.email ? "email" : "oidc" })}</p>
      <p>
        {proven && (
          <button type="button" class="quiet" onClick={confirm}>
            {t("email-confirm")}
          </button>
        )}
        {!proven && ways?.email && (
          <button type="button" class="quiet" onClick={send}>
            {t("signin-email-send")}
          </button>
        )}
        {!proven && ways?.oidc && (
          <a class="button quiet" href="/v1/oidc/start">
            {t("signin-oidc", { name: ways.oidc.name })}
          </a>
        )}
      </p>
      <p role="status" class={said ? "" : "unseen"}>
        {said}
      </p>
    </aside>
  );
}
