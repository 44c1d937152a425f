// Watch: the journal as it grows. Ten thousand calls are kept, and as many are
// drawn as fit on the screen.

import { h, button, field, list, parse, select, tree, value } from './dom.js';
import { below, call, control, ofSession, root, tell } from './mock.js';
import { open } from './try.js';
import { language, t } from './words.js';

const kept = 10_000;
const height = 44; // of a call in the list, as the style sheet says
const ui = {};

let entries = []; // by id
let shownNow = []; // those that the filter wants, oldest first
let selected = 0; // id
let paused = false;
let missed = 0;
let frame = 0;

export async function draw(section) {
  ui.status = select([[t('any'), ''], ['2xx', '2'], ['4xx', '4'], ['5xx', '5'], [t('no-answer'), '0']], { change: filter });
  ui.path = h('input', { placeholder: '/fhir/v2/Practitioner', autocomplete: 'off', input: filter });
  ui.text = h('input', { autocomplete: 'off', input: filter });
  ui.all = h('div', { class: 'all' });
  ui.list = h('div', { class: 'list', role: 'listbox', tabindex: '0', id: 'calls', 'aria-label': t('calls'), scroll: later, keydown: keys, click: pick });
  ui.list.append(ui.all);
  ui.count = h('p', { class: 'hint', id: 'count' });
  ui.details = h('div', { class: 'panel', id: 'details', tabindex: '-1' }, h('p', null, t('choose-call')));
  ui.strict = h('input', { type: 'checkbox', change: tell(async () => { await control('PATCH', ofSession('').slice(0, -1), { strict: ui.strict.checked }); }) });
  ui.pause = button(t('pause'), () => {
    paused = !paused;
    ui.pause.textContent = t(paused ? 'go-on' : 'pause');
    if (!paused) filter();
  });
  section.append(
    h('div', { class: 'row' }, field(t('status'), ui.status), field(t('path'), ui.path), field(t('text'), ui.text), ui.pause,
      button(t('empty'), tell(async () => { await control('DELETE', ofSession('journal')); entries = []; selected = 0; filter(); }))),
    h('p', null, h('label', null, ui.strict, ' ', t('strict'))),
    ui.count, h('div', { class: 'watch' }, ui.list, ui.details));
  new ResizeObserver(later).observe(ui.list);
  later();
  stream(); // goes on as long as the page does
  ui.strict.checked = (await control('GET', ofSession('').slice(0, -1))).strict;
}

export function shown(visible) { if (visible && ui.list) later(); }

const last = () => entries.at(-1)?.id ?? 0;

function add(news) {
  const from = last();
  const fresh = news.filter((e) => e.id > from);
  if (!fresh.length) return;
  if (from) missed += Math.max(0, fresh[0].id - from - 1);
  entries.push(...fresh);
  if (entries.length > kept) entries.splice(0, entries.length - kept);
  if (paused) return;
  const wants = wanted();
  const before = shownNow.length;
  for (const e of fresh) if (wants(e)) shownNow.push(e);
  if (shownNow.length > kept) shownNow.splice(0, shownNow.length - kept);
  // Who reads further down keeps the place.
  if (ui.list.scrollTop > height) ui.list.scrollTop += (shownNow.length - before) * height;
  later();
}

let fetching = null;
let calm = 0;

// catchUp asks for what the stream left out, one question at a time.
function catchUp() {
  fetching ??= (async () => {
    try { add(await control('GET', `${ofSession('journal')}?since=${last()}`)); } finally { fetching = null; }
  })();
  return fetching;
}

// restart looks whether the journal is still the one we know: its numbers go
// back to one when the mock is started anew.
async function restart() {
  const all = await control('GET', ofSession('journal'));
  if (last() && (all.at(-1)?.id ?? 0) < last()) { entries = []; filter(); }
  add(all);
}

async function stream() {
  for (;;) {
    try {
      const response = await call('GET', '__mockfhir/' + ofSession('journal/stream'));
      if (!response.ok) throw new Error(String(response.status));
      ui.list.dataset.live = 'true';
      await restart();
      await events(response.body, (e) => {
        if (e.id === last() + 1) add([e]);
        else if (e.id > last()) tell(catchUp)();
        // What the stream left out at the end of a burst, no later call tells.
        clearTimeout(calm);
        calm = setTimeout(tell(catchUp), 1000);
      });
    } catch { /* the connection was lost: it is asked for again */ }
    delete ui.list.dataset.live;
    await new Promise((done) => { setTimeout(done, 2000); });
  }
}

// events reads server-sent events. EventSource would put no token in a header.
async function events(body, each) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { done, value: part } = await reader.read();
    if (done) return;
    const blocks = (rest + part).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const e = block.startsWith('data: ') && parse(block.slice(6));
      if (e) each(e);
    }
  }
}

function wanted() {
  const status = ui.status.value, path = ui.path.value.trim(), text = ui.text.value.trim().toLowerCase();
  return (e) => (status === '' || String(Math.floor(e.status / 100)) === status) && (!path || e.target.startsWith(path)) &&
    (!text || [e.target, e.why, e.body, e.answer, ...list(e.incidents)].some((x) => x?.toLowerCase().includes(text)));
}

