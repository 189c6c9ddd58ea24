// A test message to whom the pool tells when something fails, and who was reached.
import { useState } from "preact/hooks";
import { inOrder } from "../../bidi.ts";
import { t } from "../../i18n.ts";
import { admin, type Answer } from "./admin.ts";
import { Said, useActing } from "./parts.tsx";

export function NotifyPart() {
  const [tried, setTried] = useState<Answer<"SendTestMessages"> | null>(null);
  const acting = useActing();
  const send = () => acting.act(async () => setTried(await admin("SendTestMessages", {})));
  return (
    <section aria-labelledby="op-notify">
      <h2 id="op-notify">{t("op-notify-title")}</h2>
      <Said of={acting} />
      <p class="row">
        <button type="button" class="quiet" disabled={acting.busy} onClick={() => void send()}>
          {t("op-notify-try")}
        </button>
        <span class="soft">{t("op-notify-means")}</span>
      </p>
      <div aria-live="polite">{tried && <Tried of={tried} />}</div>
    </section>
  );
}

function Tried({ of }: { of: Answer<"SendTestMessages"> }) {
  if (of.fault) return <p class="notice bad">{inOrder(of.fault)}</p>;
  if (of.messages.length === 0) return <p class="notice">{t("op-notify-nobody")}</p>;
  return (
    <ul class="notified">
      {of.messages.map(({ recipient, problem }) => (
        <li key={recipient} class={problem ? "notice bad" : "notice good"}>
          {inOrder(problem ? t("op-notify-failed", { recipient, problem }) : t("op-notify-sent", { recipient }))}
        </li>
      ))}
    </ul>
  );
}
