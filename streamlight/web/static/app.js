import { Chart } from "./chart.js";
import { Player } from "./player.js";

const TILE_ROWS = 360;
const STAGE_ROWS = 2160; // the server sends no more than --view-size
const DEFAULTS = { strength: 1, exposure_ev: 0, smoothing_s: 12 };

const PHASES = {
  idle: "starting", connecting: "connecting", connected: "connected", reconnecting: "reconnecting",
  ended: "ended", failed: "failed", closed: "closed",
};
const REASONS = { overtaken: "overtaken", network_busy: "network busy", sink_busy: "output busy" };
const FORMATS = {
  fps: (value) => `${value.toFixed(1)}`,
  latency_ms: (value) => `${Math.round(value)} ms`,
  drops: (value) => `${value} /s`,
};
const CONTROL_TEXTS = {
  strength: (value) => `${Math.round(100 * value)} %`,
  exposure_ev: (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value)} EV`,
  smoothing_s: (value) => (value > 0 ? `${value} s` : "off"),
};

const by = (id) => document.getElementById(id);
const copy = (id) => by(id).content.cloneNode(true);
const ago = (since) => {
  const seconds = Math.max(0, Math.round(Date.now() / 1000 - since));
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
};

let cameras = [];
let view = null; // a Grid or a Detail

// What a camera does, as words over its picture; nothing while it shows one.
function veil(screen, camera) {
  let text = "";
  if (camera.phase === "connecting" || camera.phase === "idle") text = "Connecting …";
  if (camera.phase === "reconnecting") text = `Reconnecting for ${ago(camera.since)} …`;
  if (camera.phase === "failed") text = "Failed";
  if (camera.phase === "ended") text = "The stream has ended";
  if (camera.phase === "connected" && !screen.dataset.playing) text = "Loading …";
  if (text && camera.reason) text += `\n${camera.reason}`;
  let element = screen.querySelector(".veil");
  if (!text) return element?.remove();
  if (!element) {
    element = document.createElement("div");
    element.className = "veil";
    element.append(document.createElement("span"), document.createElement("span"));
    screen.append(element);
  }
  const [ring, words] = element.children;
  ring.className = "ring";
  ring.hidden = camera.phase === "failed" || camera.phase === "ended";
  if (words.textContent !== text) words.textContent = text;
  words.style.whiteSpace = "pre-line";
}

function chip(element, camera) {
  element.dataset.phase = camera.phase;
  element.textContent = PHASES[camera.phase] ?? camera.phase;
}

const isOver = ({ phase }) => ["ended", "failed", "closed"].includes(phase);

// Nothing comes of a camera that is over: its player stops, and begins anew should it come back.
function play(screen, camera, options) {
  if (isOver(camera)) return null;
  const player = new Player(screen, camera.name, options);
  if (camera.width) player.setAspect(camera.width, camera.height);
  return player;
}

class Grid {
  constructor() {
    this.tiles = new Map();
    by("grid").replaceChildren();
    by("grid").hidden = false;
    by("heading").textContent = "Cameras";
    document.title = "streamlight";
    this.update();
  }

  update() {
    by("grid").classList.toggle("single", cameras.length === 1);
    for (const camera of cameras) {
      let tile = this.tiles.get(camera.name);
      if (!tile) {
        const fragment = copy("tile-template");
        const root = fragment.querySelector(".tile");
        by("grid").append(fragment);
        root.querySelector("a").href = `#${encodeURIComponent(camera.name)}`;
        root.querySelector(".name").textContent = camera.name;
        tile = { root, screen: root.querySelector(".screen"), player: null };
        this.tiles.set(camera.name, tile);
      }
      if (isOver(camera)) {
        tile.player?.stop();
        tile.player = null;
      }
      tile.player ??= play(tile.screen, camera, { rows: TILE_ROWS, few: true });
      if (camera.width && tile.player && !tile.player.aspect) {
        tile.player.setAspect(camera.width, camera.height);
      }
      chip(tile.root.querySelector(".chip"), camera);
      tile.root.querySelector(".rate").textContent =
        camera.phase === "connected" ? `${camera.fps.toFixed(1)} fps` : "";
      veil(tile.screen, camera);
    }
  }

  pause() {
    for (const tile of this.tiles.values()) {
      tile.player?.stop();
      tile.player = null;
    }
  }

  stop() {
    for (const tile of this.tiles.values()) tile.player?.stop();
    by("grid").replaceChildren();
    by("grid").hidden = true;
  }
}

