// Addresses of views, as segments. Pure.

/** Splits a fragment into its segments: `#/entrer/abc` gives `["entrer", "abc"]`. */
export function segmentsOf(hash: string): string[] {
  return hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decode);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // not the encoding of anything; the view says that it does not know it
  }
}
