// Above every view: that a session is a new start, and who made its link; or that an address is
// still to be confirmed.
import { useState } from "preact/hooks";
import { sentenceOf } from "../api.ts";
import { dateTime, t } from "../i18n.ts";
import { session, type SessionView } from "../session.ts";
import { confirmEmail } from "../signin.ts";

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
  return view?.email_to_confirm ? <EmailNotice email={view.email_to_confirm} /> : null;
}

function EmailNotice({ email }: { email: string }) {
  const [problem, setProblem] = useState<unknown>(null);
  const confirm = async () => {
    try {
      await confirmEmail(email);
    } catch (caught) {
      setProblem(caught);
    }
  };
  return (
    <aside class="notice above" aria-label={t("email-title")}>
      <p>
        {t("email-question", { email })}{" "}
        <button type="button" class="quiet" onClick={confirm}>
          {t("email-confirm")}
        </button>
      </p>
      <p role="alert" class={problem ? "" : "unseen"}>
        {problem ? sentenceOf(problem) : ""}
      </p>
    </aside>
  );
}
