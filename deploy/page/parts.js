// Copies of the page's templates, and the elements in them by the name in `data-part`.

export function parts(element) {
  const named = {};
  for (const part of element.querySelectorAll('[data-part]')) named[part.dataset.part] = part;
  return named;
}

// { element, ...parts } of a new copy.
export function copyOf(template) {
  const element = document.getElementById(template).content.firstElementChild.cloneNode(true);
  return { element, ...parts(element) };
}

// What is written beside a name: `tone` is 'good', 'bad' or ''.
export function say(element, text, tone = '') {
  element.textContent = text;
  element.classList.toggle('good', tone === 'good');
  element.classList.toggle('bad', tone === 'bad');
}
