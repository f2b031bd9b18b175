'use strict';
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => {
    const cell = row.cells[i];
    return cell.classList.contains('n') ? parseFloat(cell.dataset.v) : cell.textContent;
  };
  const sort = (i, down) => {
    const order = (a, b) => {
      const x = value(a, i), y = value(b, i);
      if (typeof x === 'string') return x.localeCompare(y, 'en', { numeric: true }) * (down ? -1 : 1);
      if (!isFinite(x) || !isFinite(y)) return isFinite(y) - isFinite(x);
      return (x - y) * (down ? -1 : 1);
    };
    body.append(...[...body.rows].sort(order));
    heads.forEach((head, j) => head.setAttribute('aria-sort', i !== j ? 'none' : down ? 'descending' : 'ascending'));
  };
  heads.forEach((head, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute('aria-sort', 'none');
    button.addEventListener('click', () => {
      const now = head.getAttribute('aria-sort');
      sort(i, now === 'none' ? head.classList.contains('n') : now === 'ascending');
    });
  });
}
