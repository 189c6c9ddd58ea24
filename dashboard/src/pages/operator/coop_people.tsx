// The people of any co-op, for the pool's operator: the first one, and one who left.
import { useEffect, useState } from "preact/hooks";
import { coopName } from "../../coop_names.ts";
import { api, take } from "../../api.ts";
import type { Person } from "../../coop/figures.ts";
import { People } from "../../coop/people.tsx";
import { t } from "../../i18n.ts";
import { Choice, Said, useActing } from "./parts.tsx";
import "../../coop/coop.css";

export function CoopPeople({ coops }: { coops: string[] }) {
  const [coop, setCoop] = useState(coops[0] ?? "");
  const [people, setPeople] = useState<readonly Person[] | null>(null);
  const acting = useActing();
  const read = async (of: string) => (await take(api.GET("/v1/people", { params: { query: { coop: of } } }))).data;
  useEffect(() => {
    let isWanted = true; // an answer for a co-op that was left is dropped
    setPeople(null);
    void acting.act(async () => {
      const found = await read(coop);
      if (isWanted) setPeople(found);
    });
    return () => void (isWanted = false);
  }, [coop]);
  const choice = (
    <div class="fields">
      <Choice label={t("op-coop")} value={coop} onValue={setCoop} choices={coops.map((each) => [each, coopName(each)] as const)} />
    </div>
  );
  return (
    <div class="coop-people">
      <People
        key={coop}
        coop={coop}
        people={people ?? []}
        isFirst={people?.length === 0}
        before={choice}
        read={async () => setPeople(await read(coop))}
        attempt={async (doing) => void (await acting.act(doing))}
      />
      <Said of={acting} />
    </div>
  );
}
