// What a view shows to whoever is not signed in.
import type { ComponentChildren } from "preact";
import { t } from "../i18n.ts";
import { session } from "../session.ts";
import { Loading } from "./loading.tsx";

export function NeedsSignIn({ children }: { children: ComponentChildren }) {
  if (session.value === undefined) return <Loading />;
  if (session.value) return <>{children}</>;
  return (
    <div class="narrow">
      <h1>{t("signin-needed")}</h1>
      <p>{t("signin-needed-why")}</p>
      <p>
        <a class="button large" href="#/entrer">
          {t("sign-in")}
        </a>
      </p>
    </div>
  );
}
