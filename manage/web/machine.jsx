// One machine: what it does, its console, its settings.

import { Actions } from './actions.jsx';
import * as api from './api.js';
import { Settings } from './settings.jsx';
import { TimeChart } from './charts.jsx';
import { Console } from './console.jsx';
import * as format from './format.js';
import { historyOf, machineAddress, ours, refreshSystem, stateOf, usePoll, useStore } from './store.js';
import { Tasks, useTasks } from './tasks.jsx';
import { Facts, Heading, Icon, Meter, StatePill, Waiting } from './widgets.jsx';

const TABS = [['', 'Overview'], ['console', 'Console'], ['settings', 'Settings']];

function Vcpus({ own }) {
  const vcpus = own.VcpuStatistics || [];
  if (vcpus.length === 0) return null;
  return (
    <section class="card flush">
      <h2>vCPUs</h2>
      <table class="list compact">
        <thead>
          <tr>
            <th scope="col">vCPU</th>
            <th scope="col">State</th>
            <th scope="col" class="number">On CPU</th>
            <th scope="col" class="number">CPU time</th>
            <th scope="col" class="number">Exits</th>
          </tr>
        </thead>
        <tbody>
          {vcpus.map((vcpu, number) => (
            <tr key={number}>
              <th scope="row">{number}</th>
              <td>{vcpu.State}</td>
              <td class="number">{vcpu.Cpu ?? '–'}</td>
              <td class="number">{format.duration((vcpu.CpuTimeNanoseconds || 0) / 1e9)}</td>
              <td class="number">{format.whole(vcpu.Exits)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Exits({ own }) {
  const rows = Object.entries(own.ExitsByReason || {})
    .map(([reason, value]) => [reason, typeof value === 'number' ? value : value.Count])
    .filter(([, number]) => number > 0)
    .sort((a, b) => b[1] - a[1]);
  if (rows.length === 0) return null;
  const most = rows[0][1];
  const all = rows.reduce((sum, [, number]) => sum + number, 0);
  return (
    <section class="card">
      <h2>Exits by reason</h2>
      <ul class="bars">
        {rows.map(([reason, number]) => (
          <li key={reason}>
            <span>{reason.replace(/_/g, ' ')}</span>
            <Meter value={number / most} />
            <span class="number" title={`${((number / all) * 100).toFixed(1)} %`}>{format.whole(number)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Overview({ system }) {
  const own = ours(system);
  const { points } = historyOf(system.Id);
  const vcpus = own.Vcpus || 1;
  return (
    <>
      <div class="charts">
        <div class="card"><TimeChart title="CPU" points={points} of={(point) => point.cpu} write={format.percent} least={vcpus * 100} /></div>
        <div class="card"><TimeChart title="Exits" points={points} of={(point) => point.exits} write={(value) => `${format.count(value)}/s`} least={100} /></div>
        <div class="card"><TimeChart title="Steal" points={points} of={(point) => point.steal} write={format.percent} least={10} /></div>
      </div>
      <div class="columns two">
        <div class="stack">
          <section class="card">
            <h2>Machine</h2>
            <Facts rows={[
              ['Memory', `${format.bytes(own.MemoryTouchedBytes)} used of ${format.bytes(own.MemoryBytes)}`],
              ['vCPUs', vcpus],
              ['CPU time', format.duration((own.CpuTimeNanoseconds || 0) / 1e9)],
              ['Steal time', format.duration((own.StealTimeNanoseconds || 0) / 1e9)],
              ['Exits', format.whole(own.Exits)],
            ['Starts', own.Starts],
              ['Ended by', own.State === 'stopped' ? own.StopReason : undefined],
              ['UUID', system.UUID && <code>{system.UUID}</code>],
            ]} />
          </section>
          <Exits own={own} />
        </div>
        <Vcpus own={own} />
      </div>
    </>
  );
}

/** Whether a task is for this machine: it has a link to it. */
function isFor(task, name) {
  const { System: system } = ours(task);
  return system !== undefined && system['@odata.id'] === api.paths.system(name);
}

/** How far the image is that it is to be started with. */
function Fetching({ name }) {
  const { value = [], again } = useTasks();
  return <Tasks tasks={value.filter((task) => task.TaskState === 'Running' && isFor(task, name))} done={again} />;
}

export function Machine({ name, tab = '' }) {
  const graphs = tab === '';
  const { error } = usePoll(() => refreshSystem(name), graphs ? 1000 : 0, [name, graphs],
    [api.paths.system(name), api.paths.tasks]);
  const system = useStore((state) => (state.systems || []).find((one) => one.Id === name));
  const gone = error && error.status === 404;
  const state = stateOf(system);
  return (
    <>
      <Heading title={name} above={<a class="up" href="#/"><Icon name="back" />Machines</a>}>
        {system && !gone && <StatePill state={state} />}
        {system && !gone && <Actions system={system} words />}
      </Heading>
      {gone && <p class="notice">There is no machine of that name (any more). <a href="#/">To the machines</a></p>}
      {!system && !gone && <Waiting error={error} />}
      {system && !gone && (
        <>
          <nav class="tabs" aria-label="Of this machine">
            {TABS.map(([at, label]) => (
              <a key={at} href={machineAddress(name, at)} aria-current={tab === at ? 'page' : undefined}>{label}</a>
            ))}
          </nav>
          {state === 'starting' && <Fetching name={name} />}
          {tab === '' && <Overview system={system} />}
          {tab === 'console' && <Console name={name} uri={ours(system).ConsoleUri} state={state} />}
          {tab === 'settings' && <Settings system={system} />}
        </>
      )}
    </>
  );
}
