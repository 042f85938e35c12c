// What Superset's pages leave out for people who listen to them, and a click anywhere in a row of a breakdown.
// Superset includes this at the end of every page, and draws what is in it later.
(() => {
  const BREAKDOWN = '[data-test-chart-name$="breakdown"]';

  const name = (element, text) => {
    if (element && text && element.getAttribute("aria-label") !== text) element.setAttribute("aria-label", text);
  };

  const describe = () => {
    document.documentElement.lang = "en";
    document.querySelectorAll('[data-test^="NATIVE_FILTER-"]').forEach((filter) => {
      const title = document.getElementById(`filter-name-${filter.dataset.test}`);
      name(filter, title?.textContent);
      name(filter.querySelector("input"), title?.textContent);
    });
    document.querySelectorAll(".chart-slice").forEach((chart) => {
      const title = chart.dataset.testChartName;
      chart.setAttribute("role", "region");
      name(chart, title);
      const header = chart.querySelector(".header-title");
      header?.setAttribute("role", "heading");
      header?.setAttribute("aria-level", "2");
      const description = chart.querySelector(".dashboard-chart")?.getAttribute("aria-label");
      if (header && description && header.title !== description) header.title = description;
      const canvas = chart.querySelector("canvas");
      canvas?.setAttribute("role", "img");
      name(canvas, canvas && `${title}: the figures are in “View as table” of the menu of this chart.`);
    });
  };

  let isDue = false;
  new MutationObserver(() => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      describe();
    }, 200);
  }).observe(document.documentElement, { childList: true, subtree: true });

  // Superset takes a click on a name for a filter, and none on the figures beside it.
  document.addEventListener("click", (event) => {
    const cell = event.target.closest(`${BREAKDOWN} tbody td`);
    const first = cell?.parentElement.querySelector("td");
    if (first && cell !== first) first.click();
  });
})();
