// What is listed: nodes with their devices, claims, pods and classes.

import { age, counted, h, natural } from "./dom.js";

const STATES = { used: "in use", left: "held by nobody", tainted: "tainted", busy: "not given back yet" };
// what identifiers begin with that are no names
const UUID = /^FAKE-(?=[0-9a-f]{8}-)/;
const LABEL = 224, GAP = 3, PAD = 7;
const DENSITIES = [
  { most: 8, width: 78, height: 38, name: "wide" },
  { most: 16, width: 44, height: 24, name: "middle" },
  { most: Infinity, width: 19, height: 19, name: "dense" },
];

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
const TAIL = 9;
// Lets the middle of a long name go where there is no room, since nodes differ at the end.
export const middle = (name) => (name.length > 2 * TAIL ? h("span", { class: "middle-cut", title: name }, h("span", { class: "start" }, name.slice(0, -TAIL)), h("span", {}, name.slice(-TAIL))) : name);
// Lets the namespace go first.
const owner = (key) => [h("span", { class: "in" }, key.slice(0, key.indexOf("/") + 1)), short(key)];
const short = (key) => key.slice(key.indexOf("/") + 1);

// Says in words what a card looks like.
export function told(card, cluster) {
  const parts = (card.p ?? []).filter((part) => part.s || part.i);
  if (!parts.length) return `${card.n}: free${card.k ? `, ${card.k} ways to use it` : ""}`;
  const words = parts.map((part) => {
    const size = part.w && part.w < 1 ? ` (${Math.round(part.w * 100)} %)` : "";
    const by = part.c ? ` by claim ${part.c.join(", ")}` : "";
    const pods = part.c ? cluster.podsOf(part.c) : [];
    return `${part.n}${size} ${STATES[part.s] ?? "free"}${by}${pods.length ? `, pod ${pods.join(", ")}` : ""}${part.i ? ", not well" : ""}`;
  });
  return `${card.n}: ${words.join("; ")}`;
}

function partElement(part, cluster, named) {
  const pods = part.c ? cluster.podsOf(part.c) : [];
  const element = h("span", {
    class: `part ${part.s ?? "free"}${part.i ? " ill" : ""}`,
    "data-claim": part.c?.[0],
    "data-device": part.n,
  }, named && part.c ? h("span", { class: "who" }, owner(pods[0] ?? part.c[0])) : "");
  element.style.left = `${(part.x ?? 0) * 100}%`;
  element.style.width = `${(part.w ?? 1) * 100}%`;
  return element;
}

export function cardElement(card, row, cluster, density, chosen) {
  const path = link("card", row, card.pool.driver, card.pool.pool, card.n);
  const named = density !== "dense";
  return h("a", {
    class: `card${path === chosen ? " chosen" : ""}`, href: path, role: "gridcell", "data-cell": true,
    tabindex: -1, "aria-label": told(card, cluster), title: told(card, cluster),
  },
  named ? h("span", { class: "name" }, card.n.replace(UUID, "")) : "",
  (card.p ?? []).map((part) => partElement(part, cluster, named)));
}

// Tells whether words of the filter are in a text; `is:` asks for a state.
export function matcher(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  return (haystack, states) => words.every((word) =>
    (word.startsWith("is:") ? states().includes(word.slice(3)) : haystack().includes(word)));
}

class View {
  constructor(cluster, kind) {
    this.cluster = cluster;
    this.kind = kind;
    this.keys = [];
    this.filter = null;
    this.chosen = "";
    this.count = () => this.keys.length;
    this.keyOf = (index) => this.keys[index];
    this.versionOf = (index) => this.version(this.keys[index]);
    this.columns = () => 1;
    this.heightOf = () => 29;
    this.tick = 0;
  }

  entry(key) { return this.cluster[this.kind].get(key); }

  version(key) { return `${this.serial(this.entry(key))} ${this.tick} ${this.holds(key) ? this.chosen : ""}`; }

  // A number that an entry has for itself.
  serial(entry) { return this.cluster.once(entry, "serial", () => (View.last = (View.last ?? 0) + 1)); }

  holds(key) { return this.chosen.startsWith(link(this.one, ...key.split("/"))); }

