// Live pictures in a .screen: WebRTC, or a series of JPEGs where that does not work.
//
// With compare, the stream has the input above the result, in a picture of twice the height, and is
// shown twice: so both halves are always of one frame, and the slider needs no answer of the server.

const CONNECT_MS = 6000;
const RETRY_MS = [500, 1000, 2000, 4000];
const forced = new URLSearchParams(location.search).get("video"); // "mjpeg", "webrtc" or null

const sleep = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });

export class Player {
  // `few`: a new still twice a second in place of a series of JPEGs, of which a browser can have six.
  constructor(screen, name, { rows, compare = false, few = false }) {
    this.screen = screen;
    this.url = `/api/cameras/${encodeURIComponent(name)}`;
    this.rows = rows;
    this.compare = compare;
    this.few = few;
    this.aspect = 0; // width by height of one picture, as the server says; 0 before it does
    this.kind = forced === "mjpeg" ? "mjpeg" : "webrtc";
    this.viewer = null;
    this.stopping = new AbortController();
    screen.replaceChildren(this.#layer("after"), this.#layer("before"));
    this.#run();
  }

  stop() {
    this.stopping.abort();
  }

  setAspect(width, height) {
    this.aspect = width / height;
    this.screen.style.setProperty("--aspect", `${width} / ${height}`);
    this.#fit();
  }

  async setCompare(compare) {
    this.compare = compare;
    this.#fit();
    if (this.viewer) await this.#send("PATCH", { compare });
    else this.restart?.abort(); // JPEGs: another address
  }

  get elements() {
    return [...this.screen.querySelectorAll("video, img")];
  }

  #layer(kind) {
    const layer = document.createElement("div");
    layer.className = `layer ${kind}`;
    if (kind === "before") layer.ariaHidden = "true";
    return layer;
  }

  #show(tag) {
    for (const layer of this.screen.querySelectorAll(".layer")) {
      const element = document.createElement(tag);
      if (tag === "video") {
        element.muted = element.autoplay = element.playsInline = true;
        element.addEventListener("resize", () => this.#fit());
      } else {
        element.alt = "";
        element.addEventListener("load", () => this.#fit());
      }
      layer.replaceChildren(element);
    }
    return this.elements;
  }

  #fit() {
    const [first] = this.elements;
    const width = first?.videoWidth ?? first?.naturalWidth ?? 0;
    const height = first?.videoHeight ?? first?.naturalHeight ?? 0;
    if (!width || !height) return;
    if (!this.aspect) this.screen.style.setProperty("--aspect", `${width} / ${height}`);
    // the size of what came, not what was asked for: pictures under way are still of the other kind
    const stacked = this.aspect > 0 && height / width > 1.4 / this.aspect;
    const fitted = [this.kind, stacked, this.compare, this.screen.dataset.playing].join();
    if (fitted === this.fitted) return; // as for most pictures
    this.screen.classList.toggle("stacked", stacked);
    this.screen.classList.toggle("compared", this.compare);
    this.screen.dataset.playing = this.kind;
    this.fitted = [this.kind, stacked, this.compare, this.kind].join();
    this.screen.dispatchEvent(new CustomEvent("fit", { bubbles: true }));
  }

