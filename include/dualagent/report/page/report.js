R"js(
// Fills the page from its data, and reads the data again while the run goes on.

// Measurements that the page knows, in the order of their charts; the others come below.
const METRICS = {
  __proto__: null,  // so that no name finds what all objects have
  reward_mean: ["Reward", "mean of the step's rollouts"],
  loss: ["Loss", "mean of the trained tokens"],
  learning_rate: ["Learning rate", "of the step's updates, after the schedule"],
  rollout_tokens_per_second: ["Throughput of rollouts", "sampled tokens per second"],
  update_tokens_per_second: ["Throughput of updates", "trained rows' tokens per second"],
  tokens_per_second: ["Throughput", "tokens per second"],
  max_abs_log_ratio: ["Largest |log ratio|", "nats, sampling against training, fresh batches"],
  eval_reward_mean: ["Reward in evaluations", "mean of the held-out tasks' rollouts"],
  kl_to_reference: ["Divergence from the reference", "nats per trained token"],
  entropy: ["Entropy", "nats per trained token"],
  gradient_norm: ["Gradient norm", "before clipping"],
  clip_fraction: ["Clipped tokens", "trained tokens with a ratio out of bounds", "percent"],
  answerer_tokens: ["Answerer tokens", "sampled per rollout"],
  summarizer_tokens: ["Summary length", "tokens per summary"],
  compression: ["Compression", "tokens of context per token of its summary"],
};

const RELOAD_MS = 3000;
const view = { axis: "step", opened: new Set() };
let data = null;

// An element with attributes (false and null: left out) and children (arrays are flattened). Texts
// become text nodes: no data is ever read as markup.
function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value === true ? "" : value);
  const given = child => child !== null && child !== undefined && child !== false && child !== "";
  node.append(...children.flat(Infinity).filter(given));
  return node;
}

function find(selector) { return document.querySelector(selector); }
function fill(selector, text) { find(selector).textContent = text; }

// Details that stay open when the page is drawn anew; `content()` is called when they open.
function details(title, content) {
  const body = make("div");
  const node = make("details", { open: view.opened.has(title) }, make("summary", {}, title), body);
  const draw = () => { if (node.open && body.firstChild === null) body.append(...content()); };
  node.addEventListener("toggle", () => {
    if (node.open) view.opened.add(title);
    else view.opened.delete(title);
    draw();
  });
  draw();
  return node;
}

function tableOf(head, rows, attributes = {}) {
  return make("div", { class: "card scroll" }, make(
    "table", attributes,
    make("thead", {}, make("tr", {}, head.map(
      (words, i) => make("th", { scope: "col", class: i > 0 && "number" }, words)))),
    make("tbody", {}, rows.map(cells => make("tr", {}, cells.map(
      (cell, i) => make("td", { class: i > 0 && (cell === "0" ? "number zero" : "number") },
                        cell)))))));
}

// Results.

function measureCell(label, measure, index) {
  const cell = make("td", { class: "measure", "data-label": label });
  if (measure === null) {
    cell.append(make("small", {}, "not measured"));
    return cell;
  }
  const { solved, tasks, fraction, low, high } = measure;
  const percent = value => `${(100 * value).toFixed(2)}%`;
  cell.append(
    make("b", {}, valueText(fraction, "percent")), " ",
    make("small", {}, `${solved}/${tasks}, ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} %`),
    make("div", { class: "scale", "aria-hidden": "true",
                  style: `color:var(--series-${index % COLOURS})` },
         make("i", { style: `left:${percent(low)};width:${percent(high - low)}` }),
         make("b", { style: `left:${percent(fraction)}` })));
  return cell;
}

function showResults() {
  const columns = [["Tokens per task", "tokens_per_task", 0], ["Training, seconds", "seconds", 1]]
    .filter(([, key]) => data.rows.some(row => row[key] !== null));
  const labels = ["Sampled, temperature 1", "Greedy"];
  const head = make("tr", {}, ["System", ...labels].map(words => make("th", { scope: "col" }, words)),
                    columns.map(([words]) => make("th", { scope: "col", class: "number" }, words)));
  const rows = data.rows.map((row, i) => make(
    "tr", { class: i === 0 && "first" },
    make("th", { scope: "row" }, row.title, row.note && make("span", { class: "note" }, row.note)),
    measureCell(labels[0], row.sampled, i), measureCell(labels[1], row.greedy, i),
    columns.map(([words, key, decimals]) => make(
      "td", { class: "number", "data-label": words }, row[key]?.toFixed(decimals) ?? "–"))));
  find("#results table").replaceChildren(make("thead", {}, head), make("tbody", {}, rows));
  fill(".rows-note", data.rows_note);
  find(".failures").replaceChildren(...failureTable("Failures by kind, sampled", "failures_sampled"),
                                    ...failureTable("Failures by kind, greedy", "failures_greedy"));
}

