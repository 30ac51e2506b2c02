R"js(
"use strict";
// Curves as SVG.
//
// A chart is {unit, min, max, xLabel, lines}; a line is {name, colour, x, y}, in which null in y
// leaves a gap. Colours are numbers: from 8 on again with dashes, from 16 on dotted.

const COLOURS = 8;
const MOST_TOOLTIPS = 120;  // per line

function makeSvg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

// Multiples of 1, 2 or 5 times a power of ten from low to high, about `most` of them.
function axisTicks(low, high, most, leastStep = 0) {
  const rough = Math.max((high - low) / Math.max(1, most), leastStep);
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5].find(candidate => candidate * power >= rough * (1 - 1e-9)) ?? 10;
  const step = factor * power;
  const values = [];
  for (let i = Math.ceil(low / step - 1e-6); i * step <= high + 1e-6 * step; ++i) {
    values.push(i * step);
    if (i + 1 === i) break;  // so far from 0 that there is no next one
  }
  return { step, values };
}

function tickText(value, step, unit) {
  const percent = unit === "percent";
  const [shown, size] = percent ? [100 * value, 100 * step] : [value, step];
  const decimals = Math.max(0, Math.ceil(-Math.log10(size) - 1e-9));
  const suffix = percent ? " %" : "";
  if (shown === 0) return "0" + suffix;
  if (size >= 1e6) return shown.toExponential() + suffix;
  if (size >= 1000) return trimmed(shown / 1000, 3) + "k" + suffix;
  if (decimals > 4) return Number((Math.round(shown / size) * size).toPrecision(9)) + suffix;
  return shown.toFixed(decimals) + suffix;
}

function trimmed(value, decimals) { return String(Number(value.toFixed(decimals))); }

function valueText(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "percent") return (100 * value).toFixed(1) + " %";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-3 || size >= 1e7) return value.toExponential(2);
  return trimmed(value, size < 1 ? 4 : size < 100 ? 3 : 1);
}

// Means of each value and the up to `window - 1` before it; gaps are left out of the means.
function trailingMean(values, window) {
  return values.map((value, i) => {
    const known = values.slice(Math.max(0, i + 1 - window), i + 1).filter(v => v !== null);
    return value === null || known.length === 0
      ? null : known.reduce((sum, v) => sum + v, 0) / known.length;
  });
}

// What the axes show: the data, widened to round numbers upwards and downwards.
function chartRanges(chart, height) {
  let [xLow, xHigh, yLow, yHigh] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of chart.lines)
    for (let i = 0; i < x.length; ++i) {
      if (y[i] === null) continue;
      [xLow, xHigh] = [Math.min(xLow, x[i]), Math.max(xHigh, x[i])];
      [yLow, yHigh] = [Math.min(yLow, y[i]), Math.max(yHigh, y[i])];
    }
  if (xLow > xHigh) [xLow, xHigh, yLow, yHigh] = [0, 1, 0, 1];
  if (xLow === xHigh) [xLow, xHigh] = [xLow - 1, xHigh + 1];
  if (yLow > 0 && yLow < 0.5 * yHigh) yLow = 0;
  yLow = chart.min ?? yLow;
  yHigh = chart.max ?? yHigh;
  if (!(yHigh - yLow > 1e-12 * Math.abs(yHigh))) {
    const margin = yLow === 0 ? 1 : 0.05 * Math.abs(yLow);
    [yLow, yHigh] = [yLow === 0 ? 0 : yLow - margin, yLow + margin];
  }
  const { step } = axisTicks(yLow, yHigh, Math.max(2, height / 65));
  if (chart.min === undefined) yLow = Math.floor(yLow / step + 1e-9) * step;
  if (chart.max === undefined) yHigh = Math.ceil(yHigh / step - 1e-9) * step;
  return { xLow, xHigh, yLow, yHigh };
}

