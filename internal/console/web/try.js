// Try: a request made of the parameter table, the request in six languages, and
// what came back.

import { h, button, copyButton, field, list, options, parse, say, select, some, tree, value } from './dom.js';
import { addressOf, below, control, currentKey, fhir, headersOf, memory, tell } from './mock.js';
import { card } from './card.js';
import { languages, snippet } from './snippet.js';
import { spaced, t } from './words.js';

const ui = {};
const past = []; // targets that were sent, for the way back
let types = [];
let wanted = ''; // a request that came before the form was drawn

// results are the parameters that say how results come, for every type.
const results = (type) => [
  { name: '_count', example: '10' },
  { name: '_total', example: 'accurate', values: ['accurate', 'estimate', 'none'] },
  { name: '_elements', example: 'name,identifier' },
  { name: '_include', example: type.includes?.at(-1), values: type.includes },
  { name: '_revinclude', example: type.revIncludes?.[0], values: type.revIncludes },
].filter((p) => p.example).map((p) => ({ ...p, about: t('p' + p.name) }));

export async function draw(section) {
  types = await control('GET', 'parameters');
  ui.type = select([...types.map((x) => x.type), 'metadata'], { change: () => { ui.params.replaceChildren(); ui.id.value = ''; build(); } });
  ui.type.value = types.some((x) => x.type === 'Practitioner') ? 'Practitioner' : types[0]?.type ?? 'metadata';
  ui.id = h('input', { input: build, autocomplete: 'off' });
  ui.params = h('div');
  ui.key = h('input', { value: currentKey(), autocomplete: 'off', spellcheck: 'false', list: 'known-keys', input: () => { memory.set('key', ui.key.value); drawSnippet(); } });
  ui.target = h('input', { class: 'mono', autocomplete: 'off', spellcheck: 'false', input: drawSnippet });
  ui.language = select(Object.entries(languages).map(([id, l]) => [l.name, id]), { change: () => { memory.set('snippet', ui.language.value); drawSnippet(); } });
  ui.language.value = memory.get('snippet') || 'curl';
  ui.code = h('pre', { tabindex: '0', id: 'snippet', 'aria-label': t('as-code') });
  ui.answer = h('div', { id: 'answer' });
  ui.send = h('button', { class: 'main', id: 'send' }, t('send'));
  ui.stop = button(t('stop'), () => ui.abort?.abort(), { hidden: true });
  ui.back = button(t('back'), () => { past.pop(); const target = past.pop(); if (target != null) { ui.target.value = target; send(); } }, { hidden: true });

  section.append(
    h('form', { submit: (e) => { e.preventDefault(); send(); } },
      h('div', { class: 'panel' },
        h('div', { class: 'row' },
          field(t('type'), ui.type), field(t('read-id'), ui.id, t('read-id-hint')),
          button(t('example-id'), () => { ui.id.value = current()?.id ?? ''; build(); })),
        ui.params,
        h('div', { class: 'row' }, button(t('add-parameter'), () => { addParam(); build(); }, { id: 'add' }))),
      h('div', { class: 'row' }, field(t('key'), ui.key), h('datalist', { id: 'known-keys' })),
      h('div', { class: 'row' }, field(t('request', fhir), ui.target), ui.send, ui.stop, ui.back)),
    h('details', { open: true }, h('summary', null, t('as-code')),
      h('div', { class: 'row' }, field(t('programming-language'), ui.language), copyButton(() => ui.code.textContent)), ui.code),
    h('section', { 'aria-label': t('response') }, h('h3', null, t('response')), ui.answer));
  ui.answer.append(h('p', null, t('nothing-yet')));
  build();
  if (wanted) open(wanted);
  const { demo } = await control('GET', 'keys');
  section.querySelector('#known-keys').append(...demo.map((d) => h('option', { value: d.key }, spaced(`${d.status}, ${d.meaning}`))));
}

// shown takes over a key that another story has got meanwhile.
export function shown(visible) {
  if (visible && ui.key) { ui.key.value = currentKey(); drawSnippet(); }
}

