// Text of a PDF, page by page, by Mozilla's reader. No picture is drawn, and no script of it runs.
import { getDocument, GlobalWorkerOptions } from "pdfjs-dist/legacy/build/pdf.mjs";
import workerAddress from "pdfjs-dist/legacy/build/pdf.worker.min.mjs?url";

GlobalWorkerOptions.workerSrc = workerAddress;

export interface OpenPdf {
  text(pagesMax: number, charactersMax: number): Promise<string>;
  close(): Promise<void>;
}

export async function openPdf(data: Uint8Array): Promise<OpenPdf> {
  const task = getDocument({
    data,
    disableFontFace: true,
    useWasm: false, // the content policy allows no WebAssembly; it is for pictures only
    enableXfa: false,
    stopAtErrors: false,
    verbosity: 0,
  });
  const document = await task.promise;
  return {
    async text(pagesMax, charactersMax) {
      const pages: string[] = [];
      let length = 0;
      for (let number = 1; number <= Math.min(document.numPages, pagesMax); number++) {
        const page = await document.getPage(number);
        const { items } = await page.getTextContent();
        const text = items
          .map((item) => ("str" in item ? item.str + (item.hasEOL ? "\n" : "") : ""))
          .join("");
        pages.push(text.trim());
        length += text.length;
        page.cleanup();
        if (length > charactersMax) break;
      }
      return pages.join("\n\n");
    },
    close: () => task.destroy(),
  };
}
