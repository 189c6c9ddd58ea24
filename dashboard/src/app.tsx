// The frame of every view: skip link, name of the pool, navigation, language, the view, the foot.
import { useEffect, useRef } from "preact/hooks";
import { lang, t } from "./i18n.ts";
import { useKeptFocus } from "./parts/kept_focus.ts";
import { Lazy } from "./parts/lazy.tsx";
import { Mark } from "./parts/mark.tsx";
import { StartNotice } from "./parts/start_notice.tsx";
import { poolName } from "./pool_status.ts";
import { segments } from "./router.ts";
import { MENU, viewOf } from "./routes.ts";
import { session } from "./session.ts";
import { chooseLang } from "./signin.ts";

export function App() {
  const view = viewOf(segments.value);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const name = view.path;
  useKeptFocus(main);
  useEffect(() => {
    document.title = [t(view.title), poolName.value].filter(Boolean).join(" · ");
  }, [name, lang.value, poolName.value]);
  useEffect(() => {
    // A reader by ear or keyboard begins at the new view, as after a page load.
    if (!first.current) main.current?.focus();
    first.current = false;
    scrollTo(0, 0);
  }, [name]);
  return (
    <>
      <Header current={name} onSkip={() => main.current?.focus()} />
      <StartNotice current={name} />
      <main ref={main} tabIndex={-1} class={`view view-${name || "pool"}`}>
        <Lazy key={name} load={view.load} rest={segments.value.slice(1)} />
      </main>
      {!view.fills && <Foot />}
    </>
  );
}

function Header({ current, onSkip }: { current: string; onSkip: () => void }) {
  const person = session.value?.person;
  const shown = MENU.filter((item) => item.isFor(person?.role ?? ""));
  const other = lang.value === "fr" ? "en" : "fr";
  return (
    <header class="top">
      <button type="button" class="skip" onClick={onSkip}>
        {t("skip")}
      </button>
      <a class="brand" href="#/">
        <Mark />
        <span>Entraide</span>
        {poolName.value && <bdi class="pool-name">{poolName.value}</bdi>}
      </a>
      <nav aria-label={t("menu")}>
        <ul>
          {shown.map((item) => (
            <li key={item.path}>
              <a href={`#/${item.path}`} aria-current={item.path === current ? "page" : undefined}>
                {t(item.title)}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="top-end">
        <button type="button" class="quiet" lang={other} onClick={() => chooseLang(other)}>
          {other === "fr" ? "Français" : "English"}
        </button>
        {person ? (
          <a class="quiet who" href="#/sessions">
            <bdi>{person.name}</bdi>
          </a>
        ) : (
          session.value === null &&
          current !== "entrer" && (
            <a class="button" href="#/entrer">
              {t("sign-in")}
            </a>
          )
        )}
      </div>
    </header>
  );
}

function Foot() {
  return (
    <footer>
      <p>
        {t("foot-open")} {t("foot-private")}
      </p>
    </footer>
  );
}
