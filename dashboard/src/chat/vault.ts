// Encryption of kept conversations in the browser (W3C Web Cryptography).
//
// One random key, by AES-GCM, encrypts all of a person's conversations. It is kept twice, wrapped by
// a key from the passphrase and by one from the recovery code, both derived by PBKDF2 with SHA-256.
// Whoever copies the browser's store has neither; whoever changes this page has both.

export const ITERATIONS = 600_000; // OWASP Password Storage Cheat Sheet, for PBKDF2-HMAC-SHA256
const SALT_BYTES = 16;
const IV_BYTES = 12;
const CODE_BYTES = 20; // 160 bits: nobody guesses it, so it needs no rule
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // 32 letters, none that is read as another

/** The vault's key in a wrapped form: what is stored. */
export interface WrappedKey {
  salt: Uint8Array<ArrayBuffer>;
  iterations: number;
  iv: Uint8Array<ArrayBuffer>;
  wrapped: Uint8Array<ArrayBuffer>;
}

export interface VaultHeader {
  version: 1;
  passphrase: WrappedKey;
  recovery: WrappedKey;
}

export interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  data: Uint8Array<ArrayBuffer>;
}

/** The passphrase or the code opens nothing. */
export class WrongSecret extends Error {}

/** Whether the browser encrypts for this page: it does so over HTTPS or on the machine itself. */
export function canEncrypt(): boolean {
  return typeof crypto !== "undefined" && crypto.subtle !== undefined;
}

function random(bytes: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(bytes));
}

async function keyFrom(secret: string, salt: Uint8Array<ArrayBuffer>, iterations: number): Promise<CryptoKey> {
  const material = new TextEncoder().encode(secret.normalize("NFC"));
  const base = await crypto.subtle.importKey("raw", material, "PBKDF2", false, ["deriveKey"]);
  const derivation = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  const usages: KeyUsage[] = ["wrapKey", "unwrapKey"];
  return crypto.subtle.deriveKey(derivation, base, { name: "AES-GCM", length: 256 }, false, usages);
}

async function wrap(key: CryptoKey, secret: string): Promise<WrappedKey> {
  const [salt, iv] = [random(SALT_BYTES), random(IV_BYTES)];
  const wrapping = await keyFrom(secret, salt, ITERATIONS);
  const wrapped = await crypto.subtle.wrapKey("raw", key, wrapping, { name: "AES-GCM", iv });
  return { salt, iterations: ITERATIONS, iv, wrapped: new Uint8Array(wrapped) };
}

async function unwrap(kept: WrappedKey, secret: string, extractable: boolean): Promise<CryptoKey> {
  const { salt, iterations, iv, wrapped } = kept;
  const wrapping = await keyFrom(secret, salt, iterations);
  const usages: KeyUsage[] = ["encrypt", "decrypt"];
  try {
    return await crypto.subtle.unwrapKey(
      "raw", wrapped, wrapping, { name: "AES-GCM", iv }, "AES-GCM", extractable, usages,
    );
  } catch {
    throw new WrongSecret();
  }
}

/** Makes a recovery code: eight groups of four letters and digits. */
export function newRecoveryCode(): string {
  const letters = Array.from(random(CODE_BYTES * 2), (byte) => ALPHABET[byte % 32]).slice(0, 32);
  return letters.join("").replace(/(.{4})(?!$)/g, "$1-");
}

/** Reads a recovery code as people write it: any case, any spaces or dashes. */
export function normalCode(typed: string): string {
  const letters = typed.toUpperCase().replace(/[^A-Z0-9]/g, "");
  return letters.replace(/(.{4})(?!$)/g, "$1-");
}

/** Makes a vault; the recovery code is shown once and kept nowhere. */
export async function createVault(
  passphrase: string,
): Promise<{ header: VaultHeader; key: CryptoKey; code: string }> {
  const algorithm = { name: "AES-GCM", length: 256 };
  const made = await crypto.subtle.generateKey(algorithm, true, ["encrypt", "decrypt"]);
  const code = newRecoveryCode();
  const header: VaultHeader = {
    version: 1,
    passphrase: await wrap(made, passphrase),
    recovery: await wrap(made, code),
  };
  return { header, key: await unwrap(header.passphrase, passphrase, false), code };
}

/** Returns the vault's key, or throws `WrongSecret`. */
export async function openVault(header: VaultHeader, passphrase: string): Promise<CryptoKey> {
  return unwrap(header.passphrase, passphrase, false);
}

/** Opens the vault with the recovery code and gives it a new passphrase. */
export async function recoverVault(
  header: VaultHeader,
  typedCode: string,
  passphrase: string,
): Promise<{ header: VaultHeader; key: CryptoKey }> {
  const key = await unwrap(header.recovery, normalCode(typedCode), true);
  const changed = { ...header, passphrase: await wrap(key, passphrase) };
  return { header: changed, key: await unwrap(changed.passphrase, passphrase, false) };
}

/** Encrypts a value; `name` is bound to it, so that two records cannot be exchanged. */
export async function seal(key: CryptoKey, name: string, value: unknown): Promise<Sealed> {
  const iv = random(IV_BYTES);
  const additionalData = new TextEncoder().encode(name);
  const text = new TextEncoder().encode(JSON.stringify(value));
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData }, key, text);
  return { iv, data: new Uint8Array(data) };
}

/** Decrypts a value, or throws `WrongSecret` where it was changed or belongs to another name. */
export async function unseal<T>(key: CryptoKey, name: string, sealed: Sealed): Promise<T> {
  const additionalData = new TextEncoder().encode(name);
  try {
    const algorithm = { name: "AES-GCM", iv: sealed.iv, additionalData };
    const text = await crypto.subtle.decrypt(algorithm, key, sealed.data);
    return JSON.parse(new TextDecoder().decode(text)) as T;
  } catch {
    throw new WrongSecret();
  }
}
