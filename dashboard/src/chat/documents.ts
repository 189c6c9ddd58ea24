// Text of a document that somebody attaches, read in the browser: it goes nowhere but into the
// prompt. Each reader is loaded when the first document of its kind is attached.
import type { Attachment } from "./conversation.ts";

export const FILE_MAX_BYTES = 25_000_000;
export const TEXT_MAX = 400_000; // characters of one document: more fits no model of a pool
const PAGES_MAX = 500;
const PLAIN = /\.(txt|md|markdown|csv|tsv|json|xml|html?|ya?ml|toml|ini|log|tex|rtf|py|js|ts|sql|sh|c|h|cpp|java|rs|go)$/i;

/** Why a document cannot be attached; `code` names its sentence. */
export class DocumentProblem extends Error {
  constructor(readonly code: "large" | "kind" | "broken" | "locked" | "empty") {
    super(code);
  }
}

export const ACCEPTED = ".pdf,.docx,.txt,.md,.csv,.tsv,.json,.xml,.html,.yaml,.yml,.log,text/*";

/** Returns the text of a file, at most `TEXT_MAX` characters of it. */
export async function readDocument(file: File): Promise<Attachment> {
  if (file.size > FILE_MAX_BYTES) throw new DocumentProblem("large");
  const whole = (await textOf(file)).replaceAll("\0", "").trim();
  if (!whole) throw new DocumentProblem("empty");
  return { name: file.name.slice(0, 120), text: whole.slice(0, TEXT_MAX), cut: whole.length > TEXT_MAX };
}

async function textOf(file: File): Promise<string> {
  const name = file.name.toLowerCase();
  if (name.endsWith(".pdf") || file.type === "application/pdf") return textOfPdf(file);
  if (name.endsWith(".docx")) {
    const { textOfDocx } = await import("./docx.ts");
    const text = textOfDocx(new Uint8Array(await file.arrayBuffer()), TEXT_MAX);
    if (text === null) throw new DocumentProblem("broken");
    return text;
  }
  if (PLAIN.test(name) || file.type.startsWith("text/")) return textOfPlain(file);
  throw new DocumentProblem("kind");
}

async function textOfPlain(file: File): Promise<string> {
  const bytes = await file.arrayBuffer();
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes); // what older Windows programs write
  }
}

async function textOfPdf(file: File): Promise<string> {
  const { openPdf } = await import("./pdf.ts");
  let pdf: Awaited<ReturnType<typeof openPdf>>;
  try {
    pdf = await openPdf(new Uint8Array(await file.arrayBuffer()));
  } catch (problem) {
    throw new DocumentProblem((problem as Error)?.name === "PasswordException" ? "locked" : "broken");
  }
  try {
    return await pdf.text(PAGES_MAX, TEXT_MAX);
  } finally {
    await pdf.close();
  }
}
