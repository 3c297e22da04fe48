// Optional: makes the headings of the results table sort its rows. Without it the table stays
// as written, highest test accuracy first. Spans, since browsers leave real buttons out of the
// headings that they repeat on each printed page.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach((th, column) => {
    const button = document.createElement("span");
    button.role = "button";
    button.tabIndex = 0;
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      button.click();
    });
    button.addEventListener("click", () => {
      const down = th.ariaSort ? th.ariaSort === "ascending" : th.classList.contains("num");
      for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].textContent.trim();
      const numeric = th.classList.contains("num");
      const rows = [...body.rows].map((row) => [numeric ? parseFloat(key(row)) : key(row), row]);
      rows.sort(([a], [b]) => {
        const missing = numeric ? isNaN(a) - isNaN(b) : (a === "") - (b === "");
        if (missing || a === b || (numeric && isNaN(a))) return missing;
        const order = numeric ? a - b : a.localeCompare(b, "en", { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
