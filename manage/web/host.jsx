// The machine that all of them run on.

import { useRef } from 'preact/hooks';
import { Account } from './account.jsx';
import * as api from './api.js';
import { TimeChart } from './charts.jsx';
import * as format from './format.js';
import { History } from './history.js';
import { ask, attempt, mayChange, now, ours, usePoll } from './store.js';
import { Button, Facts, Heading, Meter, Waiting } from './widgets.jsx';

// Outlives the page, so that one comes back to a graph.
const histories = [];

function record(cpus) {
  const time = now();
  cpus.forEach((cpu, number) => {
    histories[number] = histories[number] || new History();
    histories[number].add(time, { cpuTime: cpu.BusyTimeNanoseconds || 0, stealTime: 0, exits: 0 });
  });
}

/** All CPUs together, in percent of all. */
function together() {
  const [first, ...rest] = histories;
  return ((first && first.points) || []).map((point) => {
    const same = rest.map((history) => history.points.find((one) => one.time === point.time)).filter(Boolean);
    return { time: point.time, cpu: (point.cpu + same.reduce((sum, one) => sum + one.cpu, 0)) / (same.length + 1) };
  });
}

async function look() {
  const [manager, chassis, interfaces] = await Promise.all([
    api.get(api.paths.host),
    api.get(api.paths.chassis),
    api.getMembers(`${api.paths.host}/EthernetInterfaces`).catch(() => []),
  ]);
  const own = { ...ours(chassis), ...ours(manager) };
  record(own.Cpus || []);
  return { manager, chassis, interfaces, own };
}

function Cpus({ cpus }) {
  return (
    <ul class="bars">
      {cpus.map((_, number) => {
        const point = histories[number] && histories[number].current(now());
        return (
          <li key={number}>
            <span>CPU {number}</span>
            <Meter value={point ? point.cpu / 100 : 0} />
            <span class="number">{format.percent(point && point.cpu)}</span>
          </li>
        );
      })}
    </ul>
  );
}

function Network({ own, interfaces }) {
  const net = own.Network || {};
  return (
    <section class="card">
      <h2>Network</h2>
      {interfaces.map((one) => (
        <Facts key={one.Id} rows={[
          ['Host name', one.HostName],
          ['Link', one.LinkStatus === 'LinkUp' ? 'up' : one.LinkStatus && 'down'],
          ['MAC address', one.MACAddress],
          ['IPv4', (one.IPv4Addresses || []).map((address) => address.Address).filter(Boolean).join(', ')],
          ['IPv6', (one.IPv6Addresses || []).map((address) => address.Address.toLowerCase()).join(', ')],
          ['Name servers', (one.NameServers || []).join(', ')],
        ]} />
      ))}
      <Facts rows={[
        ['Interface', net.Chip],
        ['Received', net.ReceivedBytes !== undefined && format.bytes(net.ReceivedBytes)],
        ['Sent', net.SentBytes !== undefined && format.bytes(net.SentBytes)],
      ].filter(([, value]) => value)} />
    </section>
  );
}

function Power() {
  const run = async (type, action, text) => {
    if (!(await ask({ title: `${action}?`, text, action, word: 'innkeeper', danger: true }))) return;
    await attempt(() => api.request('POST', api.paths.hostReset, { ResetType: type }), 'It goes down now.');
  };
  return (
    <section class="card">
      <h2>Power</h2>
      <p class="faint">Of the whole machine, whatever its guests are doing.</p>
      <div class="row">
        <Button icon="reset" kind="risky" onClick={() => run('ForceRestart', 'Restart', 'The host and all machines on it end at once, and it starts anew.')}>Restart</Button>
        <Button icon="stop" kind="risky" onClick={() => run('ForceOff', 'Power off', 'The host and all machines on it end at once.')}>Power off</Button>
      </div>
    </section>
  );
}

export function Host() {
  const { value, error } = usePoll(look, 2000, []);
  const points = useRef([]);
  if (!value) {
    return (
      <>
        <Heading title="Host" />
        <Waiting error={error} />
      </>
    );
  }
  const { manager, own, interfaces } = value;
  points.current = together();
  const used = own.MemoryBytes - own.MemoryFreeBytes;
  return (
    <>
      <Heading title="Host" />
      <div class="columns">
        <section class="card span">
          <TimeChart title="All CPUs" points={points.current} of={(point) => point.cpu} write={format.percent} least={100} />
          <Cpus cpus={own.Cpus || []} />
        </section>
        <div class="stack">
          <section class="card">
            <h2>Memory</h2>
            <p class="big">{format.bytes(used)} <span class="faint">of {format.bytes(own.MemoryBytes)} in use</span></p>
            <Meter value={used / own.MemoryBytes} />
            <Facts rows={[
              ['Free', format.bytes(own.MemoryFreeBytes)],
              ['Kernel’s heap', own.HeapUsedBytes !== undefined ? format.bytes(own.HeapUsedBytes) : undefined],
            ]} />
          </section>
          {mayChange() && <Power />}
        </div>
        <div class="stack">
          <section class="card">
            <h2>System</h2>
            <Facts rows={[
              ['Innkeeper', manager.FirmwareVersion],
              ['Running for', own.UptimeSeconds !== undefined ? format.duration(own.UptimeSeconds) : undefined],
              ['Processor', own.CpuName],
              ['CPUs', own.Cpus && own.Cpus.length],
              ['Clock', manager.DateTime],
              ['Started by', own.Loader],
              ['Machines', own.CanStartMachines === false ? `cannot be started: ${own.WhyNot}` : undefined],
            ]} />
          </section>
          <Account />
        </div>
        <Network own={own} interfaces={interfaces} />
      </div>
    </>
  );
}
