// Break: incidents with their stories, and how much of a quota is left.

import { h, button, field, select, value } from './dom.js';
import { control, currentKey, fhir, headersOf, ofSession, tell } from './mock.js';
import { spaced, t } from './words.js';

const ui = {};
let incidents = [];
let visible = true;

export async function draw(section) {
  const [all, types] = await Promise.all([control('GET', 'incidents'), control('GET', 'parameters')]);
  // What happens any day comes first, the delay above all; then history.
  const rank = (i) => (i.name.startsWith('delay') ? 0 : i.event ? 2 : 1);
  incidents = all.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name)).map((i) => row(i, types));
  ui.search = h('input', { type: 'search', autocomplete: 'off', input: filter });
  ui.gauges = h('div', { id: 'gauges' });
  ui.burst = h('p', { id: 'burst', 'aria-live': 'polite' });
  ui.none = h('p', null, t('no-quota'));
  section.append(
    h('div', { class: 'panel' }, h('h3', null, t('quota')), h('p', { class: 'hint' }, t('quota-hint')), ui.none, ui.gauges,
      h('div', { class: 'row' }, button(t('burst'), tell(burst), { class: 'main', id: 'send-burst' })), ui.burst),
    h('h3', null, t('incidents')),
    h('div', { class: 'row' }, field(t('find-incident'), ui.search),
      button(t('all-off'), tell(async () => { await control('DELETE', ofSession('incidents')); await refresh(); }), { id: 'all-off' })),
    ...incidents.map((i) => i.item));
  await refresh();
  poll();
}

export function shown(now) { visible = now; }

function row(incident, types) {
  const share = select([[t('own-scope', incident.scope), ''], ['10 %', 'share=0.1'], ['25 %', 'share=0.25'], ['50 %', 'share=0.5'], ['100 %', 'share=1']]);
  const path = select([[t('every-path'), ''], ...[...types.map((x) => x.type), 'metadata'].map((x) => [x, 'path=' + x])]);
  const calls = h('span', { class: 'hint' });
  const title = `incident-${incident.name}`;
  const toggle = button(t('off'), tell(async () => {
    const on = toggle.getAttribute('aria-checked') !== 'true';
    const at = ofSession(`incidents/${encodeURIComponent(incident.name)}`);
    if (on) await control('PUT', at, { scope: [share.value, path.value].filter(Boolean).join('; ') });
    else await control('DELETE', at);
    await refresh();
  }), { role: 'switch', 'aria-checked': 'false', 'aria-labelledby': title });
  const item = h('article', { class: 'panel incident' },
    h('div', { class: 'row' }, toggle, h('div', { class: 'grow' }, h('h4', { id: title }, incident.name), ' ', calls,
      h('p', null, value(spaced(incident.happened))))),
    h('details', null, h('summary', null, t('story')), h('dl', null,
      h('dt', null, t('mistake')), h('dd', null, value(spaced(incident.mistake))),
      h('dt', null, t('source')), h('dd', null, value(spaced([incident.event, incident.source].filter(Boolean).join(', ')))),
      h('dt', null, t('key')), h('dd', null, h('code', null, incident.key)))),
    h('details', null, h('summary', null, t('scope')), h('div', { class: 'row' }, field(t('share'), share), field(t('path'), path))));
  return { incident, item, set(running) {
    toggle.setAttribute('aria-checked', running ? 'true' : 'false');
    toggle.textContent = t(running ? 'on' : 'off');
    calls.textContent = running ? `${running.scope} · ${t('touched', running.calls)}` : '';
  } };
}

function filter() {
  const text = ui.search.value.trim().toLowerCase();
  for (const { incident, item } of incidents) item.hidden = !Object.values(incident).join(' ').toLowerCase().includes(text);
}

async function refresh() {
  const running = new Map((await control('GET', ofSession('incidents'))).map((r) => [r.name, r]));
  for (const i of incidents) i.set(running.get(i.incident.name));
}

// poll keeps gauges and counts fresh while somebody looks.
async function poll() {
  for (;;) {
    await new Promise((done) => { setTimeout(done, 700); });
    if (!visible || document.hidden) continue;
    try {
      await refresh();
      await drawGauges();
    } catch { /* the mock is away: it is asked again */ }
  }
}

async function drawGauges() {
  const quotas = await control('GET', ofSession('quota'));
  ui.none.hidden = quotas.length > 0;
  ui.gauges.replaceChildren(...quotas.map((q) => {
    const name = q.name || q.subscription;
    return h('div', null, h('label', null, value(name), ' ', t('used', q.used, q.limit), q.open ? '' : ' ' + t('window-over'), ' ',
      h('meter', { min: '0', max: q.limit, value: q.used, high: q.limit * 0.8, optimum: '0' })));
  }));
}

// patience keeps calls that an incident never answers from taking all the
// connections a browser has, with none left to turn the incident off.
const patience = 5000;

// burst sends more calls at once than a second allows.
async function burst() {
  const answers = await Promise.all(Array.from({ length: 20 }, async () => {
    try {
      const response = await fetch(fhir + 'Device?_count=1', { headers: headersOf(currentKey()), cache: 'no-store', signal: AbortSignal.timeout(patience) });
      await response.arrayBuffer();
      return response.status;
    } catch { return t('no-answer'); }
  }));
  const counts = {};
  for (const a of answers) counts[a] = (counts[a] ?? 0) + 1;
  ui.burst.textContent = Object.entries(counts).map(([status, n]) => `${n} × ${status}`).join(', ');
  await drawGauges();
}
