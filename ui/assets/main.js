// The page: what is listed at the left, what is chosen at the right, all of it live.

import { Cluster, follow } from "./cluster.js";
import { counted, fill, h } from "./dom.js";
import { Rows } from "./rows.js";
import { Side } from "./side.js";
import { Claims, Classes, matcher, Nodes, Pods } from "./views.js";

const $ = (id) => document.getElementById(id);
const cluster = new Cluster();
const side = new Side($("side"), cluster);
const views = { nodes: new Nodes(cluster), claims: new Claims(cluster), pods: new Pods(cluster), classes: new Classes(cluster) };
let view = views.nodes, rows, sorted = new Set(), drawing = false, returnTo = null;

function show(name) {
  view = views[name];
  const body = h("div", { "data-body": true, role: "presentation" });
  const grid = h("div", { role: "grid", class: `grid ${name}`, "aria-label": name, "aria-colcount": view.heads.length },
    h("div", { role: "row", class: "line heads", "aria-rowindex": 1 }, view.heads.map((head) => h("span", { role: "columnheader" }, head))), body);
  $("view").replaceChildren(grid, h("p", { class: "empty", id: "none", hidden: true }));
  $("view").scrollTop = 0;
  $("view").setAttribute("aria-labelledby", `tab-${name}`);
  rows = new Rows($("view"), view);
  for (const tab of $("tabs").querySelectorAll("[role=tab]")) {
    const chosen = tab.dataset.tab === name;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
  }
  sorted.delete(name);
  draw();
}

function draw() {
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(() => { drawing = false; drawNow(); });
  }
}

function drawNow() {
  if (view === views.nodes) view.resize($("view").clientWidth);
  view.chosen = location.hash;
  if (!sorted.has(view.name)) {
    view.sort(matcher($("filter").value));
    sorted.add(view.name);
  }
  rows.layout();
  rows.body.parentElement.setAttribute("aria-rowcount", view.count() + 1);
  const none = $("none");
  none.hidden = view.count() > 0;
  none.textContent = !cluster.whole ? "Reading the cluster …" : $("filter").value ? "Nothing matches the filter." : `No ${view.name}.`;
  drawTotals();
  side.draw();
  document.documentElement.dataset.ready = cluster.whole;
}

function drawTotals() {
  const all = cluster.totals(), round = (number) => (Math.round(number * 10) / 10).toLocaleString("en");
  const free = all.cards - [all.used, all.left, all.tainted, all.busy].reduce((sum, each) => sum + Math.round(each * 10) / 10, 0);
  const bar = h("div", { class: "bar", role: "img", "aria-label": `of ${counted(all.cards, "device")} ${round(all.used)} are in use, ${round(free)} are free` },
    ["used", "left", "busy", "tainted"].map((name) => {
      const part = h("span", { class: `part ${name}` });
      part.style.width = `${all.cards ? (all[name] / all.cards) * 100 : 0}%`;
      return part;
    }));
  const total = (name, value, state = "") => h("div", { class: state }, h("dt", {}, name), h("dd", {}, value));
  fill($("totals"), total("nodes", cluster.node.size.toLocaleString("en")), total("devices", all.cards.toLocaleString("en")),
    h("div", { class: "wide" }, h("dt", {}, `${round(all.used)} in use, ${round(free)} free`), h("dd", {}, bar)),
    total("claims", all.claims.toLocaleString("en")),
    total("pods wait", all.waiting.toLocaleString("en"), all.waiting ? "warn" : ""),
    total("held by nobody", all.leaks.toLocaleString("en"), all.leaks ? "warn" : ""),
    total("not well", all.ill.toLocaleString("en"), all.ill ? "warn" : ""));
  const counts = { nodes: cluster.node.size, claims: all.claims, pods: cluster.pod.size, classes: cluster.class.size };
  for (const [name, count] of Object.entries(counts)) $(`tab-${name}`).querySelector("b").textContent = count.toLocaleString("en");
  const { kubernetes = "", version = "", namespace = "", server = "" } = cluster.about;
  $("cluster").textContent = [kubernetes && `Kubernetes ${kubernetes}`, version && `resource.k8s.io/${version}`, server, namespace && `namespace ${namespace}`].filter(Boolean).join(" · ");
}