function failureTable(title, key) {
  const kinds = [...new Set(data.rows.flatMap(row => row[key].map(([kind]) => kind)))];
  if (kinds.length === 0) return [];
  const count = (row, kind) => String(sumOf(row[key].filter(f => f[0] === kind).map(f => f[1])));
  return [make("h3", { class: "sub" }, title),
          tableOf(["Kind", ...data.rows.map(row => row.title)],
                  kinds.map(kind => [kind, ...data.rows.map(row => count(row, kind))]))];
}

// Curves.

function rowOf(run) {
  return data.rows.findIndex(row => row.name === run.name || row.title === run.name);
}
function titleOf(run) { return data.rows[rowOf(run)]?.title ?? run.name; }

// The colour of the run's row in the table; runs without a row have the colours after those.
function colourOf(run) {
  if (rowOf(run) >= 0) return rowOf(run);
  const others = new Set(data.runs.filter(other => rowOf(other) < 0).map(other => other.name));
  return data.rows.length + [...others].indexOf(run.name);
}

function columnOf(run, metric) { return run.columns.find(column => column.name === metric); }

// The points of one measurement; a column that not all steps have says in `at` which do.
function lineOf(run, metric, over, meanOf = 1) {
  const { values, at } = columnOf(run, metric);
  const all = over.key === "seconds" ? run.seconds.map(s => s / over.divisor) : run.steps;
  return { name: titleOf(run), colour: colourOf(run), x: at ? at.map(i => all[i]) : all,
           y: trailingMean(values, Math.max(1, Math.round(meanOf / run.steps_per_point))) };
}

const STEPS = { key: "steps", label: "step", whole: true };

// Steps, or the wall clock in a unit that suits the longest run; steps where times are not known.
function axisOf(runs) {
  const known = runs.every(run => run.seconds !== null);
  if (view.axis !== "time" || !known) return STEPS;
  const longest = Math.max(0, ...runs.map(run => run.seconds.at(-1) ?? 0));
  const [label, divisor] = longest < 180 ? ["seconds", 1]
    : longest < 3 * 3600 ? ["minutes", 60] : ["hours", 3600];
  return { key: "seconds", label, divisor, whole: false };
}

function chartOf(runs, metric, about = {}, over = axisOf(runs)) {
  const [title, caption, unit] = METRICS[metric] ?? [metric.replaceAll("_", " "), ""];
  const measured = runs.filter(run => columnOf(run, metric));
  return { title, caption, unit, wholeX: over.whole, xLabel: over.label, ...about,
           lines: measured.map(run => lineOf(run, metric, over, about.mean_of)) };
}

function figureOf(chart, size, ...more) {
  return make("figure", { class: "card" },
              make("figcaption", {}, make("h3", {}, chart.title),
                   chart.caption && make("p", {}, chart.caption)),
              drawChart(chart, ...size), more);
}

function valuesTable(chart) {
  const at = [...new Set(chart.lines.flatMap(line => line.x))].sort((a, b) => a - b);
  return tableOf([chart.xLabel, ...chart.lines.map(line => line.name)], at.map(x => [
    trimmed(x, 3), ...chart.lines.map(line => {
      const i = line.x.indexOf(x);
      return i < 0 || line.y[i] === null ? "" : valueText(line.y[i], chart.unit);
    })]));
}

// One line per run: where it stands, and what it cost.
function runTable(runs) {
  const last = metric => run => valueText(lastValue(columnOf(run, metric).values));
  const mean = metric => run => {
    const known = columnOf(run, metric).values.filter(value => value !== null);
    return known.length > 0 ? valueText(sumOf(known) / known.length) : "–";
  };
  const most = metric => run => valueText(
    columnOf(run, metric).values.reduce((a, b) => (b === null || a > b ? a : b), null));
  const columns = [
    ["reward_mean", "Last reward", last], ["loss", "Last loss", last],
    ["learning_rate", "Learning rate", last],
    ["rollout_tokens_per_second", "Sampled tokens/s", mean],
    ["update_tokens_per_second", "Trained tokens/s", mean], ["tokens_per_second", "Tokens/s", mean],
    ["max_abs_log_ratio", "Max |log ratio|", most]]
    .filter(([metric]) => runs.some(run => columnOf(run, metric)));
  return tableOf(
    ["Run", "Steps", "Seconds", ...columns.map(([, words]) => words)],
    runs.map(run => [
      titleOf(run), String((run.steps.at(-1) ?? -1) + 1),
      run.seconds?.at(-1)?.toFixed(1) ?? "–",
      ...columns.map(([metric, , show]) => (columnOf(run, metric) ? show(metric)(run) : "–"))]),
    { class: "runs" });
}

