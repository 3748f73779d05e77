"use strict";
// Draws the pictures of the page with Observable Plot, from the JSON in the element "data".
(() => {
  const {charts, trials} = JSON.parse(document.getElementById("data").textContent);
  const text = (value) => (Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(4)));
  const settings = (width, more) => ({width, style: {background: "none", fontSize: "12px", overflow: "visible"}, ...more});

  // A trial as an object, with the text that is shown when it is pointed at.
  const objects = ({metrics, choices, options, rows}) =>
    rows.map(([id, values, places]) => {
      const metric = Object.fromEntries(metrics.map((name, i) => [name, values[i]]));
      const measured = metrics.filter((_, i) => values[i] !== null).map((name) => `${name} ${text(metric[name])}`);
      const chosen = choices.filter((_, i) => places[i] >= 0).map((name) => `${name} = ${options[choices.indexOf(name)][places[choices.indexOf(name)]]}`);
      return {id, metric, places, title: [`number ${id}`, ...measured, "", ...chosen].join("\n")};
    });
  const runs = trials.map(objects);

  const DRAW = {
    curves({y, series}, width) {
      const points = series.flatMap((run) => run.points.map(([trial, value, id]) => ({run: run.name, trial, value, id})));
      // The line goes on to the last trial.
      const ends = series.filter((run) => run.points.length).map((run) => ({run: run.name, trial: run.trials, value: run.points.at(-1)[1]}));
      const many = series.length > 1;
      return Plot.plot(settings(width, {
        height: 320, grid: true, x: {label: "trials"}, y: {label: y, nice: true},
        color: {type: "categorical", domain: series.map((run) => run.name), legend: many},
        marks: [
          Plot.line([...points, ...ends], {x: "trial", y: "value", stroke: "run", curve: "step-after", strokeWidth: 2}),
          Plot.dot(points, {x: "trial", y: "value", fill: "run", r: 3.5, tip: true, title: (d) => `${many ? d.run + "\n" : ""}trial ${d.trial}, number ${d.id}\n${y} ${text(d.value)}`}),
        ],
      }));
    },

    front({run, x, y, limits, front, line}, width) {
      const place = (name) => (d) => d.metric[name];
      const shown = runs[run].filter((d) => d.metric[x] !== null && d.metric[y] !== null);
      const best = shown.filter((d) => front.includes(d.id)).sort((a, b) => a.metric[x] - b.metric[x]);
      const limit = (name) => (name in limits ? [limits[name]] : []);
      const style = {stroke: "var(--bad)", strokeDasharray: "6 4"};
      return Plot.plot(settings(width, {
        height: 400, grid: true, x: {label: x, nice: true, tickFormat: "~s"}, y: {label: y, nice: true},
        marks: [
          Plot.ruleX(limit(x), style), Plot.ruleY(limit(y), style),
          Plot.text(limit(x), {x: (d) => d, frameAnchor: "bottom", text: () => "budget", fill: "var(--bad)", textAnchor: "end", dx: -4, dy: -4}),
          Plot.dot(shown, {x: place(x), y: place(y), stroke: "var(--quiet)", r: 3}),
          line ? Plot.line(best, {x: place(x), y: place(y), stroke: "var(--mark)", strokeWidth: 2, curve: "step-after"}) : null,
          Plot.dot(best, {x: place(x), y: place(y), fill: "var(--mark)", r: 5}),
          Plot.dot(shown, {x: place(x), y: place(y), r: 3, strokeOpacity: 0, tip: true, title: "title"}),
        ],
      }));
    },

    bars({bars}, width) {
      const rows = bars.map(([layer, purpose, bytes]) => ({layer, purpose, bytes}));
      const layers = [...new Set(rows.map((d) => d.layer))];
      const longest = Math.max(...layers.map((name) => name.length));
      return Plot.plot(settings(width, {
        height: 70 + 22 * layers.length, marginLeft: Math.min(width * 0.4, 20 + 7 * longest),
        x: {label: "bytes", grid: true}, y: {label: null, domain: layers}, color: {type: "categorical", legend: true},
        marks: [Plot.barX(rows, {x: "bytes", y: "layer", fill: "purpose", tip: true, title: (d) => `${d.layer}\n${d.purpose}: ${text(d.bytes)} bytes`})],
      }));
    },

    confusion({names, cells}, width) {
      const rows = cells.map(([label, taken, count, share]) => ({label, taken, count, share}));
      const longest = Math.min(20, Math.max(...names.map((name) => name.length)));
      const margin = 30 + 7 * longest;
      const side = Math.min(36, Math.max(12, (width - margin - 20) / names.length));
      const ticks = {domain: [0, names.length], ticks: names.map((_, i) => i + 0.5), tickFormat: (at) => names[Math.floor(at)], tickSize: 0};
      return Plot.plot(settings(width, {
        width: margin + 20 + side * names.length, height: margin + 20 + side * names.length, marginLeft: margin, marginBottom: margin,
        x: {...ticks, label: "taken for", tickRotate: -90}, y: {...ticks, label: "class", reverse: true}, color: {scheme: "blues", domain: [0, 1]},
        marks: [
          Plot.rectY(rows, {x1: "taken", x2: (d) => d.taken + 1, y1: "label", y2: (d) => d.label + 1, fill: "share", inset: 0.5, tip: true, title: (d) => `${names[d.label]} taken for ${names[d.taken]}\n${text(d.count)}, ${text(100 * d.share)} % of the class`}),
          side < 20 ? null : Plot.text(rows.filter((d) => d.count), {x: (d) => d.taken + 0.5, y: (d) => d.label + 0.5, text: (d) => text(d.count), fill: (d) => (d.share > 0.5 ? "white" : "black")}),
        ],
      }));
    },

    // Axes lie below one another, so that names of choices have room on narrow screens too.
    parallel({run, axes, metric, low}, width) {
      const {choices, options} = trials[run];
      const values = runs[run].map((d) => d.metric[metric]).filter((value) => value !== null);
      const [least, most] = [Math.min(...values), Math.max(...values)];
      const names = [metric, ...axes.map((axis) => choices[axis])];
      const across = (place, count) => (count > 1 ? place / (count - 1) : 0.5);
      const points = runs[run].filter((d) => d.metric[metric] !== null).flatMap((d) => [
        {...d, axis: metric, at: most > least ? (d.metric[metric] - least) / (most - least) : 0.5},
        ...axes.filter((axis) => d.places[axis] >= 0).map((axis) => ({...d, axis: choices[axis], at: across(d.places[axis], options[axis].length)})),
      ]);
      const labels = [
        {axis: metric, at: 0, label: text(least)}, {axis: metric, at: 1, label: text(most)},
        ...axes.flatMap((axis) => options[axis].map((label, i) => ({axis: choices[axis], at: across(i, options[axis].length), label}))),
      ];
      const longest = Math.max(...names.map((name) => name.length));
      return Plot.plot(settings(width, {
        height: 60 + 56 * names.length, marginLeft: Math.min(width * 0.4, 20 + 7 * longest), marginRight: 40,
        x: {axis: null, domain: [0, 1]}, y: {type: "point", domain: names, label: null, tickSize: 0},
        color: {scheme: "turbo", reverse: low, label: metric, legend: true},
        marks: [
          Plot.ruleY(names, {stroke: "var(--line)"}),
          Plot.line(points, {x: "at", y: "axis", z: "id", stroke: (d) => d.metric[metric], strokeOpacity: 0.6}),
          Plot.text(labels, {x: "at", y: "axis", text: "label", dy: 12, stroke: "var(--paper)", fill: "currentColor", strokeWidth: 4}),
          Plot.dot(points, {x: "at", y: "axis", fill: (d) => d.metric[metric], r: 2.5, tip: true, title: "title"}),
        ],
      }));
    },

    timeline({width: count, bars, statuses}, width) {
      const rows = bars.map(([first, status, seconds]) => ({first, status, seconds}));
      const name = (d) => (count > 1 ? `numbers ${d.first} to ${d.first + count - 1}` : `number ${d.first}`);
      return Plot.plot(settings(width, {
        height: 260, x: {label: "number"}, y: {label: "seconds", grid: true},
        color: {domain: statuses, range: ["#2a8f4c", "#c9a227", "#6f7bd9", "#d0453b"], legend: true},
        marks: [
          Plot.rectY(rows, {x1: "first", x2: (d) => d.first + count, y: "seconds", fill: "status", inset: 0.3, tip: true, title: (d) => `${name(d)}\n${d.status}: ${text(d.seconds)} s`}),
          Plot.ruleY([0]),
        ],
      }));
    },
  };

  const draw = (place) => {
    const data = charts[+place.dataset.chart];
    const width = Math.max(280, Math.floor(place.clientWidth));
    if (place.dataset.width === String(width)) return;
    place.dataset.width = width;
    place.replaceChildren(DRAW[data.kind](data, width));
  };
  const places = document.querySelectorAll("[data-chart]");
  places.forEach(draw);
  if (typeof ResizeObserver === "function") {
    const observer = new ResizeObserver((entries) => entries.forEach((entry) => draw(entry.target)));
    places.forEach((place) => observer.observe(place));
  }
})();
