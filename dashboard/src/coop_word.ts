// The word for a co-op before its name: the catalogues' function COOP($name, "word"). Pure.
// `entraide/coop_names.py` has the same rule for the commands.

const FIRST = /^[\u2066-\u2068]?co-?op([ée]rative)?(?![\p{L}\d])/iu;
const LAST = /(?<![\p{L}\d])co-?op([ée]rative)?\u2069?$/iu;
const ARTICLE = /^[\u2066-\u2068]?((l[ae]s?|the)\s|l['’])/iu;

/** Returns a name after the word for a co-op, which is not said twice. */
export function withWord(name: string, word: string): string {
  const saysIt = FIRST.test(name) || (LAST.test(name) && !ARTICLE.test(name));
  return saysIt ? name : `${word} ${name}`;
}
