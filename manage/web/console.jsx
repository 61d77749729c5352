// A machine's console: xterm.js over a WebSocket that carries the serial port's bytes.

import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import { useEffect, useRef, useState } from 'preact/hooks';
import { mayChange } from './store.js';
import { Button } from './widgets.jsx';

const PIECE = 1024; // bytes in one message at most
const DELAYS = [1, 2, 4, 8, 15]; // seconds before another try

const THEME = {
  background: '#0b100f', foreground: '#d5ded9', cursor: '#7fd6c2', cursorAccent: '#0b100f', selectionBackground: '#2f5c53',
  black: '#1c2422', red: '#e8796f', green: '#7cc48d', yellow: '#dcb862', blue: '#6fa8dc', magenta: '#c08bd6',
  cyan: '#66c3c0', white: '#c9d3ce', brightBlack: '#6d7b75', brightRed: '#f59a91', brightGreen: '#9bdcaa',
  brightYellow: '#f0d286', brightBlue: '#94c2ee', brightMagenta: '#d8ade9', brightCyan: '#8fdedb', brightWhite: '#f3f7f5',
};

/** A connection that comes back when it breaks. `on` has: open(), data(bytes), writer(boolean), closed(seconds). */
function connect(uri, on) {
  let socket, timer, ended = false, tries = 0;
  const open = () => {
    const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
    socket = new WebSocket(`${scheme}//${location.host}${uri}`);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      tries = 0;
      on.open();
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') {
        on.data(new Uint8Array(data));
        return;
      }
      let message;
      try {
        message = JSON.parse(data);
      } catch {
        return;
      }
      if (typeof message.writer === 'boolean') on.writer(message.writer);
    };
    socket.onclose = () => {
      if (ended) return;
      const delay = DELAYS[Math.min(tries++, DELAYS.length - 1)];
      on.closed(delay);
      timer = setTimeout(open, delay * 1000);
    };
  };
  open();
  const ready = () => socket.readyState === WebSocket.OPEN;
  return {
    send(bytes) {
      for (let at = 0; ready() && at < bytes.length; at += PIECE) socket.send(bytes.subarray(at, at + PIECE));
    },
    take() {
      if (ready()) socket.send(JSON.stringify({ take: true }));
    },
    now() {
      clearTimeout(timer);
      open();
    },
    close() {
      ended = true;
      clearTimeout(timer);
      socket.close();
    },
  };
}

/** Keys that a phone's keyboard has not. */
const KEYS = [['Esc', '\x1b'], ['Tab', '\t'], ['^C', '\x03'], ['^D', '\x04'], ['^Z', '\x1a'], ['↑', '\x1b[A'], ['↓', '\x1b[B']];

export function Console({ name, uri = `/console/${encodeURIComponent(name)}`, state }) {
  const box = useRef();
  const controls = useRef();
  const parts = useRef({});
  const [link, setLink] = useState('connecting');
  const [delay, setDelay] = useState();
  const [writer, setWriter] = useState(false);
  const [size, setSize] = useState('');

  useEffect(() => {
    const terminal = new Terminal({
      theme: THEME,
      fontFamily: 'ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
      fontSize: innerWidth < 600 ? 11 : 13,
      scrollback: 5000,
      disableStdin: true,
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(box.current);
    const encoder = new TextEncoder();
    const connection = connect(uri, {
      open: () => {
        // Everything comes again, from the console's ring.
        terminal.reset();
        setLink('open');
      },
      data: (bytes) => terminal.write(bytes),
      writer: (is) => {
        terminal.options.disableStdin = !is;
        setWriter(is);
      },
      closed: (seconds) => {
        terminal.options.disableStdin = true;
        setWriter(false);
        setDelay(seconds);
        setLink('closed');
      },
    });
    const type = (text) => connection.send(encoder.encode(text));
    terminal.onData(type);
    terminal.onBinary((text) => connection.send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    // A terminal takes every key, Tab too: one has to be left to get out by.
    terminal.attachCustomKeyEventHandler((event) => {
      if (event.ctrlKey && event.key === ']') {
        if (event.type === 'keydown') controls.current.focus();
        event.preventDefault();
        return false;
      }
      return true;
    });
    const refit = () => {
      fit.fit();
      setSize(`${terminal.cols}×${terminal.rows}`);
    };
    const observer = new ResizeObserver(refit);
    observer.observe(box.current);
    parts.current = { terminal, connection, type };
    // On a phone, it would bring up the keyboard.
    if (!matchMedia('(pointer: coarse)').matches) terminal.focus();
    return () => {
      observer.disconnect();
      connection.close();
      terminal.dispose();
    };
  }, [uri]);

  const press = (text) => {
    parts.current.type(text);
    parts.current.terminal.focus();
  };
  const tellSize = () => press(`stty rows ${parts.current.terminal.rows} cols ${parts.current.terminal.cols}\r`);
  const status = {
    connecting: 'Connecting …',
    closed: `Not connected; again in ${delay} s`,
    open: writer ? 'You write' : 'You only read',
  }[link];

  return (
    <section class="console" aria-label={`Console of ${name}`}>
      <div class="bar" ref={controls} tabIndex={-1}>
        <span class={`link ${link} ${writer ? 'writer' : ''}`} role="status">{status}</span>
        {link === 'open' && !writer && mayChange() && (
          <Button icon="key" onClick={() => { parts.current.connection.take(); parts.current.terminal.focus(); }}>Take over</Button>
        )}
        {link === 'closed' && <Button onClick={() => parts.current.connection.now()}>Connect now</Button>}
        {state !== 'running' && <span class="faint">The machine does not run.</span>}
        <span class="gap" />
        <span class="keys" role="group" aria-label="Keys">
          {KEYS.map(([label, text]) => (
            <Button key={label} kind="quiet" disabled={!writer} onClick={() => press(text)}>{label}</Button>
          ))}
        </span>
        <Button icon="fit" kind="quiet" disabled={!writer} onClick={tellSize}
          title="A serial port knows no size. This types the command stty, by which a shell in the guest learns it.">
          Tell size {size}
        </Button>
      </div>
      <div class="screen"><div ref={box} /></div>
      <p class="hint">Ctrl-] takes the keyboard out of the console.</p>
    </section>
  );
}
