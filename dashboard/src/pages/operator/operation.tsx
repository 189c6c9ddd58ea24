// An operation of the pool's: started here, run beside the pool, and followed until its end.
import { useEffect } from "preact/hooks";
import { dateTime, t } from "../../i18n.ts";
import { admin, mayAct, type Answer, type Body } from "./admin.ts";
import { saveFile } from "./files.ts";
import { Said, useActing, useReading, type Acting } from "./parts.tsx";

export type Kind = "policy" | "demand" | "pin";
export type Operation = Omit<Answer<"GetOperation">, "replayed"> & { replayed?: Answer<"GetOperation">["replayed"] };

const EVERY_MS = 2_000;

export interface Following {
  operation: Operation | null;
  acting: Acting;
  isRunning: boolean;
  start: (wish: Body<"StartOperation">) => Promise<boolean>;
  cancel: () => Promise<boolean>;
}

/** Follows the last operation of a kind, and starts or cancels one. */
export function useOperation(kind: Kind): Following {
  const reading = useReading(async () => (await admin("GetOperation", { kind })) as Operation);
  const acting = useActing();
  const operation = reading.data;
  const isRunning = operation?.state === "running";
  useEffect(() => {
    if (!isRunning) return;
    const timer = setInterval(() => void reading.again(), EVERY_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  const act = async (doing: () => Promise<unknown>) => {
    const isDone = await acting.act(doing);
    await reading.again();
    return isDone;
  };
  return {
    operation,
    acting,
    isRunning,
    start: (wish) => act(() => admin("StartOperation", { ...wish, kind })),
    cancel: () => act(() => admin("CancelOperation", { kind })),
  };
}

/** How it stands with an operation: running with a button to cancel, failed with the reason, or cancelled. */
export function OperationState({ of, running }: { of: Following; running: string }) {
  const { operation, acting, isRunning, cancel } = of;
  return (
    <>
      <Said of={acting} />
      <div role="status">
        {isRunning && operation && <p class="notice">{`${running} ${t("op-operation-until", { when: dateTime(operation.endsBy) })}`}</p>}
        {operation?.state === "cancelled" && <p class="notice">{t("op-operation-cancelled")}</p>}
        {operation?.state === "failed" && <p class="notice bad">{t("op-operation-failed", { fault: operation.fault })}</p>}
      </div>
      {isRunning && mayAct() && (
        <p class="row">
          <button type="button" class="quiet" disabled={acting.busy} onClick={() => void cancel()}>
            {t("op-operation-cancel")}
          </button>
        </p>
      )}
    </>
  );
}

/** Fetches an operation's report and saves it. */
export async function saveReport(kind: Kind): Promise<void> {
  const operation = (await admin("GetOperation", { kind, report: true })) as Operation;
  const bytes = Uint8Array.from(atob(operation.report), (sign) => sign.charCodeAt(0));
  saveFile(`${kind}.html`, bytes, "text/html");
}
