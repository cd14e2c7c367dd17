"use strict";
// The page says all without this. It adds a switch between light and dark, and the choice of what is compared.
const root = document.documentElement;
const theme = document.getElementById("theme");
const dark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const name = () => { theme.textContent = dark() ? "Light" : "Dark"; };
theme.hidden = false;
theme.onclick = () => { root.dataset.theme = dark() ? "light" : "dark"; name(); };
name();

const MOST = 5, NAME = 15;
document.querySelectorAll(".compared").forEach((compared, at) => {
  const svg = compared.querySelector("svg.compare"), input = compared.querySelector("input");
  const chosen = compared.querySelector(".chosen"), said = compared.querySelector(".said"), values = svg.querySelector(".values");
  const { top: drawnTop, base, height } = svg.dataset, all = new Map([...svg.querySelectorAll(".one")].map((one) => [one.dataset.label, one]));
  const key = `compare${at}`, kept = new URLSearchParams(location.hash.slice(1)).getAll(key).filter((label) => all.has(label));
  let picked = kept.length ? kept.slice(0, MOST) : [...all.values()].filter((one) => !one.classList.contains("hidden")).map((one) => one.dataset.label);
  const written = (value) => values.dataset.as === "percent" ? `${+(value * 100).toPrecision(3)} %` : `${+value.toPrecision(3)}`;
  const marks = (top) => {
    const power = 10 ** Math.floor(Math.log10(top / 4)), step = [1, 2, 5, 10].map((round) => round * power).find((size) => size >= top / 4);
    return Array.from({ length: Math.floor(top / step) + 1 }, (_, mark) => mark * step);
  };
  const draw = () => {
    const shown = picked.map((label) => all.get(label)), top = Math.max(...shown.map((one) => +one.dataset.top));
    const y = (value) => base - value / top * height;
    all.forEach((one) => one.classList.add("hidden"));
    // Names at the ends of lines stand at least a line of text apart.
    let free = -Infinity;
    [...shown].sort((a, b) => b.dataset.last - a.dataset.last).forEach((one) => {
      free = Math.max(y(+one.dataset.last), free + NAME);
      one.querySelector(".end").setAttribute("y", free + 4);
    });
    shown.forEach((one, order) => {
      one.setAttribute("class", `one c${order}`);
      one.querySelector(".stretch").setAttribute("transform", `translate(0 ${base}) scale(1 ${drawnTop / top}) translate(0 ${-base})`);
    });
    const [line, text] = [values.querySelector("line"), values.querySelector("text")];
    values.replaceChildren(...marks(top).flatMap((value) => {
      const [grid, tick] = [line.cloneNode(), text.cloneNode()];
      grid.setAttribute("y1", y(value)), grid.setAttribute("y2", y(value)), tick.setAttribute("y", y(value) + 4);
      tick.textContent = written(value);
      return [grid, tick];
    }));
    chosen.replaceChildren(...picked.map((label, order) => {
      const button = document.createElement("button");
      button.type = "button", button.className = `c${order}`, button.textContent = `${label} ×`;
      button.setAttribute("aria-label", `Take ${label} away`);
      button.onclick = () => { if (picked.length > 1) { picked = picked.filter((one) => one !== label); change(`${label} is taken away.`); input.focus(); } };
      return button;
    }));
    svg.setAttribute("aria-label", `Compared: ${picked.join(", ")}`);
  };
  const change = (words) => {
    const hash = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
    hash.delete(key), picked.forEach((label) => hash.append(key, label));
    history.replaceState(null, "", `#${hash}`);
    said.textContent = words;
    draw();
  };
  input.onchange = () => {
    const label = input.value.trim();
    if (!label) return;
    if (!all.has(label)) said.textContent = `${label} is not among them.`;
    else if (picked.includes(label)) said.textContent = `${label} is there.`;
    else if (picked.length === MOST) said.textContent = `At most ${MOST}: take one away first.`;
    else { picked.push(label); change(`${label} is added.`); }
    input.value = "";
  };
  compared.querySelector(".choice").hidden = false;
  draw();
});
