// When which job ran on which host, a bar each; a click tells more of a job and links to its directory.

const LONGEST = 10;

class TimelinePanel extends Panel {
  constructor(host, spec) {
    super(host);
    this.spec = spec;
    for (const name of ["start", "stop", "lane", "count"]) this[name] = unpack(spec[name]);
    this.node = unpackTexts(spec.node);
    this.state = unpackTexts(spec.state);
    this.job = unpackTexts(spec.job);
    this.folders = new Folders(spec.folders, this.job);
    this.rows = Array.from(this.start, (_, i) => i);
    this.nodes = [...new Set(this.rows.map((i) => this.node(i)))];
    this.story = host.parentElement.querySelector(".story");
  }

  // Milliseconds as the reader's own clock shows them; Bokeh knows no time zones.
  _clock(seconds) {
    const at = (this.spec.origin + seconds) * 1000;
    return at - new Date(at).getTimezoneOffset() * 60000;
  }

  figure(Bokeh) {
    const lanes = Math.max(...this.spec.hosts.map(([, , end]) => end));
    const height = Math.min(620, 110 + Math.max(16, Math.min(26, 440 / lanes)) * lanes);
    const fig = newFigure(Bokeh, { height: Math.round(height), x_axis_type: "datetime", y_range: [lanes, -0.2] });
    const hue = new Map(this.nodes.map((name, k) => [name, hues()[k] || OTHER_HUE]));
    fillLegend(this.host.parentElement.querySelector(".legend"), this._legend(hue), { label: "node" });
    const failed = (i) => this.state(i) !== "done";
    this.source = new Bokeh.ColumnDataSource({ data: {
      left: Float64Array.from(this.start, (one) => this._clock(one)),
      right: Float64Array.from(this.stop, (one) => this._clock(one)),
      top: Float64Array.from(this.lane, (one) => one + 0.08),
      bottom: Float64Array.from(this.lane, (one) => one + 0.92),
      hue: this.rows.map((i) => hue.get(this.node(i))),
      edge: this.rows.map((i) => (failed(i) ? "#c1121f" : hue.get(this.node(i)))),
      alpha: this.rows.map((i) => (failed(i) ? 0.25 : 0.8)),
      job: this.rows.map((i) => this._name(i)),
      state: this.rows.map((i) => this.state(i)),
      lasted: this.rows.map((i) => duration(this.stop[i] - this.start[i])),
    } });
    this._bars(Bokeh, fig, lanes);
    return fig;
  }

  _name(i) {
    return this.count[i] > 1 ? `${this.count[i]} jobs of ${this.node(i)}` : this.job(i) || this.node(i);
  }

  _legend(hue) {
    const legend = [...hue].slice(0, MOST_HUES).map(([name, one]) => [one, name]);
    if (hue.size > MOST_HUES) legend.push([OTHER_HUE, `${hue.size - MOST_HUES} others`]);
    return { legend: this.rows.some((i) => this.state(i) !== "done") ? [...legend, ["#c1121f", "not done"]] : legend };
  }

  _bars(Bokeh, fig, lanes) {
    const bars = fig.quad({ field: "left" }, { field: "right" }, { field: "bottom" }, { field: "top" }, {
      source: this.source, fill_color: { field: "hue" }, line_color: { field: "edge" }, fill_alpha: { field: "alpha" },
      line_width: 1, nonselection_fill_alpha: 0.2,
    });
    const middle = this.spec.hosts.map(([name, first, end]) => [(first + end) / 2, plain(shortened(name, 24))]);
    nameLevels(Bokeh, fig.yaxes[0], middle, false);
    fig.ygrids[0].visible = false;
    const hover = new Bokeh.HoverTool({
      tooltips: [["job", "@job"], ["state", "@state"], ["took", "@lasted"]], renderers: [bars],
    });
    const pan = new Bokeh.PanTool({ dimensions: "width" });
    const zoom = new Bokeh.WheelZoomTool({ dimensions: "width" });
    const box = new Bokeh.BoxZoomTool({ dimensions: "width" });
    fig.add_tools(box, pan, zoom, new Bokeh.TapTool(), new Bokeh.ResetTool(), new Bokeh.SaveTool(), hover);
    fig.toolbar.active_drag = box;
    fig.toolbar.active_scroll = null;
    this.source.selected.change.connect(() => this._tell(this.source.selected.indices[0]));
  }

  _tell(i) {
    this.story.replaceChildren();
    if (i !== undefined) this.story.append(...this._line(i));
  }

  _line(i) {
    const words = `${this._name(i)}: ${this.state(i)}, ${duration(this.stop[i] - this.start[i])}, `;
    const line = [words, `from ${moment(this.spec.origin + this.start[i])}. `];
    const folder = this.folders.of(i);
    if (folder) {
      line.push(element("a", { href: `${folder}/` }, "folder"), " ");
      line.push(element("a", { href: `${folder}/${this.folders.log}` }, "log"));
    }
    return line;
  }

  // For those who cannot point at bars: the longest jobs as a list.
  list(host) {
    const lasted = (i) => this.stop[i] - this.start[i];
    const longest = this.rows.filter((i) => this.count[i] === 1).sort((i, j) => lasted(j) - lasted(i)).slice(0, LONGEST);
    host.append(...longest.map((i) => element("li", {}, ...this._line(i))));
  }
}