// Says what matters to who does not see it, and not more often than can be listened to.
const Said = { before: null, timer: null };
function say() {
  if (Said.timer || !cluster.whole) return;
  const count = () => { const { waiting, leaks, ill } = cluster.totals(); return { waiting, leaks, ill }; };
  Said.before ??= count();
  Said.timer = setTimeout(() => {
    Said.timer = null;
    const { waiting, leaks, ill } = cluster.totals(), now = count();
    const words = { waiting: [counted(waiting, "pod"), "for devices", "waits", "wait"], leaks: [counted(leaks, "claim"), "by nobody", "is held", "are held"], ill: [counted(ill, "device"), "tainted or not well", "is", "are"] };
    const changed = Object.keys(now).filter((name) => now[name] !== Said.before[name]);
    Said.before = now;
    if (changed.length) $("said").textContent = changed.map((name) => { const [what, rest, one, many] = words[name]; return `${what} ${now[name] === 1 ? one : many} ${rest}`; }).join("; ");
  }, 1500);
}

function choose() {
  const path = location.hash.startsWith("#/") ? location.hash.slice(2).split("/").filter(Boolean).map(decodeURIComponent) : [];
  side.choose(path);
  document.body.classList.toggle("chosen", path.length > 0);
  draw();
}

function filter(text, name) {
  $("filter").value = text;
  sorted = new Set();
  if (name) show(name); else draw();
}

$("filter").addEventListener("input", () => filter($("filter").value));
$("tabs").addEventListener("click", (event) => { const tab = event.target.closest("[role=tab]"); if (tab) show(tab.dataset.tab); });
$("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const names = Object.keys(views), next = names[(names.indexOf(view.name) + step + names.length) % names.length];
  show(next);
  $(`tab-${next}`).focus();
});
$("side").addEventListener("click", (event) => {
  const more = event.target.closest("button.more");
  if (more) filter(more.dataset.filter, more.dataset.tab);
});
// what is chosen from the list by the keyboard is read at the right, and Escape leads back
$("view").addEventListener("click", (event) => {
  const chosen = event.target.closest("a[data-cell]");
  if (chosen) returnTo = { view: view.name, ...rows.active };
  if (chosen && event.detail === 0) requestAnimationFrame(() => $("side").querySelector("h2")?.focus());
});
$("help").addEventListener("click", () => $("keys").showModal());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.key === "Escape") return escape();
  if (event.target.closest("input")) {
    if (event.key === "ArrowDown" || event.key === "Enter") { event.preventDefault(); rows.go(0, 0); }
    return;
  }
  const names = Object.keys(views);
  if (event.key === "/") { event.preventDefault(); $("filter").focus(); $("filter").select(); }
  else if (event.key === "?") $("keys").showModal();
  else if (names[event.key - 1]) { show(names[event.key - 1]); requestAnimationFrame(() => rows.go(0, 0)); }
});

function escape() {
  if (document.activeElement === $("filter") && $("filter").value) return filter("");
  if ($("side").contains(document.activeElement) && returnTo) {
    if (returnTo.view !== view.name) show(returnTo.view);
    const index = rows.index?.get(returnTo.key);
    return rows.go(index ?? 0, returnTo.cell);
  }
  if (location.hash !== "#/") location.hash = "#/";
}

new ResizeObserver(draw).observe($("view"));
addEventListener("hashchange", choose);
setInterval(() => { for (const each of Object.values(views)) each.tick += 1; draw(); }, 30000);
show("nodes");
choose();
follow(cluster, {
  changed(kinds) {
    const names = { node: "nodes", claim: "claims", pod: "pods", class: "classes" };
    for (const kind of kinds) sorted.delete(names[kind]);
    if ($("filter").value) sorted = new Set();
    draw();
    say();
  },
  linked(state) {
    $("link").textContent = state;
    $("link").dataset.state = state;
  },
});
