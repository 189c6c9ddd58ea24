// The passphrase of kept conversations: chosen once with a recovery code, then asked for.
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n.ts";
import { Copy } from "../parts/copy.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { forgetAll, header, useVault } from "./chat_state.ts";
import { canEncrypt, createVault, openVault, recoverVault, WrongSecret, type VaultHeader } from "./vault.ts";

const PASSPHRASE_MIN = 12;

interface Props {
  onClose: () => void;
  /** The vault is open. */
  onOpened: () => void;
}

export function KeepDialog({ onClose, onOpened }: Props) {
  const [found, setFound] = useState<VaultHeader | null | undefined>(undefined);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    if (canEncrypt()) header.read().then(setFound, () => setFound(null));
  }, []);
  if (!canEncrypt()) {
    return (
      <Dialog title={t("keep-title")} onClose={onClose}>
        <p>{t("keep-needs-https")}</p>
      </Dialog>
    );
  }
  if (found === undefined) return null;
  if (found === null) return <Create onClose={onClose} onOpened={onOpened} />;
  if (lost) return <Recover found={found} onClose={onClose} onOpened={onOpened} />;
  return <Unlock found={found} onLost={() => setLost(true)} onClose={onClose} onOpened={onOpened} />;
}

/** Runs what a form asks for, and says what went wrong. */
function useAttempt(): [string, boolean, (act: () => Promise<void>) => Promise<void>] {
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const attempt = async (act: () => Promise<void>) => {
    setProblem("");
    setBusy(true);
    try {
      await act();
    } catch (caught) {
      setProblem(t(caught instanceof WrongSecret ? "keep-wrong" : "keep-failed"));
    }
    setBusy(false);
  };
  return [problem, busy, attempt];
}

function Field({ id, label, value, onInput, fresh }: {
  id: string;
  label: string;
  value: string;
  onInput: (value: string) => void;
  fresh: boolean;
}) {
  return (
    <p class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="password"
        autocomplete={fresh ? "new-password" : "current-password"}
        required
        minLength={fresh ? PASSPHRASE_MIN : 1}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </p>
  );
}

function Problem({ sentence }: { sentence: string }) {
  return (
    <p role="alert" class={sentence ? "notice bad" : "unseen"}>
      {sentence}
    </p>
  );
}

function Create({ onClose, onOpened }: Props) {
  const [phrase, setPhrase] = useState("");
  const [again, setAgain] = useState("");
  const [code, setCode] = useState("");
  const [problem, busy, attempt] = useAttempt();
  const differs = again !== "" && again !== phrase;
  const create = (event: Event) => {
    event.preventDefault();
    if (phrase !== again) return;
    void attempt(async () => {
      const made = await createVault(phrase);
      await header.write(made.header);
      await useVault(made.key);
      setCode(made.code);
    });
  };
  if (code) return <Code code={code} onDone={onOpened} />;
  return (
    <Dialog title={t("keep-create-title")} onClose={onClose}>
      <p>{t("keep-create-lead")}</p>
      <form onSubmit={create}>
        <Field id="phrase" label={t("keep-phrase", { least: PASSPHRASE_MIN })} value={phrase} onInput={setPhrase} fresh />
        <Field id="again" label={t("keep-phrase-again")} value={again} onInput={setAgain} fresh />
        <Problem sentence={problem || (differs ? t("keep-differs") : "")} />
        <button type="submit" disabled={busy}>
          {t("keep-create")}
        </button>
      </form>
      <p class="soft">{t("keep-honest")}</p>
    </Dialog>
  );
}

/** Shows the recovery code, the only time. */
function Code({ code, onDone }: { code: string; onDone: () => void }) {
  return (
    <Dialog title={t("keep-code-title")} onClose={onDone}>
      <p>{t("keep-code-lead")}</p>
      <p class="code">{code}</p>
      <div class="choices">
        <button type="button" onClick={onDone}>
          {t("keep-code-done")}
        </button>
        <Copy text={code} />
      </div>
    </Dialog>
  );
}

function Unlock({ found, onLost, onClose, onOpened }: Props & { found: VaultHeader; onLost: () => void }) {
  const [phrase, setPhrase] = useState("");
  const [problem, busy, attempt] = useAttempt();
  const unlock = (event: Event) => {
    event.preventDefault();
    void attempt(async () => {
      await useVault(await openVault(found, phrase));
      onOpened();
    });
  };
  return (
    <Dialog title={t("keep-open")} onClose={onClose}>
      <form onSubmit={unlock}>
        <Field id="phrase" label={t("keep-phrase-ask")} value={phrase} onInput={setPhrase} fresh={false} />
        <Problem sentence={problem} />
        <div class="choices">
          <button type="submit" disabled={busy}>
            {t("keep-unlock")}
          </button>
          <button type="button" class="quiet" onClick={onLost}>
            {t("keep-lost")}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Recover({ found, onClose, onOpened }: Props & { found: VaultHeader }) {
  const [code, setCode] = useState("");
  const [phrase, setPhrase] = useState("");
  const [problem, busy, attempt] = useAttempt();
  const recover = (event: Event) => {
    event.preventDefault();
    void attempt(async () => {
      const made = await recoverVault(found, code, phrase);
      await header.write(made.header);
      await useVault(made.key);
      onOpened();
    });
  };
  const erase = async () => {
    if (!confirm(t("keep-erase-sure"))) return;
    await forgetAll();
    onClose();
  };
  return (
    <Dialog title={t("keep-lost")} onClose={onClose}>
      <form onSubmit={recover}>
        <p class="field">
          <label for="code">{t("keep-code-ask")}</label>
          <input id="code" required autocomplete="off" value={code} onInput={(event) => setCode(event.currentTarget.value)} />
        </p>
        <Field id="phrase" label={t("keep-phrase", { least: PASSPHRASE_MIN })} value={phrase} onInput={setPhrase} fresh />
        <Problem sentence={problem} />
        <div class="choices">
          <button type="submit" disabled={busy}>
            {t("keep-recover")}
          </button>
          <button type="button" class="quiet" onClick={erase}>
            {t("keep-erase")}
          </button>
        </div>
      </form>
      <p class="soft">{t("keep-erase-why")}</p>
    </Dialog>
  );
}
