// Read a drift report: a verify report in JSON, shown as the HTML report is.

import { h, field, list, parse, value } from './dom.js';
import { t } from './words.js';

const largest = 64 << 20;

export function draw(section) {
  const out = h('div', { id: 'report-out', tabindex: '-1' });
  const read = async (file) => {
    if (!file) return;
    const report = file.size <= largest ? parse(await file.text()) : undefined;
    const ok = report && typeof report.verdict === 'string' && Array.isArray(report.results ?? []);
    out.replaceChildren(...(ok ? drawReport(report) : [h('p', { class: 'bad', role: 'alert' }, t('no-report'))]));
    if (ok) out.focus();
  };
  const input = h('input', { type: 'file', accept: '.json,application/json', change: () => read(input.files[0]) });
  const drop = h('div', { class: 'drop',
    dragover: (e) => { e.preventDefault(); drop.classList.add('over'); },
    dragleave: () => drop.classList.remove('over'),
    drop: (e) => { e.preventDefault(); drop.classList.remove('over'); read(e.dataTransfer.files[0]); },
  }, field(t('report-file'), input, t('report-hint')));
  section.append(drop, out);
}

const judged = (outcome) => outcome === 'pass' || outcome === 'drift';
const classes = ['breaking', 'additive', 'benign'];
const str = (x) => (x == null ? '' : String(x));
const day = (time) => str(time).slice(0, 10);
const word = (kind, x) => t(`${kind}-${x}`) ?? str(x);
const tally = (findings) => classes.map((c) => [findings.filter((f) => f.class === c).length, c]).filter(([n]) => n).map(([n, c]) => t('tally', n, word('class', c))).join(', ');
const code = (text) => h('code', null, value(text));
const th = (...names) => h('tr', null, names.map((n) => h('th', { scope: 'col' }, n)));

