// Sorts a table by the column whose heading is pressed; numbers by value, missing ones last.
document.querySelectorAll("table.sortable").forEach((table) => {
  table.querySelectorAll("thead button").forEach((button) => {
    button.addEventListener("click", () => {
      const heading = button.closest("th");
      const column = Array.from(heading.parentNode.children).indexOf(heading);
      const up = heading.getAttribute("aria-sort") !== "ascending";
      heading.parentNode.querySelectorAll("th").forEach((th) => th.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.children[column].dataset.value ?? row.children[column].textContent;
      const body = table.tBodies[0];
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return up ? order : -order;
      };
      Array.from(body.rows).sort(compare).forEach((row) => body.appendChild(row));
    });
  });
});