// Where values stand in the picture, in px.
function chartFrame(chart, width, height) {
  const range = chartRanges(chart, height);
  const yTicks = axisTicks(range.yLow, range.yHigh, Math.max(2, height / 65));
  const yTexts = yTicks.values.map(value => tickText(value, yTicks.step, chart.unit));
  const left = 10 + 7 * Math.max(1, ...yTexts.map(text => text.length));
  const [right, top, bottom] = [width - 12, 12, height - 40];
  const xTicks = axisTicks(range.xLow, range.xHigh, Math.max(2, (right - left) / 80),
                           chart.wholeX ? 1 : 0);
  return {
    left, right, top, bottom, xTicks, yTicks, yTexts,
    x: value => left + (value - range.xLow) / (range.xHigh - range.xLow) * (right - left),
    y: value => bottom - (Math.min(Math.max(value, range.yLow), range.yHigh) - range.yLow) /
      (range.yHigh - range.yLow) * (bottom - top),
  };
}

function drawAxes(chart, frame) {
  const rule = (x1, y1, x2, y2, kind) => makeSvg("line", { x1, y1, x2, y2, class: kind });
  const text = (x, y, anchor, words) => makeSvg("text", { x, y, "text-anchor": anchor }, words);
  const parts = frame.yTicks.values.flatMap((value, i) => [
    rule(frame.left, frame.y(value), frame.right, frame.y(value), "grid"),
    text(frame.left - 8, frame.y(value) + 4, "end", frame.yTexts[i])]);
  parts.push(rule(frame.left, frame.bottom, frame.right, frame.bottom, "line-of-axis"));
  for (const value of frame.xTicks.values)
    parts.push(
      rule(frame.x(value), frame.bottom, frame.x(value), frame.bottom + 4, "line-of-axis"),
      text(frame.x(value), frame.bottom + 18, "middle", tickText(value, frame.xTicks.step)));
  parts.push(text(frame.right, frame.bottom + 36, "end", chart.xLabel));
  return parts;
}

function lineStyle(colour) {
  const dashes = ["", "7 5", "1 5"][Math.min(2, Math.floor(colour / COLOURS))];
  return { class: `series-${colour % COLOURS}`, ...(dashes && { "stroke-dasharray": dashes }) };
}

// One path; a value between two gaps is a dot.
function drawLine(line, frame, first) {
  let path = "";
  line.y.forEach((value, i) => {
    if (value === null) return;
    const goesOn = i > 0 && line.y[i - 1] !== null;
    path += `${goesOn ? "L" : "M"}${trimmed(frame.x(line.x[i]), 2)} ${trimmed(frame.y(value), 2)}`;
    if (!goesOn && (line.y[i + 1] ?? null) === null) path += "h0";  // round caps make a dot of it
  });
  return makeSvg("path", { ...lineStyle(line.colour), d: path, "stroke-width": first ? 2.4 : 1.8 });
}

function drawTooltips(chart, line, frame) {
  const stride = Math.max(1, Math.ceil(line.y.length / MOST_TOOLTIPS));
  const circles = [];
  for (let i = 0; i < line.y.length; i += stride) {
    if (line.y[i] === null) continue;
    const words = `${line.name}, ${chart.xLabel} ${trimmed(line.x[i], 3)}: ` +
      valueText(line.y[i], chart.unit);
    circles.push(makeSvg("circle", { cx: frame.x(line.x[i]), cy: frame.y(line.y[i]), r: 6,
                                     class: `series-${line.colour % COLOURS}` },
                         makeSvg("title", {}, words)));
  }
  return makeSvg("g", { class: "hits" }, ...circles);
}

function lastValue(values) { return values.findLast(value => value !== null) ?? null; }

// The picture; its first line lies on top.
function drawChart(chart, width, height) {
  const frame = chartFrame(chart, width, height);
  const spoken = chart.lines.map(line => `${line.name} ${valueText(lastValue(line.y), chart.unit)}`);
  const back = [...chart.lines].reverse();
  return makeSvg(
    "svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "font-size": 12,
             "aria-label": `${chart.title}. Last values: ${spoken.join(", ")}` },
    ...drawAxes(chart, frame),
    ...back.map(line => drawLine(line, frame, line === chart.lines[0])),
    ...back.map(line => drawTooltips(chart, line, frame)));
}

// What the lines of several charts are called, beside their colours.
function drawLegend(lines) {
  return make("ul", { class: "keys" }, lines.map(line => make(
    "li", {},
    makeSvg("svg", { viewBox: "0 0 20 8", width: 20, height: 8, "aria-hidden": "true" },
            makeSvg("path", { ...lineStyle(line.colour), d: "M2 4H18", "stroke-width": 3 })),
    line.name)));
}
)js"
