// The models that one may ask for, sizes first, with what a size means now.
import { api, take } from "../api.ts";
import type { components } from "../openapi.d.ts";

export const SIZES = ["auto", "petit", "moyen", "grand"] as const;

/** English names of the sizes, which requests may use too: the choice has each size once. */
const SAME_SIZES: readonly string[] = ["small", "medium", "large"];

export interface Choice {
  id: string;
  /** Whether it is a size, which the pool resolves to the model it means. */
  isSize: boolean;
  means: string;
  /** Class by the Model Openness Framework; "" if nobody states it. */
  openness: string;
  contextTokens: number;
}

/** The model that the demonstration brings along; a pool for use has a better one. */
export const TOY = "smollm2-135m-instruct";

/** Whether the pool is a demonstration: its server's place is invented. */
export async function isDemonstration(): Promise<boolean> {
  return (await take(api.GET("/.well-known/entraide"))).place.invented;
}

type Model = components["schemas"]["Model"];

/** Returns the models that write text. */
export async function readModels(): Promise<Choice[]> {
  const { data } = await take(api.GET("/v1/models"));
  const isOffered = ({ id, means, features }: Model) =>
    !features.includes("embeddings_only") && !(means && SAME_SIZES.includes(id));
  const choices = data.filter(isOffered).map(choiceOf);
  const place = (choice: Choice) => (choice.isSize ? SIZES.indexOf(choice.id as never) : SIZES.length);
  return choices.sort((one, other) => place(one) - place(other) || one.id.localeCompare(other.id));
}

function choiceOf({ id, means, context_tokens: contextTokens, entraide }: Model): Choice {
  const isSize = (SIZES as readonly string[]).includes(id);
  return { id, isSize, means: means ?? "", openness: entraide?.openness ?? "", contextTokens };
}
