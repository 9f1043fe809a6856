// Curves drawn by uPlot, each with its title, units, legend, a sentence and a table behind it.

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 4], [4, 4]];
const drawn = new Set();

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// Whether losses are drawn on a logarithmic scale: once chosen, for all charts; until then for those whose values lie
// far apart, by the same factor as in the terminal.
let isLog = null;
const LOG_FROM = 50;

function dropCharts() {
  for (const chart of drawn) chart.drop();
  drawn.clear();
}

function redrawCharts() {
  for (const chart of drawn) chart.draw();
}

// lines: [{label, series, colour: 1..6, dash: place in DASHES}]
function chart({id, title, yLabel, lines, isShare}) {
  const show = value => isShare ? `${(100 * value).toFixed(1)}%` : number(value, 4);
  const values = lines.map(line => el('span', {class: 'reading'}, readingOf(line, null, show)));
  const plot = el('div', {class: 'plot', role: 'img', 'aria-label': `${title}. ${told(lines, show)}`});
  const behind = el('details', {class: 'behind', id: `${id}-numbers`,
    on: {toggle: event => {
      if (event.target.open && !event.target.querySelector('table')) event.target.append(numbers(title, lines, show));
    }}}, el('summary', {}, 'The numbers behind this chart'));
  const figure = el('figure', {class: 'chart'},
    el('figcaption', {}, el('h3', {id}, title), !isShare && hasLog(lines) && logSwitch(title, lines)),
    el('ul', {class: 'legend', 'aria-label': `Legend of ${title}`},
      lines.map((line, i) => el('li', {}, sample(line), el('span', {}, legendText(line)), values[i]))),
    plot, behind);
  const made = {
    plot: null,
    draw() {
      if (!plot.isConnected) return;
      made.plot?.destroy();
      made.plot = plotted(plot, lines, {yLabel, show, isShare, values});
    },
    drop() {
      sized.disconnect();
      made.plot?.destroy();
    },
  };
  const sized = new ResizeObserver(() => {
    if (made.plot && plot.clientWidth) made.plot.setSize({width: plot.clientWidth, height: heightOf(plot)});
  });
  sized.observe(plot);
  drawn.add(made);
  requestAnimationFrame(() => made.draw());
  return figure;
}

// Zero and less have no logarithm.
function hasLog(lines) {
  return lines.every(({series}) => [series.means, series.lows ?? []].flat().every(value => value === null || value > 0));
}

function drawsLog(lines) {
  return hasLog(lines) && (isLog ?? isFar(lines));
}

function isFar(lines) {
  const values = lines.flatMap(({series}) => series.means).filter(value => value !== null);
  return values.length > 0 && Math.max(...values) > LOG_FROM * Math.min(...values);
}

function logSwitch(title, lines) {
  return el('label', {class: 'check screen'}, el('input', {type: 'checkbox', class: 'log', checked: drawsLog(lines),
    'aria-label': `Logarithmic scale of ${title}`,
    on: {change: event => {
      isLog = event.target.checked;
      for (const one of document.querySelectorAll('input.log')) one.checked = isLog;
      redrawCharts();
    }}}), ' Log scale');
}

function heightOf(plot) {
  return plot.clientWidth < 480 ? 240 : 300;
}

function legendText(line) {
  const per = line.series.per;
  if (per === 1) return line.label;
  const spread = line.series.lows ? '; band: lowest to highest' : '';
  return `${line.label} (means of ${per} points${spread})`;
}

function sample(line) {
  return svg('svg', {class: 'sample', width: 30, height: 10, 'aria-hidden': 'true'},
    svg('line', {x1: 1, x2: 29, y1: 5, y2: 5, class: `c${line.colour}`,
      'stroke-dasharray': DASHES[line.dash].join(' ')}),
    line.series.split === 'validation' && svg('circle', {cx: 15, cy: 5, r: 3.2, class: `c${line.colour}`}));
}