  async #run() {
    const { signal } = this.stopping;
    for (let tries = 0; !signal.aborted; tries++) {
      try {
        if (this.kind === "webrtc") await this.#webrtc();
        else if (this.compare || !this.few) await this.#mjpeg();
        else await this.#stills();
        tries = -1; // it has worked
      } catch (error) {
        if (signal.aborted) break;
        console.warn(`${this.url}: ${error.message}`);
        if (this.kind === "webrtc" && error.name === "NoWebRtc" && !forced) this.kind = "mjpeg";
      }
      if (!this.restart?.signal.aborted) await sleep(RETRY_MS[Math.min(Math.max(tries, 0), 3)], signal);
    }
    delete this.screen.dataset.playing;
  }

  async #webrtc() {
    const { signal } = this.stopping;
    const unable = (why) => Object.assign(new Error(why), { name: "NoWebRtc" });
    if (!("RTCPeerConnection" in window)) throw unable("this browser has no WebRTC");
    const connection = new RTCPeerConnection();
    const ended = new Promise((resolve) => {
      signal.addEventListener("abort", resolve, { once: true });
      connection.addEventListener("connectionstatechange", () => {
        if (["failed", "closed", "disconnected"].includes(connection.connectionState)) resolve();
      });
    });
    try {
      const { receiver } = connection.addTransceiver("video", { direction: "recvonly" });
      if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
      const elements = this.#show("video");
      const playing = new Promise((resolve) => {
        connection.addEventListener("track", ({ track }) => {
          const stream = new MediaStream([track]);
          for (const element of elements) element.srcObject = stream;
          elements[0].addEventListener("playing", () => resolve(true), { once: true });
          for (const element of elements) element.play().catch(() => {});
        });
      });
      await connection.setLocalDescription();
      await gathered(connection, signal);
      const answer = await this.#post(`${this.url}/offer`, {
        sdp: connection.localDescription.sdp, compare: this.compare, rows: this.rows,
      });
      this.viewer = answer.viewer;
      await connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
      const late = sleep(CONNECT_MS, signal).then(() => false);
      if (!(await Promise.race([playing, late, ended.then(() => false)])) && !signal.aborted) {
        if (connection.connectionState !== "connected") throw unable("no connection by WebRTC");
        await Promise.race([playing, ended]); // connected: the camera itself has no picture yet
      }
      this.#fit();
      await ended;
    } finally {
      if (this.viewer) this.#send("DELETE");
      this.viewer = null;
      connection.close();
    }
  }

  async #mjpeg() {
    this.restart = new AbortController();
    const signal = AbortSignal.any([this.stopping.signal, this.restart.signal]);
    const query = new URLSearchParams({ rows: this.rows, compare: this.compare ? 1 : 0 });
    const response = await fetch(`${this.url}/mjpeg?${query}`, { signal });
    if (!response.ok) throw new Error(`the server says ${response.status}`);
    const elements = this.#show("img");
    for await (const picture of parts(response.body.getReader())) {
      await show(elements, picture);
    }
  }

  async #stills() {
    const { signal } = this.stopping;
    const elements = this.#show("img");
    while (!signal.aborted) {
      const response = await fetch(`${this.url}/snapshot.jpg?rows=${this.rows}`, { signal });
      if (!response.ok) throw new Error(`the server says ${response.status}`);
      await show(elements, await response.blob());
      await sleep(500, signal);
    }
  }

  async #post(url, body) {
    const response = await fetch(url, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify(body), signal: this.stopping.signal,
    });
    const answer = await response.json();
    if (!response.ok) {
      const name = response.status === 422 ? "NoWebRtc" : "Error"; // it does not understand us
      throw Object.assign(new Error(answer.error), { name });
    }
    return answer;
  }

  #send(method, body) {
    return fetch(`/api/viewers/${encodeURIComponent(this.viewer)}`, {
      method, keepalive: true,
      headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body),
    }).catch(() => {});
  }
}

async function show(elements, picture) {
  const address = URL.createObjectURL(picture);
  await Promise.all(elements.map((element) => {
    element.src = address;
    return element.decode().catch(() => {});
  }));
  URL.revokeObjectURL(address);
}

function gathered(connection, signal) {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  const complete = new Promise((resolve) => {
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve();
    });
  });
  return Promise.race([complete, sleep(1000, signal)]);
}

// The JPEGs of a multipart/x-mixed-replace body, each with its Content-Length.
async function* parts(reader) {
  let data = new Uint8Array();
  const more = async () => {
    const { done, value } = await reader.read();
    if (done) return false;
    const joined = new Uint8Array(data.length + value.length);
    joined.set(data);
    joined.set(value, data.length);
    data = joined;
    return true;
  };
  const decoder = new TextDecoder("latin1");
  for (;;) {
    let head;
    while ((head = decoder.decode(data.subarray(0, 512)).indexOf("\r\n\r\n")) < 0) {
      if (!(await more())) return;
    }
    const length = Number(/content-length: *(\d+)/i.exec(decoder.decode(data.subarray(0, head)))?.[1]);
    if (!length) throw new Error("the series of pictures is broken");
    const start = head + 4;
    while (data.length < start + length + 2) {
      if (!(await more())) return;
    }
    yield new Blob([data.slice(start, start + length)], { type: "image/jpeg" });
    data = data.slice(start + length + 2);
  }
}
