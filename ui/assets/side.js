// The right side: what somebody has chosen, or else what needs attention.

import { age, clock, counted, fill, h } from "./dom.js";
import { badge, link, middle, told } from "./views.js";

const SHOWN = 12;
const EXPLAIN_AGAIN = 2000;

export class Side {
  constructor(element, cluster) {
    this.element = element;
    this.cluster = cluster;
    this.path = [];
    this.answers = new Map();
  }

  choose(path) {
    if (path.join("/") !== this.path.join("/")) {
      this.answers.clear();
      this.element.scrollTop = 0;
    }
    this.path = path;
    this.draw();
  }

  draw() {
    const [kind, ...names] = this.path;
    const views = { card: this.card, node: this.node, claim: this.claim, pod: this.pod, class: this.class_ };
    fill(this.element, (views[kind] ?? this.attention).apply(this, names));
  }

  head(kind, title, ...more) {
    return h("div", { class: "head" },
      h("p", { class: "kind" }, kind),
      h("h2", { tabindex: -1, "data-k": "title" }, title), ...more,
      h("a", { class: "close", href: "#/", "data-k": "close", "aria-label": "Close: show what needs attention" }, "✕"));
  }

  gone(kind, title) { return [this.head(kind, title), h("p", { class: "empty" }, this.cluster.whole ? "It is not there any more." : "…")]; }

  ref(kind, key, text = key) {
    const there = this.cluster[kind].has(key);
    const parts = kind === "claim" || kind === "pod" ? key.split("/") : [key];
    return there ? h("a", { href: link(kind, ...parts), "data-k": `${kind} ${key}` }, text) : h("span", {}, text);
  }

  // Asks the server, once at a time, and again when what is asked about has changed.
  ask(url, version) {
    const known = this.answers.get(url) ?? { version: undefined, found: undefined, at: 0, busy: false };
    this.answers.set(url, known);
    const wait = known.at + Math.max(EXPLAIN_AGAIN, 4 * (known.took ?? 0)) - Date.now();
    if (known.version !== version && !known.busy) {
      known.busy = true;
      setTimeout(async () => {
        if (this.answers.get(url) !== known) return;
        const began = Date.now();
        known.version = version;
        try {
          const answer = await fetch(url);
          known.found = await answer.json();
          if (!answer.ok && !known.found.error) known.found = { error: answer.statusText };
        } catch (error) {
          known.found = { error: "the server does not answer" };
        }
        known.at = Date.now();
        known.took = known.at - began;
        known.busy = false;
        if (this.answers.get(url) === known) this.draw();
      }, known.found ? Math.max(0, wait) : 0);
    }
    return known.found;
  }

  attention() {
    const { cluster } = this;
    if (!cluster.whole) return [h("h2", {}, "Reading the cluster"), h("p", { class: "empty" }, (cluster.about.waiting ?? []).join(", "))];
    const waiting = [...cluster.pod].filter(([, pod]) => pod.waits);
    const left = [...cluster.claim].filter(([, claim]) => claim.state === "left");
    const any = [...cluster.class].filter(([, found]) => found.any);
    const ill = [], broken = [], noted = [];
    for (const [key, row] of cluster.node) {
      for (const pool of row.pools ?? []) if (pool.problem) broken.push([key, pool]);
      if (row.notes?.length) noted.push([key, row.notes]);
      if (cluster.sums(row).ill) for (const card of cluster.cards(row)) if ((card.p ?? []).some((part) => part.i)) ill.push([key, card]);
    }
    const sections = [
      this.section("Pods that wait", waiting, "is:waiting", "pods", ([key, pod]) => [this.ref("pod", key), h("p", {}, this.cause(key, waiting) ?? pod.why ?? (pod.node ? `for its devices on ${pod.node}` : "for a node"))]),
      this.section("Claims held by nobody", left, "is:left", "claims", ([key, claim]) => [this.ref("claim", key), h("p", {}, `${counted((claim.devices ?? []).length, "device")}, created ${age(claim.line?.[0]?.[1])} ago`)]),
      this.section("Devices tainted or not well", ill, "is:ill", "nodes", ([key, card]) => [h("a", { href: link("card", key, card.pool.driver, card.pool.pool, card.n), "data-k": `card ${key} ${card.n}` }, `${key} ${card.n}`)]),
      this.section("Pools not allocated from", broken, "is:problems", "nodes", ([key, pool]) => [this.ref("node", key), h("p", {}, `${pool.driver} ${pool.pool}: ${pool.problem}`)]),
      this.section("Nodes", noted, "", "nodes", ([key, notes]) => [this.ref("node", key), h("p", {}, notes.join("; "))]),
      this.section("Classes without selectors", any, "is:any", "classes", ([key]) => [this.ref("class", key), h("p", {}, "selects every device of every driver")]),
      this.section("Not read: you lack the right to", (cluster.about.unread ?? []).map((each) => [each]), "", "", ([text]) => [h("code", {}, text)]),
    ].filter(Boolean);
    return [h("h2", { tabindex: -1, "data-k": "title" }, "Needs attention"), ...(sections.length ? sections : [h("p", { class: "empty" }, "Nothing: no pod waits, and no claim is left.")])];
  }