class Detail {
  constructor(camera) {
    this.name = camera.name;
    this.url = `/api/cameras/${encodeURIComponent(camera.name)}`;
    this.dropped = null;
    this.sampledAt = 0;
    this.sending = null;
    this.changed = new Set();
    const root = (this.root = by("detail"));
    root.replaceChildren(copy("detail-template"));
    root.hidden = false;
    by("heading").textContent = `Camera ${camera.name}`;
    document.title = `${camera.name} – streamlight`;
    root.querySelector("h2").textContent = camera.name;
    root.querySelector(".source").textContent = camera.source;
    this.screen = root.querySelector(".screen");
    this.stage = root.querySelector(".stage");
    this.player = null;
    this.compare = true;
    this.charts = Object.fromEntries(
      [...root.querySelectorAll(".chart")].map((figure) => [
        figure.dataset.series, new Chart(figure, FORMATS[figure.dataset.series]),
      ]),
    );
    this.#listen();
    this.#show(camera.controls);
    this.update();
    this.#loadHistory();
  }

  #listen() {
    const split = this.root.querySelector(".split");
    const compare = this.root.querySelector(".compare");
    const form = this.root.querySelector(".controls");
    split.addEventListener("input", () => this.#split());
    this.resizing = new ResizeObserver(() => this.#split());
    this.resizing.observe(this.stage);
    compare.addEventListener("change", () => {
      this.compare = compare.checked;
      this.player?.setCompare(this.compare);
      this.#split();
    });
    form.addEventListener("input", ({ target }) => this.#change([target.id]));
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      this.#show(DEFAULTS);
      this.#change(Object.keys(DEFAULTS));
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    this.root.querySelector(".save").addEventListener("click", () => this.#save());
    const full = this.root.querySelector(".full");
    full.hidden = !document.fullscreenEnabled;
    full.addEventListener("click", () => this.stage.requestFullscreen());
  }

  // The slider lies over the picture alone, and its thumb's middle is the border.
  #split() {
    const split = this.root.querySelector(".split");
    const stage = this.stage.getBoundingClientRect();
    const screen = this.screen.getBoundingClientRect();
    const thumb = 2.5 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.stage.style.setProperty("--left", `${screen.left - stage.left - thumb / 2}px`);
    this.stage.style.setProperty("--width", `${screen.width + thumb}px`);
    this.screen.style.setProperty("--split", `${split.value}%`);
    split.ariaValueText = `${Math.round(split.value)} % before`;
    this.stage.classList.toggle("comparing", this.compare && Boolean(this.player));
  }

  #show(controls) {
    for (const [name, value] of Object.entries(controls)) {
      const input = this.root.querySelector(`#${name}`);
      input.value = value;
      this.root.querySelector(`output[for=${name}]`).textContent = CONTROL_TEXTS[name](value);
      input.ariaValueText = CONTROL_TEXTS[name](value);
    }
  }

  #wanted(names) {
    return Object.fromEntries(
      names.map((name) => [name, Number(this.root.querySelector(`#${name}`).value)]),
    );
  }

  // Only what was moved is sent. One request at a time, and after it the newest wish: a moving
  // slider makes no queue.
  async #change(names) {
    this.#show(this.#wanted(names));
    for (const name of names) this.changed.add(name);
    if (this.sending) return;
    while (this.changed.size) {
      const body = JSON.stringify(this.#wanted([...this.changed]));
      this.changed.clear();
      this.sending = fetch(`${this.url}/controls`, {
        method: "PATCH", headers: { "content-type": "application/json" }, body,
      }).then((answer) => answer.ok, () => false);
      if (!(await this.sending)) tell("streamlight did not take the change.");
    }
    this.sending = null;
  }

