// All jobs: what there is, how it went, which to look at.

const SORTS = {
  job: job => job.title.toLowerCase(),
  state: job => Object.keys(STATES).indexOf(job.state),
  model: job => `${job.base_model} ${job.provider}`,
  rows: job => job.splits.train ?? null,
  loss: job => job.loss,
  best: job => job.best?.value ?? null,
  score: job => job.headline?.value ?? null,
  submitted: job => job.submitted_s,
  took: job => job.took_s,
  cost: job => job.cost_usd,
};
// What a list shows at first: kept while the page is open, also when live data arrive.
const listing = {text: '', state: '', sort: 'submitted', isDescending: true, picked: new Set()};

function overview(report) {
  const hasCost = report.jobs.some(job => job.cost_usd > 0);
  const columns = [
    [null, 'Compare', 'pick'],
    ['job', 'Job', ''], ['state', 'State', ''], ['model', 'Base model', 'wide'], ['rows', 'Rows', 'number wider'],
    [null, 'Loss curve', 'wide'], ['loss', 'Last loss', 'number mid'], ['best', 'Best validation loss', 'number wider'],
    ['score', 'Score', 'number'], ['submitted', 'Submitted', 'wider date'], ['took', 'Took', 'number wide'],
    ...(hasCost ? [['cost', 'Cost', 'number wide']] : []),
  ];
  const body = el('tbody');
  const heads = columns.map(([key, name, kind]) => el('th', {scope: 'col', class: kind}, key
    ? el('button', {type: 'button', 'data-sort': key, on: {click: () => sortBy(key)}}, name, el('span', {class: 'arrow', 'aria-hidden': 'true'}))
    : kind === 'pick' ? el('span', {class: 'unseen'}, name) : name));
  const found = el('p', {class: 'found', role: 'status'});
  const bar = el('p', {class: 'bar'});

  function sortBy(key) {
    listing.isDescending = listing.sort === key ? !listing.isDescending : !['job', 'model', 'state'].includes(key);
    listing.sort = key;
    refresh();
  }

  function refresh() {
    const shown = chosen(report.jobs);
    body.replaceChildren(...shown.map(job => overviewRow(job, columns, () => drawBar())));
    heads.forEach((head, i) => {
      const key = columns[i][0];
      if (key && key === listing.sort) head.setAttribute('aria-sort', listing.isDescending ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    });
    found.textContent = shown.length === report.jobs.length ? plural(shown.length, 'job')
      : `${plural(shown.length, 'job')} of ${report.jobs.length.toLocaleString('en')}`;
    drawBar();
  }

  function drawBar() {
    const titles = [...listing.picked].filter(title => report.byTitle.has(title));
    bar.replaceChildren(...(titles.length
      ? [el('span', {}, `${titles.length} picked`),
        el('a', {class: 'button', href: compareHash(titles)}, titles.length > 1 ? 'Compare them' : 'Compare with …'),
        el('button', {type: 'button', class: 'plain', on: {click: () => { listing.picked.clear(); refresh(); }}}, 'Clear')]
      : [el('span', {class: 'quiet'}, 'Pick two jobs or more to compare them.')]));
  }

  const states = [...new Set(report.jobs.map(job => job.state))];
  const filters = el('form', {class: 'filters', role: 'search', on: {submit: event => event.preventDefault()}},
    el('label', {}, el('span', {}, 'Find'), el('input', {type: 'search', id: 'find', value: listing.text,
      placeholder: 'name, tag, model, who', on: {input: event => { listing.text = event.target.value; refresh(); }}})),
    el('label', {}, el('span', {}, 'State'), el('select', {id: 'state', on: {change: event => { listing.state = event.target.value; refresh(); }}},
      el('option', {value: ''}, 'All states'),
      states.map(state => el('option', {value: state, selected: state === listing.state}, (STATES[state] ?? STATES.UNKNOWN)[1])))),
    found, bar);
  refresh();
  return [
    el('h1', {}, 'Jobs'),
    totals(report),
    report.left_out > 0 && el('p', {class: 'notice'},
      `The newest ${report.jobs.length.toLocaleString('en')} jobs are here; ${plural(report.left_out, 'older job')} left out.`),
    report.jobs.length === 0 ? el('p', {class: 'notice'}, 'No job matches: nothing was applied yet, or the report was asked for less.')
      : [filters, scrolling('Jobs', el('table', {class: 'jobs'}, el('caption', {class: 'unseen'}, 'Jobs, with their loss and score'),
        el('thead', {}, el('tr', {}, heads)), body))],
  ];
}

function chosen(jobs) {
  const parts = listing.text.toLowerCase().split(/\s+/).filter(Boolean);
  const kept = jobs.filter(job => (!listing.state || job.state === listing.state)
    && parts.every(part => haystack(job).includes(part)));
  const key = SORTS[listing.sort];
  const sign = listing.isDescending ? -1 : 1;
  return kept.map(job => [key(job), job]).sort(([a], [b]) => {
    // What is not known comes last in either order.
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  }).map(([, job]) => job);
}

function haystack(job) {
  const tags = Object.entries(job.tags).map(([key, value]) => `${key}=${value}`).join(' ');
  return `${job.title} ${job.base_model} ${job.provider} ${job.who ?? ''} ${tags} ${job.description}`.toLowerCase();
}

function overviewRow(job, columns, picked) {
  const headline = job.headline;
  const cells = {
    Job: el('th', {scope: 'row'}, jobLink(job.title), tagsOf(job)),
    State: el('td', {}, stateOf(job.state), progressOf(job)),
    'Base model': el('td', {class: 'wide'}, el('span', {class: 'model'}, job.parent ?? job.base_model), el('span', {class: 'under'}, job.parent ? `${job.provider}, tuned further` : job.provider)),
    Rows: el('td', {class: 'number wider'}, number(job.splits.train)),
    'Loss curve': el('td', {class: 'wide'}, sparkline(job)),
    'Last loss': el('td', {class: 'number mid'}, number(job.loss, 3)),
    'Best validation loss': el('td', {class: 'number wider'}, job.best ? number(job.best.value, 3) : '–'),
    Score: el('td', {class: 'number'}, headline ? [score(headline.metric, headline.value),
      el('span', {class: 'under'}, words(headline.metric))] : '–'),
    Submitted: el('td', {class: 'wider date'}, moment(job.submitted_s, false)),
    Took: el('td', {class: 'number wide'}, duration(job.took_s)),
    Cost: el('td', {class: 'number wide'}, dollars(job.cost_usd)),
    Compare: el('td', {class: 'pick'}, el('input', {type: 'checkbox', 'aria-label': `Compare ${job.title}`,
      checked: listing.picked.has(job.title),
      on: {change: event => { listing.picked[event.target.checked ? 'add' : 'delete'](job.title); picked(); }}})),
  };
  return el('tr', {}, columns.map(([, name]) => cells[name]));
}

function tagsOf(job) {
  const tags = Object.entries(job.tags);
  return tags.length ? el('span', {class: 'tags'}, tags.map(([key, value]) => el('span', {class: 'tag'}, `${key}: ${value}`))) : null;
}

function progressOf(job) {
  if (job.state !== 'RUNNING' || !job.total_steps) return null;
  const share = Math.min((job.completed_steps ?? 0) / job.total_steps, 1);
  return el('span', {class: 'under'}, el('progress', {max: 1, value: share, 'aria-label': `Progress of ${job.title}`}),
    ` ${Math.round(100 * share)}%`);
}

function totals(report) {
  const counts = {};
  for (const job of report.jobs) counts[job.state] = (counts[job.state] ?? 0) + 1;
  const experiments = new Set(report.jobs.map(job => job.experiment)).size;
  const cost = report.jobs.reduce((sum, job) => sum + (job.cost_usd ?? 0), 0);
  return el('dl', {class: 'totals'},
    el('div', {}, el('dt', {}, 'Jobs'), el('dd', {}, number(report.jobs.length))),
    el('div', {}, el('dt', {}, 'Experiments'), el('dd', {}, number(experiments))),
    Object.keys(STATES).filter(state => counts[state]).map(state =>
      el('div', {}, el('dt', {}, stateOf(state)), el('dd', {}, number(counts[state])))),
    cost > 0 && el('div', {}, el('dt', {}, 'Cost'), el('dd', {}, dollars(cost))));
}
