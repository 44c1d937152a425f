// What all stories draw with. Text reaches the page as text nodes only.

import { t } from './words.js';

// h makes an element. Attributes that are functions listen to events.
export function h(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === 'function') e.addEventListener(name, value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== false && value != null) e.setAttribute(name, value);
  }
  e.append(...children.flat(9).filter((c) => c != null && c !== false));
  return e;
}

// value is text that came from a server: it may be of any script and direction.
export const value = (text) => h('bdi', null, String(text ?? ''));

let fields = 0;

// field is a labelled control.
export function field(label, control, hint) {
  control.id ||= `f${++fields}`;
  const about = hint && h('p', { class: 'hint', id: control.id + '-hint' }, hint);
  if (about) control.setAttribute('aria-describedby', about.id);
  return h('div', { class: 'grow' }, h('label', { for: control.id }, label), about, control);
}

// options are not taken from another select: each one that leaves it makes the
// next one the chosen one.
export const options = (list) => list.map((o) => {
  const [text, val] = Array.isArray(o) ? o : [o, o];
  return h('option', { value: val }, text);
});

export const select = (list, attributes) => h('select', attributes, options(list));

export const button = (text, click, attributes) => h('button', { type: 'button', click, ...attributes }, text);

export function say(text) {
  const line = document.getElementById('say');
  line.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { line.textContent = ''; }, 5000);
}

// copyButton copies what text gives.
export const copyButton = (text) => button(t('copy'), async () => {
  try {
    await navigator.clipboard.writeText(text());
  } catch { // no clipboard: not a secure origin, or refused
    const area = h('textarea', { 'aria-hidden': 'true' });
    area.value = text();
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  say(t('copied'));
});

const longest = 300;

// long is a text whose end waits for a click.
export function long(text, cls) {
  text = String(text);
  const span = h('span', { class: cls, dir: 'auto' }, text.length > longest ? text.slice(0, longest) + '…' : text);
  if (text.length <= longest) return span;
  const more = button(t('more-characters', text.length - longest), () => {
    span.textContent = text;
    more.remove();
  }, { class: 'link more' });
  return [span, ' ', more];
}

const most = 100;

// some draws the first of many, and the rest by and by.
export function some(list, draw, into) {
  const from = into.childElementCount;
  into.append(...list.slice(from, from + most).map(draw).flat());
  if (list.length > from + most) {
    const rest = list.length - from - most;
    const more = h(into.tagName === 'UL' ? 'li' : 'div', null, button(t('more-items', rest), () => {
      more.remove();
      some(list, draw, into);
    }));
    into.append(more);
  }
  return into;
}

// tree is foldable JSON. follow is called with what leads on: an absolute URL
// or Type/id.
export function tree(json, follow) {
  const box = h('div', { class: 'tree', tabindex: '0', role: 'group', 'aria-label': 'JSON' });
  box.append(node(null, json, 0, follow));
  return box;
}

function node(name, json, depth, follow) {
  const label = name == null ? [] : [h('span', { class: 'name', dir: 'auto' }, typeof name === 'number' ? String(name) : JSON.stringify(name)), ': '];
  if (json === null || typeof json !== 'object') {
    return h('div', { class: 'leaf' }, label, leaf(name, json, follow));
  }
  const keys = Object.keys(json);
  const array = Array.isArray(json);
  const note = array ? `[${keys.length}]` : `{${keys.length}}`;
  const resource = !array && (json.resource ?? json);
  const title = resource?.resourceType && typeof resource.resourceType === 'string' ? ` ${resource.resourceType}/${resource.id ?? ''}`.slice(0, 90) : '';
  const inside = h('div');
  const d = h('details', null, h('summary', null, label, note, value(title)), inside);
  const fill = () => {
    if (d.open && !inside.hasChildNodes()) {
      some(keys, (key) => node(array ? Number(key) : key, json[key], depth + 1, follow), inside);
    }
  };
  d.addEventListener('toggle', fill);
  // What is small is open, and so is the way to the entries of a Bundle.
  d.open = depth === 0 || (depth === 1 && keys.length <= 60) || (depth < 8 && keys.length <= 2 && depth !== 2);
  fill();
  return d;
}

function leaf(name, json, follow) {
  if (typeof json !== 'string') return h('span', { class: 'lit' }, String(json));
  if (follow?.(json, true)) return button(json, () => follow(json), { class: 'link mono' });
  return long(JSON.stringify(json), 'str');
}

// parse reads JSON, and gives undefined for anything else.
export function parse(text) {
  try { return JSON.parse(text); } catch { return undefined; }
}

export const list = (x) => (Array.isArray(x) ? x : x == null ? [] : [x]);