  async #save() {
    const response = await fetch(`${this.url}/snapshot.jpg`).catch(() => null);
    if (!response?.ok) return tell("There is no picture to save.");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = `${this.name}_${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jpg`;
    link.click();
    URL.revokeObjectURL(link.href);
    tell("The picture was saved.");
  }

  async #loadHistory() {
    const response = await fetch(`${this.url}/history`).catch(() => null);
    if (!response?.ok) return;
    const { samples } = await response.json();
    for (const [series, chart] of Object.entries(this.charts)) {
      chart.set(samples.map((sample) => sample[series]));
    }
  }

  update() {
    const camera = cameras.find(({ name }) => name === this.name);
    if (!camera) return;
    if (isOver(camera)) {
      this.player?.stop();
      this.player = null;
    }
    this.player ??= play(this.screen, camera, { rows: STAGE_ROWS, compare: this.compare });
    const { width, height } = camera;
    if (width && this.player && this.player.aspect !== width / height) this.player.setAspect(width, height);
    if (width) this.stage.style.setProperty("--ratio", width / height);
    chip(this.root.querySelector(".chip"), camera);
    const reason = this.root.querySelector(".reason");
    reason.hidden = !camera.reason && !camera.advice;
    reason.textContent = camera.reason || camera.advice || "";
    veil(this.screen, camera);
    if (!this.sending && !this.root.querySelector(".controls").contains(document.activeElement)) {
      this.#show(camera.controls);
    }
    this.#figures(camera);
    this.#outputs(camera);
    this.#split();
  }

  #figures(camera) {
    const drops = Object.values(camera.drops).reduce((sum, count) => sum + count, 0);
    if (Date.now() - this.sampledAt >= 950) {
      this.charts.fps.add(camera.fps);
      this.charts.latency_ms.add(camera.latency ? camera.latency.recent.p50_ms : null);
      this.charts.drops.add(this.dropped === null ? 0 : Math.max(0, drops - this.dropped));
      this.dropped = drops;
      this.sampledAt = Date.now();
    }
    const recent = camera.latency?.recent;
    const reasons = Object.entries(camera.drops)
      .filter(([, count]) => count).map(([reason, count]) => `${count} ${REASONS[reason] ?? reason}`);
    const size = camera.width ? `${camera.width}×${camera.height}` : "unknown";
    const facts = {
      Size: camera.process_factor > 1 ? `${size}, network at 1/${camera.process_factor}` : size,
      "Latency p50 / p95": recent ? `${Math.round(recent.p50_ms)} / ${Math.round(recent.p95_ms)} ms` : "none",
      Frames: camera.frames_out.toLocaleString("en"),
      Dropped: reasons.join(", ") || "none",
      Reconnects: camera.reconnects,
      Viewers: camera.viewers,
    };
    const list = this.root.querySelector(".facts");
    if (!list.children.length) {
      for (const fact of Object.keys(facts)) {
        list.append(document.createElement("dt"), document.createElement("dd"));
        list.children[list.children.length - 2].textContent = fact;
      }
    }
    list.querySelectorAll("dd").forEach((element, i) => { element.textContent = Object.values(facts)[i]; });
  }

  #outputs(camera) {
    const outputs = camera.outputs.filter(({ name }) => name !== "viewers");
    const box = this.root.querySelector(".outputs");
    box.hidden = !outputs.length;
    box.querySelector("ul").replaceChildren(...outputs.map((output) => {
      const item = document.createElement("li");
      const missed = output.frames_dropped ? `, ${output.frames_dropped} missed` : "";
      item.textContent = `${output.name}: ${output.failure ?? `${output.frames_out} frames${missed}`}`;
      item.classList.toggle("fault", Boolean(output.failure));
      return item;
    }));
  }

  pause() {
    this.player?.stop();
    this.player = null;
  }

  stop() {
    this.player?.stop();
    this.resizing.disconnect();
    this.root.replaceChildren();
    this.root.hidden = true;
  }
}

function tell(text) {
  by("news").textContent = text;
}

// The camera that an address names; "" where it names none, or cannot be read.
function nameOf(hash) {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return "";
  }
}

function show() {
  if (!cameras.length || document.hidden) return;
  const wanted = nameOf(location.hash);
  const camera = cameras.find(({ name }) => name === wanted);
  if (view && (camera ? view.name === camera.name : view instanceof Grid)) return view.update();
  const isMove = view !== null;
  view?.stop();
  view = camera ? new Detail(camera) : new Grid();
  if (isMove) {
    by("main").focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // its address would be that of no camera
  by("main").focus();
});

let phases = new Map();

function take(data) {
  cameras = data.cameras;
  by("banner").hidden = true;
  for (const { name, phase, reason } of cameras) {
    const before = phases.get(name);
    if (before !== undefined && before !== phase) {
      tell(`${name}: ${PHASES[phase] ?? phase}${reason ? `, ${reason}` : ""}`);
    }
  }
  phases = new Map(cameras.map(({ name, phase }) => [name, phase]));
  show();
}

let events = null;

function listen() {
  if (document.hidden || events) return;
  events = new EventSource("/api/events");
  events.addEventListener("message", ({ data }) => take(JSON.parse(data)));
  events.addEventListener("error", () => {
    by("banner").textContent = "streamlight does not answer; trying again …";
    by("banner").hidden = false;
    if (events.readyState === EventSource.CLOSED) {
      events = null;
      setTimeout(listen, 2000);
    }
  });
}

async function start() {
  const info = await (await fetch("/api/info")).json();
  by("engine").textContent = `${info.model} · ${info.backend} ${info.precision.toUpperCase()}`;
  by("engine").title = info.device;
}

window.addEventListener("hashchange", show);
document.addEventListener("fit", () => view?.update());
// Nobody looks at a hidden page: its pictures would take the network's time, and its events one of
// the few connections that a browser has for all its pages of one address.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    listen();
    return show();
  }
  events?.close();
  events = null;
  view?.pause();
});
window.addEventListener("pagehide", () => view?.stop());
listen();
start().catch(() => {});
