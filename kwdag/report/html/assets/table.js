// The table of a node: sorted, filtered, paged; its rows are picked with boxes and open for details.

const { jQuery, default: DataTableClass } = window.kwdagLibraries;
const DataTable = jQuery.fn.dataTable || DataTableClass;

const RANK = 1; // the column of that name, after the one of boxes

// Missing numbers come last, whichever way a column is sorted.
function last(compare) {
  return (a, b) => (isNaN(a) ? (isNaN(b) ? 0 : 1) : isNaN(b) ? -1 : compare(a, b));
}
DataTable.type("num-kwdag", {
  order: { asc: last((a, b) => a - b), desc: last((a, b) => b - a) },
  className: "num",
});

class ResultTable {
  constructor(section, data, selection) {
    Object.assign(this, { data, selection });
    this.element = section.querySelector("table.results");
    this.only = section.querySelector("input.only");
    this.onFilter = () => {};
    this._head();
    this.dt = new DataTable(this.element, this._options());
    this._nameFilters();
    this._follow();
  }

  _head() {
    const cells = this.data.columns.map((column) => {
      const cell = element("th", { scope: "col", title: column.key, "data-key": column.key }, column.label);
      if (column.good) {
        const better = column.good > 0 ? "higher is better" : "lower is better";
        cell.append(" ", element("abbr", { title: better }, column.good > 0 ? "↑" : "↓"));
      }
      return cell;
    });
    const first = element("th", { scope: "col" }, element("span", { className: "hidden-text" }, "Pick and open"));
    const rank = element("th", { scope: "col", title: "1 is the best row", "data-key": "rank" }, "rank");
    const links = element("th", { scope: "col" }, "files");
    this.element.append(element("thead", {}, element("tr", {}, first, rank, ...cells, links)));
  }

  _options() {
    const { data } = this;
    return {
      data: Array.from({ length: data.rows }, (_, i) => [data.rows - 1 - i]),
      columns: [this._picker(), this._rank(), ...data.columns.map((one) => this._column(one)), this._links()],
      order: [],
      pageLength: 25,
      lengthMenu: [10, 25, 50, 100, 250],
      deferRender: true,
      autoWidth: false,
      searchDelay: 250,
      columnControl: { target: 1, content: [] },
      layout: {
        topStart: { buttons: [this._chooser(), this._resetter(), this._saver()] },
        topEnd: "search",
        bottomStart: ["pageLength", "info"],
        bottomEnd: "paging",
      },
      language: {
        search: "Search all columns",
        searchPlaceholder: "",
        lengthMenu: "_MENU_ rows a page",
        info: "_START_ to _END_ of _TOTAL_ rows",
        infoFiltered: "(_MAX_ without filters)",
        infoEmpty: "no rows",
        emptyTable: "No results.",
        zeroRecords: "No row passes the filters.",
      },
      createdRow: (row, [i]) => this._rowMade(row, i),
      drawCallback: () => this._mark(),
    };
  }

  _picker() {
    return {
      data: null, orderable: false, searchable: false, className: "picker noVis",
      render: (_, type, [i]) => (type === "display" ? this._pickerCell(i) : ""),
    };
  }

  _pickerCell(i) {
    const rank = this.data.rank(i);
    return (
      `<input type="checkbox" class="pick" aria-label="Pick row ${rank}">` +
      `<button type="button" class="open" aria-expanded="false" aria-label="Details of row ${rank}"></button>`
    );
  }

  _rank() {
    return {
      data: ([i]) => this.data.rank(i), type: "num-kwdag", searchable: false, className: "num noVis",
      columnControl: [{ target: 1, content: [] }],
    };
  }

  _column(column) {
    const number = column.kind === "num";
    return {
      data: (row, type) => this._value(column, row[0], type),
      type: number ? "num-kwdag" : "string",
      visible: column.show,
      className: number ? "num" : "text",
      orderSequence: column.good > 0 ? ["desc", "asc", ""] : ["asc", "desc", ""],
      columnControl: [{ target: 1, content: [this._filter(column)] }],
    };
  }

  _filter(column) {
    const name = `Filter ${column.label}`;
    const kind = column.kind === "num" ? "searchNumber" : "searchText";
    return { extend: kind, title: "", titleAttr: name, placeholder: "" };
  }

  _value(column, i, type) {
    if (type === "display") {
      const [short, whole] = [column.short(i), column.text(i)];
      return short === whole ? escaped(short) : `<span title="${escaped(whole)}">${escaped(short)}</span>`;
    }
    if (column.kind === "num" && (!column.levels || type === "sort")) return column.numbers[i];
    // DataTables reads what it filters by as markup where there is an ampersand
    return type === "filter" && column.text(i).includes("&") ? escaped(column.text(i)) : column.text(i);
  }

  _links() {
    return {
      data: null, orderable: false, searchable: false, className: "files noVis",
      render: (_, type, [i]) => (type === "display" ? this._linksCell(i) : ""),
    };
  }

