// A frame's JSON, spaced for reading, its names apart from its values. Only as text nodes: what is
// in a frame was written by somebody else.

function name(text) {
  const element = document.createElement('span');
  element.className = 'json-name';
  element.textContent = text;
  return element;
}

function* pieces(value) {
  if (value === null || typeof value !== 'object') {
    yield JSON.stringify(value);
    return;
  }
  const list = Array.isArray(value);
  const entries = Object.entries(value);
  if (entries.length === 0) {
    yield list ? '[]' : '{}';
    return;
  }
  yield list ? '[ ' : '{ ';
  for (const [i, [key, inner]] of entries.entries()) {
    if (i > 0) yield ', ';
    if (!list) {
      yield name(JSON.stringify(key));
      yield ': ';
    }
    yield* pieces(inner);
  }
  yield list ? ' ]' : ' }';
}

export function jsonView(value) {
  const view = document.createDocumentFragment();
  view.append(...pieces(value));
  return view;
}
