// Long work that the machine does by itself: fetching images.

import * as api from './api.js';
import { watch } from './events.js';
import * as format from './format.js';
import { attempt, current, mayChange, toast, usePoll } from './store.js';
import { Button, Meter } from './widgets.jsx';

const FOLLOW_INTERVAL = 5000; // ms, if nobody tells of a task
const LOOKS = { Running: 'starting', Completed: 'done', Exception: 'failed', Cancelled: 'stopped' };

const messages = (task) => (task.Messages || []).map((message) => message.Message).filter(Boolean).join(' ');

const runs = (task) => task.TaskState === 'Running';

/** The tasks; how far those are that run nobody tells. */
export function useTasks() {
  return usePoll(() => api.getMembers(api.paths.tasks), (tasks) => tasks.some(runs) && 1000, [], [api.paths.tasks]);
}

/** Waits until the machine tells of what is at `path`, or for a while. */
function change(path) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      end();
      resolve();
    };
    const end = watch(path, done);
    const timer = setTimeout(done, FOLLOW_INTERVAL);
  });
}

/** Tells when the task of a 202 answer has ended; then calls `done`. */
export async function follow({ body }, done) {
  const path = body && body['@odata.id'];
  while (path && current().phase === 'in') {
    await change(path);
    let task;
    try {
      task = await api.get(path);
    } catch (error) {
      if (error.status === 0) continue;
      return;
    }
    if (!runs(task)) {
      if (task.TaskState === 'Exception') toast(`${task.Name}: ${messages(task) || 'failed'}`, 'error');
      done();
      return;
    }
  }
}

function progress(task) {
  const { FetchedBytes: fetched, AllBytes: all } = (task.Oem && task.Oem.Innkeeper) || {};
  if (!fetched) return '';
  return all ? `${format.bytes(fetched)} of ${format.bytes(all)}` : format.bytes(fetched);
}

function Task({ task, done }) {
  const active = runs(task);
  const text = messages(task) || (active && progress(task));
  const cancel = async () => {
    await attempt(() => api.request('DELETE', task['@odata.id']), 'The task was cancelled.');
    done();
  };
  return (
    <li>
      <span class="grow">
        {task.Name}
        {text && <span class="faint">{text}</span>}
        {active && <Meter value={(task.PercentComplete || 0) / 100} />}
      </span>
      <span class={`pill ${LOOKS[task.TaskState] || ''}`}>{task.TaskState === 'Exception' ? 'Failed' : task.TaskState}</span>
      {active && mayChange() && <Button icon="kill" label={`Cancel ${task.Name}`} kind="quiet" onClick={cancel} />}
    </li>
  );
}

/** A list of tasks, the newest first; `done` is called when one was cancelled. */
export function Tasks({ tasks = [], done }) {
  if (tasks.length === 0) return null;
  return (
    <section class="card">
      <h2>Tasks</h2>
      <ul class="tasks">
        {[...tasks].reverse().map((task) => <Task key={task.Id} task={task} done={done} />)}
      </ul>
    </section>
  );
}
