// puppeteer-core drives Chromium over a WebSocket out of `ws`. Prints what was seen.
import puppeteer from 'puppeteer-core';

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM_PATH || '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync'],
});
const seen = { endpoint: browser.wsEndpoint().startsWith('ws://127.0.0.1:') };
try {
  const pages = await Promise.all(Array.from({ length: 3 }, () => browser.newPage()));
  const titles = pages.map(async (page, at) => {
    await page.setContent(`<title>page ${at}</title><p id="text">κόσμε ${at}</p>`);
    return [await page.title(), await page.$eval('#text', ({ textContent }) => textContent)];
  });
  seen.titles = await Promise.all(titles);
  const [page] = pages;
  seen.up = await page.evaluate((text) => text.length, 'x'.repeat(3_000_000));
  seen.down = (await page.evaluate(() => 'é'.repeat(3_000_000))).length;
  seen.screenshot = Buffer.from((await page.screenshot()).subarray(1, 4)).toString();
  await page.exposeFunction('double', (number) => 2 * number);
  seen.called = await page.evaluate(async () => {
    let number = 1;
    for (let at = 0; at < 20; at += 1) number = await double(number);
    return number;
  });
  seen.error = await page.evaluate(() => {
    throw new TypeError('thrown in the page');
  }).catch(({ message }) => message.split('\n')[0]); // prettier-ignore
  const second = await puppeteer.connect({ browserWSEndpoint: browser.wsEndpoint() });
  seen.shared = (await second.pages()).length === (await browser.pages()).length;
  await second.disconnect();
} finally {
  await browser.close();
}
seen.connected = browser.connected;
console.log(JSON.stringify(seen));
