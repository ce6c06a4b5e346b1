// All varied parameters side by side, a line for each row; a box drawn on an axis picks what passes through it.

const MOST_AXES = 9;

class ParallelPanel extends RowPanel {
  figure(Bokeh) {
    const metric = this.data.primary;
    this.axes = [...this.data.params.filter((one) => one.hashed).slice(0, MOST_AXES), metric];
    this.heights = this.axes.map((one) => height(one));
    const found = colours(Bokeh, metric);
    fillLegend(this.legend, found, metric);
    const n = this.data.rows;
    const x = this.axes.map((_, k) => k);
    const lines = Array.from({ length: n }, (_, i) => this.heights.map((of) => of[i]));
    const fig = newFigure(Bokeh, { y_range: [-0.08, 1.12], x_range: [-0.3, this.axes.length - 0.45] });
    this.rowSource(Bokeh, { xs: Array.from({ length: n }, () => x), ys: lines, hue: found.rows });
    const drawn = this._lines(fig);
    this._axes(Bokeh, fig);
    this.addTools(Bokeh, fig, [drawn], new Bokeh.BoxSelectTool({ renderers: [] }));
    fig.on_event("selectiongeometry", (event) => this._boxed(event));
    return fig;
  }

  _lines(fig) {
    const n = this.data.rows;
    return fig.multi_line({ field: "xs" }, { field: "ys" }, {
      source: this.source, view: this.shown, line_color: { field: "hue" }, line_width: n > 2000 ? 0.6 : 1.1,
      line_alpha: n > 2000 ? 0.2 : n > 300 ? 0.4 : 0.6, selection_line_alpha: 0.9, selection_line_width: 1.6,
      nonselection_line_alpha: n > 2000 ? 0.01 : 0.04, nonselection_line_color: OTHER_HUE,
    });
  }

  _axes(Bokeh, fig) {
    const names = lastParts(this.axes.map((one) => one.label));
    nameLevels(Bokeh, fig.xaxes[0], names.map((name, k) => [k, plain(shortened(name, 20))]), false);
    fig.xaxes[0].major_label_orientation = 0.35;
    fig.yaxes[0].visible = false;
    for (const grid of [...fig.xgrids, ...fig.ygrids]) grid.visible = false;
    const places = this.axes.map((_, k) => k);
    this.rules = fig.segment(places, places.map(() => -0.02), places, places.map(() => 1.02), { line_width: 1.5 });
    const ticks = this.axes.flatMap((one, k) => ticksOf(one).map(([y, text]) => ({ x: k, y, text })));
    this.names = fig.text(
      ticks.map((one) => one.x + 0.03), ticks.map((one) => one.y), ticks.map((one) => plain(one.text)),
      {
        text_font_size: "10px", text_baseline: "middle", text_color: colour("text"), padding: 1,
        background_fill_color: colour("surface"), background_fill_alpha: 0.75,
      }
    );
  }

  paint() {
    super.paint();
    this.rules.glyph.line_color = { value: colour("muted") };
    this.names.glyph.text_color = { value: colour("text") };
    this.names.glyph.background_fill_color = { value: colour("surface") };
  }

  _boxed({ geometry, final }) {
    if (geometry.type !== "rect" || final === false) return;
    const [x0, x1] = [geometry.x0, geometry.x1].sort((a, b) => a - b);
    const [y0, y1] = [geometry.y0, geometry.y1].sort((a, b) => a - b);
    const crossed = this.axes.map((_, k) => k).filter((k) => k >= x0 && k <= x1);
    const heights = crossed.length ? crossed.map((k) => (i) => this.heights[k][i]) : [this._between((x0 + x1) / 2)];
    const rows = [];
    for (let i = 0; i < this.data.rows; i++) {
      const passes = (!this.mask || this.mask[i]) && heights.some((of) => of(i) >= y0 && of(i) <= y1);
      if (passes) rows.push(i);
    }
    this.selection.set(rows, "parallel");
  }

  // The height of a row's line at any place between two axes.
  _between(x) {
    const k = Math.min(Math.max(Math.floor(x), 0), this.axes.length - 2);
    const [a, b, share] = [this.heights[k], this.heights[k + 1], x - k];
    return (i) => a[i] * (1 - share) + b[i] * share;
  }
}

// From 0 to 1 along an axis, missing numbers below it; a little noise shows how many share a level.
function height(column) {
  if (!column.discrete) return unit(column).map((share) => (isNaN(share) ? -0.05 : share));
  const last = Math.max(1, column.levels.length - 1);
  return Float64Array.from(column.codes, (code, i) => code / last + 0.012 * noise(i));
}

function ticksOf(column) {
  if (!column.discrete) {
    return column.finite ? [[0, column.format(column.finite[0])], [1, column.format(column.finite[1])]] : [];
  }
  const last = Math.max(1, column.levels.length - 1);
  const step = Math.ceil(column.levels.length / 10);
  return shortLabels(column.levels, 14).map((text, i) => [i / last, text]).filter((_, i) => i % step === 0);
}
