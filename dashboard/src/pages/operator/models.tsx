// The catalogue of models, what is loaded where, what the pool would do, and placing by hand.
import { useState } from "preact/hooks";
import { dateTime, number, t } from "../../i18n.ts";
import { admin, mayAct, textOf, worded, type Node, type Plan } from "./admin.ts";
import { readCatalogue, type CatalogueModel } from "./catalogue.ts";
import { AddModels, Catalogue, PinModel } from "./catalogue_part.tsx";
import { Choice, Confirmed, Read, Said, useActing, useReading, type Acting } from "./parts.tsx";

interface Facts {
  document: string;
  models: CatalogueModel[];
  plan: Plan;
  nodes: Node[];
}

async function readModels(): Promise<Facts> {
  const [catalogue, plan, nodes] = await Promise.all([
    admin("GetCatalogue", {}),
    admin("PlanModels", {}),
    admin("ListNodes", {}),
  ]);
  const document = textOf(catalogue.document);
  return { document, models: readCatalogue(document), plan, nodes: nodes.nodes as Node[] };
}

export function Models() {
  const reading = useReading(readModels);
  const acting = useActing();
  return (
    <Read of={reading}>
      {({ document, models, plan, nodes }) => (
        <>
          <section aria-labelledby="op-loads">
            <h2 id="op-loads">{t("op-loads-title")}</h2>
            <Said of={acting} />
            <Loads plan={plan} nodes={nodes} acting={acting} onChange={reading.again} />
            <h3>{t("op-plan-title")}</h3>
            {plan.steps.length === 0 ? <p class="soft">{t("op-plan-none")}</p> : <Steps plan={plan} />}
          </section>
          {mayAct() && <Place models={models} nodes={nodes} acting={acting} onChange={reading.again} />}
          <Catalogue document={document} models={models} onChange={reading.again} />
          {mayAct() && <AddModels document={document} onChange={reading.again} />}
          {mayAct() && <PinModel models={models} onChange={reading.again} />}
        </>
      )}
    </Read>
  );
}

interface LoadsProps {
  plan: Plan;
  nodes: Node[];
  acting: Acting;
  onChange: () => Promise<void>;
}

function Loads({ plan, nodes, acting, onChange }: LoadsProps) {
  const served = nodes.flatMap((node) =>
    node.models
      .filter((model) => !plan.orders.some((order) => order.node === node.node && order.model === model))
      .map((model) => ({ node: node.node, model })),
  );
  const unload = async (model: string, node: string) => {
    await acting.act(() => admin("UnloadModel", { model, node }), t("op-unloading", { model, node }));
    await onChange();
  };
  if (served.length + plan.orders.length === 0) return <p class="soft">{t("pool-no-models")}</p>;
  return (
    <ul class="rows">
      {plan.orders.map((order) => (
        <li key={`${order.node} ${order.model}`}>
          <div>
            <p>
              <b>
                <bdi>{order.model}</bdi>
              </b>{" "}
              <span class="tag">{worded(`op-load-${order.state}`, order.state)}</span>
            </p>
            <p class="soft">
              {t("op-load-since", {
                node: order.node,
                why: worded(`op-why-${order.reason}`, order.reason),
                when: dateTime(order.since),
                gb: number(Number(order.memoryBytes) / 1e9, 1),
              })}
            </p>
          </div>
          {mayAct() && (
            <Confirmed
              label={t("op-unload")}
              name={order.model}
              consequence={t("op-unload-means", { node: order.node })}
              disabled={acting.busy}
              onYes={() => unload(order.model, order.node)}
            />
          )}
        </li>
      ))}
      {served.map(({ node, model }) => (
        <li key={`${node} ${model}`}>
          <div>
            <p>
              <b>
                <bdi>{model}</bdi>
              </b>
            </p>
            <p class="soft">{t("op-load-owner", { node })}</p>
          </div>
        </li>
      ))}
    </ul>
  );
}

function Steps({ plan }: { plan: Plan }) {
  return (
    <ul class="faults">
      {plan.steps.map((step) => {
        const why = worded(`op-why-${step.reason}`, step.reason);
        const values = { model: step.model, node: step.node, why };
        return (
          <li key={`${step.node} ${step.model}`}>{step.load ? t("op-step-load", values) : t("op-step-unload", values)}</li>
        );
      })}
    </ul>
  );
}

function Place(props: { models: CatalogueModel[]; nodes: Node[]; acting: Acting; onChange: () => Promise<void> }) {
  const [model, setModel] = useState(props.models[0]?.name ?? "");
  const [node, setNode] = useState("");
  const [plan, setPlan] = useState<Plan | null>(null);
  const own = useActing();
  const look = () => [setPlan(null), own.act(async () => setPlan(await admin("PlanModels", { model, node })))];
  const place = async () => {
    const isDone = await own.act(() => admin("PlaceModel", { model, node }), t("op-placing", { model }));
    if (isDone) setPlan(null);
    await props.onChange();
  };
  const choose = (set: (value: string) => void) => (value: string) => [setPlan(null), set(value)];
  return (
    <section aria-labelledby="op-place">
      <h2 id="op-place">{t("op-place-title")}</h2>
      <p>{t("op-place-lead")}</p>
      <form class="fields" onSubmit={(event) => [event.preventDefault(), look()]}>
        <Choice
          label={t("op-model")}
          value={model}
          onValue={choose(setModel)}
          choices={props.models.map((each) => [each.name, each.title] as const)}
        />
        <Choice
          label={t("op-machine")}
          value={node}
          onValue={choose(setNode)}
          choices={[["", t("op-machine-best")], ...props.nodes.map((each) => [each.node, each.node] as const)]}
        />
        <p class="whole row">
          <button type="submit" class="quiet" disabled={own.busy}>
            {t("op-place-look")}
          </button>
          {plan && (
            <button type="button" disabled={own.busy} onClick={place}>
              {t("op-place-now")}
            </button>
          )}
        </p>
        <div class="whole">
          <Said of={own} />
          {plan && <Steps plan={plan} />}
        </div>
      </form>
    </section>
  );
}
