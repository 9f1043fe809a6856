// One job: how it went, whether it is better, what it was made of.

const CONFUSION_MOST = 24;

function jobPage(report, title) {
  const job = report.byTitle.get(title);
  if (!job) {
    return [el('h1', {}, 'No such job'), el('p', {}, `${title} is not in this report. `, el('a', {href: '#/'}, 'All jobs'))];
  }
  return [
    el('p', {class: 'crumbs'}, el('a', {href: '#/'}, 'All jobs'), el('span', {'aria-hidden': 'true'}, ' / '), job.experiment),
    el('div', {class: 'headline'}, el('h1', {}, job.title), stateOf(job.state),
      el('a', {class: 'button', href: compareHash([job.title])}, 'Compare with …')),
    job.description && el('p', {class: 'lead'}, job.description),
    tagsOf(job),
    noticeOf(job),
    facts([
      ['Base model', job.base_model], ['Provider', job.provider],
      ['Training rows', job.splits.train === undefined ? '' : number(job.splits.train)],
      ['Steps', job.total_steps ? `${number(job.completed_steps ?? 0)} of ${number(job.total_steps)}` : ''],
      ['Last loss', job.loss === null ? '' : number(job.loss)],
      ['Best validation loss', job.best ? `${number(job.best.value)} at step ${number(job.best.step)}` : ''],
      job.headline && [words(job.headline.metric), score(job.headline.metric, job.headline.value)],
      ['Submitted', moment(job.submitted_s)], ['Took', job.took_s === null ? '' : duration(job.took_s)],
      ['Cost', job.cost_usd === null ? '' : job.cost_usd === 0 ? 'free' : `${dollars(job.cost_usd)} ${job.is_cost_counted ? 'by tokens counted' : 'estimated'}`],
    ]),
    adviceOf(job),
    curvesOf(job),
    scorecardOf(job),
    answersOf(job),
    lineageOf(report, job),
    specOf(job),
  ];
}

function noticeOf(job) {
  if (!job.notice) return null;
  const isBad = job.state === 'FAILED' || job.state === 'UNKNOWN';
  return el('p', {class: isBad ? 'notice bad' : 'notice'}, job.notice);
}

function adviceOf(job) {
  if (!job.advice.length) return null;
  return section('advice', 'Advice', el('ul', {class: 'hints'}, job.advice.map(one =>
    el('li', {class: one.severity}, el('span', {class: 'glyph', 'aria-hidden': 'true'}, one.severity === 'warning' ? '!' : 'i'),
      el('div', {}, el('p', {}, el('span', {class: 'unseen'}, `${one.severity}: `), one.fact),
        one.remedy && el('p', {class: 'remedy'}, one.remedy), el('p', {class: 'quiet'}, `Rule: ${one.rule}`))))));
}

function curvesOf(job) {
  const parts = [['loss', 'Loss', 'Loss', false], ['accuracy', 'Correct next-step predictions', 'Correct (%)', true]]
    .map(([kind, title, yLabel, isShare]) => {
      const lines = seriesOf(job, kind).map((series, i) => ({label: series.split, series, colour: i + 1, dash: i}));
      return lines.length ? chart({id: `chart-${kind}`, title, yLabel, lines, isShare}) : null;
    });
  if (!parts.some(Boolean)) return section('curves', 'Curves', el('p', {class: 'quiet'}, 'No training metrics are recorded.'));
  return section('curves', 'Curves', el('div', {class: parts.every(Boolean) ? 'charts two' : 'charts'}, parts),
    el('p', {class: 'quiet hint screen'}, 'Drag across a chart to look closer; double-click to see all of it again.'));
}

