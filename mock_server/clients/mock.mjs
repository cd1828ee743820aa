// SPDX-License-Identifier: EUPL-1.2
// Starts the mock and sets its faults.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import path from 'node:path';

const folder = process.env.ROCM_TEST_BIN_DIR ?? path.resolve('../../build/release/bin');

export class Mock {
  static async start(...args) {
    const child = spawn(path.join(folder, 'mock-llama-server'), ['--port', '0', ...args],
                        {stdio: ['ignore', 'ignore', 'pipe']});
    let log = '';
    const url = await new Promise((resolve, reject) => {
      child.stderr.on('data', (bytes) => {
        log += bytes;
        const found = log.match(/listening on (http:\S+)/);
        if (found) resolve(found[1]);
      });
      child.on('exit', (code) => reject(new Error(`the mock ended with ${code}:\n${log}`)));
      child.on('error', reject);
    });
    return new Mock(child, url);
  }

  constructor(child, url) {
    this.child = child;
    this.url = url;
  }

  async faults(script) {
    const answer = await fetch(`${this.url}/mock/faults`,
                               {method: 'POST', body: JSON.stringify(script)});
    if (!answer.ok) throw new Error(await answer.text());
  }

  async fault(fault, when = {}) {
    await this.faults({rules: [{when, fault}]});
  }

  async busySlots() {
    const slots = await (await fetch(`${this.url}/slots`)).json();
    return slots.filter((slot) => slot.is_processing).length;
  }

  async stop() {
    const ended = once(this.child, 'exit');
    this.child.removeAllListeners('error');
    this.child.kill('SIGKILL');
    await ended;
  }
}

// Until the condition holds; ten seconds at most.
export async function eventually(condition) {
  for (const end = Date.now() + 10_000; Date.now() < end;) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it never came true');
}