function filter() {
  shownNow = entries.filter(wanted());
  later();
}

function later() { frame ||= requestAnimationFrame(() => { frame = 0; paint(); }); }

const nth = (i) => shownNow[shownNow.length - 1 - i]; // the newest is first

// paint draws the calls that can be seen, and a few around them.
function paint() {
  const n = shownNow.length;
  ui.all.style.height = `${n * height}px`;
  ui.count.textContent = t('count', n, entries.length) + (missed ? ' ' + t('missed', missed) : '');
  const room = ui.list.clientHeight;
  if (!room) return;
  const from = Math.max(0, Math.floor(ui.list.scrollTop / height) - 5);
  const to = Math.min(n, Math.ceil((ui.list.scrollTop + room) / height) + 5);
  const have = new Map([...ui.all.children].map((row) => [Number(row.dataset.id), row]));
  for (let i = from; i < to; i++) {
    const e = nth(i);
    let row = have.get(e.id);
    have.delete(e.id);
    if (!row) ui.all.append(row = drawRow(e));
    row.style.top = `${i * height}px`;
    row.setAttribute('aria-posinset', i + 1);
    row.setAttribute('aria-setsize', n);
    row.setAttribute('aria-selected', e.id === selected);
  }
  for (const row of have.values()) row.remove();
  if (document.getElementById(`call-${selected}`)) ui.list.setAttribute('aria-activedescendant', `call-${selected}`);
  else ui.list.removeAttribute('aria-activedescendant');
}

const grade = (status) => (status >= 200 && status < 400 ? 'good' : 'bad');
const clock = (time) => new Date(time).toLocaleTimeString(language, { hour12: false });
const milliseconds = (e) => `${Math.round(e.took / 1e6)} ms`;

function drawRow(e) {
  return h('div', { class: 'call', role: 'option', id: `call-${e.id}`, 'data-id': e.id },
    h('span', null, clock(e.time)), h('span', null, e.method), h('span', { class: grade(e.status) }, e.status || '✂'),
    h('span', { class: 'mono', dir: 'ltr' }, e.target.slice(0, 300)), h('span', null, milliseconds(e)));
}

function pick(event) {
  const row = event.target.closest('.call');
  if (row) choose(Number(row.dataset.id));
}

function keys(event) {
  const page = Math.max(1, Math.floor(ui.list.clientHeight / height) - 1);
  const at = shownNow.findIndex((e) => e.id === selected);
  const i = at < 0 ? -1 : shownNow.length - 1 - at;
  const to = { ArrowDown: i + 1, ArrowUp: i - 1, PageDown: i + page, PageUp: i - page, Home: 0, End: shownNow.length - 1 }[event.key];
  if (event.key === 'Enter' && i >= 0) ui.details.focus();
  if (to === undefined || !shownNow.length) return;
  event.preventDefault();
  const next = Math.min(shownNow.length - 1, Math.max(0, to));
  const top = next * height;
  if (top < ui.list.scrollTop) ui.list.scrollTop = top;
  if (top + height > ui.list.scrollTop + ui.list.clientHeight) ui.list.scrollTop = top + height - ui.list.clientHeight;
  choose(nth(next).id);
}

function choose(id) {
  selected = id;
  const e = entries.find((x) => x.id === id);
  if (e) ui.details.replaceChildren(...drawEntry(e));
  later();
}

function drawEntry(e) {
  const body = parse(e.answer ?? '');
  const issues = body?.resourceType === 'OperationOutcome' ? list(body.issue).map((i) => i?.diagnostics ?? i?.code).filter(Boolean) : [];
  const fields = (f) => Object.entries(f ?? {}).map(([n, v]) => h('div', { class: 'mono' }, `${n}: `, value(v)));
  const rows = [
    [t('why'), e.why && h('strong', { id: 'why', lang: 'en' }, value(e.why))],
    [t('it-says'), issues.length && issues.map((i) => h('div', null, value(i)))],
    [t('incidents'), e.incidents?.length && e.incidents.join(', ')],
    [t('time'), `${new Date(e.time).toLocaleString(language)}, ${milliseconds(e)}`],
    [t('session'), value(e.session)],
    [t('request-headers'), fields(e.request)],
    [t('request-body'), e.body && h('pre', { tabindex: '0', dir: 'auto' }, e.body)],
    [t('status'), h('span', { class: grade(e.status) }, e.status || t('connection-cut'))],
    [t('response-headers'), fields(e.response)],
  ].filter(([, v]) => v && (!Array.isArray(v) || v.length));
  const target = below(root.href + e.target.slice(1));
  return [
    h('h3', null, e.method, ' ', h('span', { class: 'mono', dir: 'ltr' }, e.target)),
    e.method === 'GET' && target && h('p', null, button(t('try-it'), () => open(target))),
    h('dl', null, rows.map(([label, v]) => [h('dt', null, label), h('dd', null, v)])),
    h('h4', null, t('body-of', e.size)),
    body !== undefined ? tree(body) : h('pre', { tabindex: '0', dir: 'auto' }, e.answer || t('no-body')),
  ].filter(Boolean);
}
