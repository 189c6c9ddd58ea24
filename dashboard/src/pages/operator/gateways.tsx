// The gateways that run as processes of their own, beside the scheduler's.
import { dateTime, t } from "../../i18n.ts";
import type { Answer } from "./admin.ts";

export type Gateway = Answer<"GetStatus">["gateways"][number];

/** Nothing in a pool whose only gateway is the scheduler's own. */
export function Gateways({ gateways }: { gateways: readonly Gateway[] }) {
  if (gateways.every((each) => each.state === "stopped")) return null;
  return (
    <section aria-labelledby="op-gateways">
      <h2 id="op-gateways">{t("op-gateways")}</h2>
      <p>{t("op-gateways-lead")}</p>
      <ul class="nodes">
        {gateways.map((each) => (
          <li key={each.gateway} class={`gateway-${each.state}`}>
            <p class="what">
              <b>
                <bdi>{each.gateway}</bdi>
              </b>
            </p>
            <p>{t(`op-gateway-${each.state}`, { when: dateTime(each.heardAt), jobs: each.jobs })}</p>
            {each.version && <p class="soft">{t("op-gateway-version", { version: each.version })}</p>}
            {each.state === "silent" && <p class="soft">{t("op-remedy-gateway")}</p>}
            {each.twice && <p class="notice bad">{t("op-gateway-twice")}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}