// open goes to this story with a request, and sends it.
export function open(target) {
  location.hash = 'try';
  wanted = target;
  if (!ui.target) return;
  wanted = '';
  ui.key.value = currentKey();
  ui.target.value = target;
  send();
}

const current = () => types.find((x) => x.type === ui.type.value);

function addParam() {
  const type = current();
  if (!type) return;
  const known = [...type.params, ...results(type)];
  const name = h('select', null,
    h('optgroup', { label: t('search') }, type.params.map((p) => h('option', null, p.name))),
    h('optgroup', { label: t('results') }, results(type).map((p) => h('option', null, p.name))));
  name.value = type.params.some((p) => p.name === 'name') ? 'name' : type.params[0]?.name ?? '_count';
  const modifier = select(['']);
  const input = h('input', { autocomplete: 'off', spellcheck: 'false', input: build });
  const choices = h('datalist', { id: `choices-${++addParam.made}` });
  input.setAttribute('list', choices.id);
  const about = h('p', { class: 'hint', id: `${choices.id}-about` });
  name.setAttribute('aria-describedby', about.id);
  const example = button('', () => { input.value = known.find((p) => p.name === name.value)?.example ?? ''; build(); });
  const change = () => {
    const p = known.find((x) => x.name === name.value);
    modifier.replaceChildren(...options([[t('no-modifier'), ''], ...list(p.modifiers).map((m) => [':' + m, ':' + m])]));
    modifier.disabled = !p.modifiers;
    choices.replaceChildren(...list(p.values).map((v) => h('option', { value: v })));
    about.replaceChildren(spaced(p.about ?? ''), p.kind ? ` (${p.kind}${p.targets ? ' → ' + p.targets.join(', ') : ''})` : '');
    example.textContent = t('use-example', short(p.example ?? ''));
    example.hidden = !p.example;
  };
  name.addEventListener('change', () => { change(); build(); });
  modifier.addEventListener('change', build);
  const row = h('div', { class: 'param' }, h('div', { class: 'row' },
    field(t('parameter'), name), field(t('modifier'), modifier), field(t('value'), input), choices,
    button(t('remove'), () => { row.remove(); build(); ui.params.nextElementSibling.querySelector('button').focus(); })), about, example);
  row.query = () => `${name.value}${modifier.value}=${encode(input.value)}`;
  change();
  ui.params.append(row);
  name.focus();
}
addParam.made = 0;

const short = (text) => (text.length > 40 ? text.slice(0, 39) + '…' : text);

// encode leaves what separates values as people write it.
const encode = (text) => encodeURIComponent(text.toWellFormed?.() ?? text).replaceAll('%2C', ',').replaceAll('%3A', ':').replaceAll('%2F', '/');

function build() {
  const id = ui.id.value.trim();
  const metadata = ui.type.value === 'metadata';
  ui.id.disabled = metadata;
  const query = [...ui.params.children].map((row) => row.query()).join('&');
  ui.target.value = ui.type.value + (id && !metadata ? '/' + encodeURIComponent(id) : '') + (query && !id ? '?' + query : '');
  drawSnippet();
}

const written = () => ui.target.value.replace(/^\/+/, '');

function drawSnippet() {
  ui.code.textContent = snippet(ui.language.value, addressOf(written()), headersOf(ui.key.value));
}

// targetOf is what leads on below the API: an absolute URL of ours, or Type/id.
function targetOf(text) {
  if (below(text)) return below(text);
  const [type, id, more] = text.split('/');
  return id && !more && /^[A-Za-z0-9.-]{1,64}$/.test(id) && types.some((x) => x.type === type) ? text : '';
}

function follow(text, asked) {
  const target = targetOf(text);
  if (asked) return target !== '';
  ui.target.value = target;
  send();
}

