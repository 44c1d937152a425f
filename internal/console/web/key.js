// Get a key: the steps of ANS's guide, by the calls of the portal.

import { h, button, copyButton, field, options, parse, say, select, value } from './dom.js';
import { call, control, fhir, headersOf, memory, tell } from './mock.js';
import { open } from './try.js';
import { t } from './words.js';

const state = { token: '', application: '', subscription: '', key: '' };

// portal is a call of the portal API.
async function portal(method, path, body, headers) {
  if (state.token) headers = { Authorization: 'Bearer ' + state.token };
  const response = await call(method, 'portal/environments/DEFAULT/' + path, { body, headers });
  const text = await response.text();
  const answer = parse(text);
  if (!response.ok) throw new Error(answer?.errors?.[0]?.message ?? answer?.error ?? `${response.status}`);
  return answer;
}

// base64 of the UTF-8 bytes, which is what Basic means by a name.
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

export function draw(section) {
  const user = h('input', { type: 'email', autocomplete: 'off', value: 'camille.martin@exemple.test' });
  const password = h('input', { type: 'password', autocomplete: 'off', value: 'fictif' });
  const name = h('input', { value: t('my-application'), maxlength: '200' });
  const plan = select([]);
  const result = h('div');
  const checked = h('div', { 'aria-live': 'polite' });

  const steps = [
    step('account', [field(t('email'), user), field(t('password'), password, t('password-hint'))], 'log-in', async () => {
      state.token = '';
      state.token = (await portal('POST', 'auth/login', undefined, { Authorization: 'Basic ' + base64(`${user.value}:${password.value}`) })).token;
    }),
    step('application', [field(t('application-name'), name, t('application-hint'))], 'create', async () => {
      state.application = (await portal('POST', 'applications', { name: name.value, description: '' })).id;
      const apis = (await portal('GET', 'apis?size=-1')).data;
      const plans = [];
      for (const api of apis) {
        for (const p of (await portal('GET', `apis/${encodeURIComponent(api.id)}/plans?size=-1`)).data) {
          if (p.security === 'API_KEY') plans.push([`${api.name} – ${p.name}`, p.id]);
        }
      }
      plan.replaceChildren(...options(plans));
    }),
    step('plan', [field(t('plan-label'), plan, t('plan-hint'))], 'subscribe', async () => {
      const made = await portal('POST', 'subscriptions', { application: state.application, plan: plan.value, request: '' });
      state.subscription = made.id;
      state.key = made.keys?.[0]?.key ?? '';
      drawKey(result, checked);
      await check(checked);
    }),
  ];
  const last = h('li', null, h('h3', null, t('step-key')), result, checked);
  section.append(h('ol', { class: 'steps' }, steps.map((s) => s.item), last));
  steps.forEach((s, i) => s.enable(i === 0));

  function step(id, fields, action, act) {
    const go = h('button', { class: 'main' }, t(action));
    const item = h('li', null, h('form', { submit: tell(async (e) => {
      e.preventDefault();
      await act();
      item.classList.add('done');
      const next = steps[steps.findIndex((s) => s.item === item) + 1];
      next?.enable(true);
      (next?.item ?? last).querySelector('input, select, button')?.focus();
      say(t('done-' + id));
    }) }, h('h3', null, t('step-' + id)), h('div', { class: 'row' }, fields, go)));
    return { item, enable: (on) => { for (const e of item.querySelectorAll('input, select, button')) e.disabled = !on; } };
  }
}

// acts are what can become of a key.
const acts = ['pause', 'resume', 'renew', 'revoke', 'expire'];

function drawKey(into, checked) {
  const act = (name) => button(t('act-' + name), tell(async () => {
    const before = state.key;
    const view = await control('POST', `keys/${encodeURIComponent(state.subscription)}/${name}`);
    if (view.key) state.key = view.key;
    if (name === 'accept') {
      const s = await portal('GET', `subscriptions/${encodeURIComponent(state.subscription)}?include=keys`);
      state.key = s.keys?.at(-1)?.key ?? '';
    }
    drawKey(into, checked);
    into.querySelector(`[data-act="${name}"]`)?.focus();
    await check(checked, name === 'renew' ? before : '');
  }), { 'data-act': name });
  if (!state.key) {
    into.replaceChildren(h('p', null, t('waits')), h('div', { class: 'row' }, act('accept')));
    return;
  }
  into.replaceChildren(
    h('div', { class: 'row' }, h('code', { class: 'key', id: 'the-key' }, state.key), copyButton(() => state.key),
      button(t('use'), () => { memory.set('key', state.key); open('Practitioner?_count=2'); }, { class: 'main', id: 'use-key' })),
    h('p', { class: 'hint' }, t('key-hint')),
    h('h4', null, t('fate')), h('div', { class: 'row' }, acts.map(act), button(t('check'), tell(() => check(checked)))));
}

// check calls with the key, and shows what a client gets.
async function check(into, before) {
  const lines = [];
  for (const k of [state.key, before]) {
    if (!k) continue;
    const response = await fetch(fhir + 'metadata', { headers: headersOf(k), cache: 'no-store', signal: AbortSignal.timeout(15_000) });
    const text = await response.text();
    const what = parse(text)?.resourceType ?? text.slice(0, 200);
    lines.push(h('p', null, h('span', { class: 'status ' + (response.ok ? 'good' : 'bad') }, `${response.status}`), ' ', t(k === state.key ? 'client-gets' : response.ok ? 'old-key' : 'dead-key'), ' ', h('code', null, value(what))));
  }
  into.replaceChildren(...lines);
}

