// Before anything else: what went wrong is kept, and said on the page, so that a part that stays empty has a reason.
window.kwdag.errors = [];
window.kwdag.trouble = (message) => {
  window.kwdag.errors.push(message);
  const note = document.getElementById("trouble");
  note.textContent = `This page could not be drawn completely: ${message}`;
  note.hidden = false;
};
addEventListener("error", (event) => {
  // a notice that a size changed twice in one frame, no error
  if (!event.message.startsWith("ResizeObserver loop")) window.kwdag.trouble(event.message);
});
addEventListener("unhandledrejection", (event) => window.kwdag.trouble(String(event.reason)));