function scorecardOf(job) {
  if (!job.scorecards.length) {
    if (job.state !== 'SUCCEEDED') return null;
    return section('scores', 'Scorecard', el('p', {class: 'quiet'}, `Not evaluated yet: tunekit evaluate ${job.title}`));
  }
  const bySplit = new Map();
  for (const card of job.scorecards) bySplit.set(card.split, [...(bySplit.get(card.split) ?? []), card]);
  return section('scores', 'Scorecard', [...bySplit].map(([split, cards]) => {
    const rows = [...new Set(cards.map(card => card.rows))].sort((a, b) => a - b);
    const isSame = rows.length === 1;
    const about = `${isSame ? '' : `${number(rows[0])} to `}${plural(rows.at(-1), 'row')} of ${split}, held out from training`;
    const metrics = [...new Set(cards.flatMap(card => Object.keys(card.scores)))];
    return [verdictsOf(cards), scrolling(`Scores on ${split}`, el('table', {class: 'scores'},
      el('caption', {}, `${about}; whiskers and ranges are 95% intervals`),
      el('thead', {}, el('tr', {}, ['Metric', 'Answered by', 'Score', '95% interval', '0 to 100%'].map((name, i) =>
        el('th', {scope: 'col', class: i === 2 ? 'number' : i === 4 ? 'wide' : ''}, name)))),
      metrics.map(metric => el('tbody', {}, scoreRows(metric, cards, isSame))))),
    cards.filter(card => card.entities.length).map(entitiesOf),
    cards.filter(card => card.confusion).map(confusionOf)];
  }));
}

function scoreRows(metric, cards, isSame) {
  const rows = cards.filter(card => card.scores[metric] !== undefined).map(card => ({
    name: targetName(card.target) + (isSame ? '' : `, ${plural(card.rows, 'row')}`), value: card.scores[metric], pair: card.intervals[metric], kind: card.target === 'tuned' ? 'own' : 'other',
    than: card.differences.find(one => one.metric === metric),
  }));
  for (const [name, scores] of Object.entries(cards[0].baselines)) {
    if (scores[metric] !== undefined) rows.push({name: BASELINES[name] ?? name, value: scores[metric], kind: 'floor'});
  }
  return rows.map((row, i) => el('tr', {class: row.kind},
    i === 0 && el('th', {scope: 'rowgroup', rowspan: rows.length}, words(metric),
      LOWER_IS_BETTER.has(metric) && el('span', {class: 'under'}, 'lower is better')),
    el('td', {}, row.name, row.than && el('span', {class: 'under'}, thanOf(metric, row.than))), el('td', {class: 'number'}, score(metric, row.value)),
    el('td', {}, row.pair ? interval(metric, row.pair) : el('span', {class: 'quiet'}, '–')),
    el('td', {class: 'wide'}, isShare(metric, row.value) ? whisker(row) : null)));
}

function entitiesOf(card) {
  return el('details', {class: 'behind', id: `entities-${card.target}-${card.split}`},
    el('summary', {}, `Each kind of placeholder, ${targetName(card.target).toLowerCase()}`),
    scrolling('Scores of each kind of placeholder', el('table', {class: 'numbers'},
      el('thead', {}, el('tr', {}, ['Placeholder', 'Precision', 'Recall', 'F1', 'Expected'].map(name =>
        el('th', {scope: 'col', class: name === 'Placeholder' ? '' : 'number'}, name)))),
      el('tbody', {}, card.entities.map(([kind, precision, recall, f1, expected]) => el('tr', {}, el('th', {scope: 'row'}, kind),
        [precision, recall, f1].map(value => el('td', {class: 'number'}, score('', value))),
        el('td', {class: 'number'}, number(expected))))))));
}

function thanOf(metric, {than, difference, p}) {
  const size = `${difference < 0 ? '−' : '+'}${score(metric, Math.abs(difference))}`;
  return `${size} against the ${targetName(than).toLowerCase()}, p ${p < 0.001 ? '< 0.001' : `= ${number(p, 2)}`}`;
}

function whisker({value, pair, kind}) {
  const at = share => 6 + 188 * Math.min(Math.max(share, 0), 1);
  return svg('svg', {class: `whisker ${kind}`, viewBox: '0 0 200 18', width: 200, height: 18, 'aria-hidden': 'true'},
    svg('line', {class: 'rail', x1: at(0), x2: at(1), y1: 9, y2: 9}),
    pair && svg('line', {class: 'range', x1: at(pair[0]), x2: at(pair[1]), y1: 9, y2: 9}),
    svg('circle', {cx: at(value), cy: 9, r: 4.5}));
}

