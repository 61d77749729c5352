// What can be done with a machine, as buttons.

import { useState } from 'preact/hooks';
import * as api from './api.js';
import { ask, attempt, mayChange, refreshSystem, stateOf, toast } from './store.js';
import { follow } from './tasks.jsx';
import { Button } from './widgets.jsx';

const ACTIONS = {
  start: { reset: 'On', label: 'Start', done: 'is starting' },
  pause: { reset: 'Pause', label: 'Pause', done: 'is paused' },
  resume: { reset: 'Resume', label: 'Resume', done: 'goes on' },
  stop: {
    reset: 'GracefulShutdown',
    label: 'Shut down',
    done: 'was asked to shut down',
    text: 'Its power button is pressed; a guest that listens to it shuts down in order.',
  },
  reset: {
    reset: 'ForceRestart',
    label: 'Reset',
    done: 'was reset',
    text: 'It starts anew at once, as by a reset button. What the guest has not saved is lost.',
    danger: true,
  },
  kill: {
    reset: 'ForceOff',
    label: 'Kill',
    done: 'was killed',
    text: 'It ends at once, as if the power failed. What the guest has not saved is lost.',
    danger: true,
  },
};

const BY_STATE = {
  defined: ['start'],
  stopped: ['start'],
  running: ['pause', 'stop', 'reset', 'kill'],
  paused: ['resume', 'reset', 'kill'],
  starting: ['kill'],
};

async function perform(name, action) {
  const { reset, label, done, text, danger } = ACTIONS[action];
  if (text && !(await ask({ title: `${label} ${name}?`, text, action: label, danger }))) return;
  await attempt(async () => {
    const answer = await api.request('POST', api.paths.reset(name), { ResetType: reset });
    if (answer.status === 202) follow(answer, () => refreshSystem(name).catch(() => {}));
    toast(answer.status === 202 ? `The image for ${name} is being fetched.` : `${name} ${done}.`, 'done');
    await refreshSystem(name);
  });
}

/** The buttons; `words` with their names written out. */
export function Actions({ system, words }) {
  const [busy, setBusy] = useState();
  if (!mayChange()) return null;
  const run = async (action) => {
    setBusy(action);
    await perform(system.Id, action);
    setBusy(undefined);
  };
  return (
    <div class="actions">
      {(BY_STATE[stateOf(system)] || []).map((action) => {
        const { label, danger } = ACTIONS[action];
        const kind = danger ? 'risky' : action === 'start' || action === 'resume' ? 'go' : '';
        return (
          <Button key={action} icon={action} label={words ? undefined : `${label} ${system.Id}`} kind={kind}
            data-action={action} busy={busy === action} disabled={busy !== undefined} onClick={() => run(action)}>
            {words && label}
          </Button>
        );
      })}
    </div>
  );
}
