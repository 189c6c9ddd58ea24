// Text of a DOCX: a ZIP with one XML file of paragraphs (ECMA-376, part 1, section 17).
import { unzipSync } from "fflate";

const MAIN = "word/document.xml";
const XML_MAX_BYTES = 60_000_000; // unpacked: a small file may claim to be a huge one

/** Returns the paragraphs, one a line, cells of a table apart by tabs; null for another file. */
export function textOfDocx(bytes: Uint8Array, charactersMax: number): string | null {
  let xml: Uint8Array | undefined;
  try {
    const isMain = (file: { name: string; originalSize: number }) =>
      file.name === MAIN && file.originalSize <= XML_MAX_BYTES;
    xml = unzipSync(bytes, { filter: isMain })[MAIN];
  } catch {
    return null;
  }
  if (!xml) return null;
  const parsed = new DOMParser().parseFromString(new TextDecoder().decode(xml), "application/xml");
  if (parsed.querySelector("parsererror")) return null;
  return textOfBody(parsed, charactersMax);
}

function textOfBody(parsed: Document, charactersMax: number): string {
  const lines: string[] = [];
  let length = 0;
  for (const paragraph of parsed.getElementsByTagNameNS("*", "p")) {
    const line = textOfParagraph(paragraph);
    const cell = paragraph.parentElement?.localName === "tc" ? paragraph.parentElement : null;
    if (cell?.previousElementSibling?.localName === "tc" && lines.length) lines.push(`${lines.pop()}\t${line}`);
    else lines.push(line);
    length += line.length + 1;
    if (length > charactersMax) break;
  }
  return lines.join("\n");
}

function textOfParagraph(paragraph: Element): string {
  let text = "";
  for (const run of paragraph.getElementsByTagName("*")) {
    if (run.localName === "t") text += run.textContent;
    else if (run.localName === "tab") text += "\t";
    else if (run.localName === "br") text += "\n";
  }
  return text;
}
