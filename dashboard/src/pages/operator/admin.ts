// Calls of the Admin service: `POST /v1/admin/METHOD`, in protobuf's JSON mapping.
import { api, take } from "../../api.ts";
import { t } from "../../i18n.ts";
import type { components, paths } from "../../openapi.d.ts";
import { session } from "../../session.ts";

type Schemas = components["schemas"];
type PathMethod<P> = P extends `/v1/admin/${infer M}` ? M : never;
/** Names of the methods. */
export type Method = PathMethod<keyof paths>;
type Operation<M extends Method> = paths[`/v1/admin/${M}`] extends { post: infer O } ? O : never;
type BodyOf<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? B : never;
type AnswerOf<O> = O extends { responses: { 200: { content: { "application/json": infer A } } } } ? A : never;
// The pool writes every field of an answer, except messages that are not set.
type Written<T> = T extends readonly (infer U)[]
  ? Written<U>[]
  : T extends object
    ? { [K in keyof T]-?: Written<T[K]> }
    : T;
export type Body<M extends Method> = BodyOf<Operation<M>>;
export type Answer<M extends Method> = Written<AnswerOf<Operation<M>>>;

type Quarantined<T> = Omit<T, "quarantine"> & { quarantine?: Written<Schemas["AdminQuarantine"]> };
export type Node = Quarantined<Written<Schemas["AdminNode"]>>;
export type Key = Quarantined<Written<Schemas["AdminKey"]>>;
export type Quota = Written<Schemas["AdminQuota"]>;
export type Coop = Omit<Written<Schemas["AdminCoop"]>, "lend"> & { lend?: Written<Schemas["AdminLend"]> };
export type Plan = Written<Schemas["AdminModelPlan"]>;
export type Version = Written<Schemas["AdminPolicyVersion"]>;
export type History = Answer<"ListPolicies">;

/** Calls a method, or throws its refusal. */
export async function admin<M extends Method>(method: M, body: Body<M>): Promise<Answer<M>> {
  const path = `/v1/admin/${method}`;
  return (await take(api.POST(path as never, { body } as never))) as Answer<M>;
}

/** Whether the person may change anything; an auditor reads only. */
export function mayAct(): boolean {
  return session.value?.person.role === "operator";
}

/** The text of a field of bytes, which JSON carries in base64. */
export function textOf(base64: string): string {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)));
}

/** A text as a field of bytes. */
export function bytesOf(text: string): string {
  let signs = "";
  for (const byte of new TextEncoder().encode(text)) signs += String.fromCharCode(byte);
  return btoa(signs);
}

/** The words for a code of the pool; the code itself where the page knows none. */
export function worded(sentence: string, code: string): string {
  const words = t(sentence);
  return words === sentence ? code : words;
}
