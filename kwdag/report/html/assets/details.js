// Everything about one row, below it: parameters, metrics, resources, links and, on demand, pictures.

const GROUPS = [["metric", "Metrics"], ["param", "Parameters"], ["job", "Job"], ["other", "More"]];

function details(data, i, look) {
  const box = element("div", { className: "details" });
  const folder = data.folders.of(i);
  if (folder) box.append(files(data, folder, look));
  for (const [group, title] of GROUPS) {
    const columns = data.columns.filter((one) => one.group === group && one.text(i) !== "");
    if (columns.length) box.append(facts(title, columns, i));
  }
  return box;
}

function facts(title, columns, i) {
  const list = element("dl");
  for (const one of columns) list.append(element("dt", { title: one.key }, one.label), element("dd", {}, one.text(i)));
  return element("section", {}, element("h4", {}, title), list);
}

function files(data, folder, look) {
  const line = element("p", { className: "paths" });
  line.append(element("a", { href: `${folder}/` }, shownPath(folder)), " ");
  line.append(element("a", { href: `${folder}/${data.folders.log}` }, data.folders.log));
  const part = element("section", { className: "wide" }, element("h4", {}, "Files"), line);
  if (data.pictures.length) part.append(gallery(data.pictures, folder, look));
  return part;
}

function shownPath(folder) {
  try {
    return decodeURIComponent(folder.replace(/^file:\/\//, ""));
  } catch {
    return folder; // a name that is no UTF-8
  }
}

// Pictures are read from the job directory, and only when asked for.
function gallery(names, folder, look) {
  const box = element("div", { className: "gallery" });
  const show = () => box.replaceChildren(...names.map((name) => thumbnail(`${folder}/${name}`, shownPath(name))));
  if (look) show();
  else box.append(element("button", { type: "button", onclick: show }, "Show pictures"));
  return box;
}

function thumbnail(address, name) {
  const caption = element("figcaption", {}, name);
  const picture = element("img", { src: address, alt: name });
  picture.onerror = () => picture.replaceWith(element("span", { className: "gone" }, "not there"));
  return element("a", { href: address, className: "thumbnail" }, element("figure", {}, picture, caption));
}