function span(ns) {
  const s = ns / 1e9;
  if (!(s > 0)) return '0 s';
  if (s < 1) return `${Math.floor(s * 1000)} ms`;
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${Math.floor(s) % 60} s`;
}

const took = (r) => span((Date.parse(r.ended) - Date.parse(r.started)) * 1e6);

function where(f) {
  const change = f.was && f.now ? `${f.was} → ${f.now}` : f.was ? t('was', f.was) : f.now ? t('now', f.now) : '';
  return [f.path, change].filter(Boolean).join(': ');
}

function drawReport(r) {
  const findings = list(r.findings), results = list(r.results);
  const checked = new Set(results.map((x) => x.id));
  const from = classes.indexOf(r.failOn ?? 'breaking');
  const sorted = classes.flatMap((c) => findings.filter((f) => f.class === c));
  const ignored = sorted.filter((f) => f.ignored);
  const failing = sorted.filter((f) => !f.ignored && classes.indexOf(f.class) <= from);
  const news = sorted.filter((f) => !f.ignored && classes.indexOf(f.class) > from);
  const since = (f) => (!r.baselineAt || checked.has(f.check) || str(f.check).startsWith('ignore/') || f.check === 'ignore'
    ? t('since-at-latest', day(r.started)) : t('since-between', day(r.baselineAt), day(r.started)));
  return [
    h('header', { class: 'verdict ' + (['holds', 'drift'].includes(r.verdict) ? r.verdict : '') },
      h('h3', { id: 'verdict' }, word('verdict', r.verdict)),
      h('p', null, h('strong', { lang: 'en' }, value(r.reason))),
      h('p', null, t('advice-' + r.verdict) ?? t('advice-undecided'), r.partial && ' ' + t('partial')),
      h('p', null, code(r.target?.url), ', ', str(r.started).replace('T', ' ').slice(0, 16) + ' UTC', r.baselineAt && ', ' + t('compared', day(r.baselineAt)))),
    failing.length && [h('h3', null, t('broke', tally(failing))), h('p', null, t('breaking-means')), failing.map((f) => drawFinding(f, since(f)))],
    news.length && [h('h3', null, t('news', tally(news))), news.map((f) => drawFinding(f, since(f)))],
    ignored.length && [h('h3', null, t('ignored')), h('div', { class: 'scroll' }, h('table', null, th(t('check-id'), t('path'), t('reason')),
      ignored.map((f) => h('tr', null, h('td', null, code(f.check)), h('td', null, code(f.path)), h('td', null, value(f.ignored))))))],
    r.against && drawAgainst(r, results),
    h('h3', null, t('looked-at')), h('p', null, looked(r), ' ', r.budget ? t('spent-of', r.requests, r.budget, took(r)) : t('spent', r.requests, took(r))),
    groups(results).map(drawGroup),
    h('p', { class: 'hint' }, value(r.tool), '. ', t('left-out')),
  ].flat(4).filter(Boolean);
}

function drawFinding(f, since) {
  const rows = [
    [t('f-what'), [`${word('class', f.class)}, ${str(f.reason)}, ${t('found-by')} `, code(f.check)]],
    [t('f-where'), where(f) && code(where(f))],
    [t('f-since'), since],
    [t('f-why'), f.why && h('span', { lang: 'en' }, value(f.why))],
    [t('f-source'), f.source && link(f.source)],
    [t('f-see'), f.curl && h('pre', { tabindex: '0' }, str(f.curl))],
  ].filter(([, v]) => v);
  return h('section', { class: 'finding ' + (classes.includes(f.class) ? f.class : '') }, h('h4', { lang: 'en' }, value(f.message)),
    h('dl', null, rows.map(([label, v]) => [h('dt', null, label), h('dd', null, v)])));
}

// link is one only where it leads to the web.
const link = (text) => (/^https?:\/\//.test(text) ? h('a', { href: text, rel: 'noreferrer noopener', target: '_blank' }, value(text)) : value(text));

function drawAgainst(r, results) {
  const other = new Map(list(r.against.results).map((x) => [x.id, x]));
  const rows = results.map((x) => {
    const o = other.get(x.id)?.outcome;
    other.delete(x.id);
    return [x, o ? word('outcome', o) : '–', word('outcome', x.outcome), judged(o) && judged(x.outcome) && o !== x.outcome];
  });
  for (const x of other.values()) rows.push([x, word('outcome', x.outcome), '–', false]);
  return [h('h3', null, t('against')), h('div', { class: 'scroll' }, h('table', null, th(t('promised'), t('other-run'), t('service')),
    rows.map(([x, o, s, differs]) => h('tr', { class: differs && 'differs' }, h('td', null, h('span', { lang: 'en' }, value(x.title)), h('br'), code(x.id)), h('td', null, o), h('td', null, s)))))];
}

function looked(r) {
  const c = r.coverage ?? {};
  if (!c.checks) return t('none-run');
  const apply = (c.checks ?? 0) - (c.notApplicable ?? 0) - (c.waived ?? 0);
  const parts = [t('looked', c.checks, c.looked ?? 0, apply > 0 ? Math.round((100 * c.looked) / apply) : 0)];
  const rest = { vacuous: t('with-nothing'), notApplicable: t('outcome-not-applicable'), waived: t('outcome-waived'), inconclusive: t('outcome-inconclusive') };
  for (const [n, what] of Object.entries(rest)) if (c[n]) parts.push(`${c[n]} ${what}`);
  return parts.join(', ') + '.';
}

function groups(results) {
  const by = new Map();
  for (const r of results) {
    const subject = str(r.id).split('/')[0];
    if (!by.has(subject)) by.set(subject, []);
    by.get(subject).push(r);
  }
  return [...by];
}

function drawGroup([subject, results]) {
  const troubled = results.some((r) => ['drift', 'error', 'inconclusive'].includes(r.outcome));
  return h('details', { open: troubled }, h('summary', null, value(subject), ': ', t('hold', results.filter((r) => r.outcome === 'pass').length, results.length)),
    h('div', { class: 'scroll' }, h('table', null, th(t('promise'), t('outcome'), t('looked-at')), results.map((r) => h('tr', null,
      h('td', null, h('span', { lang: 'en' }, value(r.title)), h('br'), code(r.id), ` (${str(r.level)})`),
      h('td', null, h('span', { class: r.outcome === 'pass' ? 'good' : ['drift', 'error'].includes(r.outcome) ? 'bad' : '' }, word('outcome', r.outcome)), r.detail && [h('br'), value(r.detail)]),
      h('td', null, str(r.saw), list(r.exchanges).length > 0 && h('details', null, h('summary', null, t('exchanges', r.exchanges.length)), r.exchanges.map(drawExchange))))))));
}

function drawExchange(x) {
  const headers = Object.entries(x.header ?? {}).flatMap(([n, values]) => list(values).map((v) => `${n}: ${v}`));
  const status = x.status ? `${x.status} ${str(x.content)}, ${t('bytes', x.size)}, ${span(x.duration)}` : str(x.error);
  return h('pre', { tabindex: '0' }, [`${str(x.method)} ${str(x.url)}`, status, ...headers].join('\n'));
}
