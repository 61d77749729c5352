// Graphs of the last minutes, drawn as SVG.

import { useEffect, useRef, useState } from 'preact/hooks';
import { niceCeiling, WINDOW } from './history.js';
import { now } from './store.js';

/** Points as an SVG path; where a poll is missing for long, the line is broken. */
function path(points, x, y) {
  let before;
  return points.map((point) => {
    const jump = before === undefined || point.time - before.time > 15;
    before = point;
    return `${jump ? 'M' : 'L'}${x(point).toFixed(1)} ${y(point).toFixed(1)}`;
  }).join('');
}

/** The path closed along the bottom, piece by piece. */
function area(points, x, y, bottom) {
  const pieces = [];
  for (const point of points) {
    const piece = pieces[pieces.length - 1];
    if (piece && point.time - piece[piece.length - 1].time <= 15) piece.push(point);
    else pieces.push([point]);
  }
  return pieces.map((piece) => {
    const last = x(piece[piece.length - 1]).toFixed(1);
    return `${path(piece, x, y)}L${last} ${bottom}L${x(piece[0]).toFixed(1)} ${bottom}Z`;
  }).join('');
}

/** A small one without axes: the last minute. */
export function Spark({ points, of, max }) {
  const end = now();
  const recent = points.filter((point) => point.time > end - 60);
  const x = (point) => 72 - ((end - point.time) / 60) * 72;
  const y = (point) => 19 - Math.min(1, of(point) / max) * 17;
  return (
    <svg class="spark" viewBox="0 0 72 20" aria-hidden="true">
      <path class="area" d={area(recent, x, y, 20)} />
      <path class="line" d={path(recent, x, y)} />
    </svg>
  );
}

const HEIGHT = 132;
const MARGIN = { top: 8, bottom: 20, right: 4, left: 4 };

/** A graph with axes. `of` reads a point, `write` formats a value, `least` is the smallest top of the axis. */
export function TimeChart({ title, points, of, write, least }) {
  const box = useRef();
  const [width, setWidth] = useState(300);
  const [pointer, setPointer] = useState();
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(120, entry.contentRect.width)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);

  const end = now();
  const shown = points.filter((point) => point.time > end - WINDOW);
  const top = niceCeiling(Math.max(least, ...shown.map(of)));
  const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const bottom = MARGIN.top + inner.height;
  const x = (point) => MARGIN.left + (1 - (end - point.time) / WINDOW) * inner.width;
  const y = (point) => bottom - (Math.min(of(point), top) / top) * inner.height;
  const newest = shown[shown.length - 1];
  const nearest = pointer === undefined ? undefined : shown.reduce((best, point) => (
    best === undefined || Math.abs(x(point) - pointer) < Math.abs(x(best) - pointer) ? point : best
  ), undefined);
  const told = nearest || newest;

  return (
    <figure class="chart">
      <figcaption>
        <span>{title}</span>
        <span class="faint">{nearest ? `${Math.round(end - nearest.time)} s ago` : ''}</span>
        <b>{told ? write(of(told)) : '–'}</b>
      </figcaption>
      <div ref={box}>
        <svg width={width} height={HEIGHT} role="img" aria-label={`${title}, the last 5 minutes; now ${newest ? write(of(newest)) : 'not known'}`}
          onPointerMove={(event) => setPointer(event.offsetX)} onPointerLeave={() => setPointer(undefined)}>
          {[0, 0.5, 1].map((share) => (
            <line key={share} class="grid" x1={MARGIN.left} x2={width - MARGIN.right}
              y1={bottom - share * inner.height} y2={bottom - share * inner.height} />
          ))}
          <path class="area" d={area(shown, x, y, bottom)} />
          <path class="line" d={path(shown, x, y)} />
          <text x={MARGIN.left} y={MARGIN.top + 12}>{write(top)}</text>
          {(width > 420 ? [5, 4, 3, 2, 1] : [5, 3, 1]).map((minutes) => (
            <text key={minutes} class="tick" y={HEIGHT - 4} x={MARGIN.left + (1 - minutes / 5) * inner.width}
              text-anchor={minutes === 5 ? 'start' : 'middle'}>−{minutes} min</text>
          ))}
          <text class="tick" y={HEIGHT - 4} x={width - MARGIN.right} text-anchor="end">now</text>
          {nearest && (
            <>
              <line class="pointer" x1={x(nearest)} x2={x(nearest)} y1={MARGIN.top} y2={bottom} />
              <circle cx={x(nearest)} cy={y(nearest)} r="3.5" />
            </>
          )}
        </svg>
      </div>
    </figure>
  );
}
