// The month's statement, to download as a file.
import { ApiError, refusalOf } from "../api.ts";
import { lang, t } from "../i18n.ts";

const KINDS = [
  { ending: "pdf", kind: "application/pdf", code: "statement-pdf" },
  { ending: "csv", kind: "text/csv", code: "statement-csv" },
  { ending: "json", kind: "application/json", code: "statement-json" },
] as const;

interface StatementProps {
  coop: string;
  month: string;
  attempt: (act: () => Promise<void>) => Promise<void>;
}

export function Statement({ coop, month, attempt }: StatementProps) {
  return (
    <section aria-labelledby="statement">
      <h2 id="statement">{t("coop-statement")}</h2>
      <p>{t("statement-means")}</p>
      <p class="row">
        {KINDS.map(({ ending, kind, code }) => (
          <button
            key={ending}
            type="button"
            class="quiet"
            onClick={() => attempt(() => download(month, kind, `${coop}-${month}.${ending}`))}
          >
            {t(code)}
          </button>
        ))}
      </p>
    </section>
  );
}

async function download(month: string, kind: string, name: string): Promise<void> {
  const headers = { Accept: kind, "Accept-Language": lang.value };
  const answer = await fetch(`/v1/statement?month=${encodeURIComponent(month)}`, { headers }).catch(() => {
    throw new ApiError("unreachable", t("error-unreachable"), 0);
  });
  if (!answer.ok) throw refusalOf(await answer.json().catch(() => null), answer.status);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