  sort(filter) {
    this.filter = filter;
    const entries = [...this.cluster[this.kind]].filter(([key, entry]) => !filter ||
      filter(() => `${key} ${this.cluster.once(entry, "text", () => JSON.stringify(entry))}`.toLowerCase(), () => this.states(entry)));
    this.keys = entries.sort((a, b) => this.rank(a[1]) - this.rank(b[1]) || natural(a[0], b[0])).map(([key]) => key);
  }

  row(href, cells) {
    return h("div", { role: "row", class: `line${href === this.chosen ? " chosen" : ""}` },
      cells.map((cell, index) => index
        ? h("span", { role: "gridcell" }, cell)
        : h("a", { role: "rowheader", "data-cell": true, href, tabindex: -1 }, cell)));
  }
}

export class Nodes extends View {
  constructor(cluster) {
    super(cluster, "node");
    this.name = "nodes";
    this.heads = ["Node", "Devices"];
    this.width = 900;
    this.density = DENSITIES[0];
    this.columns = () => this.perLine;
    this.heightOf = (index) => this.height(this.entry(this.keys[index]));
    this.render = (index) => this.draw(this.keys[index]);
    this.one = "card";
  }

  resize(width) {
    const most = Math.max(1, ...[...this.cluster.node.values()].map((row) => Math.max(0, ...(row.pools ?? []).map((pool) => pool.cards?.length ?? 0))));
    this.several = new Set([...this.cluster.node.values()].flatMap((row) => (row.pools ?? []).map((pool) => pool.driver))).size > 1;
    this.density = DENSITIES.find((each) => most <= each.most);
    const room = Math.max(200, width - LABEL - 24);
    const fits = Math.max(1, Math.floor((room + GAP) / (this.density.width + GAP)));
    this.perLine = this.density.most === Infinity ? fits : Math.min(this.density.most, fits);
    this.width = width;
  }

  poolHeight(pool) {
    const lines = Math.ceil((pool.cards?.length ?? 0) / this.perLine);
    return (this.several || pool.problem ? 15 : 0) + lines * (this.density.height + GAP);
  }

  height(row) {
    const pools = (row.pools ?? []).reduce((sum, pool) => sum + this.poolHeight(pool), 0);
    const notes = (row.notes?.length ?? 0) + (row.taints?.length ? 1 : 0);
    return Math.max(pools - GAP, 18 + 15 + notes * 15) + 2 * PAD + 1;
  }

  version(key) { return `${super.version(key)} ${this.perLine} ${this.several} ${this.podsVersion(key)}`; }

  // What pods are called in the cards comes from claims.
  podsVersion(key) {
    const row = this.entry(key);
    const claims = this.cluster.once(row, "claims", () =>
      [...new Set(this.cluster.cards(row).flatMap((card) => (card.p ?? []).flatMap((part) => part.c ?? [])))]);
    return claims.map((claim) => { const entry = this.cluster.claim.get(claim); return entry ? this.serial(entry) : ""; }).join();
  }

  rank(row) { return row.pools?.length ? 0 : 1; }

  states(row) {
    const sums = this.cluster.sums(row), taken = sums.used + sums.left + sums.busy + sums.tainted;
    return [...Object.keys(sums).filter((name) => sums[name]), ...(taken < sums.cards ? ["free"] : [])];
  }

  draw(key) {
    const row = this.entry(key), sums = this.cluster.sums(row);
    const used = Math.round((sums.used + sums.left) * 10) / 10;
    const label = h("div", { class: "label" },
      h("a", { role: "rowheader", class: "node", "data-cell": true, tabindex: -1, href: link("node", key), title: key }, middle(key)),
      h("span", { class: "sum" }, sums.cards ? `${used} of ${sums.cards} in use` : "no devices"),
      (row.notes ?? []).map((note) => h("span", { class: "note" }, note)),
      row.taints?.length ? h("span", { class: "taint", title: row.taints.join("\n") }, `taint ${row.taints.join(", ")}`) : "");
    const pools = (row.pools ?? []).map((pool) => {
      const cards = (pool.cards ?? []).map((card) => cardElement({ ...card, pool }, key, this.cluster, this.density.name, this.chosen));
      const grid = h("div", { class: `cards ${this.density.name}`, role: "presentation" }, cards);
      grid.style.gridTemplateColumns = `repeat(${this.perLine}, minmax(0, 1fr))`;
      const named = this.several || pool.problem;
      return h("div", { class: "pool", role: "presentation" },
        named ? h("span", { class: "driver" }, pool.driver, pool.pool === key ? "" : ` ${pool.pool}`,
          pool.problem ? h("b", {}, ` nothing is allocated from it: ${pool.problem}`) : "") : "", grid);
    });
    const element = h("div", { role: "row", class: "row" }, label, h("div", { class: "pools", role: "presentation" }, pools));
    element.style.height = `${this.height(row)}px`;
    return element;
  }
}

