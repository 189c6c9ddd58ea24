// Signing in: by a one-time link, by the organisation's own sign-in, or by a link sent by e-mail.
//
// A link is never used by itself: a program that looks at links in a message would use it up.
import { useEffect, useState } from "preact/hooks";
import { api, ApiError, sentenceOf, take } from "../api.ts";
import { t } from "../i18n.ts";
import { ByEmail } from "../parts/by_email.tsx";
import type { ViewProps } from "../parts/lazy.tsx";
import type { components } from "../openapi.d.ts";
import { go } from "../router.ts";
import { faultOf } from "../segments.ts";
import { isOwnComputer, setOwnComputer } from "../own_computer.ts";
import { session } from "../session.ts";
import { signIn } from "../signin.ts";

type SigninWays = components["schemas"]["SigninWays"];

// What went wrong on the way to the organisation's own sign-in and back; any other code is said alike.
const FAULTS = new Set(["oidc_refused", "oidc_person_unknown", "oidc_unreachable"]);
const OVER = new Set(["signin_link_used", "signin_link_expired", "signin_link_unknown"]);

export default function SignIn({ rest }: ViewProps) {
  const token = rest[0] ?? "";
  const person = session.value?.person;
  if (person && !token) return <AlreadyIn name={person.name} />;
  return (
    <div class="narrow">
      <h1>{t("signin-title")}</h1>
      {token ? <WithLink token={token} /> : <OtherDoors />}
    </div>
  );
}

function AlreadyIn({ name }: { name: string }) {
  return (
    <div class="narrow">
      <h1>{t("signin-title")}</h1>
      <p>{t("signin-already", { name })}</p>
      <p>
        <a href="#/">{t("signin-to-pool")}</a>
      </p>
    </div>
  );
}

function WithLink({ token }: { token: string }) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const over = problem instanceof ApiError && OVER.has(problem.code);
  const enter = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await signIn(token);
      // The used token leaves the address and the history.
      go("#/chat", "replace");
    } catch (caught) {
      setProblem(caught);
      setBusy(false);
    }
  };
  return (
    <>
      {!over && (
        <>
          <p>{t("signin-link-lead")}</p>
          <OwnComputer />
          <p>
            <button type="button" class="large" disabled={busy} onClick={enter}>
              {t("signin-enter")}
            </button>
          </p>
          <p class="soft">{t("signin-link-once")}</p>
        </>
      )}
      <p role="alert" class={problem ? "notice bad" : "unseen"}>
        {problem ? sentenceOf(problem) : ""}
      </p>
      {over && <OtherDoors isOver />}
    </>
  );
}

/** Asks whether the computer is the person's own; not so until it is said. */
function OwnComputer() {
  useEffect(() => setOwnComputer(false), []);
  return (
    <p class="own-computer">
      <label>
        <input
          type="checkbox"
          checked={isOwnComputer.value}
          onChange={(event) => setOwnComputer(event.currentTarget.checked)}
        />{" "}
        {t("signin-own")}
      </label>{" "}
      <span class="soft">{t("signin-own-why")}</span>
    </p>
  );
}

function OtherDoors({ isOver = false }: { isOver?: boolean }) {
  const [doors, setDoors] = useState<SigninWays | null>(null);
  const fault = faultOf(location.hash);
  useEffect(() => {
    take(api.GET("/v1/signin")).then(setDoors, () => setDoors(null));
  }, []);
  return (
    <>
      {fault && doors && (
        <p role="alert" class="notice bad">
          {t(FAULTS.has(fault) ? `signin-fault-${fault}` : "signin-fault-other", {
            name: doors.oidc?.name ?? t("signin-fault-provider"),
          })}
        </p>
      )}
      {doors?.oidc && <OwnComputer />}
      {doors?.oidc && (
        <p>
          <a class="button large" href="/v1/oidc/start">
            {t("signin-oidc", { name: doors.oidc.name })}
          </a>
        </p>
      )}
      {doors?.email && <ByEmail />}
      {!isOver && <p>{t("signin-by-link")}</p>}
      <p class="soft">{t("signin-who-sends")}</p>
    </>
  );
}
