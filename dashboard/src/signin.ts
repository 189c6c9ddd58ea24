// Signing in and out, and the language that the pool keeps for a person.
import { api, take, ApiError } from "./api.ts";
import { isLangInAddress, setLang, type Lang } from "./i18n.ts";
import { eraseKeptHere } from "./own_computer.ts";
import { session, signOuts, type SessionView } from "./session.ts";

/** Asks the pool who is signed in; strangers are an expected answer. */
export async function readSession(): Promise<void> {
  try {
    show(await take(api.GET("/v1/session")));
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    session.value = null;
  }
}

function show(view: SessionView): void {
  session.value = view;
  const own = view.person.lang;
  if ((own === "fr" || own === "en") && !isLangInAddress) setLang(own);
}

/** Changes the language here, and for a person on every device from the next visit on. */
export async function chooseLang(chosen: Lang): Promise<void> {
  setLang(chosen);
  if (!session.peek()) return;
  try {
    session.value = await take(api.PATCH("/v1/session", { body: { lang: chosen, project: null, machine_mail: null } }));
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem; // refused: the choice holds on this page
  }
}

/** Chooses whether the pool writes to the person when something is wrong with the co-op's machines. */
export async function chooseMachineMail(wanted: boolean): Promise<void> {
  const body = { lang: null, project: null, machine_mail: wanted };
  session.value = await take(api.PATCH("/v1/session", { body }));
}

/** Asks, in a new start, to be opened from a session that the person had before. */
export async function askOpening(): Promise<void> {
  session.value = await take(api.POST("/v1/session/opening"));
}

/** Erases, in a new start, what the person's other starts hold. */
export async function eraseEarlier(): Promise<void> {
  session.value = await take(api.DELETE("/v1/session/earlier"));
}

/** Confirms that the address that the page shows is the person's own. */
export async function confirmEmail(email: string): Promise<void> {
  session.value = await take(api.POST("/v1/session/email", { body: { email } }));
}

/** Signs in with the token of a one-time link. */
export async function signIn(token: string): Promise<SessionView> {
  const view = await take(api.POST("/v1/session", { body: { token } }));
  show(view);
  return view;
}

/** Signs out; the pool ends what still runs for this browser. */
export async function signOut(): Promise<void> {
  await take(api.DELETE("/v1/session"));
  const person = session.peek()?.person.id;
  if (person) eraseKeptHere(person);
  signOuts.value += 1;
  session.value = null;
}
