// Where an answer came from: its receipt and the pool's explanation, in sentences.
import { useEffect, useState } from "preact/hooks";
import { api, take } from "../api.ts";
import { inOrder } from "../bidi.ts";
import { lang, t } from "../i18n.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Loading } from "../parts/loading.tsx";
import type { components } from "../openapi.d.ts";
import type { Receipt } from "./footprint.ts";
import { receiptSentences } from "./words.ts";

type Explanation = components["schemas"]["Explanation"];

export function ReceiptDialog({ receipt: first, onClose }: { receipt: Receipt; onClose: () => void }) {
  const [receipt, setReceipt] = useState(first);
  const [explanation, setExplanation] = useState<Explanation | null | undefined>(undefined);
  useEffect(() => {
    const params = { params: { path: { job: first.job } } };
    // The pool's books come a moment after the answer; the answer's own receipt says the same.
    take(api.GET("/v1/jobs/{job}/receipt", params)).then(setReceipt, () => undefined);
    take(api.GET("/v1/jobs/{job}/explanation", params)).then(
      setExplanation,
      () => setExplanation(null),
    );
  }, [first.job]);
  const lines = explanation?.text[lang.value].split("\n").filter(Boolean) ?? [];
  return (
    <Dialog title={t("receipt-title")} onClose={onClose}>
      <ul class="sentences">
        {receiptSentences(receipt).map((sentence) => (
          <li key={sentence}>{sentence}</li>
        ))}
      </ul>
      <h3>{t("explanation-title")}</h3>
      {explanation === undefined && <Loading />}
      {explanation === null && <p class="soft">{t("explanation-gone")}</p>}
      <ul class="sentences">
        {lines.map((line, place) => (
          <li key={place} class={line.startsWith(" ") ? "inner" : ""}>
            {inOrder(line.trim())}
          </li>
        ))}
      </ul>
      <p class="soft">{t("receipt-job", { job: receipt.job })}</p>
    </Dialog>
  );
}
