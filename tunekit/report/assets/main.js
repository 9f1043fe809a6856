// Which page is shown, and keeping it fresh where it is live.

const main = document.getElementById('content');
const isLive = document.body.dataset.live === 'true';
const LIVE_EVERY_MS = 2000;
let report = unfold(JSON.parse(document.getElementById('data').textContent));

function page() {
  const [, kind, rest = ''] = location.hash.replace(/^#/, '').split('/');
  const titles = rest.split(',').filter(Boolean).map(part => {
    try { return decodeURIComponent(part); } catch { return part; }
  });
  if (kind === 'job') return {name: 'job', title: titles[0] ?? '', make: () => jobPage(report, titles[0] ?? '')};
  if (kind === 'compare') return {name: 'compare', title: 'Compare', make: () => comparePage(report, titles)};
  return {name: 'overview', title: 'Jobs', make: () => overview(report)};
}

function draw() {
  const {name, title, make} = page();
  dropCharts();
  main.replaceChildren(...[make()].flat(Infinity).filter(Boolean));
  document.title = `${clean(title)} · ${clean(report.title)} · tunekit report`;
  document.getElementById('nav').replaceChildren(...[['overview', '#/', 'Jobs'], ['compare', compareHash([...listing.picked]), 'Compare']]
    .map(([key, href, text]) => el('li', {}, el('a', {href, 'aria-current': key === name ? 'page' : null}, text))));
  document.getElementById('made').replaceChildren(...(isLive ? [el('span', {class: 'live'}, 'Live'), ' '] : []),
    `${isLive ? 'as of' : 'made'} ${moment(report.made_s)}`);
}

function go() {
  draw();
  window.scrollTo(0, 0);
  const head = main.querySelector('h1');
  head?.setAttribute('tabindex', '-1');
  head?.focus({preventScroll: true});
  say(document.title);
}

// New data under the reader's hands: what was open, focused and scrolled to stays so.
function redraw() {
  const open = [...main.querySelectorAll('details[open]')].map(one => one.id);
  const focused = document.activeElement;
  const cursor = focused?.selectionStart ?? null;
  const mark = focused?.id ? `#${CSS.escape(focused.id)}` : focused?.getAttribute?.('aria-label')
    ? `[aria-label="${CSS.escape(focused.getAttribute('aria-label'))}"]` : null;
  const {scrollX, scrollY} = window;
  draw();
  for (const id of open) document.getElementById(id)?.setAttribute('open', '');
  window.scrollTo(scrollX, scrollY);
  const again = mark && main.querySelector(mark);
  again?.focus({preventScroll: true});
  if (cursor !== null && again?.setSelectionRange) again.setSelectionRange(cursor, cursor);
}

async function follow() {
  let mark = '';
  for (;;) {
    await new Promise(done => { setTimeout(done, LIVE_EVERY_MS); });
    if (document.hidden) continue;
    let answer = null;
    try {
      answer = await fetch('data.json', {headers: mark ? {'If-None-Match': mark} : {}, cache: 'no-store'});
    } catch {
      document.body.classList.add('stale');
      continue;
    }
    if (!answer.ok && answer.status !== 304) { document.body.classList.add('stale'); continue; }
    document.body.classList.remove('stale');
    if (answer.status === 304) continue;
    mark = answer.headers.get('ETag') ?? '';
    report = unfold(await answer.json());
    redraw();
  }
}

window.addEventListener('hashchange', go);
// Canvases keep the colours they were drawn with: draw them again for another scheme, or paper.
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redrawCharts);
window.addEventListener('beforeprint', () => { document.documentElement.classList.add('paper'); redrawCharts(); });
window.addEventListener('afterprint', () => { document.documentElement.classList.remove('paper'); redrawCharts(); });
draw();
if (isLive) follow();
