package walk

import (
	"strings"
	"testing"

	"github.com/mockfhir/mockfhir/fixtures"
)

// accessible sees what axe would: names, references, headings, contrast, room.
const accessible = `(() => {
	const wrong = [];
	const seen = (e) => e.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && e.getClientRects().length > 0;
	const what = (e) => e.outerHTML.slice(0, 160);
	const ids = new Map();
	for (const e of document.querySelectorAll('[id]')) ids.set(e.id, (ids.get(e.id) ?? 0) + 1);
	for (const [id, n] of ids) if (n > 1) wrong.push('the id ' + id + ' is given ' + n + ' times');
	for (const a of ['aria-labelledby', 'aria-describedby', 'aria-activedescendant', 'aria-controls', 'for']) {
		for (const e of document.querySelectorAll('[' + a + ']')) {
			for (const id of e.getAttribute(a).split(' ')) if (!document.getElementById(id)) wrong.push(a + ' of ' + what(e) + ' refers to nothing');
		}
	}
	const named = (e) => (e.getAttribute('aria-label') ?? '').trim() || e.hasAttribute('aria-labelledby');
	for (const e of document.querySelectorAll('input, select, textarea, meter')) {
		if (seen(e) && !named(e) && ![...e.labels].some((l) => l.textContent.trim())) wrong.push('no label: ' + what(e));
	}
	for (const e of document.querySelectorAll('button, a[href], summary, [role=option]')) {
		if (seen(e) && !named(e) && !e.textContent.trim()) wrong.push('no name: ' + what(e));
	}
	for (const e of document.querySelectorAll('[tabindex]')) {
		if (e.tabIndex > 0) wrong.push('its own focus order: ' + what(e));
		if (e.tabIndex === 0 && !named(e) && e.tagName !== 'PRE') wrong.push('can be focused and has no name: ' + what(e));
	}
	for (const e of document.querySelectorAll('[role=option]')) if (!e.closest('[role=listbox]') || !e.hasAttribute('aria-selected')) wrong.push('an option of nothing: ' + what(e));
	for (const e of document.querySelectorAll('[role=switch]')) if (!['true', 'false'].includes(e.getAttribute('aria-checked'))) wrong.push('a switch in no state: ' + what(e));
	const roles = ['listbox', 'option', 'switch', 'status', 'group', 'alert'];
	for (const e of document.querySelectorAll('[role]')) if (!roles.includes(e.getAttribute('role'))) wrong.push('an unknown role: ' + what(e));
	for (const tag of ['main', 'nav', 'h1']) if (document.querySelectorAll(tag).length !== 1) wrong.push('not one ' + tag);
	for (const e of document.querySelectorAll('ul, ol')) for (const c of e.children) if (c.tagName !== 'LI') wrong.push('in a list: ' + what(c));
	for (const e of document.querySelectorAll('table')) if (!e.querySelector('th[scope]')) wrong.push('a table without headers: ' + what(e));
	let level = 0;
	for (const e of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
		if (!seen(e)) continue;
		const now = Number(e.tagName[1]);
		if (now > level + 1) wrong.push('a heading skips a level: ' + what(e));
		if (!e.textContent.trim()) wrong.push('an empty heading');
		level = now;
	}
	const colour = (text) => { const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number); return { r, g, b, a }; };
	const light = ({ r, g, b }) => [r, g, b].map((x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4).reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor); if (c.a === 1) return c; if (c.a > 0) wrong.push('half a background: ' + what(e)); } return colour(getComputedStyle(document.documentElement).colorScheme.includes('dark') ? 'rgb(0,0,0)' : 'rgb(255,255,255)'); };
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let looked = 0;
	for (let n = texts.nextNode(); n; n = texts.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || !seen(e) || e.closest(':disabled, option, noscript, script')) continue;
		const s = getComputedStyle(e), a = light(colour(s.color)), b = light(behind(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(s.fontSize), large = size >= 24 || (size >= 18.66 && s.fontWeight >= 700);
		if (ratio < (large ? 3 : 4.5)) wrong.push('contrast ' + ratio.toFixed(2) + ': ' + what(e));
		looked++;
	}
	for (const word of ['[object', 'undefined', 'NaN']) if (document.getElementById('main').innerText.includes(word)) wrong.push('the page says ' + word);
	if (looked < 10) wrong.push('only ' + looked + ' texts were looked at');
	for (const e of document.querySelectorAll('button, select, input:not([type=checkbox]), nav a')) {
		const box = e.getBoundingClientRect();
		if (seen(e) && (box.height < 24 || box.width < 24)) wrong.push('too small to hit, ' + box.width + ' by ' + box.height + ': ' + what(e));
	}
	const room = document.documentElement.clientWidth; // innerWidth of a phone grows with what does not fit
	const over = document.documentElement.scrollWidth - room;
	if (over > 0) {
		const widest = [...document.querySelectorAll('body *')].filter((e) => seen(e) && e.getBoundingClientRect().right > room + 1).at(-1);
		wrong.push('wider than the window by ' + over + ': ' + (widest ? what(widest) : ''));
	}
	return [...new Set(wrong)].slice(0, 12);
})()`

// accessible reports what somebody who cannot see well would stumble over.
func (p *tab) accessible() {
	p.Helper()
	for _, wrong := range is[[]string](p, accessible) {
		p.Error(wrong)
	}
}

// TestAccessibleNotices: each thing the walk looks for is noticed when it is
// wrong.
func TestAccessibleNotices(t *testing.T) {
	p := look(t, browser(t), serve(t, fixtures.Default())+"/#report", "en", phone, false)
	p.until(`document.querySelector('#report input')`)
	p.accessible()
	for _, c := range []struct{ wrong, noticed string }{
		{`e('input')`, "no label"},
		{`e('button')`, "no name"},
		{`e('a').href = '#x'`, "no name"},
		{`e('p').id = 'nav'`, "is given 2 times"},
		{`e('div').setAttribute('aria-labelledby', 'nobody')`, "refers to nothing"},
		{`e('p', 'text').tabIndex = 3`, "its own focus order"},
		{`e('div').tabIndex = 0`, "has no name"},
		{`e('div', 'text').setAttribute('role', 'option')`, "an option of nothing"},
		{`e('button', 'text').setAttribute('role', 'switch')`, "a switch in no state"},
		{`e('div').setAttribute('role', 'marquee')`, "an unknown role"},
		{`e('h5', 'text')`, "a heading skips a level"},
		{`e('h1', 'text')`, "not one h1"},
		{`e('ul').append(document.createElement('p'))`, "in a list"},
		{`e('table', 'text')`, "a table without headers"},
		{`e('p', 'text').style.color = '#999'`, "contrast"},
		{`e('button', 'x').style.cssText = 'min-height: 0; height: 10px; padding: 0'`, "too small to hit"},
		{`e('p', 'text').style.width = '900px'`, "wider than the window"},
		{`e('p', '[object Object]')`, "the page says [object"},
	} {
		p.run(`const e = (tag, text = '') => {
			const made = document.createElement(tag);
			made.dataset.wrong = '';
			made.textContent = text;
			document.getElementById('report').append(made);
			return made;
		}; ` + c.wrong)
		if found := strings.Join(is[[]string](p, accessible), "\n"); !strings.Contains(found, c.noticed) {
			t.Errorf("%s is not noticed: %s", c.wrong, found)
		}
		p.run(`document.querySelectorAll('[data-wrong]').forEach((e) => e.remove())`)
	}
	p.accessible()
}
