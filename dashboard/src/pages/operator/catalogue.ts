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

/** Whether nodes may fetch a format's weights: each file has its checksum. */
export function isPinned(model: CatalogueModel): boolean {
  return model.artefacts.some((each) => each.files.length > 0 && each.files.every((file) => file.sha256));
}

/** The memory of the smallest weights, in gigabytes. */
export function weightsGb(model: CatalogueModel): number {
  return Math.min(...model.artefacts.map((each) => each.weights_bytes)) / 1e9;
}
