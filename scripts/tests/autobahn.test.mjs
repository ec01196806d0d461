import assert from 'node:assert/strict';
import { test } from 'node:test';
import { participants } from '../lib/autobahn-participants.mjs';
import { informational, interrupted, judge, quick, whole } from '../lib/autobahn-suite.mjs';

const ok = { behavior: 'OK', behaviorClose: 'OK' };
const told = { behavior: 'INFORMATIONAL', behaviorClose: 'INFORMATIONAL' };

test('a run is clean if all cases are OK and the three that have no right or wrong are informational', () => {
  const results = { '1.1.1': ok, ...Object.fromEntries(informational.map((name) => [name, told])) };
  assert.deepEqual(judge(results, 4), { passed: 4, failed: 0, complaints: [] });
});

test('a case that is not strict, or closes otherwise than it must, has failed', () => {
  const results = { '3.2': { behavior: 'NON-STRICT', behaviorClose: 'OK' }, '7.1.1': { behavior: 'OK', behaviorClose: 'FAILED' } };
  const { passed, failed, complaints } = judge(results, 2);
  assert.deepEqual([passed, failed], [0, 2]);
  assert.match(complaints[0], /^3\.2: NON-STRICT, closing OK; OK is expected$/);
});

test('an informational case that is OK, and an OK case that is informational, are not what is expected', () => {
  assert.equal(judge({ '7.1.6': ok, '1.1.1': told }, 2).failed, 2);
});

test('cases that were not played are a failure', () => {
  assert.deepEqual(judge({ '1.1.1': ok }, 2), { passed: 1, failed: 1, complaints: ['1 cases were played; 2 are expected'] });
});

test('only a server whose closing the suite cut off is asked again', () => {
  const results = {
    '1.1.1': ok,
    '3.2': { behavior: 'NON-STRICT', behaviorClose: 'FAILED BY CLIENT' },
    '6.21.8': { behavior: 'OK', behaviorClose: 'FAILED BY CLIENT' },
    '7.1.1': { behavior: 'OK', behaviorClose: 'UNCLEAN' },
  };
  assert.deepEqual(interrupted('server', results), ['6.21.8']);
  assert.deepEqual(interrupted('client', results), []);
});

test('what is sampled is a part of the whole', () => {
  assert.deepEqual([quick(1).count, quick(2).count, whole.count], [313, 325, 517]);
  assert.equal(new Set(quick(2).cases).size, quick(2).cases.length);
});

test('every participant has a name of its own and plays at least one role', () => {
  assert.equal(new Set(participants.map(({ name }) => name)).size, participants.length);
  for (const { name, programs } of participants) {
    const lines = Object.values(programs).map((program) => program('127.0.0.1:9001'));
    assert.ok(lines.length > 0 && lines.every((line) => line.includes('127.0.0.1:9001')), name);
  }
});