// The charts of runs that belong together, e.g. of all warm starts.
function groupOf(name, runs, main) {
  const wide = Math.min(1080, find("#main").clientWidth - 40 || 1080);
  const found = new Set(runs.flatMap(run => run.columns.map(column => column.name)));
  const known = Object.keys(METRICS).filter(metric => found.has(metric));
  const zero = metric => runs.every(run => columnOf(run, metric)?.values.every(v => v === 0) ?? true);
  const others = [...found].filter(metric => !(metric in METRICS));
  const small = metrics => make("div", { class: "charts" }, metrics.map(
    metric => figureOf(chartOf(runs, metric), [340, 210])));
  const parts = [name && make("h3", { class: "sub" }, name),
                 drawLegend(runs.map(run => ({ name: titleOf(run), colour: colourOf(run) })))];
  if (main !== null && found.has(main.metric)) {
    const chart = chartOf(runs, main.metric, main);
    parts.push(figureOf(chart, [wide, wide < 600 ? 320 : 400],
                        details("All values as a table", () => [
                          valuesTable(chartOf(runs, main.metric, main, STEPS))])));
  }
  parts.push(small(known.filter(metric => metric !== main?.metric)), runTable(runs));
  const moving = others.filter(metric => !zero(metric));
  const still = others.filter(zero);
  if (others.length > 0)
    parts.push(details(`Other measurements${name && ` (${name})`}`, () => [
      small(moving),
      make("p", {}, still.length > 0 && `Always 0: ${still.join(", ").replaceAll("_", " ")}.`)]));
  return parts;
}

function showCurves() {
  const runs = [...data.runs].sort((a, b) => colourOf(a) - colourOf(b));
  const groups = [...new Set(data.runs.map(run => run.group))].sort();
  find(".axis").hidden = runs.every(run => run.seconds === null);
  find(".groups").replaceChildren(...make("div", {}, groups.map(
    name => groupOf(name, runs.filter(run => run.group === name),
                    name === "" ? data.main_curve : null))).childNodes);
}

// The whole page.

function show() {
  document.title = data.title;
  fill("h1", data.title);
  fill(".subtitle", data.subtitle);
  fill(".figure", data.headline_figure);
  fill(".hero p", data.headline);
  find(".hero").hidden = data.headline_figure === "" && data.headline === "";
  find(".status").hidden = data.finished;
  fill(".status", `The run goes on. Last change at ${new Date().toLocaleTimeString()}.`);
  const sections = { results: data.rows.length, curves: data.runs.length,
                     episodes: data.episodes.length,
                     run: data.command.length + data.parameters.length };
  for (const [id, count] of Object.entries(sections)) {
    find(`#${id}`).hidden = count === 0;
    find(`.jump a[href="#${id}"]`).hidden = count === 0;
  }
  if (sections.results) showResults();
  if (sections.curves) showCurves();
  if (sections.episodes) showEpisodes(find("#episodes"), data.episodes);
  fill("#run code", data.command);
  find("#run pre").hidden = data.command === "";
  find(".parameters").hidden = data.parameters.length === 0;
  find(".parameters").replaceChildren(...data.parameters.map(
    ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

// What the data file calls; from a file:// page only scripts can be read, so the data is one.
function dualagentReport(newer) {
  if (JSON.stringify(newer) === JSON.stringify(data)) return;
  data = newer;
  show();
}

function readAgain(file) {
  if (data.finished || file === "") return;
  const script = make("script", { src: `${encodeURIComponent(file)}?${Date.now()}` });
  const later = () => {
    script.remove();
    setTimeout(readAgain, RELOAD_MS, file);
  };
  script.onload = later;
  script.onerror = later;
  document.head.append(script);
}

find(".axis").onchange = event => {
  view.axis = event.target.value;
  showCurves();
};
chosen.episode = Math.max(0, episodeOfHash(location.hash) || 0);
dualagentReport(JSON.parse(find("#data").textContent));
setTimeout(readAgain, RELOAD_MS, find("#data").dataset.file);
)js"
