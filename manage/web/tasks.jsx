// Long work that the machine does by itself: fetching images.

import * as api from './api.js';
import * as format from './format.js';
import { attempt, current, mayChange, toast } from './store.js';
import { Button, Meter } from './widgets.jsx';

const LOOKS = { Running: 'starting', Completed: 'done', Exception: 'failed', Cancelled: 'stopped' };

const messages = (task) => (task.Messages || []).map((message) => message.Message).filter(Boolean).join(' ');

/** Tells when the task of a 202 answer has ended; then calls `done`. */
export async function follow({ body }, done) {
  const path = body && body['@odata.id'];
  while (path && current().phase === 'in') {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    let task;
    try {
      task = await api.get(path);
    } catch (error) {
      if (error.status === 0) continue;
      return;
    }
    if (task.TaskState !== 'Running') {
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
  const runs = task.TaskState === 'Running';
  const text = messages(task) || (runs && progress(task));
  const cancel = async () => {
    await attempt(() => api.request('DELETE', task['@odata.id']), 'The task was cancelled.');
    done();
  };
  return (
    <li>
      <span class="grow">
        {task.Name}
        {text && <span class="faint">{text}</span>}
        {runs && <Meter value={(task.PercentComplete || 0) / 100} />}
      </span>
      <span class={`pill ${LOOKS[task.TaskState] || ''}`}>{task.TaskState === 'Exception' ? 'Failed' : task.TaskState}</span>
      {runs && mayChange() && <Button icon="kill" label={`Cancel ${task.Name}`} kind="quiet" onClick={cancel} />}
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
