// Looks at the pages of `reveille report` in headless Chromium: axe-core finds nothing, nothing is fetched or run, a keyboard reaches what a
// pointer does, and nothing is wider than its window. Leaves a screenshot for each width, light and dark. `make report-page` calls it.
//
//   node check.mjs CHROMIUM FOLDER     FOLDER has the pages; the screenshots go there, too

import {readFile, readdir} from 'node:fs/promises';
import {createRequire} from 'node:module';
import {pathToFileURL} from 'node:url';
import path from 'node:path';
import puppeteer from 'puppeteer-core';

const [chromium, folder] = process.argv.slice(2);
const WIDTHS = [400, 900, 1600];
const SCHEMES = ['light', 'dark'];
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let faults = 0;
const fault = (where, what) => {
  faults += 1;
  console.error(`${where}: ${what}`);
};

const browser = await puppeteer.launch({
  executablePath: chromium,
  // Chromium refuses its sandbox to root; the pages are our own.
  args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  protocolTimeout: 600_000,
});

async function opened(file, width, scheme) {
  const page = await browser.newPage();
  page.setDefaultTimeout(600_000);
  await page.setViewport({width, height: 900});
  await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: scheme}]);
  const own = pathToFileURL(file).href;
  page.on('request', request => {
    if (!request.url().startsWith(own)) fault(file, `asks for ${request.url()}`);
  });
  page.on('dialog', dialog => {
    fault(file, `runs a script: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('console', message => fault(file, `the console says: ${message.text()}`));
  await page.goto(own, {waitUntil: 'load'});
  return page;
}

async function judged(page, where, everything) {
  if (everything) await page.$$eval('details', all => all.forEach(it => { it.open = true; }));
  // The page's policy lets no script run; axe-core comes in by the debugger, beside the page.
  const found = await page.evaluate(`${axe}; axe.run(document, {resultTypes: ['violations']})`);
  for (const violation of found.violations) {
    fault(where, `axe-core: ${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')}`);
  }
  const wide = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  if (wide > 0) fault(where, `is ${wide} pixels wider than its window`);
  return found.passes.length;
}

// From the top, Tab comes to a notebook; Enter on a day opens the list that has its runs.
async function byKeyboard(page, where) {
  const reached = [];
  for (let turn = 0; turn < 12; turn += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate('document.activeElement.closest("a,summary,[tabindex]")?.outerHTML.slice(0, 60) ?? ""'));
  }
  if (!reached.some(html => html.startsWith('<a href="#n'))) fault(where, `Tab reaches no notebook: ${reached.join(', ')}`);
  const row = await page.$eval('.days td a[href^="#r"]', link => {
    link.focus();
    return link.getAttribute('href').slice(1);
  });
  await page.keyboard.press('Enter');
  await page.waitForFunction(`document.getElementById("${row}").closest("details").open`, {timeout: 60_000}).catch(() => fault(where, `${row} stays hidden`));
}

for (const name of (await readdir(folder)).filter(name => name.endsWith('.html')).sort()) {
  const file = path.resolve(folder, name);
  // axe-core looks at ten thousand rows for minutes: of that page, at what is open.
  const [widths, everything] = name === 'large.html' ? [[900], false] : [WIDTHS, true];
  for (const width of widths) {
    for (const scheme of name === 'large.html' ? ['light'] : SCHEMES) {
      const where = `${name} at ${width} (${scheme})`;
      const page = await opened(file, width, scheme);
      await page.screenshot({path: path.join(folder, `${path.parse(name).name}-${width}-${scheme}.png`), fullPage: true});
      const passes = await judged(page, where, everything);
      if (passes === 0) fault(where, 'axe-core looked at nothing');
      await page.close();
    }
  }
  if (name === 'sample.html') {
    const page = await opened(file, 900, 'light');
    await byKeyboard(page, name);
    await page.screenshot({path: path.join(folder, 'sample-runs.png')});
    await page.pdf({path: path.join(folder, 'sample.pdf'), format: 'A4', landscape: true});
    await page.close();
  }
  console.log(`${name}: ${widths.join(', ')} pixels wide`);
}
await browser.close();
console.log(faults === 0 ? 'axe-core finds nothing, and nothing is fetched' : `${faults} faults`);
process.exit(faults === 0 ? 0 : 1);
