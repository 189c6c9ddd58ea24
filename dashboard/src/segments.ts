// Addresses of views, as segments. Pure.

/** Splits a fragment into its segments: `#/entrer/abc` gives `["entrer", "abc"]`. */
export function segmentsOf(hash: string): string[] {
  return hash.replace(/^#\/?/, "").replace(/\?.*$/, "").split("/").filter(Boolean).map(decode);
}

/** Returns the code of a sign-in that failed, which the pool puts behind a view's address; "" without. */
export function faultOf(hash: string): string {
  return new URLSearchParams(hash.replace(/^[^?]*/, "")).get("fault") ?? "";
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // not the encoding of anything; the view says that it does not know it
  }
}
