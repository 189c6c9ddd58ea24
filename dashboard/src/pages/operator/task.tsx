// A task of the pool's: started here, run beside the pool, and followed until its end.
import { useEffect } from "preact/hooks";
import { dateTime, t } from "../../i18n.ts";
import { admin, mayAct, type Answer, type Body } from "./admin.ts";
import { saveFile } from "./files.ts";
import { Said, useActing, useReading, type Acting } from "./parts.tsx";

export type Kind = "policy" | "demand" | "pin";
export type Task = Omit<Answer<"GetTask">, "replayed"> & { replayed?: Answer<"GetTask">["replayed"] };

const EVERY_MS = 2_000;

export interface Following {
  task: Task | null;
  acting: Acting;
  isRunning: boolean;
  start: (wish: Body<"StartTask">) => Promise<boolean>;
  cancel: () => Promise<boolean>;
}

/** Follows the last task of a kind, and starts or cancels one. */
export function useTask(kind: Kind): Following {
  const reading = useReading(async () => (await admin("GetTask", { kind })) as Task);
  const acting = useActing();
  const task = reading.data;
  const isRunning = task?.state === "running";
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
    task,
    acting,
    isRunning,
    start: (wish) => act(() => admin("StartTask", { ...wish, kind })),
    cancel: () => act(() => admin("CancelTask", { kind })),
  };
}

/** How it stands with a task: running with a button to cancel, failed with the reason, or cancelled. */
export function TaskState({ of, running }: { of: Following; running: string }) {
  const { task, acting, isRunning, cancel } = of;
  return (
    <>
      <Said of={acting} />
      <div role="status">
        {isRunning && task && <p class="notice">{`${running} ${t("op-task-until", { when: dateTime(task.endsBy) })}`}</p>}
        {task?.state === "cancelled" && <p class="notice">{t("op-task-cancelled")}</p>}
        {task?.state === "failed" && <p class="notice bad">{t("op-task-failed", { fault: task.fault })}</p>}
      </div>
      {isRunning && mayAct() && (
        <p class="row">
          <button type="button" class="quiet" disabled={acting.busy} onClick={() => void cancel()}>
            {t("op-task-cancel")}
          </button>
        </p>
      )}
    </>
  );
}

/** Fetches a task's report and saves it. */
export async function saveReport(kind: Kind): Promise<void> {
  const task = (await admin("GetTask", { kind, report: true })) as Task;
  const bytes = Uint8Array.from(atob(task.report), (sign) => sign.charCodeAt(0));
  saveFile(`${kind}.html`, bytes, "text/html");
}
