// The pool's catalogue of models, read from its document. Pure.

export interface CatalogueModel {
  name: string;
  title: string;
  size: string;
  parameters: number;
  active_parameters: number;
  licence: string;
  context_tokens_max: number;
  energy_wh_per_1k_tokens: number;
  energy_class: string;
  openness_class?: string;
  artefacts: { format: string; quantisation: string; weights_bytes: number; files: { sha256?: string }[] }[];
}

const SIZES = ["petit", "moyen", "grand"];

/** Returns the models of a document, the smallest first. */
export function readCatalogue(document: string): CatalogueModel[] {
  const models = (JSON.parse(document) as { models: CatalogueModel[] }).models;
  return [...models].sort(
    (a, b) => SIZES.indexOf(a.size) - SIZES.indexOf(b.size) || a.parameters - b.parameters,
  );
}

/** A document with more models; one of the same name is replaced. Throws on what is no entry. */
export function withEntries(document: string, added: string): { document: string; count: number } {
  const changed = JSON.parse(document) as { models: CatalogueModel[] };
  const read = JSON.parse(added) as CatalogueModel | CatalogueModel[] | { models: CatalogueModel[] };
  const entries = Array.isArray(read) ? read : "models" in read ? read.models : [read];
  const names = new Set(entries.map((each) => each.name));
  if (entries.length === 0 || names.has(undefined as never)) throw new SyntaxError("name");
  changed.models = [...changed.models.filter((each) => !names.has(each.name)), ...entries];
  return { document: JSON.stringify(changed), count: entries.length };
}

/** A document with those models of another that it lacks. */
export function withMissing(document: string, other: string): { document: string; count: number } {
  const names = new Set(readCatalogue(document).map((each) => each.name));
  const missing = readCatalogue(other).filter((each) => !names.has(each.name));
  if (missing.length === 0) return { document, count: 0 };
  return withEntries(document, JSON.stringify(missing));
}

/** A document without a model. */
export function without(document: string, name: string): string {
  const changed = JSON.parse(document) as { models: CatalogueModel[] };
  changed.models = changed.models.filter((each) => each.name !== name);
  return JSON.stringify(changed);
}

/** The number of a document's version, which a change names. */
export function versionOf(document: string): number {
  return (JSON.parse(document) as { version: number }).version;
}

/** Whether nodes may fetch a format's weights: each file has its checksum. */
export function isPinned(model: CatalogueModel): boolean {
  return model.artefacts.some((each) => each.files.length > 0 && each.files.every((file) => file.sha256));
}

/** The memory of the smallest weights, in gigabytes. */
export function weightsGb(model: CatalogueModel): number {
  return Math.min(...model.artefacts.map((each) => each.weights_bytes)) / 1e9;
}
