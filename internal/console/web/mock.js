// How the page talks to the mock.

import { h, field, say } from './dom.js';
import { language, t } from './words.js';

export const root = new URL('.', location.href.split('#')[0]);
const api = new URL('fhir/', root).href;
export const fhir = api + 'v2/';

// below is a URL of the API as a request is written behind fhir: another version
// is ../v1/…, and what is not of the API is nothing.
export const below = (url) => (url.startsWith(fhir) ? url.slice(fhir.length) : url.startsWith(api) ? '../' + url.slice(api.length) : '');

// addressOf a request is the whole of it as it is sent: fetch writes in percent
// what a URL cannot hold, and so do we with what browsers let through and other
// programs refuse (RFC 3986). base is that of its version.
export function addressOf(target) {
  const url = new URL(fhir + target);
  url.hash = '';
  const href = url.href.replace(/[|\\^`{}]/g, encodeURIComponent);
  const base = href.startsWith(api) ? api + (href.slice(api.length).match(/^v\d+\//)?.[0] ?? '') : root.href;
  return { href, base, rest: href.slice(base.length) };
}

// What is kept until the tab is closed, and never in a URL.
export const memory = {
  get: (name) => sessionStorage.getItem('mockfhir-' + name) ?? '',
  set: (name, v) => sessionStorage.setItem('mockfhir-' + name, v),
};
export const currentKey = () => memory.get('key') || 'mock-key';
export const session = () => memory.get('session') || 'default';
export const ofSession = (path) => `sessions/${encodeURIComponent(session())}/${path}`;

// call asks the mock something under a path of its own.
export async function call(method, path, { body, signal, headers } = {}) {
  const init = { method, signal, cache: 'no-store', headers: { 'Accept-Language': language, ...headers } };
  if (memory.get('token')) init.headers['X-Mockfhir-Token'] = memory.get('token');
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['Content-Type'] = 'application/json';
  }
  const response = await fetch(new URL(path, root), init);
  if (response.status === 401 && !path.startsWith('portal/')) askToken();
  return response;
}

// control is a call of the control API: its answer, or an Error that says why.
export async function control(method, path, body) {
  const response = await call(method, '__mockfhir/' + path, { body });
  const text = await response.text();
  let answer = null;
  try { answer = text && JSON.parse(text); } catch { /* told below */ }
  if (!response.ok) throw new Error(answer?.error ?? `${response.status} ${text.slice(0, 200)}`);
  return answer;
}

// headersOf a call of the FHIR API.
export function headersOf(apiKey) {
  const headers = { 'ESANTE-API-KEY': apiKey };
  if (session() !== 'default') headers['X-Mockfhir-Session'] = session();
  return headers;
}

// tell runs what a click asked for, and says what went wrong.
export const tell = (f) => async (...args) => {
  try { await f(...args); } catch (e) { if (e.name !== 'AbortError') say(`${t('failed')} ${e.message}`); }
};

function askToken() {
  const box = document.getElementById('token');
  if (!box.hidden) return;
  const input = h('input', { type: 'password', autocomplete: 'off' });
  box.replaceChildren(h('form', { class: 'panel', submit: (e) => {
    e.preventDefault();
    memory.set('token', input.value.trim());
    location.reload();
  } }, h('div', { class: 'row' }, field(t('token'), input, t('token-hint')), h('button', { class: 'main' }, t('go')))));
  box.hidden = false;
}