  _linksCell(i) {
    const folder = this.data.folders.of(i);
    if (!folder) return "";
    const rank = this.data.rank(i);
    const link = (href, text) =>
      `<a href="${escaped(href)}" aria-label="${text} of row ${rank}">${text}</a>`;
    const pictures = this.data.pictures.length ? ` <button type="button" class="open look">pictures</button>` : "";
    return `${link(`${folder}/`, "folder")} ${link(`${folder}/${this.data.folders.log}`, "log")}${pictures}`;
  }

  _chooser() {
    return {
      extend: "colvis",
      text: "Columns",
      columns: ":not(.noVis)",
      columnText: (_, at) => escaped(this.data.columns[at - 2]?.label ?? ""),
      collectionLayout: "fixed columns",
      popoverTitle: "Columns of the table",
    };
  }

  _resetter() {
    return { text: "Reset filters and order", action: () => this.reset() };
  }

  // The rows that pass the filters, with whole values.
  _saver() {
    const exportOptions = {
      columns: ":visible:not(.picker):not(.files)", orthogonal: "export", stripHtml: false, decodeEntities: false,
      customizeData: ({ headerStructure }) => {
        headerStructure.length = 1; // the row of filters is no heading
        for (const one of headerStructure[0]) one.title = one.cell.dataset.key;
      },
    };
    const name = this.data.name.replace(/[^\w.-]+/g, "-");
    return { extend: "csvHtml5", text: "Save as CSV", filename: name, title: null, exportOptions };
  }

  reset() {
    for (const input of this.element.querySelectorAll("thead .dtcc input")) input.value = "";
    this.dt.columns().columnControl?.searchClear?.();
    this.only.checked = false;
    this._limit();
    this.dt.search("").columns().search("");
    this.dt.order([RANK, "asc"]).draw();
  }

  // The choice of how to compare stands beside each filter, and needs a name of its own.
  _nameFilters() {
    for (const part of this.element.querySelectorAll("thead .dtcc-search")) {
      const name = part.querySelector("input").title;
      part.querySelector("input").setAttribute("aria-label", name);
      part.querySelector("select").setAttribute("aria-label", `${name}: how`);
    }
  }

  // -- rows ----------------------------------------------------------------------------------------

  _rowMade(row, i) {
    row.dataset.row = i;
    row.querySelector(".pick").checked = this.selection.rows.has(i);
  }

  _follow() {
    this.element.tBodies[0].addEventListener("click", (event) => this._clicked(event));
    this.element.tBodies[0].addEventListener("keydown", (event) => this._key(event));
    this.only.addEventListener("change", () => this._limit(true));
    this.selection.listen(() => this._selected());
    this.dt.on("search", () => this._filtered());
  }

  _clicked(event) {
    const row = event.target.closest("tr[data-row]");
    if (!row || event.target.closest("a, input.other")) return;
    const opener = event.target.closest("button.open");
    if (opener) this.open(row, opener.classList.contains("look"));
    else if (!window.getSelection().toString()) this.selection.toggle(Number(row.dataset.row), "table");
  }

  // Up and down keep the column of controls; space on a row's box picks it, as it does anywhere.
  _key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const control = event.target.closest("input.pick, button.open, td.files a");
    if (!step || !control) return;
    const rows = [...this.element.tBodies[0].querySelectorAll("tr[data-row]")];
    const next = rows[rows.indexOf(control.closest("tr")) + step];
    if (!next) return;
    const kind = control.matches("a") ? "td.files a" : control.matches("input") ? "input.pick" : "button.open";
    event.preventDefault();
    next.querySelector(kind).focus();
  }

  open(tr, look) {
    const row = this.dt.row(tr);
    const shown = row.child.isShown();
    if (shown) row.child.hide();
    else row.child(details(this.data, Number(tr.dataset.row), look), "details-row").show();
    const button = tr.querySelector("button.open:not(.look)");
    button.setAttribute("aria-expanded", String(!shown));
  }

  // -- selection and filters ------------------------------------------------------------------------

  _selected() {
    if (this.selection.origin !== "table") this.only.checked = this.selection.rows.size > 0;
    if (!this.selection.rows.size) this.only.checked = false;
    this.only.disabled = !this.selection.rows.size;
    this._limit(this.only.checked || this._limited);
    this._mark();
  }

  _limit(draw) {
    const on = this.only.checked;
    const { rows } = this.selection;
    this.dt.search.fixed("selection", on ? (_, [i]) => rows.has(i) : null);
    this._limited = on;
    if (draw) this.dt.draw();
  }

  // Pages are short: only the rows on show carry marks.
  _mark() {
    for (const row of this.element.tBodies[0].querySelectorAll("tr[data-row]")) {
      const picked = this.selection.rows.has(Number(row.dataset.row));
      row.classList.toggle("picked", picked);
      row.querySelector(".pick").checked = picked;
    }
  }

  _filtered() {
    if (this._limited) return;
    const passing = this.dt.rows({ search: "applied" }).data();
    if (passing.length === this.data.rows) return this.onFilter(null);
    const mask = new Array(this.data.rows).fill(false);
    for (let k = 0; k < passing.length; k++) mask[passing[k][0]] = true;
    this.onFilter(mask);
  }
}
