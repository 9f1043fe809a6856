// Some jobs side by side: their curves over each other, and only what differs.

const COMPARED_MOST = 6;
const picker = {text: '', hasAll: false};

function comparePage(report, titles) {
  const known = titles.filter(title => report.byTitle.has(title));
  const jobs = known.slice(0, COMPARED_MOST).map(title => report.byTitle.get(title));
  listing.picked = new Set(known);
  return [
    el('h1', {}, 'Compare'),
    known.length > COMPARED_MOST && el('p', {class: 'notice'}, `Only the first ${COMPARED_MOST} are shown.`),
    pickerOf(report, jobs.map(job => job.title)),
    jobs.length < 2 ? el('p', {class: 'notice'}, 'Pick two jobs or more.') : [overlays(jobs), differencesOf(jobs)],
  ];
}

function pickerOf(report, titles) {
  const go = next => { location.hash = compareHash(next); };
  const list = el('ul', {class: 'picker'});
  const draw = () => {
    const wanted = picker.text.toLowerCase();
    const others = report.jobs.filter(job => !titles.includes(job.title) && haystack(job).includes(wanted));
    list.replaceChildren(...others.slice(0, 12).map(job => el('li', {},
      el('button', {type: 'button', class: 'plain', disabled: titles.length >= COMPARED_MOST,
        'aria-label': `Add ${job.title}`, on: {click: () => go([...titles, job.title])}},
      el('span', {'aria-hidden': 'true'}, '+ '), job.title))),
    others.length > 12 ? el('li', {class: 'quiet'}, `and ${plural(others.length - 12, 'more job')}; type to find`) : '');
  };
  draw();
  return el('div', {class: 'picking screen'},
    el('ul', {class: 'picked', 'aria-label': 'Compared jobs'}, titles.map((title, i) => el('li', {},
      svg('svg', {class: 'sample', width: 30, height: 10, 'aria-hidden': 'true'}, svg('line', {x1: 1, x2: 29, y1: 5, y2: 5,
        class: `c${i + 1}`, 'stroke-dasharray': DASHES[i].join(' ')})),
      jobLink(title), el('button', {type: 'button', class: 'plain', 'aria-label': `Remove ${title}`,
        on: {click: () => go(titles.filter(one => one !== title))}}, '✕')))),
    el('label', {}, el('span', {}, 'Add a job'), el('input', {type: 'search', id: 'add', value: picker.text,
      placeholder: 'name, tag, model', on: {input: event => { picker.text = event.target.value; draw(); }}})),
    list);
}

function overlays(jobs) {
  const kinds = [['loss', 'train', 'Training loss', 'Loss', false], ['loss', 'validation', 'Validation loss', 'Loss', false],
    ['accuracy', 'validation', 'Correct next-step predictions on validation rows', 'Correct (%)', true]];
  const parts = kinds.map(([kind, split, title, yLabel, isShare]) => {
    const lines = jobs.flatMap((job, i) => seriesOf(job, kind).filter(series => series.split.startsWith(split)).slice(0, 1)
      .map(series => ({label: job.title, series: {...series, lows: null, highs: null}, colour: i + 1, dash: i})));
    return lines.length ? chart({id: `overlay-${kind}-${split}`, title, yLabel, lines, isShare}) : null;
  }).filter(Boolean);
  return parts.length ? section('curves', 'Curves', el('div', {class: parts.length > 1 ? 'charts two' : 'charts'}, parts)) : null;
}

function differencesOf(jobs) {
  const toggle = el('label', {class: 'check screen'}, el('input', {type: 'checkbox', id: 'all-rows', checked: picker.hasAll,
    on: {change: event => { picker.hasAll = event.target.checked; fillIn(); }}}), ' Also show what is equal');
  const table = el('table', {class: 'differences'});
  const fillIn = () => {
    const groups = rowsOf(jobs).map(([group, rows]) => [group, rows.filter(row => picker.hasAll || differs(row))])
      .filter(([, rows]) => rows.length);
    table.replaceChildren(el('caption', {class: 'unseen'}, 'What differs'),
      el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'What'), jobs.map(job => el('th', {scope: 'col'}, jobLink(job.title))))),
      ...groups.map(([group, rows]) => el('tbody', {}, el('tr', {class: 'group'}, el('th', {colspan: jobs.length + 1, scope: 'rowgroup'}, group)),
        rows.map(row => el('tr', {class: differs(row) ? 'differs' : 'equal'}, el('th', {scope: 'row'}, row.isKey ? el('code', {}, row.name) : row.name),
          row.cells.map((cell, i) => el('td', {}, cell === '' ? el('span', {class: 'quiet'}, '–') : el('span', {class: 'value'}, cell),
            row.best === i && el('span', {class: 'best'}, 'best'))))))));
    if (!groups.length) table.append(el('tbody', {}, el('tr', {}, el('td', {colspan: jobs.length + 1}, 'Nothing differs.'))));
  };
  fillIn();
  return section('differences', 'What differs', toggle, scrolling('What differs', table));
}

