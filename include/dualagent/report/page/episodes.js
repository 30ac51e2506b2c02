R"js(
// The episode viewer: every token by where it came from, one episode at a time, with filters.

const chosen = { outcome: "", stage: "", episode: 0 };

function plural(count, noun) { return `${count} ${noun}${count === 1 ? "" : "s"}`; }
function outcomeOf(episode) { return episode.solved ? "solved" : "failed"; }
function sumOf(values) { return values.reduce((sum, value) => sum + value, 0); }
function tokensIn(spans) { return sumOf(spans.map(span => span.tokens)); }
function mark(episode) {
  return make("span", { class: "mark", "aria-hidden": "true" }, episode.solved ? "✓" : "✗");
}

function isSummary(span) {
  return span.agent === "summarizer" &&
    ["sampled", "inherited", "demonstration"].includes(span.provenance);
}

function whoSays(span) {
  const answerer = span.agent === "answerer";
  return { prompt: "task", observation: "tool", injected: "request", summary: "summary",
           action: "kept turn", demonstration: answerer ? "demo" : "demo summary",
           inherited: answerer ? "Answerer" : "Summarizer",
           sampled: answerer ? "Answerer" : "Summarizer" }[span.provenance];
}

// "weight version 5", or "weight versions 5 (2 tokens), 6 (1 token)".
function weightVersions(runs = []) {
  if (runs.length === 0) return "weight version unknown";
  if (runs.length === 1) return `weight version ${runs[0].version}`;
  return "weight versions " +
         runs.map((run) => `${run.version} (${plural(run.tokens, "token")})`).join(", ");
}

function spanLine(span) {
  let title = `${span.provenance}, ${plural(span.tokens, "token")}`;
  if (span.provenance === "sampled") {
    title += ` by the ${span.agent}, ${weightVersions(span.weight_versions)}`;
    if (typeof span.mean_log_prob === "number")
      title += `, mean log-probability ${span.mean_log_prob.toFixed(3)}`;
  }
  if (span.trained) title += ", trained on";
  const kind = `span p-${span.provenance} a-${span.agent}${span.trained ? " trained" : ""}`;
  return make("div", { class: kind, title }, make("span", { class: "who" }, whoSays(span)),
              make("span", { class: "text" }, span.text));
}

// The next window of the Answerer after segment `index`; segments.length if there is none.
function nextWindow(segments, index) {
  let next = index + 1;
  while (next < segments.length && segments[next].owner !== "answerer") ++next;
  return next;
}

function squeeze(replacement, number) {
  const share = replacement.summary_tokens / Math.max(1, replacement.dropped_tokens);
  const bar = width => make("i", { style: `width:${Math.min(100, 100 * width).toFixed(1)}%` });
  return [make("div", { class: "squeeze", "aria-hidden": "true" }, bar(1), bar(share)),
          make("p", {}, `${replacement.summary_tokens} tokens stand for ` +
                        `${replacement.dropped_tokens} in window ${number + 1}.`)];
}

// The summary that was sampled at the end of window `index`, in it or in a window of the
// Summarizer's own; null if there is none.
function besideSummary(segments, index, next, number) {
  const own = segments.slice(index + 1, next).filter(segment => segment.parent === index);
  const spans = [segments[index], ...own].flatMap(segment => segment.spans.filter(isSummary));
  if (spans.length === 0) return null;
  const replacement = segments[next]?.replacement;
  const last = own.at(-1);
  return make(
    "aside", { class: "beside" },
    make("h4", {}, `Summary ${number}`, make("span", {}, plural(tokensIn(spans), "token"))),
    spans.map(spanLine), replacement && squeeze(replacement, number),
    last && make("details", { class: "own" },
                 make("summary", {}, "The Summarizer's own window, " +
                                     plural(tokensIn(last.spans), "token")),
                 make("div", { class: "context" }, last.spans.map(spanLine))));
}

function besideDropped(next) {
  return make("aside", { class: "beside" }, make("h4", {}, "No summary"),
              make("p", {}, plural(next.replacement?.dropped_tokens ?? 0, "token") +
                            " dropped from the next window."));
}

