// SPDX-License-Identifier: EUPL-1.2
// The AI SDK with its OpenAI-compatible provider.
import assert from 'node:assert/strict';
import {after, before, describe, it} from 'node:test';

import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {generateText, streamText} from 'ai';

import {eventually, Mock} from './mock.mjs';

describe('ai', () => {
  let mock;
  let provider;
  before(async () => {
    mock = await Mock.start('-np', '2', '--mock-reasoning-tokens', '0');
    provider = createOpenAICompatible({name: 'mock', baseURL: `${mock.url}/v1`, includeUsage: true});
  });
  after(() => mock.stop());

  it('generates text by chat', async () => {
    const answer = await generateText(
        {model: provider.chatModel('m'), prompt: 'hello', maxOutputTokens: 3});
    assert.equal(answer.text, ' w333 w334 w335');
    assert.equal(answer.finishReason, 'length');
    assert.equal(answer.usage.inputTokens, 13);
    assert.equal(answer.usage.outputTokens, 3);
  });

  it('generates text by completion', async () => {
    const answer = await generateText(
        {model: provider.completionModel('m'), prompt: 'hello!', maxOutputTokens: 9});
    assert.ok(answer.text.length > 0);
    assert.ok(answer.usage.outputTokens > 0);
  });

  it('streams text by chat', async () => {
    const stream = streamText({model: provider.chatModel('m'), prompt: 'hello?'});
    const parts = [];
    for await (const part of stream.textStream) parts.push(part);
    assert.equal(parts.join(''), 'é€😀\uFFFD e0 e1 e2');
    assert.equal(await stream.finishReason, 'stop');
    assert.equal((await stream.usage).outputTokens, 14);
  });

  it('keeps the conversation in order', async () => {
    const answer = await generateText({
      model: provider.chatModel('m'), maxOutputTokens: 1,
      messages: [{role: 'system', content: 's'}, {role: 'user', content: 'a'},
                 {role: 'assistant', content: 'b'}, {role: 'user', content: 'hello'}],
    });
    assert.equal(answer.text, ' w333');
  });

  it('tells reasoning from the answer', async () => {
    const thinker = await Mock.start('--mock-reasoning-tokens', '2');
    try {
      const model =
          createOpenAICompatible({name: 'mock', baseURL: `${thinker.url}/v1`}).chatModel('m');
      const stream = streamText({model, prompt: 'hello', maxOutputTokens: 4});
      let reasoning = '';
      let text = '';
      for await (const part of stream.fullStream) {
        if (part.type === 'reasoning-delta') reasoning += part.text;
        if (part.type === 'text-delta') text += part.text;
      }
      assert.equal(reasoning, ' w333 w334');
      assert.equal(text, ' w335 w336');
    } finally {
      await thinker.stop();
    }
  });

  it('gives up a stream, which frees the slot', async () => {
    const controller = new AbortController();
    const stream = streamText({
      model: provider.chatModel('m'), prompt: 'hello', maxOutputTokens: 100_000,
      abortSignal: controller.signal, onError: () => {},
    });
    for await (const part of stream.textStream) {
      assert.ok(part.length > 0);
      break;
    }
    controller.abort();
    await eventually(async () => await mock.busySlots() === 0);
  });

  it('sees errors', async () => {
    await mock.fault({type: 'status', code: 400, message: 'no such thing'});
    await assert.rejects(generateText({model: provider.chatModel('m'), prompt: 'x', maxRetries: 0}),
                         (error) => error.statusCode === 400);
    await mock.fault({type: 'html', code: 502});
    await assert.rejects(generateText({model: provider.chatModel('m'), prompt: 'x', maxRetries: 0}),
                         (error) => error.statusCode === 502);
    await mock.fault({type: 'invalid-json', token: 2});
    const errors = [];
    const stream = streamText({
      model: provider.chatModel('m'), prompt: 'hello', maxOutputTokens: 4, maxRetries: 0,
      onError: ({error}) => errors.push(error),
    });
    for await (const part of stream.fullStream) assert.ok(part);
    assert.ok(errors.length > 0);
    await mock.faults({rules: []});
  });
});
