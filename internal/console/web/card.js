// A resource as a card: who, what profession, where.

import { h, button, list, long, value } from './dom.js';
import { fhir } from './mock.js';
import { language, t } from './words.js';

// codes are those of TRE_G15-ProfessionSante, which the answers give
// without a name.
const codes = {
  10: ['Physician', 'Médecin'], 21: ['Pharmacist', 'Pharmacien'], 26: ['Hearing aid specialist', 'Audioprothésiste'],
  28: ['Optician', 'Opticien-lunetier'], 40: ['Dentist', 'Chirurgien-dentiste'], 50: ['Midwife', 'Sage-femme'],
  60: ['Nurse', 'Infirmier'], 70: ['Physiotherapist', 'Masseur-kinésithérapeute'], 80: ['Podiatrist', 'Pédicure-podologue'],
  91: ['Speech therapist', 'Orthophoniste'], 92: ['Orthoptist', 'Orthoptiste'], 94: ['Occupational therapist', 'Ergothérapeute'],
  95: ['Dietitian', 'Diététicien'], 96: ['Psychomotor therapist', 'Psychomotricien'],
};

const professions = { en: new Set(Object.values(codes).map((p) => p[0])), fr: new Set(Object.values(codes).map((p) => p[1])) };

const text = (x) => (typeof x === 'string' || typeof x === 'number' || typeof x === 'boolean' ? String(x) : '');
const obj = (x) => (x && typeof x === 'object' ? x : {});

export function card(r, follow, targetOf) {
  const rows = [];
  const row = (label, values) => {
    const shown = values.flat().filter(Boolean);
    if (shown.length) rows.push(h('dt', null, t('card-' + label)), h('dd', null, shown.slice(0, 8).map((v) => h('div', null, typeof v === 'string' ? long(v) : v))));
  };
  const reference = (x) => {
    const target = text(obj(x).reference);
    if (!target) return '';
    return targetOf(target) ? button(target, () => follow(target), { class: 'link' }) : target;
  };
  const qualified = list(r.qualification).flatMap((q) => codings(obj(q).code));
  const named = qualified.filter((q) => professions[language].has(q));
  row('profession', [...named, ...qualified.filter((q) => !named.includes(q))]);
  if (r.resourceType === 'Practitioner' && targetOf(`Practitioner/${text(r.id)}`)) {
    const roles = `${fhir}PractitionerRole?practitioner=${text(r.id)}&_include=PractitionerRole:organization`;
    row('where', [button(t('roles'), () => follow(roles), { class: 'link' })]);
  }
  row('what', [r.code, r.specialty, r.type, r.category].flatMap(list).map(codings));
  row('person', [reference(r.practitioner)]);
  row('place', [r.organization, r.providedBy, r.partOf, r.owner].map(reference));
  row('where', list(r.address).map(address));
  row('contact', list(r.telecom).map((c) => text(obj(c).value)));
  row('number', list(r.identifier).map((i) => [text(obj(list(obj(obj(i).type).coding)[0]).code), text(obj(i).value)].filter(Boolean).join(' ')));
  row('product', [[r.manufacturer, r.modelNumber, r.serialNumber].map(text).filter(Boolean).join(', ')]);
  const state = r.active === false ? t('not-active') : text(r.status);
  return h('li', null,
    h('h4', null, long(who(r) || text(r.id) || t('unnamed'))),
    h('p', { class: 'kind' }, value(`${text(r.resourceType)}/${text(r.id)}`.slice(0, 120)), state && ` · ${state}`),
    h('dl', null, rows));
}

function who(r) {
  if (typeof r.name === 'string') return r.name;
  for (const n of list(r.name).map(obj)) {
    const parts = [...list(n.suffix), ...list(n.prefix), ...list(n.given), n.family].map(text).filter(Boolean);
    if (parts.length) return parts.join(' ');
    if (text(n.text)) return n.text;
  }
  return text(obj(list(r.deviceName)[0]).name);
}

// codings are names where there are some, else codes with what they are of.
const codings = (concept) => list(obj(concept).coding ?? concept).map(obj).map((c) => {
  const code = text(c.code), system = text(c.system).split('/').at(-1).replace(/^(TRE|JDV)[-_][A-Z]+\d+-/, '');
  if (/G15-ProfessionSante$/.test(text(c.system)) && Object.hasOwn(codes, code)) return codes[code][language === 'fr' ? 1 : 0];
  return text(c.display) || (system && code ? `${system} ${code}` : code);
});

function address(a) {
  a = obj(a);
  const street = list(a.line).map(text).filter(Boolean);
  for (const line of list(a._line)) { // where the directory has the parts of a street line
    const parts = list(obj(line).extension).map((e) => text(obj(e).valueString)).filter(Boolean);
    if (parts.length && !street.length) street.push(parts.join(' '));
  }
  return [...street, [a.postalCode, a.city].map(text).filter(Boolean).join(' '), text(a.country)].filter(Boolean).join(', ');
}
