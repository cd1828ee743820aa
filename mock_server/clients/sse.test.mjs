// SPDX-License-Identifier: EUPL-1.2
// The corpus of event streams, served by the mock and read by eventsource-parser: whole, byte by
// byte and at every split in two (a twentieth of them unless ROCM_SOAK is set). The corpus says
// what is to be seen; the decoder in backend/wire is held against the same.
import {createParser} from 'eventsource-parser';
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import net from 'node:net';
import {after, before, describe, it} from 'node:test';
import {fileURLToPath} from 'node:url';

import {Mock} from './mock.mjs';

const corpus = JSON.parse(readFileSync(
    fileURLToPath(new URL('../../backend/wire/testdata/sse_fixtures.json', import.meta.url))));
const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n';
const soak = process.env.ROCM_SOAK !== undefined;

describe('eventsource-parser', () => {
  let mock;
  let port;
  before(async () => {
    mock = await Mock.start();
    port = new URL(mock.url).port;
  });
  after(() => mock.stop());

  // Reads on a plain socket, so that each piece reaches the parser as it came.
  function read() {
    return new Promise((resolve, reject) => {
      const events = [];
      let id = '';
      let retry = -1;
      let pieces = 0;
      let skipped = 0;
      const decoder = new TextDecoder();
      const parser = createParser({
        onEvent: (event) => {
          if (event.id !== undefined) id = event.id;
          events.push({data: event.data, type: event.event ?? '', id});
        },
        onRetry: (ms) => { retry = ms; },
      });
      const socket = net.connect(port, '127.0.0.1', () => {
        socket.write('GET /corpus HTTP/1.1\r\nHost: x\r\n\r\n');
      });
      socket.on('data', (bytes) => {
        const rest = Math.min(bytes.length, head.length - skipped);
        skipped += rest;
        if (rest === bytes.length) return;
        ++pieces;
        parser.feed(decoder.decode(bytes.subarray(rest), {stream: true}));
      });
      socket.on('error', reject);
      socket.on('close', () => resolve({events, retry, pieces}));
    });
  }

  async function serve(fixture, wire) {
    const bytes = Buffer.from(head + fixture.input, 'latin1');
    const when = {endpoint: '/corpus'};
    const rules = [{when, fault: {type: 'raw', base64: bytes.toString('base64')}}];
    if (wire) rules.push({when, fault: wire});
    await mock.faults({rules});
    return read();
  }

  // The corpus has a code unit for each byte.
  function decoded(text) {
    return new TextDecoder('utf-8', {ignoreBOM: true}).decode(Buffer.from(text, 'latin1'));
  }

  function check(fixture, seen, how) {
    const events = fixture.events.map(
        ({data, type, id}) => ({data: decoded(data), type: decoded(type), id: decoded(id)}));
    assert.deepEqual({events: seen.events, retry: seen.retry}, {events, retry: fixture.retry},
                     `${fixture.name} ${how}`);
  }

  it('has a corpus', () => assert.ok(corpus.length >= 62));

  it('agrees on every stream served whole', async () => {
    for (const fixture of corpus) check(fixture, await serve(fixture), 'whole');
  });

  it('agrees byte by byte', async () => {
    let pieces = 0;
    let bytes = 0;
    for (const fixture of corpus) {
      if (fixture.input.length > (soak ? 20_000 : 60)) continue;
      const all = head.length + fixture.input.length;
      const at = Array.from({length: fixture.input.length}, (_, i) => head.length + i);
      const seen = await serve(fixture, {type: 'split', at: [...at, all], gap_ms: 0.2});
      check(fixture, seen, 'byte by byte');
      pieces += seen.pieces;
      bytes += fixture.input.length;
    }
    assert.ok(pieces > bytes / 2, `${pieces} pieces for ${bytes} bytes: not split on the way`);
  });

  it('agrees at every split in two', async () => {
    let splits = 0;
    let apart = 0;
    for (const [number, fixture] of corpus.entries()) {
      const step = soak ? 1 : Math.max(20, Math.ceil(fixture.input.length / 6));
      for (let at = 1 + (soak ? 0 : number % step); at < fixture.input.length; at += step) {
        const seen = await serve(fixture, {type: 'split', at: [head.length + at], gap_ms: 3});
        check(fixture, seen, `split at ${at}`);
        ++splits;
        if (seen.pieces === 2) ++apart;
      }
    }
    assert.ok(apart > splits * 0.7, `${apart} of ${splits} arrived in two pieces`);
  });
});
