// Runs before the first paint: the person's theme and pane sizes, from this browser's storage.
(() => {
  const root = document.documentElement;
  const read = (name) => { try { return localStorage.getItem(`vm-migrate.${name}`); } catch { return null; } };
  const theme = read("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  for (const pane of ["tree-width", "dock-height"]) {
    const pixels = Number(read(pane));
    if (pixels > 0) root.style.setProperty(`--${pane}`, `${pixels}px`);
  }
})();
