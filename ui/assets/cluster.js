// What is known of the cluster: entries by kind and name, as the server sends them.

const KINDS = ["node", "claim", "pod", "class"];

export class Cluster {
  constructor() {
    this.about = {};
    this.sent = false;
    this.clear();
    this.known = new WeakMap();
  }

  clear() {
    for (const kind of KINDS) this[kind] = new Map();
    this.version = (this.version ?? 0) + 1;
  }

  // Whether everything is here: the server has read the cluster, and has sent what it knows.
  get whole() { return this.sent && this.about.waiting?.length === 0; }

  // Takes in entries, and returns the kinds of which some came, went, or have another place.
  take(entries) {
    const kinds = new Set();
    for (const [[kind, key], value] of entries) {
      if (kind === "cluster") {
        this.about = value;
        continue;
      }
      const map = this[kind];
      const before = map.get(key);
      if (value === null) map.delete(key); else map.set(key, value);
      if (!before !== !value || before?.state !== value?.state || before?.waits !== value?.waits) kinds.add(kind);
    }
    this.version += 1;
    return kinds;
  }

  // Remembers what is found out about an entry for as long as that stays as it is.
  once(entry, what, make) {
    let found = this.known.get(entry);
    if (!found) this.known.set(entry, (found = {}));
    return (found[what] ??= make());
  }

  cards(row) {
    return this.once(row, "cards", () =>
      (row.pools ?? []).flatMap((pool) => (pool.cards ?? []).map((card) => ({ ...card, pool }))));
  }

  // Counts the cards of a row, and what is taken of them.
  sums(row) {
    return this.once(row, "sums", () => {
      const sums = { cards: 0, used: 0, left: 0, tainted: 0, busy: 0, ill: 0, problems: 0 };
      for (const pool of row.pools ?? []) sums.problems += pool.problem ? 1 : 0;
      for (const card of this.cards(row)) {
        sums.cards += 1;
        for (const part of card.p ?? []) {
          if (part.s) sums[part.s] += part.w ?? 1;
          if (part.i) sums.ill += 1;
        }
      }
      return sums;
    });
  }

  totals() {
    if (this.counted?.version === this.version) return this.counted;
    const all = { version: this.version, cards: 0, used: 0, left: 0, tainted: 0, busy: 0, ill: 0, problems: 0 };
    for (const row of this.node.values()) {
      const sums = this.sums(row);
      for (const name of Object.keys(sums)) all[name] += sums[name];
    }
    all.waiting = 0;
    for (const pod of this.pod.values()) all.waiting += pod.waits ? 1 : 0;
    all.claims = 0;
    all.leaks = 0;
    for (const claim of this.claim.values()) {
      all.claims += claim.state === "released" ? 0 : 1;
      all.leaks += claim.state === "left" ? 1 : 0;
    }
    all.any = 0;
    for (const each of this.class.values()) all.any += each.any ? 1 : 0;
    return (this.counted = all);
  }

  podsOf(claims) {
    return [...new Set(claims.flatMap((key) => this.claim.get(key)?.pods ?? []))];
  }
}

// Follows the server, and goes on by itself after it was away.
export function follow(cluster, { changed, linked }) {
  const source = new EventSource("events");
  source.addEventListener("open", () => linked("live"));
  source.addEventListener("error", () => linked(source.readyState === EventSource.CLOSED ? "ended" : "reconnecting"));
  source.addEventListener("anew", () => {
    cluster.clear();
    cluster.sent = false;
  });
  source.addEventListener("whole", () => {
    cluster.sent = true;
    changed(new Set(KINDS));
  });
  source.addEventListener("message", (event) => changed(cluster.take(JSON.parse(event.data))));
  return source;
}
