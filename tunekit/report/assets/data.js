// The data island, unfolded: rows become objects, places in `texts` become text again.

function unfold(raw) {
  const shared = new Set(raw.shared);
  const text = place => raw.texts[place];
  const pairs = flat => {
    const found = {};
    for (let i = 0; i < flat.length; i += 2) found[text(flat[i])] = text(flat[i + 1]);
    return found;
  };
  const jobs = raw.jobs.map(row => {
    const job = {};
    raw.fields.forEach((name, i) => { job[name] = shared.has(name) ? text(row[i]) : row[i]; });
    for (const name of ['spec', 'tags', 'splits']) job[name] = pairs(job[name]);
    job.series = job.series.map(curveOf);
    job.advice = job.advice.map(([rule, severity, fact, remedy]) =>
      ({rule: text(rule), severity, fact: text(fact), remedy: text(remedy)}));
    job.scorecards = job.scorecards.map(row => cardOf(row, raw.card, text));
    job.took_s = job.started_s === null ? null
      : (job.ended_s === null ? raw.made_s : job.ended_s) - job.started_s;
    job.best = bestOf(job);
    job.headline = headlineOf(job);
    return job;
  });
  const byTitle = new Map(jobs.map(job => [job.title, job]));
  return {title: raw.title, made_s: raw.made_s, left_out: raw.left_out, jobs, byTitle};
}

function cardOf(row, names, text) {
  const card = Object.fromEntries(names.map((name, i) => [name, row[i]]));
  const scores = {};
  const intervals = {};
  for (const [metric, value, ...pair] of card.scores) {
    scores[text(metric)] = value;
    if (pair.length) intervals[text(metric)] = pair;
  }
  const baselines = {};
  for (const [name, metric, value] of card.baselines) (baselines[text(name)] ??= {})[text(metric)] = value;
  return {...card, scores, intervals, baselines,
    target: text(card.target), split: text(card.split), verdict: text(card.verdict), promote_if: text(card.promote_if),
    entities: card.entities.map(([kind, ...numbers]) => [text(kind), ...numbers]),
    differences: card.differences.map(([metric, than, difference, p]) => ({metric: text(metric), than: text(than), difference, p})),
    confusion: card.confusion && {...card.confusion, labels: card.confusion.labels.map(text)}};
}

function curveOf([chart, split, per, differences, means, lows, highs]) {
  let step = 0;
  const steps = differences.map(difference => (step += difference));
  return {chart, split, per, steps, means, lows, highs};
}

function seriesOf(job, chart) {
  return job.series.filter(series => series.chart === chart && series.means.length > 0);
}

// The lowest loss on rows that were not trained on.
function bestOf(job) {
  let best = null;
  for (const series of seriesOf(job, 'loss')) {
    if (series.split !== 'validation') continue;
    (series.lows ?? series.means).forEach((value, i) => {
      if (value !== null && (best === null || value < best.value)) {
        best = {value, step: series.steps[i]};
      }
    });
  }
  return best;
}

// The score that stands for a job in a list: the first metric of its tuned model.
function headlineOf(job) {
  const card = job.scorecards.find(one => one.target === 'tuned') ?? job.scorecards[0];
  if (!card) return null;
  const metric = Object.keys(card.scores)[0];
  if (metric === undefined) return null;
  return {metric, value: card.scores[metric], interval: card.intervals[metric], card};
}
