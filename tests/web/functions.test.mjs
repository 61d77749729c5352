// The page's functions that need no browser, under node --test.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorText } from '../../manage/web/api.js';
import { description, EMPTY } from '../../manage/web/description.js';
import * as format from '../../manage/web/format.js';
import { History, niceCeiling, WINDOW } from '../../manage/web/history.js';

test('sizes and counts have three digits at most', () => {
  assert.equal(format.bytes(0), '0 B');
  assert.equal(format.bytes(1023), '1023 B');
  assert.equal(format.bytes(1536), '1.5 KiB');
  assert.equal(format.bytes(256 * 1024 ** 2), '256 MiB');
  assert.equal(format.bytes(undefined), '–');
  assert.equal(format.count(950), '950');
  assert.equal(format.count(1234), '1.23k');
  assert.equal(format.count(99_950_000), '100M');
  assert.equal(format.percent(3.14), '3.1 %');
  assert.equal(format.percent(137.4), '137 %');
});

test('durations name their two largest units', () => {
  assert.equal(format.duration(7.81), '7.81 s');
  assert.equal(format.duration(60), '1 min');
  assert.equal(format.duration(3725), '1 h 2 min');
  assert.equal(format.duration(2 * 86400 + 3 * 3600), '2 d 3 h');
});

test('rates are those between two polls', () => {
  const history = new History();
  history.add(10, { cpuTime: 0, stealTime: 0, exits: 0 });
  history.add(12, { cpuTime: 3e9, stealTime: 1e9, exits: 500 });
  assert.deepEqual(history.points, [{ time: 12, cpu: 150, steal: 50, exits: 250 }]);
  assert.equal(history.current(13), history.points[0]);
  assert.equal(history.current(60), undefined);
});

test('polls that nearly coincide, or overtook each other, give no rate', () => {
  const history = new History();
  history.add(10, { cpuTime: 0, stealTime: 0, exits: 0 });
  history.add(10.01, { cpuTime: 1e9, stealTime: 0, exits: 10 });
  history.add(9, { cpuTime: 0, stealTime: 0, exits: 0 });
  assert.equal(history.points.length, 0);
  history.add(11, { cpuTime: 1e9, stealTime: 0, exits: 10 });
  assert.equal(history.points[0].cpu, 100);
});

test('counters that begin anew leave a gap', () => {
  const history = new History();
  history.add(1, { cpuTime: 9e9, stealTime: 0, exits: 100 });
  history.add(2, { cpuTime: 1e9, stealTime: 0, exits: 5 });
  assert.equal(history.points.length, 0);
  history.add(3, { cpuTime: 1.5e9, stealTime: 0, exits: 6 });
  assert.equal(history.points[0].cpu, 50);
});

test('what is old is forgotten', () => {
  const history = new History();
  for (let time = 0; time < 2 * WINDOW; time++) history.add(time, { cpuTime: 0, stealTime: 0, exits: 0 });
  assert.equal(history.points.length, WINDOW + 1);
});

test('axes end in nice numbers', () => {
  assert.deepEqual([0, 1, 90, 101, 320, 4000, 7e6].map(niceCeiling), [1, 1, 100, 150, 400, 4000, 8e6]);
});

test('errors are told by their extended info', () => {
  const info = { Message: 'VM a is running.' };
  assert.equal(errorText({ error: { message: 'See below.', '@Message.ExtendedInfo': [info, info] } }, 409), 'VM a is running.');
  const own = { MessageId: 'Innkeeper.1.0.Refused', Message: 'the description of VM a names it' };
  assert.equal(errorText({ error: { '@Message.ExtendedInfo': [own, { MessageId: 'Base.1.19.ResourceInUse', Message: 'In use.' }] } }, 409),
    'The description of VM a names it.');
  assert.equal(errorText({ error: { message: 'No.' } }, 400), 'No.');
  assert.match(errorText(undefined, 403), /may not/);
  assert.match(errorText(undefined, 418), /418/);
});

test('a description has only what the form says', () => {
  const form = { ...EMPTY, name: 'a', kernel: 'vmlinuz' };
  assert.deepEqual(description(form), {
    name: 'a', memory: '256M', vcpus: 1, autostart: false, linux: { kernel: 'vmlinuz', cmdline: 'console=ttyS0,115200' },
  });
  assert.deepEqual(
    description({ ...form, memory: '4096', kind: 'multiboot', image: 'k', cmdline: '', weight: '50', cap: '20', cpus: '!0',
      modules: [{ name: 'm', cmdline: '' }, { name: 'n', cmdline: 'x' }, { name: '', cmdline: 'lost' }] }),
    { name: 'a', memory: 4096, vcpus: 1, autostart: false, sched: { weight: 50, cap: 20, cpus: '!0' },
      multiboot: { image: 'k', cmdline: '', modules: ['m', { name: 'n', cmdline: 'x' }] } },
  );
});
