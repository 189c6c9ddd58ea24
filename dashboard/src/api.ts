// Calls to the pool, typed by its OpenAPI document. The browser sends the cookie of the sign-in
// session by itself; a call that changes something proves with a header that this page made it.
import createClient, { type Middleware } from "openapi-fetch";
import { inOrder } from "./bidi.ts";
import type { paths } from "./openapi.d.ts";
import { lang, t } from "./i18n.ts";
import { csrfToken, forgetSession } from "./session.ts";

/** A refusal of the pool, with its stable code and its sentence in the reader's language. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Headers of every call that changes something or asks a model. */
export function callHeaders(): Record<string, string> {
  return { "Accept-Language": lang.value, "X-Entraide-Csrf": csrfToken() };
}

const headers: Middleware = {
  onRequest({ request }) {
    request.headers.set("Accept-Language", lang.value);
    if (request.method !== "GET") request.headers.set("X-Entraide-Csrf", csrfToken());
    return request;
  },
  onError() {
    return new ApiError("unreachable", t("error-unreachable"), 0);
  },
};

export const api = createClient<paths>({ baseUrl: location.origin, credentials: "same-origin" });
api.use(headers);

/** Returns the answer of a call, or throws its refusal. */
export async function take<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw refusalOf(error, response.status);
  return data as T;
}

// The session has ended; or the browser has no cookie any more, so that the pool expects a key.
const SIGNED_OUT = new Set(["not_signed_in", "unauthorised"]);

/** Makes an error of a refusal's body, whatever it holds. */
export function refusalOf(body: unknown, status: number): ApiError {
  const error = (body as { error?: { code?: unknown; message?: unknown } } | undefined)?.error;
  const code = typeof error?.code === "string" ? error.code : "unknown";
  const message = typeof error?.message === "string" ? inOrder(error.message) : t("error-status", { status });
  if (SIGNED_OUT.has(code)) forgetSession();
  return new ApiError(code, message, status);
}

/** Returns the sentence to show for anything that was thrown. */
export function sentenceOf(problem: unknown): string {
  return problem instanceof ApiError ? problem.message : t("error-page", { detail: String(problem) });
}
