#pragma once

#include <string_view>

/// Style and script of the HTML report. They hold no data: everything that a run produced is in the
/// markup, escaped.
namespace dualagent::detail {

inline constexpr std::string_view kReportCss = R"css(
:root{color-scheme:light dark;
--page:#f6f7f9;--card:#ffffff;--ink:#1c2128;--muted:#5b6472;--line:#e0e4ea;--soft:#f0f2f5;
--accent:#1f5fd0;--good:#0a7f66;--bad:#b3372b;
--ans:#1f5fd0;--ans-bg:#e9f0fd;--sum:#9a5b00;--sum-bg:#fdf0d9;--obs:#4c6a5c;--obs-bg:#eef4f0;
--inj:#6a4cc4;--inj-bg:#f1edfb;--task:#5b6472;--task-bg:#eff1f4}
@media (prefers-color-scheme:dark){:root{
--page:#0f1216;--card:#171b21;--ink:#e6e9ee;--muted:#a0a9b6;--line:#2b323c;--soft:#1e242c;
--accent:#74a9ff;--good:#3fc4a3;--bad:#f0837b;
--ans:#8db8ff;--ans-bg:#1a2a45;--sum:#f0b75e;--sum-bg:#3a2b12;--obs:#9cc3ae;--obs-bg:#1b2822;
--inj:#b9a8f8;--inj-bg:#29233f;--task:#a0a9b6;--task-bg:#222831}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Liberation Sans",sans-serif;
font-variant-numeric:tabular-nums}
main,.top,footer{max-width:1180px;margin:0 auto;padding:0 28px}
a{color:var(--accent);text-underline-offset:.18em}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-9999px}
.skip:focus{left:16px;top:12px;background:var(--card);padding:8px 12px;z-index:2}
.hidden-text{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
h1,h2,h3,h4{line-height:1.25;margin:0;font-weight:650;text-wrap:balance}
h1{font-size:clamp(1.7rem,1.2rem + 2vw,2.35rem);letter-spacing:-.018em}
h2{font-size:1.35rem;letter-spacing:-.01em}
h3{font-size:1.05rem}
h4{font-size:.86rem}
.top{padding-top:48px;padding-bottom:8px}
.top .subtitle{margin:.45rem 0 0;color:var(--muted);font-size:1.06rem;max-width:46em}
.hero{display:flex;flex-wrap:wrap;align-items:baseline;gap:.2rem 1.4rem;margin:30px 0 24px}
.hero .figure{font-size:clamp(3.1rem,2rem + 5vw,4.9rem);line-height:1;font-weight:680;
letter-spacing:-.035em;color:var(--accent)}
.hero p{margin:0;max-width:34em;font-size:1.12rem}
.jump{display:flex;flex-wrap:wrap;gap:4px 22px;padding:10px 0;border-bottom:1px solid var(--line);font-size:.94rem}
.jump a{text-decoration:none;color:var(--muted)}
.jump a:hover{color:var(--accent)}
main>section{padding:38px 0 6px}
.lead{color:var(--muted);margin:.4rem 0 1.1rem;max-width:46em}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:13px 18px;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--muted);font-size:.84rem;font-weight:550;padding-bottom:9px}
tbody th{font-weight:600}
.note{display:block;color:var(--muted);font-weight:400;font-size:.86rem}
.number{text-align:right;white-space:nowrap}
.results tbody th{width:24%}
.measure{min-width:190px;width:26%}
.measure b{font-weight:650}
.measure small,td small{color:var(--muted);font-size:.84rem}
.scale{position:relative;height:14px;margin:7px 0 2px;border-radius:7px;background:
linear-gradient(var(--line),var(--line)) 50% 0/1px 100% no-repeat,var(--soft)}
.scale i{position:absolute;top:0;height:14px;border-radius:7px;min-width:3px;background:currentColor;opacity:.34}
.scale b{position:absolute;top:-2px;width:4px;height:18px;margin-left:-2px;border-radius:2px;background:currentColor}
tr.first th,tr.first .measure b{color:var(--accent)}
h3.sub{margin:30px 0 10px}
.scroll{overflow-x:auto}
.zero{color:var(--muted);opacity:.65}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:18px;margin-top:18px}
figure{margin:0;padding:18px 20px 10px}
figcaption{margin-bottom:8px}
figcaption p{margin:.15rem 0 0;color:var(--muted);font-size:.9rem}
figure svg{display:block;width:100%;height:auto;overflow:visible}
.narrow{display:none}
.hits circle:hover{fill-opacity:.95}
details{margin-top:14px}
details>summary{cursor:pointer;color:var(--muted);font-size:.92rem;width:fit-content}
details td,details th{padding:5px 14px;font-size:.88rem}
.legend{display:flex;flex-wrap:wrap;gap:6px 10px;list-style:none;margin:0 0 20px;padding:0;font-size:.86rem}
.legend li{padding:2px 10px;border-radius:5px}
.legend .trained-key{padding-left:0}
.viewer{display:grid;grid-template-columns:230px minmax(0,1fr);gap:26px;align-items:start}
.picker{position:sticky;top:16px}
.filters{border:0;margin:0 0 10px;padding:0;display:flex;flex-wrap:wrap;gap:4px}
.filters[hidden]{display:none}
.filters legend{padding:0;margin-bottom:4px;color:var(--muted);font-size:.84rem}
.filters label{position:relative;cursor:pointer}
.filters input{position:absolute;opacity:0;inset:0;margin:0;cursor:pointer}
.filters span{display:block;padding:3px 11px;border:1px solid var(--line);border-radius:99px;background:var(--card);font-size:.86rem}
.filters input:checked+span{background:var(--ink);border-color:var(--ink);color:var(--page)}
.filters input:focus-visible+span{outline:2px solid var(--accent);outline-offset:2px}
.count{color:var(--muted);font-size:.84rem;margin:8px 0}
.episodes{list-style:none;margin:0;padding:4px;max-height:68vh;overflow-y:auto}
.episodes a{display:grid;grid-template-columns:1.3em 1fr;padding:6px 8px;border-radius:6px;text-decoration:none;color:inherit;line-height:1.35;overflow-wrap:anywhere}
.episodes a:hover{background:var(--soft)}
.episodes a[aria-current]{background:var(--soft);box-shadow:inset 3px 0 0 var(--accent)}
.episodes small{grid-column:2;color:var(--muted);font-size:.8rem}
.solved .mark,.badge.solved{color:var(--good)}
.failed .mark,.badge.failed{color:var(--bad)}
.mark{font-weight:700}
.badge{font-size:.86rem;font-weight:600;margin-left:.6em}
.episode{margin-bottom:44px;scroll-margin-top:16px}
.episode[hidden],.episodes li[hidden]{display:none}
.episode>header{margin-bottom:16px}
.episode>header h3{font-size:1.2rem;overflow-wrap:anywhere}
.facts{margin:.3rem 0 0;color:var(--muted);font-size:.92rem}
.windows{list-style:none;margin:0;padding:0}
.window{display:grid;grid-template-columns:minmax(0,1fr) 290px;gap:0 22px}
.window+.window{margin-top:16px}
.context{padding:14px 16px 12px}
.context h4,.beside h4{display:flex;justify-content:space-between;gap:1em;color:var(--muted);font-weight:600;margin-bottom:9px}
.context h4 span,.beside h4 span{font-weight:400}
.span{display:grid;grid-template-columns:5.6rem minmax(0,1fr);gap:0 10px;margin:3px 0}
.who{font-size:.76rem;line-height:1.75;text-align:right;color:var(--who,var(--muted))}
.text{font:13px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace;
white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate;padding:1px 8px;border-radius:5px;background:var(--tint);border-left:3px solid transparent}
.trained .text{border-left-color:var(--who)}
.p-prompt{--who:var(--task);--tint:var(--task-bg)}
.p-observation{--who:var(--obs);--tint:var(--obs-bg)}
.p-injected{--who:var(--inj);--tint:var(--inj-bg)}
.p-sampled.a-answerer,.p-action,.p-inherited.a-answerer,.p-demonstration.a-answerer{--who:var(--ans);--tint:var(--ans-bg)}
.p-sampled.a-summarizer,.p-summary,.p-inherited.a-summarizer,.p-demonstration.a-summarizer{--who:var(--sum);--tint:var(--sum-bg)}
.p-summary .text,.p-action .text,.p-inherited .text,.legend .copy{background:repeating-linear-gradient(135deg,var(--tint) 0 9px,transparent 9px 11px),var(--card);box-shadow:inset 0 0 0 1px var(--tint)}
.legend li:not(.trained-key){background:var(--tint);color:var(--who)}
.trained-key b{display:inline-block;width:3px;height:1em;background:var(--ans);border-radius:2px;vertical-align:-.12em;margin-right:7px}
.beside{position:relative;align-self:end;padding:14px 16px;border-radius:10px;background:var(--card);border:1px solid var(--line)}
.beside::before{content:"";position:absolute;right:100%;top:26px;width:22px;border-top:1.5px solid var(--line)}
.beside .span{display:block}
.beside .who{display:none}
.beside .text{display:block}
.own .span{margin:6px 0}
.beside p{margin:.5rem 0 0;font-size:.88rem;color:var(--muted)}
.beside dl{display:grid;grid-template-columns:auto 1fr;gap:2px 14px;margin:0;font-size:.92rem}
.beside dt{color:var(--muted)}
.beside dd{margin:0;overflow-wrap:anywhere;font-weight:550}
.squeeze{display:grid;gap:3px;margin:11px 0 0}
.squeeze i{display:block;height:6px;border-radius:3px;background:var(--line);min-width:3px}
.squeeze i+i{background:var(--sum)}
.own{margin-top:10px}
.own .context{padding:8px 0}
pre{margin:0;padding:14px 18px;overflow-x:auto;font:13.5px/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono","DejaVu Sans Mono",monospace}
.parameters{display:grid;grid-template-columns:repeat(auto-fill,minmax(250px,1fr));gap:0 34px;margin:18px 0 0;padding:10px 18px}
.parameters div{display:flex;justify-content:space-between;gap:1.2em;padding:6px 0;border-bottom:1px solid var(--line);font-size:.93rem}
.parameters dt{color:var(--muted)}
.parameters dd{margin:0;text-align:right;overflow-wrap:anywhere}
footer{padding-top:44px;padding-bottom:44px;color:var(--muted);font-size:.87rem}
@media (max-width:900px){
.viewer{grid-template-columns:minmax(0,1fr)}
.picker{position:static}
.episodes{max-height:15rem}
.window{grid-template-columns:minmax(0,1fr)}
.beside{margin:8px 0 0 24px}
.beside::before{right:auto;left:-14px;top:-9px;height:36px;width:14px;border-top:0;border-left:1.5px solid var(--line);border-bottom:1.5px solid var(--line)}}
@media (max-width:680px){
main,.top,footer{padding-left:16px;padding-right:16px}
.top{padding-top:28px}
.wide{display:none}
.narrow{display:block}
figure{padding:14px 14px 6px}
.results thead{display:none}
.results tr{display:block;padding:12px 16px;border-top:1px solid var(--line)}
.results tr:first-child{border-top:0}
.results tbody th{width:auto}
.results th,.results td{display:block;border:0;padding:4px 0;width:auto;text-align:left}
.results td::before{content:attr(data-label);display:block;color:var(--muted);font-size:.84rem}
.results td.number{display:flex;gap:.6em}
.span{grid-template-columns:minmax(0,1fr)}
.who{text-align:left;line-height:1.5}
.context{padding:12px}}
@media print{body{background:none}.episode[hidden]{display:block}.jump,.picker,.skip{display:none}.viewer{display:block}}
)css";

