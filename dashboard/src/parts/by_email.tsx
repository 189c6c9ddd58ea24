// Asks for a sign-in link by e-mail; the reply is the same whether or not somebody has the address.
import { useState } from "preact/hooks";
import { api, sentenceOf, take } from "../api.ts";
import { t } from "../i18n.ts";

export function ByEmail({ known = "" }: { known?: string }) {
  const [email, setEmail] = useState(known);
  const [sent, setSent] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const send = async (event: Event) => {
    event.preventDefault();
    setProblem(null);
    try {
      await take(api.POST("/v1/signin/email", { body: { email: email.trim() } }));
      setSent(true);
    } catch (caught) {
      setProblem(caught);
    }
  };
  return (
    <form onSubmit={send} class="email">
      <label for="email">{t("signin-email")}</label>
      <div class="row">
        <input
          id="email"
          type="email"
          autocomplete="email"
          required
          maxLength={254}
          value={email}
          onInput={(event) => setEmail(event.currentTarget.value)}
        />
        <button type="submit">{t("signin-email-send")}</button>
      </div>
      <p role="status" class={sent || problem ? `notice ${problem ? "bad" : ""}` : "unseen"}>
        {problem ? sentenceOf(problem) : sent ? t("signin-email-sent") : ""}
      </p>
    </form>
  );
}
