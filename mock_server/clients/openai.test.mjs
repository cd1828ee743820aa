// SPDX-License-Identifier: EUPL-1.2
// OpenAI's own client.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';

import OpenAI, {APIConnectionError, APIError} from 'openai';

import {eventually, Mock} from './mock.mjs';

const messages = [{role: 'user', content: 'hello'}];
const endless = {model: 'm', prompt: 'hello', max_tokens: 100_000, stream: true};

describe('openai', () => {
  let mock;
  let client;
  let blunt;
  before(async () => {
    mock = await Mock.start('--api-key', 'sesame', '-np', '4');
    // With its usual retries: the server closes a connection after a stream although it said that it
    // would stay, and the client may have chosen it for the next request.
    client = new OpenAI({baseURL: `${mock.url}/v1`, apiKey: 'sesame', maxRetries: 2});
    blunt = new OpenAI({baseURL: `${mock.url}/v1`, apiKey: 'sesame', maxRetries: 0});
  });
  after(() => mock.stop());

  it('lists the model', async () => {
    const models = await client.models.list();
    assert.equal(models.data.length, 1);
    assert.equal(models.data[0].owned_by, 'llamacpp');
  });

  it('completes', async () => {
    const answer = await client.completions.create({model: 'm', prompt: 'hello', max_tokens: 3});
    assert.equal(answer.object, 'text_completion');
    assert.equal(answer.choices[0].text, ' w333 w334 w335');
    assert.equal(answer.choices[0].finish_reason, 'length');
    assert.equal(answer.usage.completion_tokens, 3);
    assert.equal(answer.usage.prompt_tokens, 6);
  });

  it('streams a completion', async () => {
    const stream = await client.completions.create(
        {model: 'm', prompt: 'hello?', max_tokens: 30, stream: true});
    let text = '';
    let last;
    for await (const chunk of stream) {
      text += chunk.choices[0].text;
      last = chunk;
    }
    assert.equal(text, 'é€😀\uFFFD e0 e1 e2');
    assert.equal(last.choices[0].finish_reason, 'stop');
    assert.equal(last.usage.completion_tokens, 14);
  });

  it('chats', async () => {
    const answer = await client.chat.completions.create({model: 'm', messages, max_tokens: 2, n: 2});
    assert.deepEqual(answer.choices.map((choice) => choice.message.content),
                     [' w333 w334', ' w333 w334']);
    assert.equal(answer.usage.total_tokens, 15);
  });

  it('streams a chat with usage and log-probabilities', async () => {
    const stream = await client.chat.completions.create({
      model: 'm', messages, max_tokens: 3, stream: true, logprobs: true, top_logprobs: 2,
      stream_options: {include_usage: true},
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    const tokens = chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? []);
    assert.deepEqual(tokens.map((token) => token.id), [598, 599, 600]);
    assert.equal(tokens[0].top_logprobs.length, 2);
    assert.deepEqual(chunks.at(-1).choices, []);
    assert.equal(chunks.at(-1).usage.completion_tokens, 3);
  });

  it('runs a chat stream to its final content', async () => {
    const runner = client.beta.chat.completions.stream(
        {model: 'm', messages: [{role: 'user', content: 'hello!'}]});
    assert.equal(await runner.finalContent(), ' e0 e1 e2');
  });

  it('gives up a stream, which frees the slot', async () => {
    const stream = await client.completions.create(endless);
    for await (const chunk of stream) {
      assert.ok(chunk.choices[0].text);
      break;
    }
    stream.controller.abort();
    await eventually(async () => {
      const slots = await fetch(`${mock.url}/slots`, {headers: {authorization: 'Bearer sesame'}});
      return (await slots.json()).every((slot) => !slot.is_processing);
    });
  });

  it('sees errors by their status', async () => {
    const stranger = new OpenAI({baseURL: `${mock.url}/v1`, apiKey: 'wrong', maxRetries: 0});
    await assert.rejects(stranger.models.list(), (error) => error instanceof APIError &&
        error.status === 401);
    await assert.rejects(client.chat.completions.create({model: 'm', messages: 'no'}),
                         (error) => error.status === 400 && /to be an array/.test(error.message));
    for (const code of [404, 429, 500, 503]) {
      await mock.fault({type: 'status', code});
      await assert.rejects(blunt.chat.completions.create({model: 'm', messages}),
                           (error) => error.status === code);
    }
    await mock.faults({rules: []});
  });

  it('tries again as Retry-After says', async () => {
    await mock.faults({rules: [{times: 1, fault: {type: 'status', code: 503, retry_after: '0.2'}}]});
    const start = Date.now();
    const answer = await client.completions.create({model: 'm', prompt: 'hello', max_tokens: 1});
    assert.equal(answer.choices[0].text, ' w333');
    assert.ok(Date.now() - start >= 150);
    await mock.faults({rules: []});
  });

  it('sees the error in the middle of a stream', async () => {
    await mock.fault({type: 'error-event', token: 3});
    const stream = await client.completions.create({...endless, max_tokens: 9});
    let seen = 0;
    await assert.rejects(async () => {
      for await (const chunk of stream) seen += chunk.choices.length;
    }, /Context size has been exceeded/);
    assert.equal(seen, 2);
    await mock.faults({rules: []});
  });

  it('sees connections that break', async () => {
    await mock.fault({type: 'cut', after_bytes: 0, how: 'reset'});
    await assert.rejects(blunt.completions.create({model: 'm', prompt: 'a'}), APIConnectionError);
    await mock.fault({type: 'end', token: 3, how: 'reset'});
    const stream = await client.completions.create(endless);
    await assert.rejects(async () => {
      for await (const chunk of stream) assert.ok(chunk);
    });
    await mock.faults({rules: []});
  });
});