/// Shows one episode at a time, with filters; without script all are shown one below the other.
inline constexpr std::string_view kReportScript = R"js(
(() => {
  "use strict";
  const viewer = document.querySelector(".viewer");
  if (!viewer) return;
  const links = [...viewer.querySelectorAll(".episodes a")];
  const articles = links.map(link => document.getElementById(link.hash.slice(1)));
  const filters = [...viewer.querySelectorAll(".filters")];
  const count = viewer.querySelector(".count");
  let current = 0;

  const visible = i => !links[i].parentElement.hidden;
  const chosen = name => {
    const input = viewer.querySelector(`input[name="${name}"]:checked`);
    return input ? input.value : "";
  };

  function select(index) {
    current = index;
    articles.forEach((article, i) => { article.hidden = i !== index; });
    links.forEach((link, i) => {
      if (i === index) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  }

  function filter() {
    const outcome = chosen("outcome"), stage = chosen("stage");
    let shown = 0;
    links.forEach(link => {
      const item = link.parentElement;
      item.hidden = (outcome && item.dataset.outcome !== outcome) ||
                    (stage && item.dataset.stage !== stage);
      shown += item.hidden ? 0 : 1;
    });
    count.textContent = `${shown} of ${links.length} episodes`;
    if (!visible(current)) {
      const first = links.findIndex((_, i) => visible(i));
      select(first);
    } else {
      select(current);
    }
  }

  function open(index) {
    if (!visible(index)) {
      filters.forEach(f => { f.querySelector("input").checked = true; });
      filter();
    }
    select(index);
    history.replaceState(null, "", links[index].hash);
    if (matchMedia("(max-width:900px)").matches) articles[index].scrollIntoView();
  }

  const indexOf = hash => links.findIndex(link => link.hash === hash);
  document.addEventListener("click", event => {
    const link = event.target.closest('a[href^="#episode-"]');
    if (!link) return;
    event.preventDefault();
    open(indexOf(link.hash));
  });
  viewer.querySelector(".episodes").addEventListener("keydown", event => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    let next = links.indexOf(document.activeElement);
    if (next < 0) next = current;
    do next += step; while (links[next] && !visible(next));
    if (!links[next]) return;
    select(next);
    history.replaceState(null, "", links[next].hash);
    links[next].focus();
  });
  addEventListener("hashchange", () => {
    const index = indexOf(location.hash);
    if (index >= 0) open(index);
  });
  filters.forEach(f => { f.hidden = false; f.addEventListener("change", filter); });
  count.hidden = false;
  filter();
  const wanted = indexOf(location.hash);
  select(wanted >= 0 ? wanted : 0);
})();
)js";

}  // namespace dualagent::detail