function verdictsOf(cards) {
  const groups = new Map();
  for (const card of cards.filter(one => one.verdict)) {
    const key = JSON.stringify([card.verdict, card.promote_if]);
    groups.set(key, [...(groups.get(key) ?? []), card.target]);
  }
  return [...groups].map(([key, targets]) => {
    const [verdict, rule] = JSON.parse(key);
    const isGood = verdict === 'promoted';
    return el('p', {class: `verdict ${isGood ? 'good' : 'bad'}`},
      el('span', {class: 'glyph', 'aria-hidden': 'true'}, isGood ? '✓' : '✕'),
      el('strong', {}, words(verdict)), el('span', {}, targets.map(targetName).join(', ')), rule && el('code', {}, rule));
  });
}

// Rows are expected answers, columns what was answered. Of many classes, those most confused.
function confusionOf(card) {
  const {labels, counts, left_out: leftOut} = card.confusion;
  const none = labels.length;
  const names = [...labels, '(none of them)'];
  const rows = new Map();
  const wrong = names.map(() => 0);
  for (const [expected, answered, count] of counts) {
    const place = answered ?? none;
    rows.set(`${expected} ${place}`, count);
    if (expected !== place) { wrong[expected] += count; wrong[place] += count; }
  }
  const kept = names.map((_, i) => i).filter(i => i !== none || wrong[none])
    .sort((a, b) => wrong[b] - wrong[a]).slice(0, CONFUSION_MOST).sort((a, b) => a - b);
  const expected = kept.filter(i => i !== none);
  const most = Math.max(1, ...counts.map(entry => entry[2]));
  return el('details', {class: 'behind', id: `confusion-${card.target}-${card.split}`}, el('summary', {},
    `Which classes the ${targetName(card.target).toLowerCase()} mixes up`,
    kept.length < labels.length ? ` (the ${kept.length} most confused of ${labels.length})` : ''),
  leftOut && el('p', {class: 'quiet'}, 'Rare pairs of classes are left out to keep this page small.'),
  scrolling('Confusion of classes', el('table', {class: 'confusion'},
    el('caption', {}, 'Rows: expected. Columns: answered.'),
    el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'Expected'), kept.map(j => el('th', {scope: 'col'}, names[j])))),
    el('tbody', {}, expected.map(i => el('tr', {}, el('th', {scope: 'row'}, names[i]), kept.map(j => {
      const count = rows.get(`${i} ${j}`) ?? 0;
      const shade = count ? 1 + Math.min(Math.floor((4 * count) / most), 3) : 0;
      return el('td', {class: `number ${i === j ? 'right' : 'wrong'} shade${shade}`}, count || '·');
    })))))));
}

function answersOf(job) {
  const kept = job.scorecards.filter(card => card.answers.length);
  if (!kept.length) return null;
  return section('answers', 'Example rows', el('p', {class: 'quiet'},
    'Kept because the spec says evaluate.keep_answers: true. They may hold personal data: share this page accordingly.'),
  kept.map((card, i) => {
    const count = `${card.answers.length} of ${plural(card.rows, 'row')}, wrong ones first`;
    return el('details', {id: `answers-${card.target}-${card.split}`, open: i === 0, class: 'rows'},
      el('summary', {}, `${targetName(card.target)} on ${card.split}: ${count}`),
      el('ol', {class: 'answers'}, card.answers.map(answerOf)));
  }));
}

function answerOf([line, expected, answered, isRight]) {
  return el('li', {class: isRight ? 'right' : 'wrong'},
    el('p', {class: 'which'}, el('span', {class: 'glyph', 'aria-hidden': 'true'}, isRight ? '✓' : '✕'),
      `Line ${line}: ${isRight ? 'right' : 'wrong'}`),
    el('dl', {}, el('dt', {}, 'Expected'), el('dd', {}, marked(expected, answered, 'ins')),
      el('dt', {}, 'Answered'), el('dd', {}, marked(answered, expected, 'del'))));
}

