// Signing in and out.
import { api, take, ApiError } from "./api.ts";
import { session, signOuts, type SessionView } from "./session.ts";

/** Asks the pool who is signed in; strangers are an expected answer. */
export async function readSession(): Promise<void> {
  try {
    session.value = await take(api.GET("/v1/session"));
  } catch (problem) {
    if (!(problem instanceof ApiError)) throw problem;
    session.value = null;
  }
}

/** Signs in with the token of a one-time link. */
export async function signIn(token: string): Promise<SessionView> {
  const view = await take(api.POST("/v1/session", { body: { token } }));
  session.value = view;
  return view;
}

/** Signs out; the pool ends what still runs for this browser. */
export async function signOut(): Promise<void> {
  await take(api.DELETE("/v1/session"));
  signOuts.value += 1;
  session.value = null;
}
