"use strict";
// An element at the end of another. Text goes in as text, so that a name stays a name.
function make(parent, tag, text, kind) {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}


