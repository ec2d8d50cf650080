// Holds the objects on stdin (a JSON array) against their schemas, and prints what is wrong, one line a mistake: types,
// values and what has to be there by the schema, and fields that no schema knows, which Kubernetes would drop or refuse.
import { readFileSync } from "node:fs";

const packages = {
  "cert-manager.io": "@kubernetes-models/cert-manager",
  "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
};

// The object and all below it, each field noting that it was read: what the schema has no word for is never asked for.
function watched(value, path, unread) {
  if (value === null || typeof value !== "object") return value;
  const fields = Array.isArray(value) ? [] : Object.keys(value);
  for (const field of fields) unread.add(`${path}/${field}`);
  return new Proxy(value, {
    get(target, field) {
      if (typeof field === "symbol") return target[field];
      unread.delete(`${path}/${field}`);
      return watched(target[field], `${path}/${field}`, unread);
    },
  });
}

async function mistakes(object) {
  const [group, version] = object.apiVersion.includes("/") ? object.apiVersion.split("/") : ["", object.apiVersion];
  const models = packages[group] ?? "kubernetes-models";
  const module = await import([models, group, version, object.kind].filter(Boolean).join("/"));
  const model = new module[object.kind](object);
  const unread = new Set();
  const found = [];
  try {
    model.validate.call(watched(model, "", unread));
  } catch (error) {
    found.push(error.message);
  }
  return [...found, ...[...unread].map((field) => `${field} is no field`)];
}

for (const object of JSON.parse(readFileSync(0, "utf8")))
  for (const mistake of await mistakes(object)) console.log(`${object.kind} ${object.metadata.name}: ${mistake}`);