const send = tell(async () => {
  const target = written();
  ui.abort?.abort();
  const abort = ui.abort = new AbortController();
  drawSnippet();
  ui.send.disabled = true;
  ui.stop.hidden = false;
  ui.answer.replaceChildren(h('p', null, t('waiting')));
  const began = performance.now();
  try {
    past.push(target);
    const response = await fetch(addressOf(target).href, { headers: { Accept: 'application/fhir+json', ...headersOf(ui.key.value) }, signal: abort.signal, cache: 'no-store' });
    let text = '', cut = '';
    try { text = await readAll(response, (part) => { text = part; }); } catch (e) { cut = e.message; }
    if (ui.abort === abort) drawAnswer(response, text, cut, performance.now() - began);
  } catch (e) {
    if (ui.abort !== abort) return; // another request has taken its place
    const after = ((performance.now() - began) / 1000).toFixed(1);
    ui.answer.replaceChildren(h('p', { class: 'status bad' }, e.name === 'AbortError' ? t('stopped', after) : t('no-response', after)), h('p', { class: 'hint' }, value(e.message)));
  } finally {
    if (ui.abort === abort) {
      ui.send.disabled = false;
      ui.stop.hidden = true;
      ui.back.hidden = past.length < 2;
    }
  }
});

// readAll tells what came even when the rest never does.
async function readAll(response, sofar) {
  const decoder = new TextDecoder();
  let text = '';
  for (const reader = response.body.getReader(); ;) {
    const { done, value: bytes } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(bytes, { stream: true });
    sofar(text);
  }
}

function drawAnswer(response, text, cut, took) {
  const body = parse(text);
  const kind = response.ok ? 'good' : 'bad';
  const size = new TextEncoder().encode(text).length;
  const parts = [
    h('p', null, h('span', { class: 'status ' + kind, id: 'status' }, `${response.status} ${response.statusText}`), ' · ', t('size-and-time', size, Math.round(took))),
    cut && h('p', { class: 'bad' }, t('cut-off', cut)),
    h('details', null, h('summary', null, t('headers')), h('div', { class: 'scroll' }, h('table', null,
      h('tr', null, h('th', { scope: 'col' }, t('header')), h('th', { scope: 'col' }, t('value'))),
      [...response.headers].map(([n, v]) => h('tr', null, h('th', { scope: 'row' }, n), h('td', { class: 'mono' }, value(v))))))),
  ];
  if (body === undefined) {
    parts.push(text ? h('pre', { tabindex: '0', dir: 'auto' }, text.slice(0, 100_000)) : h('p', null, t('no-body')));
  } else {
    parts.push(...drawBody(body));
  }
  ui.answer.replaceChildren(...parts.filter(Boolean));
  say(`${response.status} ${response.statusText}`);
}

function drawBody(body) {
  const bundle = body?.resourceType === 'Bundle';
  const resources = (bundle ? list(body.entry).map((e) => e?.resource) : [body]).filter((r) => r && typeof r === 'object');
  const parts = [];
  if (bundle) {
    const links = list(body.link).filter((l) => typeof l?.url === 'string');
    parts.push(h('p', null, t('found', resources.length, body.total ?? '?'), ' ', links.filter((l) => l.relation !== 'self').map((l) => (targetOf(l.url)
      ? button(t('link-' + l.relation) ?? l.relation, () => follow(l.url), { class: 'main', 'data-link': l.relation })
      : h('span', { class: 'bad' }, t('leads-elsewhere', l.relation), ' ', h('code', null, value(l.url)))))));
  }
  const outcome = body?.resourceType === 'OperationOutcome';
  if (outcome) parts.push(h('ul', null, list(body.issue).map((i) => h('li', null, h('strong', null, value(i?.severity)), ' ', value(i?.diagnostics ?? i?.details?.text ?? i?.code)))));
  if (!outcome && body?.resourceType !== 'CapabilityStatement') {
    parts.push(h('h4', null, t('cards')), some(resources, (r) => card(r, follow, targetOf), h('ul', { class: 'cards' })));
  }
  parts.push(h('h4', null, t('raw')), tree(body, follow));
  return parts;
}
