// The views and their addresses. A new view is one line here, a file in `pages/`, and its
// sentences `view-NAME` in both catalogues.
import type { ViewSource } from "./parts/lazy.tsx";
import Pool from "./pages/pool.tsx";

export interface Route {
  /** First segment of the address: `#/PATH`. */
  path: string;
  /** Code of its name in the menu and the window's title. */
  title: string;
  load: ViewSource;
  /** Whether it takes the whole window, without a foot. */
  fills?: boolean;
  /** Roles that see it in the menu ("" is a stranger); it is not in the menu without. */
  isFor?: (role: string) => boolean;
}

const isSignedIn = (role: string) => role !== "";

export const ROUTES: readonly Route[] = [
  { path: "", title: "view-pool", load: { now: Pool }, isFor: () => true },
  {
    path: "chat",
    title: "view-chat",
    load: { later: () => import("./pages/chat.tsx") },
    fills: true,
    isFor: isSignedIn,
  },
  {
    path: "coop",
    title: "view-coop",
    load: { later: () => import("./pages/coop.tsx") },
    isFor: isSignedIn,
  },
  {
    path: "machine",
    title: "view-machine",
    load: { later: () => import("./pages/machine.tsx") },
    isFor: (role) => isSignedIn(role) && role !== "person",
  },
  { path: "entrer", title: "view-signin", load: { later: () => import("./pages/signin.tsx") } },
  {
    path: "exploitation",
    title: "view-operator",
    load: { later: () => import("./pages/operator.tsx") },
    isFor: (role) => role === "operator" || role === "auditor",
  },
  { path: "sessions", title: "view-sessions", load: { later: () => import("./pages/sessions.tsx") } },
];

const UNKNOWN: Route = {
  path: "?",
  title: "view-unknown",
  load: { later: () => import("./pages/unknown.tsx") },
};

export const MENU = ROUTES.filter((route): route is Route & { isFor: NonNullable<Route["isFor"]> } =>
  Boolean(route.isFor),
);

/** Returns the route of an address, by its first segment. */
export function viewOf(segments: readonly string[]): Route {
  return ROUTES.find((route) => route.path === (segments[0] ?? "")) ?? UNKNOWN;
}
