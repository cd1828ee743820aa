// SPDX-License-Identifier: EUPL-1.2
// Writes sse_fixtures.json: inputs, and what an independent implementation makes of them.
//   npm install eventsource-parser@3 && node sse_oracle.mjs > sse_fixtures.json
// Strings stand for bytes, one code unit a byte. The oracle resets the last event id after each
// event where the WHATWG rules keep it: `id` here is the kept one.
import {createParser} from 'eventsource-parser';

const utf8 = (text) => Buffer.from(text, 'utf8').toString('latin1');
const long = 'x'.repeat(5000);
const inputs = {
  empty: '',
  one_lf: '\n',
  only_blank_lines: '\n\n\n\n',
  simple: 'data: hello\n\n',
  simple_crlf: 'data: hello\r\n\r\n',
  simple_cr: 'data: hello\r\rdata: x\n\n',
  no_space: 'data:hello\n\n',
  two_spaces: 'data:  hello\n\n',
  tab_is_kept: 'data:\thello\n\n',
  trailing_space_kept: 'data: hello \n\n',
  only_space: 'data: \n\n',
  empty_data: 'data:\n\n',
  data_without_colon: 'data\n\n',
  two_data_without_colon: 'data\ndata\n\n',
  data_colon_colon: 'data::\n\n',
  data_with_colon: 'data: a:b: c\n\n',
  two_events: 'data: a\n\ndata: b\n\n',
  two_events_crlf: 'data: a\r\n\r\ndata: b\r\n\r\n',
  many_events: Array.from({length: 40}, (_, i) => `data: ${i}\n\n`).join(''),
  multi_line: 'data: a\ndata: b\ndata: c\n\n',
  multi_line_crlf: 'data: a\r\ndata: b\r\n\r\n',
  multi_line_cr: 'data: a\rdata: b\r\rdata: c\n\n',
  multi_line_empty_middle: 'data: a\ndata:\ndata: b\n\n',
  multi_line_empty_first: 'data:\ndata: a\n\n',
  multi_line_empty_last: 'data: a\ndata:\n\n',
  multi_line_all_empty: 'data:\ndata:\ndata:\n\n',
  mixed_endings: 'data: a\rdata: b\ndata: c\r\n\r\ndata: d\n\r\ndata: e\n\n',
  lf_cr: 'data: a\n\rdata: b\n\n',
  cr_lf_lf: 'data: a\r\n\ndata: b\n\n',
  cr_cr_lf: 'data: a\r\r\ndata: b\n\n',
  incomplete: 'data: hello\n',
  incomplete_line: 'data: hello',
  incomplete_second: 'data: a\n\ndata: b\n',
  incomplete_second_line: 'data: a\n\ndata: b',
  incomplete_field: 'data: a\n\nda',
  comment: ': hello\n\n',
  comment_empty: ':\n\n',
  comment_ping: ':\n\ndata: a\n\n:\n\n',
  comment_between_data: 'data: a\n: note\ndata: b\n\n',
  comment_before_blank: 'data: a\n:\n\n',
  comment_with_data: ':data: a\n\n',
  event_type: 'event: ping\ndata: a\n\n',
  event_type_after: 'data: a\nevent: ping\n\n',
  event_type_twice: 'event: a\nevent: b\ndata: x\n\n',
  event_type_emptied: 'event: a\nevent:\ndata: x\n\n',
  event_type_reset: 'event: a\ndata: x\n\ndata: y\n\n',
  event_without_data: 'event: a\n\ndata: y\n\n',
  event_without_colon: 'event\ndata: y\n\n',
  event_no_space: 'event:a\ndata:y\n\n',
  id: 'id: 1\ndata: a\n\n',
  id_kept: 'id: 1\ndata: a\n\ndata: b\n\n',
  id_changed: 'id: 1\ndata: a\n\nid: 2\ndata: b\n\n',
  id_emptied: 'id: 1\ndata: a\n\nid\ndata: b\n\n',
  id_nul_ignored: 'id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n',
  id_twice: 'id: 1\nid: 2\ndata: a\n\n',
  id_text: utf8('id: é-7 \ndata: a\n\n'),
  retry: 'retry: 1500\ndata: a\n\n',
  retry_zero: 'retry: 0\n\n',
  retry_not_a_number: 'retry: 15x\ndata: a\n\n',
  retry_negative: 'retry: -1\ndata: a\n\n',
  retry_empty: 'retry:\ndata: a\n\n',
  retry_fraction: 'retry: 1.5\ndata: a\n\n',
  retry_twice: 'retry: 1\nretry: 2\ndata: a\n\n',
  retry_then_bad: 'retry: 7\nretry: x\ndata: a\n\n',
  unknown_field: 'foo: bar\ndata: a\n\n',
  unknown_field_only: 'foo: bar\n\n',
  error_field: 'error: {"code":500}\n\ndata: [DONE]\n\n',
  field_case: 'Data: a\nDATA: b\ndata: c\n\n',
  field_leading_space: ' data: a\ndata: b\n\n',
  field_trailing_space: 'data : a\ndata: b\n\n',
  field_prefix: 'datax: a\ndat: b\ndata: c\n\n',
  bom: '\xEF\xBB\xBFdata: a\n\n',
  bom_then_comment: '\xEF\xBB\xBF: a\n\ndata: b\n\n',
  bom_in_middle: 'data: a\n\n\xEF\xBB\xBFdata: b\n\ndata: c\n\n',
  bom_in_data: 'data: \xEF\xBB\xBFa\n\n',
  bom_alone: '\xEF\xBB\xBF',
  utf8: utf8('data: é€😀\n\n'),
  utf8_split: utf8('data: é\ndata: €\n\n'),
  utf8_separators: utf8('data: a\u2028b\u2029c\u0085d\n\n'),
  invalid_utf8: 'data: \xFF\xC3\n\n',
  nul_in_data: 'data: a\0b\n\n',
  form_feed: 'data: a\fb\vc\n\n',
  long_line: `data: ${long}\n\n`,
  long_comment: `:${long}\ndata: a\n\n`,
  long_multi_line: `data: ${long}\ndata: ${long}\n\n`,
  done: 'data: {"a":1}\n\ndata: [DONE]\n\n',
  json: 'data: {"choices":[{"text":" w333","index":0}]}\n\n',
  blank_lines_between: 'data: a\n\n\n\n\ndata: b\n\n',
  blank_lines_first: '\n\ndata: a\n\n',
  all_fields: 'id: 9\nevent: e\nretry: 3\ndata: d1\n: c\ndata: d2\n\n',
};

const fixtures = [];
for (const [name, input] of Object.entries(inputs)) {
  const events = [];
  let id = '';
  let retry = -1;
  const parser = createParser({
    onEvent: (event) => {
      if (event.id !== undefined) id = event.id;
      events.push({data: event.data, type: event.event ?? '', id});
    },
    onRetry: (ms) => { retry = ms; },
  });
  if (input.length > 0) parser.feed(input);
  fixtures.push({name, input, events, retry});
}
process.stdout.write(JSON.stringify(fixtures, null, 0).replaceAll('{"name"', '\n{"name"') + '\n');