function differs(row) {
  return row.cells.some(cell => cell !== row.cells[0]);
}

// Groups of rows: [group, [{name, cells, isKey, best}]].
function rowsOf(jobs) {
  const keys = [...new Set(jobs.flatMap(job => Object.keys(job.spec)))].filter(key => key !== 'name');
  const spec = keys.map(key => ({name: key, isKey: true,
    cells: jobs.map(job => (job.spec[key] === undefined || job.spec[key] === null ? '' : String(job.spec[key])))}));
  const plain = (name, read, best = null) => ({name, cells: jobs.map(read), best});
  const splits = [...new Set(jobs.flatMap(job => Object.keys(job.splits)))];
  const result = [
    plain('State', job => (STATES[job.state] ?? STATES.UNKNOWN)[1]),
    plain('Steps', job => (job.total_steps ? `${number(job.completed_steps ?? 0)} of ${number(job.total_steps)}` : '')),
    plain('Took', job => (job.took_s === null ? '' : duration(job.took_s))),
    plain('Cost', job => (job.cost_usd === null ? '' : dollars(job.cost_usd))),
    plain('Last loss', job => (job.loss === null ? '' : number(job.loss)), bestIn(jobs.map(job => job.loss), true)),
    plain('Best validation loss', job => (job.best ? `${number(job.best.value)} at step ${number(job.best.step)}` : ''),
      bestIn(jobs.map(job => job.best?.value ?? null), true)),
  ];
  return [
    ['Scores', scoreLines(jobs)],
    ['Result', result],
    ['Hyperparameters', spec.filter(row => row.name.startsWith('tuning.'))],
    ['Data', [...spec.filter(row => row.name.startsWith('dataset.')),
      ...splits.map(name => plain(`Rows of ${name}`, job => (job.splits[name] === undefined ? '' : number(job.splits[name])))),
      plain('Fingerprint', job => job.fingerprint.slice(0, 16))]],
    ['Spec', [...spec.filter(row => !row.name.startsWith('tuning.') && !row.name.startsWith('dataset.')),
      plain('Commit', job => (job.commit ? job.commit.slice(0, 12) + (job.is_dirty ? ' with changes' : '') : '')),
      plain('Who', job => job.who ?? '')]],
  ];
}

function scoreLines(jobs) {
  const wanted = new Map();
  for (const job of jobs) {
    for (const card of job.scorecards) {
      for (const metric of Object.keys(card.scores)) wanted.set(JSON.stringify([card.target, card.split, metric]), null);
    }
  }
  return [...wanted.keys()].map(text => {
    const [target, split, metric] = JSON.parse(text);
    const cards = jobs.map(job => job.scorecards.find(card => card.target === target && card.split === split && card.scores[metric] !== undefined));
    const known = cards.filter(Boolean);
    const isSame = known.every(card => card.digest === known[0].digest && card.rows === known[0].rows);
    return {
      name: `${words(metric)}, ${targetName(target).toLowerCase()} on ${split}${isSame ? '' : ' (different rows)'}`,
      cells: cards.map(card => (card ? score(metric, card.scores[metric])
        + (card.intervals[metric] ? ` (${interval(metric, card.intervals[metric])})` : '') : '')),
      best: !isSame ? null : bestIn(cards.map(card => card?.scores[metric] ?? null), LOWER_IS_BETTER.has(metric), value => score(metric, value)),
    };
  });
}

// The place of the one best value; null where fewer than two are known, or where it looks the same
// as another.
function bestIn(values, isLower, shown = value => number(value)) {
  const known = values.filter(value => value !== null);
  if (known.length < 2) return null;
  const best = isLower ? Math.min(...known) : Math.max(...known);
  return known.filter(value => shown(value) === shown(best)).length === 1 ? values.indexOf(best) : null;
}