// The words of a text, those marked that are not in the other at their place.
function marked(text, other, tag) {
  const mine = String(text).match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  const theirs = String(other).match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
  if (mine.length * theirs.length > 250000) return text;
  const longest = Array.from({length: mine.length + 1}, () => new Uint16Array(theirs.length + 1));
  for (let i = mine.length - 1; i >= 0; i -= 1) {
    for (let j = theirs.length - 1; j >= 0; j -= 1) {
      longest[i][j] = mine[i] === theirs[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const parts = [];
  const add = (isSame, piece) => {
    if (parts.length && parts.at(-1)[0] === isSame) parts.at(-1)[1] += piece;
    else parts.push([isSame, piece]);
  };
  for (let i = 0, j = 0; i < mine.length;) {
    if (j < theirs.length && mine[i] === theirs[j]) { add(true, mine[i]); i += 1; j += 1; }
    else if (j < theirs.length && longest[i][j + 1] >= longest[i + 1][j]) j += 1;
    else { add(false, mine[i]); i += 1; }
  }
  return parts.map(([isSame, piece]) => (isSame ? piece : el(tag, {}, piece)));
}

function lineageOf(report, job) {
  const link = title => (report.byTitle.has(title) ? jobLink(title) : title);
  const children = report.jobs.filter(one => one.parent === job.title);
  const attempts = report.jobs.filter(one => one.experiment === job.experiment && one !== job);
  const splits = Object.entries(job.splits).map(([name, rows]) => `${number(rows)} ${name}`).join(', ');
  const dirt = job.is_dirty === null ? '' : job.is_dirty ? ', with uncommitted changes' : ', clean tree';
  const steps = [
    ['Base', job.parent ? [link(job.parent), ' ', el('code', {}, job.base_model)] : job.base_model],
    ['Data', [job.source, splits && el('span', {class: 'under'}, `rows: ${splits}`),
      job.fingerprint && el('span', {class: 'under'}, 'fingerprint ', el('code', {}, job.fingerprint.slice(0, 16)))]],
    ['Spec', [el('code', {}, job.path), el('span', {class: 'under'}, 'revision ', el('code', {}, job.revision.slice(0, 12)),
      job.commit && [', commit ', el('code', {}, job.commit.slice(0, 12)), dirt])]],
    ['Asked for', [job.who ?? 'unknown', `, ${moment(job.submitted_s)}`,
      job.command && el('span', {class: 'under'}, el('code', {}, job.command)), job.why && el('span', {class: 'under'}, `because: ${job.why}`)]],
    ['Job', [el('strong', {}, job.title), job.remote && el('span', {class: 'under'}, el('code', {}, job.remote)),
      job.attempt > 1 && el('span', {class: 'under'}, `attempt ${job.attempt} of this revision`)]],
    job.model && ['Model', [el('code', {}, job.model), job.checkpoints.length > 0 && el('span', {class: 'under'},
      `checkpoints: ${job.checkpoints.map(([id, epoch, step]) => id + (epoch === null ? (step === null ? '' : ` (step ${step})`) : ` (epoch ${epoch})`)).join(', ')}`)]],
    job.endpoint && ['Endpoint', el('code', {}, job.endpoint)],
    children.length > 0 && ['Tuned further', children.map((child, i) => [i ? ', ' : '', jobLink(child.title)])],
  ];
  return section('lineage', 'Lineage',
    el('ol', {class: 'lineage'}, steps.filter(Boolean).map(([name, value]) => el('li', {}, el('h3', {}, name), el('div', {}, value)))),
    attempts.length > 0 && el('p', {class: 'also'}, `Also of ${job.experiment}: `,
      attempts.slice(0, 30).map((one, i) => [i ? ', ' : '', jobLink(one.title), ` (${(STATES[one.state] ?? STATES.UNKNOWN)[1].toLowerCase()})`])));
}

function specOf(job) {
  const entries = Object.entries(job.spec);
  if (!entries.length) return null;
  return section('spec', 'Spec', scrolling('Spec', el('table', {class: 'spec'},
    el('caption', {class: 'unseen'}, `The spec that asked for ${job.title}`),
    el('thead', {class: 'unseen'}, el('tr', {}, el('th', {scope: 'col'}, 'Key'), el('th', {scope: 'col'}, 'Value'))),
    el('tbody', {}, entries.map(([key, value]) => el('tr', {}, el('th', {scope: 'row'}, el('code', {}, key)),
      el('td', {}, el('pre', {}, value === null ? '' : String(value)))))))));
}
