// Starts the page: reads the data, makes each node's table and figures when they are needed, and prints.

const PRINTED_ROWS = 40;
const IDLE = 3000;
const made = [];

class Section {
  constructor(element_, spec) {
    this.element = element_;
    this.spec = spec;
  }

  // The table at once, so that a reader can begin; figures when they come into view.
  start() {
    if (this.table || !this.spec.rows) return;
    this.data = new NodeData(this.spec);
    this.selection = new Selection();
    this.table = new ResultTable(this.element, this.data, this.selection);
    this.selection.listen(() => this._count());
    this._buttons();
    this._count();
    if (this.data.metrics.length) this._figures();
  }

  _count() {
    const n = this.selection.rows.size;
    const text = n ? `${n.toLocaleString("en")} of ${this.data.rows.toLocaleString("en")} rows picked` : "No rows picked";
    this.element.querySelector(".picked-count").textContent = text;
    this.element.querySelector("button.clear").disabled = !n;
  }

  _buttons() {
    const { rows, metrics } = this.data;
    const best = (n) => Array.from({ length: Math.min(n, rows) }, (_, k) => rows - 1 - k);
    const judged = metrics.filter((one) => one.good);
    const actions = {
      best: () => best(10),
      tenth: () => best(Math.ceil(rows / 10)),
      front: () => paretoRows(judged[0], judged[1]),
      filtered: () => this.table.dt.rows({ search: "applied" }).data().toArray().map(([i]) => i),
    };
    for (const [name, action] of Object.entries(actions)) {
      const button = this.element.querySelector(`button[data-pick=${name}]`);
      button.addEventListener("click", () => this.selection.set(action(), name));
      if (name === "front") button.hidden = judged.length < 2;
    }
    this.element.querySelector("button.clear").addEventListener("click", () => this.selection.clear());
  }

  // -- figures -------------------------------------------------------------------------------------

  _figures() {
    this.panels = [
      [".scatter", ScatterPanel], [".strip", StripPanel], [".parallel", ParallelPanel],
    ].map(([name, Kind]) => this._panel(this.element.querySelector(`figure${name}`), Kind)).filter(Boolean);
    this.table.onFilter = (mask) => this.panels.forEach((one) => one.limit(mask));
  }

  _panel(figure, Kind) {
    if (Kind !== ScatterPanel && !this.data.params.length) {
      figure.hidden = true;
      return null;
    }
    const panel = new Kind(figure.querySelector(".canvas"), this.data, this.selection);
    panel.legend = figure.querySelector(".legend");
    if (Kind !== ParallelPanel) this._choices(figure, panel);
    whenSeen(figure, panel);
    return panel;
  }

  _choices(figure, panel) {
    const { metrics, params, columns, region, primary } = this.data;
    const drawable = columns.filter((one) => one.kind === "num" || (one.discrete && one.levels.length > 1));
    const numbers = columns.filter((one) => one.kind === "num");
    const second = metrics.find((one) => one !== primary && one.good && one.finite && one.finite[0] < one.finite[1]);
    const regions = region && region.levels && region.levels.length > 1 ? region : primary;
    const lists = panel instanceof ScatterPanel
      ? { x: [drawable, second || params[0] || primary], y: [drawable, primary], hue: [drawable, regions] }
      : { param: [params, params[0]], metric: [numbers, primary] };
    panel.chosen = {};
    for (const [name, [list, first]] of Object.entries(lists)) {
      panel.chosen[name] = first;
      fillChoice(figure.querySelector(`select.${name}`), list, first, (column) => {
        panel.chosen[name] = column;
        panel.draw();
      });
    }
  }
}

const GROUP_NAMES = { metric: "Metrics", param: "Parameters", id: "Row", job: "Job", other: "More" };

function fillChoice(select, list, first, choose) {
  for (const [group, label] of Object.entries(GROUP_NAMES)) {
    const members = list.filter((one) => one.group === group);
    const options = members.map((one) =>
      element("option", { value: String(list.indexOf(one)), selected: one === first }, shortened(one.label, 40))
    );
    if (options.length) select.append(element("optgroup", { label }, ...options));
  }
  select.addEventListener("change", () => choose(list[Number(select.value)]));
}

const waiting = [];

// Draws when it comes into view, or, for paper, when the browser has had nothing else to do for a while.
function whenSeen(target, panel) {
  const draw = () => panel.fig || panel.draw();
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    setTimeout(draw);
  }, { rootMargin: "200px" });
  watch.observe(target);
  waiting.push(draw);
}

function drawTheRest() {
  const draw = waiting.shift();
  if (draw) requestIdleCallback(() => (draw(), setTimeout(drawTheRest, 200)));
}

// -- dark and printed ------------------------------------------------------------------------------

const dark = matchMedia("(prefers-color-scheme: dark)");

function repaint(isDark) {
  document.documentElement.classList.toggle("dark", isDark);
  for (const panel of panels) if (panel.fig) panel.paint();
}

// Marks have colours of their own on a dark page.
function themeChanged() {
  repaint(dark.matches);
  for (const panel of panels) if (panel.fig) panel.draw();
}

// Canvases keep the width of the screen, so paper gets pictures of them; of a table it gets the top rows.
function beforePrint() {
  document.documentElement.classList.add("printing");
  repaint(false);
  for (const section of made) if (section.table) section.table.dt.page.len(PRINTED_ROWS).page(0).draw("page");
  for (const panel of panels) {
    if (!panel.view) continue;
    const picture = panel.view.export("png", true).canvas.toDataURL();
    panel.print = element("img", { src: picture, className: "printed", alt: "" });
    panel.host.after(panel.print);
  }
}

function afterPrint() {
  document.documentElement.classList.remove("printing");
  for (const panel of panels) panel.print?.remove();
  for (const section of made) if (section.table) section.table.dt.page.len(25).draw("page");
  repaint(dark.matches);
}

// -- start -----------------------------------------------------------------------------------------

function startTimeline(spec) {
  const host = document.querySelector("#timeline .canvas");
  if (!spec || !host) return;
  const panel = new TimelinePanel(host, spec);
  panel.list(document.querySelector("#timeline .longest"));
  whenSeen(host, panel);
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  repaint(dark.matches);
  dark.addEventListener("change", themeChanged);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  data.nodes.forEach((spec, i) => made.push(new Section(document.getElementById(`node-${i}`), spec)));
  made[0]?.start();
  performance.mark("kwdag-table-ready");
  document.documentElement.dataset.ready = "table";
  const rest = [...made.slice(1).map((section) => () => section.start()), () => startTimeline(data.timeline)];
  const next = () => {
    if (rest.length) setTimeout(() => (rest.shift()(), next()));
    else setTimeout(drawTheRest, IDLE);
    if (!rest.length) document.documentElement.dataset.ready = "all";
  };
  requestAnimationFrame(next);
}

start();
window.kwdag.sections = made;
window.kwdag.panels = panels;
