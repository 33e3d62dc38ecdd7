// The text in the corner of each pane: what the lines are, and their values under the crosshair (the last ones otherwise).

class Legends {
  constructor(host) {
    this.host = host;
    this.nodes = [];
  }

  // Each pane's legend is a list of {label, swatch, wide, value: (candle) => text}.
  define(panes) {
    for (const { node } of this.nodes) node.remove();
    this.nodes = panes.map((pane) => this.build(pane));
  }

  build({ title, items }) {
    const node = element("div", undefined, "legend");
    if (title) node.append(element("b", title));
    const values = items.map(({ label, swatch, wide }) => {
      const part = element("span", undefined, wide ? "wide" : "");
      if (swatch) part.append(Object.assign(element("i"), { style: `background:${color(swatch)}` }));
      const value = element("em");
      part.append(element("small", label + " ", swatch ? "beside-swatch" : ""), value);
      node.append(part);
      return value;
    });
    this.host.append(node);
    return { node, values, items };
  }

  update(candle) {
    for (const { values, items } of this.nodes) items.forEach((item, index) => { values[index].textContent = item.value(candle); });
  }

  place(tops) {
    this.nodes.forEach(({ node }, index) => { node.style.top = tops[index] + 3 + "px"; });
  }
}
