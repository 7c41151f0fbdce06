// What an assistive technology needs of any page; returns what is missing.
() => {
  const missing = [];
  const name = e => (e.labels && e.labels.length) || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby');
  for (const e of document.querySelectorAll('.ps input:not([type=hidden]), .ps select, .ps textarea'))
    if (!name(e)) missing.push(e.outerHTML);
  for (const e of document.querySelectorAll('.ps fieldset')) if (!e.querySelector('legend')) missing.push('legend');
  for (const e of document.querySelectorAll('.ps table')) if (!e.caption) missing.push('caption');
  for (const e of document.querySelectorAll('.ps th')) if (!e.scope) missing.push('scope ' + e.outerHTML);
  for (const e of document.querySelectorAll('.ps a, .ps button')) if (!e.textContent.trim()) missing.push('name ' + e.outerHTML);
  for (const e of document.querySelectorAll('[id]'))
    if (document.querySelectorAll('#' + CSS.escape(e.id)).length > 1) missing.push('id ' + e.id);
  for (const e of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const id of (e.getAttribute('aria-labelledby') || e.getAttribute('aria-describedby')).split(' '))
      if (!document.getElementById(id)) missing.push('refers to ' + id);
  if (document.querySelectorAll('h1').length !== 1) missing.push('h1');
  if (!document.documentElement.lang) missing.push('lang');
  return missing;
}
