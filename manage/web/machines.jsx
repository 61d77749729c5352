// The list of machines.

import { useState } from 'preact/hooks';
import { Actions } from './actions.jsx';
import { Spark } from './charts.jsx';
import * as format from './format.js';
import { historyOf, machineAddress, mayChange, now, ours, stateOf, useStore } from './store.js';
import { Empty, Heading, Icon, Meter, StatePill, Waiting } from './widgets.jsx';

const MANY = 8; // so many can be overlooked no more

const runs = (own) => own.State === 'running' || own.State === 'paused';

function Row({ system }) {
  const own = ours(system);
  const history = historyOf(system.Id);
  const point = own.State === 'running' ? history.current(now()) : undefined;
  const active = runs(own);
  return (
    <tr class={active ? '' : 'idle'} data-vm={system.Id}>
      <th scope="row">
        <a href={machineAddress(system.Id)}>{system.Id}</a>
        {own.State === 'stopped' && own.StopReason && <span class="faint">{own.StopReason}</span>}
      </th>
      <td data-label="State"><StatePill state={stateOf(system)} /></td>
      <td data-label="CPU" class="number">
        {active ? (
          <span class="with-spark">
            <Spark points={history.points} of={(one) => one.cpu} max={100 * (own.Vcpus || 1)} />
            <span class="value">{format.percent(point && point.cpu)}</span>
          </span>
        ) : <span class="faint">–</span>}
      </td>
      <td data-label="Memory" class="number memory">
        {active ? (
          <>
            <span>{format.bytes(own.MemoryTouchedBytes)} <span class="faint">of {format.bytes(own.MemoryBytes)}</span></span>
            <Meter value={own.MemoryTouchedBytes / own.MemoryBytes} />
          </>
        ) : <span class="faint">{format.bytes(own.MemoryBytes)}</span>}
      </td>
      <td data-label="vCPUs" class="number">{own.Vcpus}</td>
      <td data-label="Exits" class="number">{active && point ? `${format.count(point.exits)}/s` : <span class="faint">–</span>}</td>
      <td class="buttons">
        <a class="button bare" href={machineAddress(system.Id, 'console')} title={`Console of ${system.Id}`}
          aria-label={`Console of ${system.Id}`}><Icon name="console" /></a>
        <Actions system={system} />
      </td>
    </tr>
  );
}

function Summary({ systems }) {
  const all = systems.map(ours);
  const cpu = systems.reduce((sum, system) => {
    const point = ours(system).State === 'running' && historyOf(system.Id).current(now());
    return sum + (point ? point.cpu : 0);
  }, 0);
  const sum = (name) => all.filter(runs).reduce((total, own) => total + (own[name] || 0), 0);
  return (
    <ul class="tiles">
      <li><b>{all.filter((own) => own.State === 'running').length}</b><span>running of {all.length}</span></li>
      <li><b>{(cpu / 100).toFixed(1)}</b><span>CPUs busy</span></li>
      <li><b>{format.bytes(sum('MemoryBytes'))}</b><span>memory given out</span></li>
      <li><b>{sum('Vcpus')}</b><span>vCPUs started</span></li>
    </ul>
  );
}

export function Machines() {
  const systems = useStore((state) => state.systems);
  const [words, setWords] = useState('');
  const shown = (systems || []).filter((system) => system.Id.toLowerCase().includes(words.trim().toLowerCase()));
  return (
    <>
      <Heading title="Machines">
        {systems && systems.length > MANY && (
          <input type="search" aria-label="Filter" placeholder="Filter" value={words} onInput={(event) => setWords(event.target.value)} />
        )}
        {mayChange() && <a class="button main" href="#/new"><Icon name="add" /><span>New machine</span></a>}
      </Heading>
      {!systems && <Waiting />}
      {systems && systems.length === 0 && (
        <Empty title="No machine is defined.">
          <p>Make one, or describe machines in the JSON file that the kernel gets when it starts.</p>
        </Empty>
      )}
      {systems && systems.length > 0 && (
        <>
          <Summary systems={systems} />
          <div class="card flush">
            <table class="list cards hover">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">State</th>
                  <th scope="col" class="number">CPU</th>
                  <th scope="col" class="number">Memory</th>
                  <th scope="col" class="number">vCPUs</th>
                  <th scope="col" class="number">Exits</th>
                  <th scope="col"><span class="unseen">Actions</span></th>
                </tr>
              </thead>
              <tbody>{shown.map((system) => <Row key={system.Id} system={system} />)}</tbody>
            </table>
          </div>
        </>
      )}
    </>
  );
}
