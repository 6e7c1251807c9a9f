// A line over the last minutes, drawn as SVG: no library, and readable by a screen reader.

const LENGTH = 180;
const NAMESPACE = "http://www.w3.org/2000/svg";

const make = (tag, attributes) => {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

export class Chart {
  constructor(figure, format) {
    this.figure = figure;
    this.format = format;
    this.values = [];
    this.svg = make("svg", { viewBox: `0 0 ${LENGTH - 1} 100`, preserveAspectRatio: "none", role: "img" });
    this.area = make("path", { class: "area" });
    this.line = make("path", { class: "line" });
    this.svg.append(this.area, this.line);
    figure.append(this.svg);
  }

  set(values) {
    this.values = values.slice(-LENGTH);
    this.#draw();
  }

  add(value) {
    this.values = [...this.values, value].slice(-LENGTH);
    this.#draw();
  }

  #draw() {
    const known = this.values.filter((value) => value !== null);
    const top = Math.max(...known, 1) * 1.1;
    const left = LENGTH - this.values.length;
    const points = this.values
      .map((value, i) => (value === null ? null : [left + i, 100 - (100 * value) / top]))
      .filter(Boolean);
    const path = points.map(([x, y]) => `${x},${y.toFixed(1)}`).join(" L");
    this.line.setAttribute("d", points.length ? `M${path}` : "");
    this.area.setAttribute(
      "d", points.length ? `M${points[0][0]},100 L${path} L${points.at(-1)[0]},100 Z` : "",
    );
    const last = this.values.at(-1);
    const text = last === null || last === undefined ? "none" : this.format(last);
    this.figure.querySelector("b").textContent = text;
    const caption = this.figure.querySelector("figcaption").firstChild.textContent.trim();
    const range = known.length
      ? `, between ${this.format(Math.min(...known))} and ${this.format(Math.max(...known))}` : "";
    this.svg.setAttribute("aria-label", `${caption}: now ${text}${range}`);
  }
}
