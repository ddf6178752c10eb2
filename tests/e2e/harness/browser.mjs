// Debian's Chromium, without a screen, in a user folder of its own that is gone afterwards.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { atEnd } from './ending.mjs';
import { outputFolder } from './output.mjs';
import { deadlineMs } from './wait.mjs';

const screenshotFolder = join(outputFolder, 'screenshots');

// Chromium is many processes: on a busy machine it takes its time.
export const browserMs = 4 * deadlineMs;

export async function startBrowser(t) {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  atEnd(t, () => browser.close());
  return browser;
}

// A page in a profile of its own. `complaints`: what it said on the console as a warning or an error,
// and what it did not catch; `requests`: every URL that it asked for.
export async function openPage(t, browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  atEnd(t, () => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(browserMs);
  page.complaints = [];
  page.requests = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) page.complaints.push(message.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('request', (request) => page.requests.push(request.url()));
  page.on('websocket', (socket) => page.requests.push(socket.url()));
  await page.goto(url);
  return page;
}

export async function takeScreenshot(page, name) {
  mkdirSync(screenshotFolder, { recursive: true });
  await page.screenshot({ path: join(screenshotFolder, `${name}.png`), fullPage: true });
}

// Every visible text of the page: { text, ratio } with the contrast of WCAG 2.1 (1.4.3) between it and
// the nearest ground that is painted.
export function contrasts(page) {
  return page.evaluate(() => {
    const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
    const luminance = (colour) => {
      const [red, green, blue] = channels(colour).slice(0, 3).map((value) => {
        const part = value / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const groundOf = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if ((channels(colour)[3] ?? 1) === 1) return colour;
      }
      throw new Error('nothing is painted behind the page');
    };
    const found = [];
    for (const element of document.body.querySelectorAll('*')) {
      const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE)
        .map((node) => node.data.trim()).join('') || element.placeholder;
      if (!text || !element.checkVisibility()) continue;
      const part = element.placeholder ? '::placeholder' : null;
      const [lighter, darker] = [getComputedStyle(element, part).color, groundOf(element)]
        .map(luminance).sort((a, b) => b - a);
      found.push({ text, ratio: (lighter + 0.05) / (darker + 0.05) });
    }
    return found;
  });
}
