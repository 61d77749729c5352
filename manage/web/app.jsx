// The page's frame: who is logged in, where one can go, and which page is shown.

import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import * as api from './api.js';
import { Create } from './create.jsx';
import { listen } from './events.js';
import { Host } from './host.jsx';
import { Images } from './images.jsx';
import { Log } from './log.jsx';
import { Login } from './login.jsx';
import { Machine } from './machine.jsx';
import { Machines } from './machines.jsx';
import { current, update, usePoll, useRoute, useStore, useSystemsPoll } from './store.js';
import './style.css';
import { Button, Icon, Question, Toasts } from './widgets.jsx';

const PLACES = [
  { at: '', also: ['vm', 'new'], icon: 'machines', name: 'Machines' },
  { at: 'images', icon: 'image', name: 'Images' },
  { at: 'host', icon: 'host', name: 'Host' },
  { at: 'log', icon: 'log', name: 'Log' },
];

async function leave() {
  try {
    await api.logout();
  } catch {
    // It ends by itself before long.
  }
  update({ phase: 'login', notice: 'You are logged out.', systems: undefined, user: undefined });
}

function Navigation({ place }) {
  const user = useStore((state) => state.user);
  const role = useStore((state) => state.role);
  return (
    <div class="side">
      <a class="brand" href="#/"><span class="mark"><Icon name="key" /></span> Innkeeper</a>
      <nav aria-label="Pages">
        {PLACES.map(({ at, also = [], icon, name }) => (
          <a key={at} href={`#/${at}`} aria-current={place === at || also.includes(place) ? 'page' : undefined}>
            <Icon name={icon} />
            <span>{name}</span>
          </a>
        ))}
      </nav>
      <div class="account">
        <div>
          <span class="strong">{user}</span>
          <span class="faint">{role === 'ReadOnly' ? 'may only look' : 'administrator'}</span>
        </div>
        <Button icon="leave" label="Log out" kind="quiet" onClick={leave} />
      </div>
    </div>
  );
}

function Page({ route }) {
  const [place = '', name, tab] = route;
  switch (place) {
    case '': return <Machines />;
    case 'vm': return <Machine key={name} name={name} tab={tab} />;
    case 'new': return <Create />;
    case 'images': return <Images />;
    case 'host': return <Host />;
    case 'log': return <Log />;
    default: return <p class="notice">There is no such page. <a href="#/">To the machines</a></p>;
  }
}

function Inside() {
  const route = useRoute();
  const [place = ''] = route;
  const reachable = useStore((state) => state.reachable);
  useSystemsPoll(place === '');
  useEffect(listen, []);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main').focus(); }}>
        Skip to content
      </a>
      <Navigation place={place} />
      <main id="main" tabIndex={-1}>
        {!reachable && <p class="notice warn" role="alert">The server does not answer. Trying again …</p>}
        <Page route={route} />
      </main>
    </div>
  );
}

/** Finds out whether there is a session already. */
function Checking() {
  const { error } = usePoll(async () => {
    const account = await api.resume();
    update(account ? { phase: 'in', ...account } : { phase: 'login' });
  }, 3000, []);
  return <p class="waiting whole">{error ? `${error.message} Trying again …` : 'Loading …'}</p>;
}

function App() {
  const phase = useStore((state) => state.phase);
  useEffect(() => {
    api.whenUnauthorized(() => {
      if (current().phase === 'in') {
        update({ phase: 'login', notice: 'Your session has ended. Log in again.', systems: undefined });
      }
    });
  }, []);
  return (
    <>
      {phase === 'checking' && <Checking />}
      {phase === 'login' && <Login />}
      {phase === 'in' && <Inside />}
      <Toasts />
      <Question />
    </>
  );
}

render(<App />, document.getElementById('page'));
