// An answer as HTML that runs nothing and fetches nothing, whatever the model wrote.
//
// Three barriers: markdown-it makes no HTML of its own from HTML in the text and no pictures;
// DOMPurify leaves a short list of elements; and the page's content policy allows no other host.
import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { withVisibleMarks } from "../bidi.ts";

const RENDERED_MAX = 60_000; // characters, 20 pages; a longer answer is shown as plain text

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: false, typographer: false });
markdown.disable("image"); // `![alt](address)` stays readable text, and no beacon
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

const ALLOWED = {
  ALLOWED_TAGS: [
    "p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code",
    "em", "strong", "s", "table", "thead", "tbody", "tr", "th", "td", "a",
  ],
  ALLOWED_ATTR: ["href", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
};

/** Whether an answer is short enough to be drawn with its headings, tables and code. */
export function isRendered(text: string): boolean {
  return text.length <= RENDERED_MAX;
}

/** Returns the safe elements of an answer. */
export function render(text: string): DocumentFragment {
  const html = markdown.render(withVisibleMarks(text));
  const fragment = DOMPurify.sanitize(html, { ...ALLOWED, RETURN_DOM_FRAGMENT: true });
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer nofollow";
    link.title = link.href;
  }
  for (const wide of fragment.querySelectorAll<HTMLElement>("table, pre")) {
    // A wide block scrolls by itself, by keyboard too.
    const frame = document.createElement("div");
    frame.className = "wide";
    frame.tabIndex = 0;
    wide.replaceWith(frame);
    frame.append(wide);
  }
  return fragment;
}