function told(lines, show) {
  return lines.map(({label, series}) => {
    const known = series.means.map((value, i) => [value, i]).filter(([value]) => value !== null);
    if (!known.length) return `${label}: no finite value.`;
    const [first] = known[0];
    const [last, at] = known.at(-1);
    return `${label}: ${show(first)} at step ${number(series.steps[known[0][1]])}, `
      + `${show(last)} at step ${number(series.steps[at])}.`;
  }).join(' ');
}

function numbers(title, lines, show) {
  const steps = [...new Set(lines.flatMap(line => line.series.steps))].sort((a, b) => a - b);
  const at = lines.map(line => new Map(line.series.steps.map((step, i) => [step, line.series.means[i]])));
  return scrolling(`Numbers of ${title}`, el('table', {class: 'numbers'},
    el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'Step'),
      lines.map(line => el('th', {scope: 'col'}, legendText({...line, series: {...line.series, lows: null}}))))),
    el('tbody', {}, steps.map(step => el('tr', {}, el('th', {scope: 'row'}, number(step)),
      at.map(known => el('td', {}, known.has(step) && known.get(step) !== null ? show(known.get(step)) : '')))))));
}

function plotted(target, lines, {yLabel, show, isShare, values}) {
  const tables = [];
  const series = [{}];
  const bands = [];
  for (const line of lines) {
    const stroke = colour(`c${line.colour}`);
    const isFew = line.series.means.length <= 40;
    const columns = [line.series.steps, line.series.means];
    series.push({
      label: line.label, stroke, width: 2, dash: DASHES[line.dash],
      points: {show: line.series.split === 'validation' && isFew, size: 7, fill: stroke},
    });
    if (line.series.lows) {
      columns.push(line.series.highs, line.series.lows);
      bands.push({series: [series.length, series.length + 1], fill: `${stroke}26`});
      series.push({width: 0, points: {show: false}}, {width: 0, points: {show: false}});
    }
    tables.push(columns);
  }
  const data = uPlot.join(tables, tables.map(columns => columns.map(() => 1)));
  const font = '12px system-ui, sans-serif';
  const axis = {stroke: colour('muted'), font, labelFont: `600 ${font}`, labelSize: 22,
    grid: {stroke: colour('line'), width: 1}, ticks: {stroke: colour('line'), width: 1, size: 5}};
  const read = plot => readings(plot, lines, values, show);
  return new uPlot({
    width: target.clientWidth, height: heightOf(target), series, bands,
    legend: {show: false},
    scales: {x: {time: false}, y: isShare ? {range: (_, low, high) => shareRange(low, high)}
      : {distr: drawsLog(lines) ? 3 : 1}},
    axes: [{...axis, label: 'Step', size: 34, space: 60, values: (_, ticks) => ticks.map(tick => number(tick))},
      {...axis, label: yLabel, size: 58, grid: {...axis.grid, filter: powersOnly}, ticks: {...axis.ticks, filter: powersOnly}, values: (_, ticks) => ticks.map(tick => tick === null ? '' : show(tick))}],
    cursor: {y: false, points: {show: false}},
    hooks: {setCursor: [read]},
  }, data, target);
}

// On a logarithmic scale only the powers of ten get a line; elsewhere all do.
function powersOnly(plot, ticks) {
  if (plot.scales.y.distr !== 3) return ticks;
  return ticks.map(tick => (tick > 0 && Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9 ? tick : null));
}

function shareRange(low, high) {
  const room = Math.max((high - low) * 0.08, 0.01);
  return [Math.max(low - room, 0), Math.min(high + room, 1)];
}

function readings(plot, lines, values, show) {
  const {idx} = plot.cursor;
  const step = idx === null || idx === undefined ? null : plot.data[0][idx];
  lines.forEach((line, i) => { values[i].textContent = readingOf(line, step, show); });
}

// The last known value at or before a step; at the end where there is no step.
function readingOf({series}, step, show) {
  let place = step === null ? series.steps.length - 1 : series.steps.findLastIndex(one => one <= step);
  while (place >= 0 && series.means[place] === null) place -= 1;
  return place < 0 ? '' : `${show(series.means[place])} at step ${number(series.steps[place])}`;
}