function besideEnding(episode) {
  const facts = [["answer", episode.answer], ["expected", episode.expected],
                 ["ending", episode.ending], ["reward", valueText(episode.reward)]];
  return make("aside", { class: `beside ${outcomeOf(episode)}` }, make("h4", {}, "End"),
              make("dl", {}, facts.filter(([, value]) => value !== "").flatMap(
                ([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
}

// One window of the Answerer; beside it its summary, what was dropped, or how it all ended.
function windowItem(episode, index, number) {
  const { segments } = episode;
  const next = nextWindow(segments, index);
  const summary = besideSummary(segments, index, next, number);
  const dropped = next < segments.length && summary === null && besideDropped(segments[next]);
  return make(
    "li", { class: "window" },
    make("div", { class: "context card" },
         make("h4", {}, `Window ${number}`,
              make("span", {}, plural(tokensIn(segments[index].spans), "token"))),
         segments[index].spans.filter(span => !isSummary(span)).map(spanLine)),
    summary, dropped, next >= segments.length && besideEnding(episode));
}

function episodeFacts(episode, index, episodes) {
  const spans = episode.segments.flatMap(segment => segment.spans);
  const sampled = tokensIn(spans.filter(span => span.provenance === "sampled"));
  const windows = episode.segments.filter(segment => segment.owner === "answerer").length;
  const facts = make(
    "p", { class: "facts" }, episode.stage && `${episode.stage} · `,
    `${plural(windows, "window")} of the Answerer · ${plural(tokensIn(spans), "token")}, ` +
    `${sampled} sampled, ${tokensIn(spans.filter(span => span.trained))} trained on`);
  episodes.forEach((other, i) => {
    if (i === index || other.task !== episode.task) return;
    facts.append(" · ", make("a", { href: `#episode-${i + 1}` },
                             `same task ${other.stage}: ${outcomeOf(other)}`));
  });
  return facts;
}

function episodeArticle(episode, index, episodes) {
  const id = `episode-${index + 1}`;
  const windows = [];
  episode.segments.forEach((segment, s) => {
    if (segment.owner === "answerer") windows.push(windowItem(episode, s, windows.length + 1));
  });
  return make(
    "article", { class: "episode", id, "aria-labelledby": `${id}-title` },
    make("header", {},
         make("h3", { id: `${id}-title` }, episode.task,
              make("span", { class: `badge ${outcomeOf(episode)}` }, mark(episode), " ",
                   outcomeOf(episode))),
         episodeFacts(episode, index, episodes)),
    make("ol", { class: "windows" }, windows));
}

function episodeLink(episode, index) {
  return make(
    "li", { class: outcomeOf(episode) },
    make("a", { href: `#episode-${index + 1}` }, mark(episode),
         make("span", {}, episode.task,
              make("span", { class: "hidden-text" }, `, ${outcomeOf(episode)}`)),
         episode.stage && make("small", {}, episode.stage)));
}

function filterField(name, title, values, change) {
  if (values.length < 2) return null;
  const choice = (value, label) => make(
    "label", {}, make("input", { type: "radio", name, value, checked: chosen[name] === value }),
    make("span", {}, label));
  const field = make("fieldset", { class: "filters" }, make("legend", {}, title),
                     choice("", "all"), values.map(value => choice(value, value)));
  field.addEventListener("change", event => {
    chosen[name] = event.target.value;
    change();
  });
  return field;
}

// Fills the section and shows the chosen episode.
function showEpisodes(section, episodes) {
  const links = episodes.map(episodeLink);
  const articles = episodes.map(episodeArticle);
  const visible = i => links[i] !== undefined && !links[i].hidden;

  function select(index) {
    chosen.episode = index;
    articles.forEach((article, i) => { article.hidden = i !== index; });
    links.forEach((link, i) => {
      if (i === index) link.firstChild.setAttribute("aria-current", "true");
      else link.firstChild.removeAttribute("aria-current");
    });
  }
  function filter() {
    episodes.forEach((episode, i) => {
      links[i].hidden = (chosen.outcome !== "" && outcomeOf(episode) !== chosen.outcome) ||
        (chosen.stage !== "" && episode.stage !== chosen.stage);
    });
    const shown = links.filter((_, i) => visible(i)).length;
    section.querySelector(".count").textContent = `${shown} of ${links.length} episodes`;
    select(visible(chosen.episode) ? chosen.episode : links.findIndex((_, i) => visible(i)));
  }
  function open(index) {
    if (!visible(index)) {
      [chosen.outcome, chosen.stage] = ["", ""];
      for (const input of section.querySelectorAll('.filters input[value=""]')) input.checked = true;
      filter();
    }
    select(index);
    history.replaceState(null, "", `#episode-${index + 1}`);
    if (matchMedia("(max-width:900px)").matches) articles[index].scrollIntoView();
  }

  const stages = [...new Set(episodes.map(episode => episode.stage))].filter(stage => stage !== "");
  section.querySelector(".pickers").replaceChildren(...[
    filterField("outcome", "Outcome", ["solved", "failed"], filter),
    filterField("stage", "Stage", stages, filter)].filter(field => field !== null));
  section.querySelector(".episodes").replaceChildren(...links);
  section.querySelector(".articles").replaceChildren(...articles);
  section.onclick = event => {
    const link = event.target.closest('a[href^="#episode-"]');
    if (link === null) return;
    event.preventDefault();
    open(episodeOfHash(link.hash));
  };
  section.querySelector(".episodes").onkeydown = event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    let next = chosen.episode + step;
    while (links[next] !== undefined && !visible(next)) next += step;
    if (links[next] === undefined) return;
    open(next);
    links[next].firstChild.focus();
  };
  onhashchange = () => { if (episodes[episodeOfHash(location.hash)]) open(episodeOfHash(location.hash)); };
  if (episodes[chosen.episode] === undefined) chosen.episode = 0;
  filter();
}

function episodeOfHash(hash) { return Number(hash.replace("#episode-", "")) - 1; }
)js"