  // Explains the first pods that wait, without being asked.
  cause(key, waiting) {
    if (waiting.findIndex(([each]) => each === key) >= 3) return undefined;
    const found = this.ask(`api/explain/pod/${key.split("/").map(encodeURIComponent).join("/")}`, JSON.stringify(this.cluster.pod.get(key)));
    return found?.summary;
  }

  section(title, found, filter, tab, show) {
    if (!found.length) return null;
    const more = found.length - SHOWN;
    return h("section", {}, h("h3", {}, title, h("b", {}, ` ${found.length}`)),
      h("ul", { class: "items" }, found.slice(0, SHOWN).map((each) => h("li", {}, show(each)))),
      more > 0 && tab ? h("button", { type: "button", class: "more", "data-tab": tab, "data-filter": filter, "data-k": `more ${tab}` }, `and ${more} more`) : null);
  }

  facts(...pairs) {
    const rows = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value?.length !== 0);
    return h("dl", { class: "facts" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  node(name) {
    const row = this.cluster.node.get(name);
    if (!row) return this.gone("node", name);
    const sums = this.cluster.sums(row), keys = new Set();
    for (const card of this.cluster.cards(row)) for (const part of card.p ?? []) for (const claim of part.c ?? []) keys.add(claim);
    return [this.head("node", name),
      (row.notes ?? []).map((note) => h("p", { class: "warn" }, note)),
      this.facts(["devices", counted(sums.cards, "device")], ["taints", (row.taints ?? []).join(", ")],
        ["drivers", [...new Set((row.pools ?? []).map((pool) => pool.driver))].join(", ")]),
      h("h3", {}, "Claims with devices here"),
      keys.size ? h("ul", { class: "items" }, [...keys].sort().map((key) => h("li", {}, this.ref("claim", key), this.podsOf(key)))) : h("p", { class: "empty" }, "none")];
  }

  podsOf(claim) {
    const pods = this.cluster.claim.get(claim)?.pods ?? [];
    return pods.length ? h("p", {}, "used by ", pods.map((pod, index) => [index ? ", " : "", this.ref("pod", pod)])) : h("p", {}, "used by nobody");
  }

  card(place, driver, pool, name) {
    const row = this.cluster.node.get(place);
    const card = row && this.cluster.cards(row).find((each) => each.n === name && each.pool.driver === driver && each.pool.pool === pool);
    if (!card) return this.gone("device", name);
    const query = new URLSearchParams({ driver, pool, card: name });
    const found = this.ask(`api/card?${query}`, JSON.stringify([card.p, (card.p ?? []).map((part) => part.c?.map((claim) => this.cluster.claim.get(claim)?.state))]));
    const picture = h("div", { class: "picture", role: "img", "aria-label": told(card, this.cluster) }, (card.p ?? []).map((part) => {
      const each = h("span", { class: `part ${part.s ?? "free"}${part.i ? " ill" : ""}` }, h("span", { class: "who" }, part.n));
      each.style.left = `${(part.x ?? 0) * 100}%`;
      each.style.width = `${(part.w ?? 1) * 100}%`;
      return each;
    }));
    return [this.head("device", name), picture,
      this.facts(["node", this.ref("node", place)], ["driver", driver], ["pool", pool]),
      found?.error ? h("p", { class: "warn" }, found.error) : null,
      found?.counters?.length ? [h("h3", {}, "Left of its counters"), this.facts(...found.counters)] : null,
      found?.devices ? this.devices(found.devices) : h("p", { class: "empty" }, "…")];
  }

  devices(devices) {
    const held = (device) => (device.holders?.length ? 0 : device.taints?.length ? 1 : 2);
    const sorted = [...devices].sort((a, b) => held(a) - held(b));
    return [devices.length > 1 ? h("h3", {}, "Offered as", h("b", {}, ` ${devices.length}`)) : null,
      sorted.map((device) => h("details", { class: "device", open: devices.length === 1 || held(device) === 0, "data-k": `device ${device.name}` },
        h("summary", { "data-k": `summary ${device.name}` }, h("code", {}, device.name), h("span", { class: "sum" }, device.holders?.length ? "in use" : device.taken ? (device.taints?.length ? "tainted" : "no room") : "free")),
        device.holders?.map((holder) => h("p", {}, "claim ", this.ref("claim", holder.claim), holder.since ? ` for ${age(holder.since)}` : "", holder.admin ? ", for administration only" : "", holder.split > 1 ? `, in ${holder.split} parts` : "", holder.consumed?.length ? `, takes ${holder.consumed.map((each) => each.join(" ")).join(", ")}` : "", this.podsOf(holder.claim))),
        device.taken && !device.holders?.length ? h("p", {}, device.taken) : null,
        device.taints?.length ? h("p", { class: "warn" }, `taint ${device.taints.join(", ")}`) : null,
        device.parts?.length ? h("p", {}, `containers see ${device.parts.join(", ")}`) : null,
        this.facts(...(device.attributes ?? []), ...(device.capacity ?? []), ...(device.draws ?? []).map(([name, amount]) => [`draws ${name}`, amount]))))];
  }

  claim(namespace, name) {
    const key = `${namespace}/${name}`, claim = this.cluster.claim.get(key);
    if (!claim) return this.gone("claim", key);
    const waits = claim.state === "pending";
    return [this.head("claim", key, badge(claim.state)),
      claim.state === "left" ? h("p", { class: "warn" }, "It keeps devices from others, and no pod uses it. Delete it, if none is to come.") : null,
      this.line(claim.line ?? []),
      this.facts(["classes", (claim.classes ?? []).map((each, index) => [index ? ", " : "", this.ref("class", each)])],
        ["pods", (claim.pods ?? []).map((each, index) => [index ? ", " : "", this.ref("pod", each)])],
        ["nodes", (claim.nodes ?? []).map((each, index) => [index ? ", " : "", this.ref("node", each)])]),
      claim.devices?.length ? this.given(claim) : null,
      (claim.notes ?? []).map((note) => h("p", { class: "warn" }, note)),
      waits ? this.explanation(`api/explain/claim/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`, JSON.stringify(claim)) : null];
  }

  given(claim) {
    const pools = new Map();
    for (const device of claim.devices) {
      const pool = `${device[0]} ${device[1]}`;
      pools.set(pool, [...(pools.get(pool) ?? []), device]);
    }
    return [...pools].map(([pool, devices]) => [h("h3", {}, counted(devices.length, "device")), h("p", { class: "fine" }, pool),
      h("ul", { class: "chips" }, devices.map((device) => h("li", {}, this.device(claim, device))))]);
  }

  // Leads to the card that a device is in.
  device(claim, [driver, pool, name]) {
    const rows = [...(claim.nodes ?? []), pool].filter((each) => this.cluster.node.has(each));
    for (const row of rows.length ? rows : this.cluster.node.keys()) {
      for (const card of this.cluster.cards(this.cluster.node.get(row))) {
        if (card.pool.driver === driver && card.pool.pool === pool && (card.n === name || (card.p ?? []).some((part) => part.n === name))) {
          return h("a", { href: link("card", row, driver, pool, card.n), "data-k": `card ${name}` }, name);
        }
      }
    }
    return h("span", {}, name);
  }

  line(stations) {
    const known = new Map(stations.map((each) => [each[0], each]));
    return h("ol", { class: "timeline", "aria-label": "Life of the claim" }, ["created", "allocated", "prepared", "running", "released"].map((name) => {
      const [, at, seen] = known.get(name) ?? [];
      const when = !known.has(name) ? "not yet" : at ? [h("time", { datetime: at, title: at }, clock(at)), ` ${age(at)} ago${seen ? ", as seen here" : ""}`] : "before this page looked";
      return h("li", { class: known.has(name) ? "done" : "" }, h("b", {}, name), h("span", {}, when));
    }));
  }

  pod(namespace, name) {
    const key = `${namespace}/${name}`, pod = this.cluster.pod.get(key);
    if (!pod) return this.gone("pod", key);
    return [this.head("pod", key),
      this.facts(["phase", pod.deleting ? `${pod.phase}, being deleted` : pod.phase], ["node", pod.node && this.ref("node", pod.node)], ["age", age(pod.at)]),
      h("h3", {}, "Claims"),
      h("ul", { class: "items" }, (pod.claims ?? []).map((each) => h("li", {}, this.ref("claim", each), " ", this.cluster.claim.has(each) ? badge(this.cluster.claim.get(each).state) : "is not there"))),
      this.explanation(`api/explain/pod/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`, pod.waits ? this.cluster.version : JSON.stringify(pod))];
  }

  class_(name) {
    const found = this.cluster.class.get(name);
    if (!found) return this.gone("class", name);
    const claims = [...this.cluster.claim].filter(([, claim]) => claim.classes?.includes(name) && claim.state !== "released");
    const structured = this.cluster.about.kind === "structured";
    return [this.head("class", name),
      found.any ? h("p", { class: "warn" }, "It has no selectors: every device of every driver is of this class.") : null,
      this.facts(["driver", found.driver], ["extended resource", found.resource]),
      (found.selectors ?? []).map((each) => h("pre", {}, each)),
      structured ? this.explanation(`api/explain/class/${encodeURIComponent(name)}`, JSON.stringify(found)) : null,
      h("h3", {}, "Claims", h("b", {}, ` ${claims.length}`)),
      h("ul", { class: "items" }, claims.slice(0, SHOWN).map(([key, claim]) => h("li", {}, this.ref("claim", key), " ", badge(claim.state)))),
      claims.length > SHOWN ? h("button", { type: "button", class: "more", "data-tab": "claims", "data-filter": name, "data-k": "more" }, `and ${claims.length - SHOWN} more`) : null];
  }

  explanation(url, version) {
    const found = this.ask(url, version);
    const box = (...children) => h("section", { class: "why", "aria-busy": found ? null : "true" }, children);
    if (!found) return box(h("p", { class: "empty" }, "looking why …"));
    if (found.error) return box(h("p", { class: "warn" }, found.error));
    const sign = found.fits === true ? "✓" : found.fits === false ? "✕" : "?";
    return box(
      h("h3", { class: `verdict ${found.fits === true ? "yes" : found.fits === false ? "no" : "unsure"}` }, h("i", { "aria-hidden": "true" }, sign), found.summary),
      (found.facts ?? []).map((each) => h("p", {}, each)),
      found.helps?.length ? [h("h4", {}, "What would help"), h("ul", { class: "helps" }, found.helps.map((each) => h("li", {}, each)))] : null,
      found.miss ? h("p", {}, h("b", {}, "Nearest miss: "), found.miss) : null,
      found.nodes?.length ? [h("h4", {}, "What nodes say"), h("table", {}, h("tbody", {}, found.nodes.slice(0, SHOWN).map(([says, names]) => h("tr", {}, h("th", { scope: "row", title: names.join(", ") }, names.length > 3 ? counted(names.length, "node") : names.map(middle)), h("td", {}, says.map((line) => h("p", {}, line)))))))] : null,
      found.offers?.length ? [h("h4", {}, "Where"), h("table", {}, h("thead", {}, h("tr", {}, ["place", "devices", "selected", "free"].map((each) => h("th", { scope: "col" }, each)))), h("tbody", {}, found.offers.slice(0, SHOWN).map(([where, ...numbers]) => h("tr", {}, h("th", { scope: "row" }, where), numbers.map((each) => h("td", {}, String(each)))))))] : null,
      found.quoted ? h("blockquote", {}, h("b", {}, "Kubernetes says: "), found.quoted) : null,
      found.gates ? h("p", { class: "fine" }, `Feature gates: ${found.gates}`) : null,
      (found.unread ?? []).map((each) => h("p", { class: "warn" }, `not read: ${each}`)));
  }
}
