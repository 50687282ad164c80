"""report.html in a browser, while the run goes on and after it: /usr/bin/python3 tests/report.py [PROGRAMS]

Needs Debian's chromium, chromium-driver and python3-selenium; says so and succeeds where they are missing. PROGRAMS is the
folder with vae_mnist (models).
"""
import json
import os
import subprocess
import sys
import tempfile
import time

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.action_chains import ActionChains
    if not os.path.exists('/usr/bin/chromedriver'):
        raise ImportError
except ImportError:
    print('report: skipped, as chromium-driver or python3-selenium is not installed')
    sys.exit(0)


def browser(width, height):
    options = Options()
    for argument in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'):
        options.add_argument(argument)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
    driver = webdriver.Chrome(service=Service('/usr/bin/chromedriver'), options=options)
    driver.set_window_size(width, height)
    return driver


def expect(what, fine):
    print(f'report: {what}: {"ok" if fine else "NOT SO"}')
    if not fine:
        sys.exit(1)


def wait_for(condition, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


def requests(driver):
    """Addresses that the page asked for, but for itself and what it has inside."""
    messages = (json.loads(entry['message'])['message'] for entry in driver.get_log('performance'))
    urls = (m['params']['request']['url'] for m in messages if m['method'] == 'Network.requestWillBeSent')
    return [url for url in urls if not url.startswith(('data:', 'file:'))]


def drive(driver):
    run = driver.execute_script
    run("const s = document.querySelector('.frames input'); s.value = 0; s.dispatchEvent(new Event('input'))")
    expect('slider', run("return document.querySelector('.frames output').textContent") == 'epoch 1' and
           run("return document.querySelectorAll('.frames img:not([hidden])').length") == 1)
    driver.find_element('css selector', '.chart input').click()
    expect('logarithmic switch', run("return getComputedStyle(document.querySelector('.chart .linear')).display") == 'none')
    driver.find_element('css selector', '.points fieldset input[value="1"]').click()
    expect('legend', run("return getComputedStyle(document.querySelector('g[data-class=\"1\"]')).visibility") == 'hidden')
    place = run("""const figure = document.querySelector('.points'), svg = figure.querySelector('svg');
        figure.scrollIntoView();
        const p = JSON.parse(figure.querySelector('script').textContent).find(p => p[2] !== 1);
        const scale = svg.clientWidth / svg.viewBox.baseVal.width;
        return [p[0] * scale - svg.clientWidth / 2, p[1] * scale - svg.clientHeight / 2]""")
    ActionChains(driver).move_to_element_with_offset(driver.find_element('css selector', '.points svg'), *place).perform()
    expect('image under the pointer', wait_for(lambda: run("return document.querySelector('.peek').textContent"), 5))
    before = run("return Array.from(document.querySelector('.explorer').pixels())")
    run("const s = document.querySelector('.explorer input'); s.value = s.max; s.dispatchEvent(new Event('input'))")
    expect('latent explorer', run("return Array.from(document.querySelector('.explorer').pixels())") != before)


def main():
    programs = sys.argv[1] if len(sys.argv) > 1 else 'models'
    with tempfile.TemporaryDirectory() as folder:
        page = f'{folder}/run/report.html'
        job = subprocess.Popen([f'{programs}/vae_mnist', '--quiet', '--data', 'synthetic', '--latent', '2', '--hidden', '100',
                                '--epochs', '12', '--out', f'{folder}/run'], stdout=subprocess.DEVNULL)
        expect('a page after the first epoch', wait_for(lambda: os.path.exists(page)))
        driver = browser(1300, 1000)
        try:
            driver.get('file://' + page)
            note = driver.execute_script("const n = document.querySelector('.live'); return n && n.textContent")
            expect('the page of a running job says so', note is None or 'goes on' in note)
            expect('the run', job.wait() == 0)
            cell = "return document.querySelector('td').textContent"
            expect('the open page shows the end of the run', wait_for(lambda: driver.execute_script(cell) == 'finished'))
            drive(driver)
            driver.set_window_size(500, 900)
            expect('fits a narrow window', driver.execute_script(
                'return document.documentElement.scrollWidth <= document.documentElement.clientWidth'))
            expect('nothing on the console', not driver.get_log('browser'))
            expect('nothing is fetched', not requests(driver))
        finally:
            driver.quit()


if __name__ == '__main__':
    main()
