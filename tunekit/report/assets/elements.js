// Elements from data. Text only ever becomes text: nothing here reads markup.

// Controls, and the marks that reorder what a reader sees; spelt out, as in the terminal.
const UNSAFE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

function clean(text) {
  return String(text).replace(UNSAFE, found => {
    const code = found.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code.padStart(4, '0')}`;
  });
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    } else {
      node.setAttribute(name, value === true ? '' : clean(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(clean(child)));
  }
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function stateOf(state) {
  const [glyph, name] = STATES[state] ?? STATES.UNKNOWN;
  return el('span', {class: `state ${STATES[state] ? state.toLowerCase() : 'unknown'}`},
    el('span', {class: 'glyph', 'aria-hidden': 'true'}, glyph), name);
}

function jobLink(title) {
  return el('a', {href: jobHash(title)}, title);
}

function jobHash(title) {
  return `#/job/${encodeURIComponent(title)}`;
}

function compareHash(titles) {
  return `#/compare/${titles.map(encodeURIComponent).join(',')}`;
}

// A table that scrolls by itself, with the keyboard too, where the page is narrower than it.
function scrolling(label, table) {
  return el('div', {class: 'scroll', role: 'region', tabindex: '0', 'aria-label': label}, table);
}

function section(id, title, ...children) {
  return el('section', {'aria-labelledby': id, class: 'part'}, el('h2', {id}, title), ...children);
}

function facts(pairs) {
  return el('dl', {class: 'facts'}, pairs.filter(pair => pair && pair[1] !== null && pair[1] !== '')
    .map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))));
}

function say(text) {
  document.getElementById('said').textContent = clean(text);
}

// A loss curve as small as a word. The words beside it say what it shows.
function sparkline(job, width = 96, height = 26) {
  const lines = seriesOf(job, 'loss');
  const values = lines.flatMap(line => line.means).filter(value => value !== null);
  if (values.length < 2) return el('span', {class: 'quiet'}, '–');
  const low = Math.min(...values);
  const span = (Math.max(...values) - low) || 1;
  const first = Math.min(...lines.map(line => line.steps[0]));
  const length = (Math.max(...lines.map(line => line.steps.at(-1))) - first) || 1;
  const drawn = svg('svg', {
    class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img',
    'aria-label': `Loss from ${number(values[0], 3)} to ${number(job.loss, 3)}`,
  });
  for (const line of lines) {
    const known = line.steps.map((step, i) => [step, line.means[i]]).filter(([, value]) => value !== null);
    // No more points than there is room for: each the mean of its neighbours.
    const per = Math.ceil(known.length / 32);
    const path = [];
    for (let i = 0; i < known.length; i += per) {
      const part = known.slice(i, i + per);
      const value = part.reduce((sum, one) => sum + one[1], 0) / part.length;
      const x = 2 + (width - 4) * (part.at(-1)[0] - first) / length;
      path.push(`${i ? 'L' : 'M'}${x.toFixed(1)} ${(2 + (height - 4) * (1 - (value - low) / span)).toFixed(1)}`);
    }
    drawn.append(svg('path', {d: path.join(''), class: line.split === 'validation' ? 'two' : 'one'}));
  }
  return drawn;
}
