// The shell: which story is shown, in which language and session.

import { h, options } from './dom.js';
import { control, memory, session, tell } from './mock.js';
import { language, other, setLanguage, t } from './words.js';
import * as key from './key.js';
import * as attempt from './try.js';
import * as watch from './watch.js';
import * as breaking from './break.js';
import * as report from './report.js';

const stories = { key, try: attempt, watch, break: breaking, report };

function draw() {
  document.documentElement.lang = language;
  document.title = 'mockfhir: ' + t('title');
  for (const id of ['skip', 'tagline', 'session-label']) document.getElementById(id).textContent = t(id);
  const nav = document.getElementById('nav');
  nav.setAttribute('aria-label', t('stories'));
  nav.append(h('ul', null, Object.keys(stories).map((name) => h('li', null, h('a', { href: '#' + name }, t('nav-' + name))))));
  const switcher = document.getElementById('language');
  switcher.textContent = other === 'fr' ? 'Français' : 'English';
  switcher.lang = other;
  switcher.addEventListener('click', () => { setLanguage(other); location.reload(); });
  const main = document.getElementById('main');
  for (const name of Object.keys(stories)) {
    main.append(h('section', { id: name, 'aria-labelledby': `h-${name}`, hidden: true },
      h('h2', { id: `h-${name}`, tabindex: '-1' }, t('nav-' + name)), h('p', null, t('about-' + name))));
  }
}

const drawn = new Set();

// show draws a story when it is first looked at: nothing waits for the others.
function show(focus) {
  let name = location.hash.slice(1);
  if (!Object.hasOwn(stories, name)) {
    if (name === 'main') return;
    name = 'key';
  }
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== name;
  for (const a of document.querySelectorAll('nav a')) {
    if (a.hash === '#' + name) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  const section = document.getElementById(name);
  if (!drawn.has(name)) {
    drawn.add(name);
    tell(async () => stories[name].draw(section))();
  }
  for (const [other, story] of Object.entries(stories)) story.shown?.(other === name);
  if (focus) document.getElementById('h-' + name).focus();
}

async function fillSessions() {
  const chooser = document.getElementById('session');
  const sessions = await control('GET', 'sessions');
  const names = sessions.map((s) => s.name);
  if (!names.includes(session())) memory.set('session', 'default');
  chooser.replaceChildren(...options([...names.map((n) => [n, n]), [t('new-session'), '+']]));
  chooser.value = session();
  chooser.onchange = tell(async () => {
    let name = chooser.value;
    if (name === '+') name = (await control('POST', 'sessions', {})).name;
    memory.set('session', name);
    location.reload();
  });
}

draw();
addEventListener('hashchange', () => show(true));
show(false);
tell(fillSessions)();
