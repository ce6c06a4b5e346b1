// The linked figures of a node, drawn by Bokeh on canvases: what is picked in one is picked in all.

const panels = new Set();

let loading = null;

// Bokeh lies in the page as text, and is read when the first figure comes into view.
function withBokeh() {
  loading ??= new Promise((resolve) => {
    const script = element("script", { textContent: document.getElementById("plots-library").textContent });
    document.head.append(script);
    resolve(window.Bokeh);
  });
  return loading;
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// A figure in its place on the page: drawn anew when its subject changes, repainted for dark and print.
class Panel {
  constructor(host) {
    this.host = host;
    panels.add(this);
  }

  async draw() {
    const turn = (this.turn = (this.turn || 0) + 1);
    const Bokeh = await withBokeh();
    if (turn !== this.turn) return;
    this.fig = this.figure(Bokeh);
    this.paint();
    const doc = new Bokeh.Document();
    doc.add_root(this.fig);
    this.host.replaceChildren();
    this.view = (await Bokeh.embed.add_document_standalone(doc, this.host)).get_by_id?.(this.fig.id);
    this.host.dataset.drawn = String(turn);
  }

  paint() {
    const [text, line, back] = ["text", "line", "surface"].map(colour);
    const fig = this.fig;
    Object.assign(fig, { background_fill_color: back, border_fill_color: back, outline_line_color: null });
    for (const axis of [...fig.xaxes, ...fig.yaxes]) {
      Object.assign(axis, {
        axis_label_text_color: text, major_label_text_color: text, axis_line_color: line,
        major_tick_line_color: line, minor_tick_line_color: null, axis_label_text_font_style: "normal",
        axis_label_text_font_size: "12px", major_label_text_font_size: "11px",
      });
    }
    for (const grid of [...fig.xgrids, ...fig.ygrids]) grid.grid_line_color = line;
  }
}

function newFigure(Bokeh, options) {
  const fig = Bokeh.Plotting.figure({
    sizing_mode: "stretch_width", height: 330, tools: "", toolbar_location: "above", ...options,
  });
  fig.toolbar.logo = null;
  fig.toolbar.stylesheets = [".bk-tool-overflow { display: none; }"];
  return fig;
}

// A panel whose marks are the rows of a node.
class RowPanel extends Panel {
  constructor(host, data, selection) {
    super(host);
    Object.assign(this, { data, selection, mask: null });
    selection.listen((now) => now.origin !== this && this._highlight());
  }

  // The columns of the rows' source, and what the tooltip tells of each.
  rowSource(Bokeh, columns) {
    const { data } = this;
    const told = [data.region, ...data.metrics.slice(0, 2), ...data.params.slice(0, 3)].filter(Boolean);
    const rows = Array.from({ length: data.rows }, (_, i) => i);
    const texts = Object.fromEntries(told.map((one, k) => [`t${k}`, rows.map((i) => one.short(i))]));
    this.source = new Bokeh.ColumnDataSource({
      data: { ...columns, rank: rows.map((i) => data.rank(i)), ...texts },
    });
    this.tooltips = [["rank", "@rank"], ...told.map((one, k) => [shortened(one.label, 24), `@t${k}`])];
    this.filter = new Bokeh.BooleanFilter({ booleans: this.mask });
    this.shown = new Bokeh.CDSView({ filter: this.filter });
    this._highlight();
    this.source.selected.change.connect(() => this._picked());
    return this.source;
  }

  _picked() {
    if (this.quiet) return;
    this.selection.set(this.source.selected.indices, this);
  }

  _highlight() {
    if (!this.source) return;
    this.quiet = true;
    this.source.selected.indices = [...this.selection.rows];
    this.quiet = false;
  }

  // Only rows that pass the table's filters are drawn; null for all.
  limit(mask) {
    this.mask = mask;
    if (!this.filter) return;
    this.filter.booleans = mask;
    this.source.change.emit();
  }

  addTools(Bokeh, fig, hovered, ...pickers) {
    const box = pickers[0];
    fig.add_tools(
      ...pickers, new Bokeh.TapTool(), new Bokeh.PanTool(), new Bokeh.WheelZoomTool(), new Bokeh.ResetTool(),
      new Bokeh.SaveTool(), new Bokeh.HoverTool({ tooltips: this.tooltips, renderers: hovered }),
    );
    fig.toolbar.active_drag = box;
    fig.toolbar.active_scroll = null;
  }

  points(fig, options) {
    const many = this.data.rows > 2000;
    return fig.scatter({ field: "x" }, { field: "y" }, {
      source: this.source, view: this.shown, size: many ? 4 : 7, line_color: null,
      fill_alpha: many ? 0.45 : 0.75, selection_fill_alpha: 0.95, nonselection_fill_alpha: 0.07,
      nonselection_fill_color: OTHER_HUE, ...options,
    });
  }
}

// -- the two point figures ---------------------------------------------------------------------------

// Any two columns against each other.
class ScatterPanel extends RowPanel {
  figure(Bokeh) {
    const { x, y, hue } = this.chosen;
    const [ax, ay] = [along(x), along(y)];
    const found = colours(Bokeh, hue);
    fillLegend(this.legend, found, hue);
    const fig = newFigure(Bokeh, { ...axisOf("x", ax), ...axisOf("y", ay) });
    this.rowSource(Bokeh, { x: ax.at, y: ay.at, hue: found.rows });
    const dots = this.points(fig, { fill_color: { field: "hue" } });
    if (ax.levels) nameLevels(Bokeh, fig.xaxes[0], ax.levels, true);
    if (ay.levels) nameLevels(Bokeh, fig.yaxes[0], ay.levels, false);
    fig.xaxes[0].axis_label = axisLabel(x);
    fig.yaxes[0].axis_label = axisLabel(y);
    this._front(fig, x, y);
    this.addTools(Bokeh, fig, [dots], new Bokeh.BoxSelectTool(), new Bokeh.LassoSelectTool());
    return fig;
  }

  // The rows that none beats in both, where both are metrics.
  _front(fig, x, y) {
    if (!x.good || !y.good || x === y) return;
    const rows = paretoRows(x, y);
    const [px, py] = [x, y].map((one) => rows.map((i) => one.numbers[i]));
    fig.step(px, py, "after", { line_color: "#d55e00", line_width: 1.5 });
    fig.scatter(px, py, { size: 10, fill_color: null, line_color: "#d55e00", line_width: 1.5 });
  }
}

// A metric along the values of one parameter, with medians.
class StripPanel extends RowPanel {
  figure(Bokeh) {
    const { param, metric } = this.chosen;
    const [ax, ay] = [along(param), along(metric)];
    const fig = newFigure(Bokeh, { ...axisOf("x", ax), ...axisOf("y", ay) });
    this.rowSource(Bokeh, { x: ax.at, y: ay.at });
    const dots = this.points(fig, { fill_color: hues()[0] });
    if (ax.levels) nameLevels(Bokeh, fig.xaxes[0], ax.levels, true);
    fig.xaxes[0].axis_label = axisLabel(param);
    fig.yaxes[0].axis_label = axisLabel(metric);
    if (ax.levels) this._medians(fig, param, metric);
    this.addTools(Bokeh, fig, [dots], new Bokeh.BoxSelectTool(), new Bokeh.LassoSelectTool());
    return fig;
  }

  _medians(fig, param, metric) {
    const groups = param.levels.map(() => []);
    param.codes.forEach((code, i) => isFinite(metric.numbers[i]) && groups[code].push(metric.numbers[i]));
    const found = groups.map((group, code) => [code, median(group)]).filter(([, value]) => !isNaN(value));
    const [codes, values] = [found.map(([code]) => code), found.map(([, value]) => value)];
    const ends = [codes.map((code) => code - 0.38), codes.map((code) => code + 0.38)];
    this.bars = fig.segment(ends[0], values, ends[1], values, { line_color: colour("text"), line_width: 3 });
  }

  paint() {
    super.paint();
    if (this.bars) this.bars.glyph.line_color = { value: colour("text") };
  }
}

function median(values) {
  if (!values.length) return NaN;
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
