// A view that is loaded when it is first shown.
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n.ts";
import { Loading } from "./loading.tsx";

export interface ViewProps {
  /** The segments of the address after the view's own. */
  rest: readonly string[];
}

export type View = ComponentType<ViewProps>;
/** A view of the first load, or how to fetch it. */
export type ViewSource = { now: View } | { later: () => Promise<{ default: View }> };

export function Lazy({ load, rest }: { load: ViewSource; rest: readonly string[] }) {
  const [view, setView] = useState<{ View: View } | null>("now" in load ? { View: load.now } : null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    if (!("later" in load)) return;
    load.later().then(
      (module) => setView({ View: module.default }),
      () => setFailed(true),
    );
  }, []);
  if (failed) return <Reload />;
  if (view === null) return <Loading />;
  return <view.View rest={rest} />;
}

/** The pool was updated while the page was open, or does not answer. */
function Reload() {
  return (
    <div class="notice" role="alert">
      <p>{t("view-not-loaded")}</p>
      <button type="button" onClick={() => location.reload()}>
        {t("reload")}
      </button>
    </div>
  );
}