const SIGN = { pending: "○", reserved: "◐", "in use": "●", left: "?", deleting: "✕", released: "–" };
export const badge = (state) => h("span", { class: `badge ${state.replace(" ", "-")}` }, h("i", { "aria-hidden": "true" }, SIGN[state] ?? ""), state === "left" ? "held by nobody" : state);
const names = (nodes) => (nodes.length === 1 ? middle(nodes[0]) : list(nodes));
const list = (names) => (names.length > 2 ? `${names.slice(0, 2).join(", ")} and ${names.length - 2} more` : names.join(", "));

export class Claims extends View {
  constructor(cluster) {
    super(cluster, "claim");
    this.name = "claims";
    this.one = "claim";
    this.heads = ["Claim", "State", "Class", "Devices", "Node", "Used by", "Age"];
    this.render = (index) => this.draw(this.keys[index]);
  }

  rank(claim) { return ["left", "pending", "reserved", "in use", "deleting", "released"].indexOf(claim.state); }

  states(claim) { return [claim.state.replace(" ", "-"), claim.state === "pending" ? "waiting" : "", claim.state === "in use" ? "used" : ""]; }

  draw(key) {
    const claim = this.entry(key), devices = (claim.devices ?? []).map((device) => device[2].replace(UUID, ""));
    return this.row(link("claim", ...key.split("/")), [key, badge(claim.state), list(claim.classes ?? []), list(devices),
      names(claim.nodes ?? []), list((claim.pods ?? []).map(short)), age(claim.line?.[0]?.[1])]);
  }
}

export class Pods extends View {
  constructor(cluster) {
    super(cluster, "pod");
    this.name = "pods";
    this.one = "pod";
    this.heads = ["Pod", "Phase", "Node", "Claims", "What it waits for", "Age"];
    this.render = (index) => this.draw(this.keys[index]);
  }

  rank(pod) { return pod.waits ? 0 : 1; }

  states(pod) { return [pod.phase?.toLowerCase() ?? "", pod.waits ? "waiting" : ""]; }

  draw(key) {
    const pod = this.entry(key), waits = pod.waits ? (pod.node ? "its devices on the node" : "a node") : "";
    const phase = pod.deleting ? "deleting" : pod.waits ? "waiting" : (pod.phase ?? "").toLowerCase();
    return this.row(link("pod", ...key.split("/")), [key, h("span", { class: `badge ${phase}` }, h("i", { "aria-hidden": "true" }, pod.waits ? "○" : pod.phase === "Running" ? "●" : "–"), phase), middle(pod.node ?? ""),
      list((pod.claims ?? []).map(short)), h("span", { title: pod.why }, pod.why ?? waits), age(pod.at)]);
  }
}

export class Classes extends View {
  constructor(cluster) {
    super(cluster, "class");
    this.name = "classes";
    this.one = "class";
    this.heads = ["Class", "Selectors", "Claims", "Note"];
    this.render = (index) => this.draw(this.keys[index]);
  }

  rank(found) { return found.any ? 0 : 1; }

  states(found) { return [found.any ? "any" : ""]; }

  version(key) { return `${super.version(key)} ${this.claims(key)}`; }

  claims(key) {
    if (this.countedAt !== this.cluster.version) {
      this.countedAt = this.cluster.version;
      this.counts = new Map();
      for (const claim of this.cluster.claim.values()) {
        if (claim.state !== "released") for (const name of claim.classes ?? []) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      }
    }
    return this.counts.get(key) ?? 0;
  }

  draw(key) {
    const found = this.entry(key);
    const note = found.any ? h("b", { class: "warn" }, "! no selectors: every device of every driver") : found.resource ? `extended resource ${found.resource}` : found.driver ? `driver ${found.driver}` : "";
    return this.row(link("class", key), [key, h("code", { title: (found.selectors ?? []).join("\n") }, (found.selectors ?? []).join(" && ")), counted(this.claims(key), "claim"), note]);
  }
}
