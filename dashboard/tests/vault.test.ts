import { expect, test } from "vitest";
import { createVault, newRecoveryCode, normalCode, openVault, recoverVault, seal, unseal, WrongSecret } from "../src/chat/vault.ts";

const PHRASE = "quatre mots et demi";

test("what is sealed opens with the passphrase, and holds no readable word", async () => {
  const { header, key } = await createVault(PHRASE);
  const sealed = await seal(key, "one", { text: "secret de la coop" });

  expect(new TextDecoder().decode(sealed.data)).not.toContain("secret");
  expect(await unseal(await openVault(header, PHRASE), "one", sealed)).toEqual({ text: "secret de la coop" });
});

test("another passphrase, another name and a changed byte open nothing", async () => {
  const { header, key } = await createVault(PHRASE);
  const sealed = await seal(key, "one", 1);
  const changed = { ...sealed, data: sealed.data.map((byte, place) => (place === 0 ? byte ^ 1 : byte)) };

  await expect(openVault(header, `${PHRASE} `)).rejects.toBeInstanceOf(WrongSecret);
  await expect(unseal(key, "two", sealed)).rejects.toBeInstanceOf(WrongSecret);
  await expect(unseal(key, "one", changed)).rejects.toBeInstanceOf(WrongSecret);
});

test("the recovery code gives the vault a new passphrase; the old one is over", async () => {
  const { header, key, code } = await createVault(PHRASE);
  const sealed = await seal(key, "one", "texte");
  const recovered = await recoverVault(header, ` ${code.toLowerCase().replaceAll("-", " ")} `, "une autre phrase");

  expect(await unseal(recovered.key, "one", sealed)).toBe("texte");
  expect(await unseal(await openVault(recovered.header, "une autre phrase"), "one", sealed)).toBe("texte");
  await expect(openVault(recovered.header, PHRASE)).rejects.toBeInstanceOf(WrongSecret);
  await expect(recoverVault(header, "AAAA-BBBB", "x")).rejects.toBeInstanceOf(WrongSecret);
});

test("the key cannot be read out of the browser", async () => {
  const { key } = await createVault(PHRASE);

  await expect(crypto.subtle.exportKey("raw", key)).rejects.toThrow();
});

test("a recovery code has 160 bits in letters that nobody confuses", () => {
  const codes = Array.from({ length: 50 }, newRecoveryCode);

  expect(codes.every((code) => /^([A-HJ-NP-Z2-9]{4}-){7}[A-HJ-NP-Z2-9]{4}$/.test(code))).toBe(true);
  expect(new Set(codes).size).toBe(50);
  expect(normalCode("ab cd-efgh ")).toBe("ABCD-EFGH");
});
