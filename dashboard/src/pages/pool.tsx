// The first view: for members the pool now, for strangers what it is. Who is there is for members.
import { useEffect } from "preact/hooks";
import { lang, t } from "../i18n.ts";
import { status, watchStatus } from "../pool_status.ts";
import { Lazy, type ViewSource } from "../parts/lazy.tsx";
import { session } from "../session.ts";

const NOW: ViewSource = { later: () => import("./pool_now.tsx") };

export default function Pool() {
  return session.value ? <Lazy load={NOW} rest={[]} /> : <PublicPool />;
}

function PublicPool() {
  useEffect(watchStatus, []);
  const { facts, late } = status.value;
  return (
    <>
      <div class="opening">
        <h1>{t("pool-heading")}</h1>
        <p class="lead">{t("pool-lead")}</p>
        <p class="now">{t("pool-members")}</p>
        {session.value === null && (
          <p>
            <a class="button large" href="#/entrer">
              {t("sign-in")}
            </a>
          </p>
        )}
      </div>
      <p class={late ? "notice" : "unseen"} role="status">
        {late ? t("pool-late", { time: facts ? time(facts.at) : t("never") }) : ""}
      </p>
    </>
  );
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString(`${lang.value}-CA`, { timeStyle: "short" });
}
