import type { components, paths } from "./api";

type Saga = components["schemas"]["Saga"];
type Why = components["schemas"]["Why"];
type List = paths["/v1/sagas"]["get"]["responses"]["200"]["content"]["application/json"];

// Every array is used without a check for null: that is what is tested.
export function summary(list: List): string {
  return list.items.map((saga: Saga) => saga.steps.map((step) => step.name + "=" + step.status).join(" ") + saga.allowed_actions.join()).join("\n");
}

export function next(why: Why): string {
  return why.next_automatic === null ? "nothing happens by itself" : why.next_automatic.what + " " + (why.next_automatic.at ?? "?");
}

export function key(saga: Saga): string {
  return saga.key ?? saga.unreadable ?? saga.id;
}
